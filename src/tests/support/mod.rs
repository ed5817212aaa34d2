//! What the stories are told with.

pub(crate) mod app;
pub(crate) mod browser;
pub(crate) mod endpoint;
pub(crate) mod fake_queue;
pub(crate) mod fake_stream;
pub(crate) mod fake_topic;
pub(crate) mod other_client;
pub(crate) mod process;
pub(crate) mod proxy;
pub(crate) mod recorder;
pub(crate) mod server;
pub(crate) mod site;
pub(crate) mod smtp;

use std::net::{Ipv4Addr, TcpListener};

use beanstock::domain::{
    BeanDetails, BeanId, BeanType, EmailAddress, PhoneNumber, Price, ShortText, SupplierDetails,
    SupplierId,
};

pub(crate) use app::{Kind, TestApp};
pub(crate) use other_client::{OtherClient, drop_a_transaction};
pub(crate) use site::Site;

/// Excelsa of supplier 3: 200 bags.
pub(crate) const EXCELSA: BeanId = BeanId(5);
/// Its own page.
pub(crate) const EXCELSA_PAGE: &str = "/beans/5";
/// The form that changes it.
pub(crate) const EXCELSA_FORM: &str = "/bean-update/5";

/// Arabica of supplier 6: 300 bags.
pub(crate) const ARABICA: BeanId = BeanId(10);

/// A port to listen on later. It is below those that the system gives to whoever connects, so
/// nobody gets it by chance in the meantime.
pub(crate) fn free_port() -> u16 {
    loop {
        let port = fastrand::u16(15_000..32_000);
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

/// What staff enter about a supplier.
pub(crate) fn supplier(name: &str) -> SupplierDetails {
    let text = |text: &str| ShortText::stored(text.to_owned());
    SupplierDetails {
        name: text(name),
        address: text("1 Road"),
        city: text("Town"),
        state: text("State"),
        email: EmailAddress::parse("orders@example.com").unwrap(),
        phone: PhoneNumber::parse("555-555-0100").unwrap(),
    }
}

/// What staff enter about a bean.
pub(crate) fn bean(supplier: i64, bean_type: &str) -> BeanDetails {
    BeanDetails {
        supplier: SupplierId(supplier),
        bean_type: BeanType::parse(bean_type).unwrap(),
        product_name: ShortText::parse(bean_type).unwrap(),
        price: Price::parse("1").unwrap(),
        description: ShortText::parse("Added later").unwrap(),
    }
}
