//! Reads the lab's line: `SupplierId:BeanType:Quantity`, where quantity 0 means out of stock.

use super::values::{check_bags, claim_bean_type, malformed};
use crate::domain::{
    Bags, Claim, InventoryUpdate, Reason, Refusal, StockChange, SupplierId, UpdateId, UpdateKind,
    parse_integer, quote,
};

pub(super) fn read(
    line: &str,
    id: UpdateId,
    claim: &mut Claim,
) -> Result<InventoryUpdate, Refusal> {
    let line = line.trim();
    let lines = line.split(['\n', '\r']);
    if lines.filter(|line| !line.trim().is_empty()).count() > 1 {
        return Err(malformed(
            "It has more than one line. Send each update in a message of its own.",
        ));
    }
    let parts: Vec<&str> = line.splitn(4, ':').collect();
    let [supplier, bean_type, quantity] = parts[..] else {
        return Err(malformed(format!(
            "{} is not of the form supplier:bean:bags, like 3:Excelsa:9.",
            quote(line)
        )));
    };
    let supplier = parse_integer(supplier.trim()).ok_or_else(|| {
        malformed(format!(
            "{} is not a supplier's number, in {}.",
            quote(supplier),
            quote(line)
        ))
    })?;
    claim.supplier = Some(supplier);
    let bean_type = claim_bean_type(bean_type, claim)?;
    let bags = parse_integer(quantity.trim()).ok_or_else(|| {
        Refusal::new(
            Reason::BadQuantity,
            format!("{} is not a whole number of bags.", quote(quantity)),
        )
    })?;
    let change = if bags == 0 {
        claim.kind = Some(UpdateKind::OutOfStock);
        StockChange::OutOfStock
    } else {
        claim.kind = Some(UpdateKind::Delivery);
        StockChange::Delivery(check_bags(bags, Bags::new(bags))?)
    };
    claim.quantity = Some(bags);
    Ok(InventoryUpdate {
        id,
        supplier: SupplierId(supplier),
        bean_type,
        change,
        occurred_at: None,
        sent_at: None,
        reference: None,
        note: None,
    })
}
