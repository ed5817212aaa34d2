//! The lab's suppliers and beans, for a first look.

use anyhow::Result;

use super::add_supplier;
use crate::clock::Clock;
use crate::db::activity::Actor;
use crate::db::suppliers;
use crate::db::{MigrationLock, Pool};
use crate::domain::{
    BagsInStock, BeanDetails, BeanType, EmailAddress, PhoneNumber, Price, ShortText,
    SupplierDetails, SupplierId,
};

/// Name, street, city, state and the last digits of the phone number. The lab has eight suppliers;
/// these names are ours.
const SUPPLIERS: [(&str, &str, &str, &str); 8] = [
    (
        "Juniper Hill Roasters",
        "12 Juniper Hill",
        "Portland",
        "Oregon",
    ),
    (
        "O'Malley & Sons",
        "4 Harbour Street",
        "Boston",
        "Massachusetts",
    ),
    ("Cordillera Direct", "77 Mercado Avenue", "Miami", "Florida"),
    ("Blue Finch Coffee", "9 Finch Lane", "Austin", "Texas"),
    (
        "Two Rivers Importers",
        "210 Quay Road",
        "St. Louis",
        "Missouri",
    ),
    ("Monsoon Trading", "31 Spice Court", "Seattle", "Washington"),
    (
        "Altiplano Co-operative",
        "5 Summit Way",
        "Denver",
        "Colorado",
    ),
    ("Lake & Lantern", "18 Lantern Row", "Chicago", "Illinois"),
];

/// Supplier (from 1), type, price in dollars and bags, as the lab has them.
const BEANS: [(usize, &str, i64, i64); 14] = [
    (1, "Arabica", 18, 1000),
    (1, "Robusta", 12, 800),
    (2, "Robusta", 10, 500),
    (2, "Liberica", 14, 600),
    (3, "Excelsa", 18, 200),
    (4, "Arabica", 11, 900),
    (4, "Robusta", 13, 350),
    (5, "Robusta", 16, 700),
    (5, "Liberica", 15, 300),
    (6, "Arabica", 13, 300),
    (7, "Robusta", 12, 800),
    (7, "Liberica", 17, 700),
    (8, "Liberica", 10, 1000),
    (8, "Excelsa", 16, 300),
];

/// Fills an empty database; says whether it was empty.
pub async fn fill_if_empty(pool: &Pool, clock: &dyn Clock) -> Result<bool> {
    // Of several copies that start at once, one fills it.
    let _lock = MigrationLock::take(pool).await?;
    let known = suppliers::list_suppliers(&mut *pool.acquire().await?).await?;
    if !known.is_empty() {
        return Ok(false);
    }
    let mut ids = Vec::new();
    for (number, (name, address, city, state)) in SUPPLIERS.into_iter().enumerate() {
        let details = SupplierDetails {
            name: ShortText::parse(name)?,
            address: ShortText::parse(address)?,
            city: ShortText::parse(city)?,
            state: ShortText::parse(state)?,
            email: EmailAddress::parse(&format!("orders{}@example.com", number + 1))?,
            phone: PhoneNumber::parse(&format!("555-555-010{number}"))?,
        };
        ids.push(add_supplier(pool, clock, &details, None, Actor::OPERATOR).await?);
    }
    for bean in BEANS {
        add_bean(pool, clock, &ids, bean).await?;
    }
    Ok(true)
}

async fn add_bean(
    pool: &Pool,
    clock: &dyn Clock,
    suppliers: &[SupplierId],
    (supplier, bean_type, dollars, bags): (usize, &str, i64, i64),
) -> Result<()> {
    let description = match bean_type {
        "Arabica" => "Sweet and bright, with a long finish.",
        "Robusta" => "Strong and dark; makes a thick crema.",
        "Liberica" => "Smoky and woody, with a flowery nose.",
        _ => "Tart and fruity; lifts every blend.",
    };
    let details = BeanDetails {
        supplier: suppliers[supplier - 1],
        bean_type: BeanType::parse(bean_type)?,
        product_name: ShortText::parse(&format!("House {bean_type}"))?,
        price: Price::parse(&dollars.to_string())?,
        description: ShortText::parse(description)?,
    };
    super::add_bean(
        pool,
        clock,
        &details,
        BagsInStock::stored(bags),
        None,
        Actor::OPERATOR,
    )
    .await?;
    Ok(())
}
