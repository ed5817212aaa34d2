//! The form of a bean: what was typed, what is wrong with it, and its page.

use askama::Template;
use rust_decimal::Decimal;
use serde::Deserialize;

use super::form::{Mistakes, TextField, text_sentence};
use crate::db::beans::{Bean, BeanTexts};
use crate::db::suppliers::Supplier;
use crate::domain::{
    BagsInStock, BeanId, BeanType, InvalidBagsInStock, InvalidText, Price, ShortText, SupplierId,
};

/// What was typed.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct BeanForm {
    pub(super) id: String,
    supplier_id: String,
    #[serde(rename = "type")]
    bean_type: String,
    product_name: String,
    price: String,
    description: String,
    quantity: String,
    /// What the stock was when the form was shown; the lab's clients do not send it.
    pub(super) quantity_was: String,
    quantity_reason: String,
}

impl From<&Bean> for BeanForm {
    fn from(bean: &Bean) -> Self {
        Self {
            id: bean.id.to_string(),
            supplier_id: bean.supplier.to_string(),
            bean_type: bean.bean_type.clone(),
            product_name: bean.product_name.clone(),
            price: format!("{:.2}", bean.price),
            description: bean.description.clone(),
            quantity: bean.quantity.to_string(),
            quantity_was: bean.quantity.to_string(),
            quantity_reason: String::new(),
        }
    }
}

/// A form without mistakes.
#[derive(Debug)]
pub(super) struct TypedBean {
    supplier: SupplierId,
    bean_type: BeanType,
    product_name: ShortText<255>,
    price: Decimal,
    description: ShortText<1000>,
    /// Bags in stock.
    pub(super) quantity: i64,
}

impl TypedBean {
    /// What to store beside the stock.
    pub(super) fn texts(&self) -> BeanTexts<'_> {
        BeanTexts {
            supplier: self.supplier,
            bean_type: &self.bean_type,
            product_name: self.product_name.as_str(),
            price: self.price,
            description: self.description.as_str(),
        }
    }
}

impl BeanForm {
    /// Reads the fields.
    pub(super) fn parse(&self) -> Result<TypedBean, Mistakes> {
        let mut mistakes = Mistakes::default();
        let supplier = self.supplier_id.trim().parse().ok().map(SupplierId);
        let supplier = supplier.ok_or_else(|| "Choose a supplier".to_owned());
        let supplier = mistakes.check("supplier_id", supplier);
        let bean_type = BeanType::parse(&self.bean_type)
            .map_err(|error| text_sentence("Type", "Enter a type, like Arabica", error.0));
        let bean_type = mistakes.check("type", bean_type);
        let product_name = ShortText::parse(&self.product_name)
            .map_err(|error| text_sentence("Product name", "Enter the product’s name", error));
        let product_name = mistakes.check("product_name", product_name);
        let price = mistakes.check("price", parse_price(&self.price));
        let description = mistakes.check("description", parse_description(&self.description));
        let quantity = mistakes.check("quantity", parse_stock(&self.quantity));
        match (
            supplier,
            bean_type,
            product_name,
            price,
            description,
            quantity,
        ) {
            (
                Some(supplier),
                Some(bean_type),
                Some(product_name),
                Some(price),
                Some(description),
                Some(quantity),
            ) => Ok(TypedBean {
                supplier,
                bean_type,
                product_name,
                price,
                description,
                quantity,
            }),
            _ => Err(mistakes),
        }
    }

    /// The stock the typed number was meant to replace.
    pub(super) fn seen_quantity(&self) -> Option<i64> {
        parse_stock(&self.quantity_was).ok()
    }

    /// Reads a change of a bean whose stock was `from`: another number of bags needs a reason.
    pub(super) fn parse_change(
        &self,
        from: i64,
    ) -> Result<(TypedBean, Option<ShortText<500>>), Mistakes> {
        let parsed = self.parse();
        if parse_stock(&self.quantity).is_ok_and(|to| to == from) {
            return parsed.map(|typed| (typed, None));
        }
        let reason = ShortText::parse(&self.quantity_reason)
            .map_err(|error| text_sentence("Reason", "Say why the number of bags changes", error));
        match (parsed, reason) {
            (Ok(typed), Ok(reason)) => Ok((typed, Some(reason))),
            (Ok(_), Err(sentence)) => Err(Mistakes::one("quantity_reason", sentence)),
            (Err(mut mistakes), Err(sentence)) if mistakes.of("quantity").is_none() => {
                mistakes.add("quantity_reason", sentence);
                Err(mistakes)
            }
            (Err(mistakes), _) => Err(mistakes),
        }
    }
}

fn parse_price(typed: &str) -> Result<Decimal, String> {
    if typed.trim().is_empty() {
        return Err("Enter a price, like 18 or 18.00".to_owned());
    }
    match Price::parse(typed) {
        Ok(price) => Ok(price.amount()),
        Err(error) => Err(format!("Price {error}")),
    }
}

/// Reads a description; its lines become one, since what reads it shows one.
fn parse_description(typed: &str) -> Result<ShortText<1000>, String> {
    let line = typed.replace("\r\n", " ").replace(['\n', '\r', '\t'], " ");
    ShortText::parse(&line)
        .map_err(|error: InvalidText| text_sentence("Description", "Enter a description", error))
}

fn parse_stock(typed: &str) -> Result<i64, String> {
    match BagsInStock::parse_typed(typed) {
        Ok(bags) => Ok(bags.get()),
        Err(InvalidBagsInStock::Empty) => {
            Err("Enter the number of bags; 0 if there are none".to_owned())
        }
        Err(error) => Err(format!("Bags {error}")),
    }
}

/// A supplier to choose.
struct SupplierChoice {
    id: SupplierId,
    name: String,
    chosen: bool,
}

#[derive(Template)]
#[template(path = "beans/form.html")]
pub(super) struct BeanFormPage {
    /// The bean that is changed; none for a new one.
    id: Option<BeanId>,
    suppliers: Vec<SupplierChoice>,
    about: [TextField; 4],
    quantity: TextField,
    quantity_was: String,
    quantity_reason: TextField,
    mistakes: Mistakes,
}

impl BeanFormPage {
    /// Shows the form with what was typed and what is wrong with it.
    pub(super) fn new(
        id: Option<BeanId>,
        suppliers: Vec<Supplier>,
        form: &BeanForm,
        mistakes: Mistakes,
    ) -> Self {
        let choice = |supplier: Supplier| SupplierChoice {
            chosen: form.supplier_id.trim() == supplier.id.to_string(),
            id: supplier.id,
            name: supplier.name,
        };
        Self {
            id,
            suppliers: suppliers.into_iter().map(choice).collect(),
            about: about_fields(form, &mistakes),
            quantity: TextField {
                inputmode: "numeric",
                width: "short",
                hint: if id.is_some() {
                    "Deliveries change this by themselves. Change it here only to correct it."
                } else {
                    "What is on the shelf today. It becomes the opening stock."
                },
                ..TextField::new("quantity", "Bags in stock", &form.quantity, &mistakes)
            },
            quantity_was: form.quantity_was.clone(),
            quantity_reason: TextField {
                width: "wide",
                hint: "Only if you change the number, like “Two bags torn”. It stays in the books.",
                ..TextField::new(
                    "quantity_reason",
                    "Why the number changes",
                    &form.quantity_reason,
                    &mistakes,
                )
            },
            mistakes,
        }
    }
}

fn about_fields(form: &BeanForm, mistakes: &Mistakes) -> [TextField; 4] {
    let field = |name, label, value, width| TextField {
        width,
        ..TextField::new(name, label, value, mistakes)
    };
    [
        TextField {
            hint: "Suppliers name it in their updates; capitals make no difference.",
            suggestions: "known-types",
            ..field("type", "Type", &form.bean_type, "medium")
        },
        field("product_name", "Product name", &form.product_name, "wide"),
        TextField {
            inputmode: "decimal",
            ..field("price", "Price per bag, in dollars", &form.price, "short")
        },
        TextField {
            kind: "",
            ..field("description", "Description", &form.description, "wide")
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form() -> BeanForm {
        BeanForm {
            supplier_id: "3".to_owned(),
            bean_type: "Excelsa".to_owned(),
            product_name: "Best bean".to_owned(),
            price: "18".to_owned(),
            description: "Tart\r\nand fruity".to_owned(),
            quantity: "1,000".to_owned(),
            ..BeanForm::default()
        }
    }

    #[test]
    fn an_empty_form_asks_for_every_field_in_order() {
        let mistakes = BeanForm::default().parse().unwrap_err();

        let fields: Vec<_> = mistakes.all().iter().map(|mistake| mistake.field).collect();
        assert_eq!(
            fields,
            [
                "supplier_id",
                "type",
                "product_name",
                "price",
                "description",
                "quantity"
            ]
        );
    }

    #[test]
    fn a_form_becomes_a_bean() {
        let typed = form().parse().unwrap();

        assert_eq!(typed.texts().supplier, SupplierId(3));
        assert_eq!(typed.texts().description, "Tart and fruity");
        assert_eq!(typed.quantity, 1_000);
    }

    #[test]
    fn only_another_number_of_bags_wants_a_reason() {
        let mut form = form();

        let (_, kept) = form.parse_change(1_000).unwrap();
        let unexplained = form.parse_change(999).unwrap_err();
        form.quantity_reason = "Found one".to_owned();
        let (_, explained) = form.parse_change(999).unwrap();

        assert_eq!(kept, None);
        assert_eq!(
            unexplained.of("quantity_reason"),
            Some("Say why the number of bags changes")
        );
        assert_eq!(explained.unwrap().as_str(), "Found one");
    }

    #[test]
    fn all_mistakes_are_told_at_once() {
        let mut form = form();
        form.price = "cheap".to_owned();

        let mistakes = form.parse_change(999).unwrap_err();

        let fields: Vec<_> = mistakes.all().iter().map(|mistake| mistake.field).collect();
        assert_eq!(fields, ["price", "quantity_reason"]);
    }
}
