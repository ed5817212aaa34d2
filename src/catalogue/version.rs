//! Whether what somebody edits is still what they saw.

use sha2::{Digest as _, Sha256};

use crate::db::beans::Bean;
use crate::db::suppliers::Supplier;

/// What a supplier or bean said when a form was filled in from it: 16 hexadecimal digits for each text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version(String);

impl Version {
    /// The version that a form says it was filled in from.
    pub fn seen(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty()).then(|| Self(text.to_owned()))
    }

    /// The version of a bean's texts; its stock is no part of it.
    pub fn of_bean(bean: &Bean) -> Self {
        Self::of(&[
            &bean.supplier.to_string(),
            &bean.bean_type,
            &bean.product_name,
            &bean.price.normalize().to_string(),
            &bean.description,
        ])
    }

    /// The version of a supplier's texts.
    pub fn of_supplier(supplier: &Supplier) -> Self {
        Self::of(&[
            &supplier.name,
            &supplier.address,
            &supplier.city,
            &supplier.state,
            &supplier.email,
            &supplier.phone,
        ])
    }

    fn of(texts: &[&str]) -> Self {
        let digests: Vec<String> = texts.iter().map(|text| short_digest(text)).collect();
        Self(digests.join("-"))
    }

    /// Whether the text at this place, counted from 0, said this. The texts are the supplier's name,
    /// address, city, state, e-mail address and phone number, or the bean's supplier, type, product
    /// name, price without zeros at its end, and description.
    pub fn said(&self, place: usize, text: &str) -> bool {
        self.0.split('-').nth(place) == Some(short_digest(text).as_str())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn short_digest(text: &str) -> String {
    let digest = Sha256::digest(text);
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    format!("{:016x}", u64::from_be_bytes(first))
}
