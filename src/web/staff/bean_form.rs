//! The form of a bean: what was typed, what is wrong with it, and its page.

use askama::Template;
use serde::Deserialize;

use crate::catalogue::Version;
use crate::db::beans::Bean;
use crate::db::suppliers::Supplier;
use crate::domain::{
    BagsInStock, BeanDetails, BeanId, BeanType, InvalidBagsInStock, InvalidText, Price, ShortText,
    SupplierId,
};
use crate::submission::Submission;
use crate::web::paths;
use crate::web::ui::form::{Mistakes, TextField, as_typed, is_untouched, new_key, text_sentence};
use crate::web::ui::layout::Layout;
use crate::web::ui::merge::{Conflict, Merged, MergedField, merge};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct BeanForm {
    pub(crate) id: String,
    supplier_id: String,
    #[serde(rename = "type")]
    bean_type: String,
    product_name: String,
    price: String,
    description: String,
    pub(crate) quantity: String,
    /// What the stock was when the form was shown; the lab's clients do not send it.
    pub(crate) quantity_was: String,
    quantity_reason: String,
    /// Makes a form that is sent twice one form; the lab's clients do not send it.
    form_key: String,
    /// Which version of the bean the form was filled in from; the lab's clients do not send it.
    pub(crate) seen: String,
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
            form_key: String::new(),
            seen: Version::of_bean(bean).as_str().to_owned(),
        }
    }
}

/// A form without mistakes.
#[derive(Debug)]
pub(super) struct TypedBean {
    pub(super) details: BeanDetails,
    pub(super) quantity: BagsInStock,
}

impl BeanForm {
    pub(crate) fn empty() -> Self {
        Self {
            form_key: new_key(),
            ..Self::default()
        }
    }

    /// The form as something that has one effect.
    pub(crate) fn submission(&self) -> Submission {
        let content = [
            "bean",
            &self.supplier_id,
            &self.bean_type,
            &self.product_name,
            &self.price,
            &self.description,
            &self.quantity,
        ];
        Submission::new(&self.form_key, &content)
    }

    /// Reads the fields. Those that hold what was `shown` are taken as they are.
    pub(crate) fn parse(&self, shown: Option<&Self>) -> Result<TypedBean, Mistakes> {
        let untouched = |field: fn(&Self) -> &str| {
            shown.is_some_and(|shown| is_untouched(field(self), field(shown)))
        };
        let mut mistakes = Mistakes::default();
        let supplier = self.supplier_id.trim().parse().ok().map(SupplierId);
        let supplier = supplier.ok_or_else(|| "Choose a supplier".to_owned());
        let supplier = mistakes.check("supplier_id", supplier);
        let bean_type = if untouched(|form| &form.bean_type) {
            Ok(BeanType::stored(self.bean_type.clone()))
        } else {
            parse_type(&self.bean_type)
        };
        let bean_type = mistakes.check("type", bean_type);
        let product_name = mistakes.check("product_name", self.parse_product_name(shown));
        let price = match self.price.parse() {
            Ok(price) if untouched(|form| &form.price) => Ok(Price::stored(price)),
            _ => parse_price(&self.price),
        };
        let price = mistakes.check("price", price);
        let description = match shown {
            Some(shown) if untouched(|form| &form.description) => {
                Ok(ShortText::stored(shown.description.clone()))
            }
            _ => parse_description(&self.description),
        };
        let description = mistakes.check("description", description);
        let quantity = mistakes.check("quantity", self.parse_quantity(shown));
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
                details: BeanDetails {
                    supplier,
                    bean_type,
                    product_name,
                    price,
                    description,
                },
                quantity,
            }),
            _ => Err(mistakes),
        }
    }

    fn parse_quantity(&self, shown: Option<&Self>) -> Result<BagsInStock, String> {
        let untouched = shown.is_some_and(|shown| shown.quantity == self.quantity);
        match self.quantity.parse() {
            Ok(quantity) if untouched => Ok(BagsInStock::stored(quantity)),
            _ => parse_stock(&self.quantity),
        }
    }

    fn parse_product_name(&self, shown: Option<&Self>) -> Result<ShortText<255>, String> {
        if shown.is_some_and(|shown| shown.product_name == self.product_name) {
            return Ok(ShortText::stored(self.product_name.clone()));
        }
        ShortText::parse(&self.product_name)
            .map_err(|error| text_sentence("Product name", "Enter the product’s name", error))
    }

    /// The stock the typed number was meant to replace.
    pub(crate) fn seen_quantity(&self) -> Option<i64> {
        parse_stock(&self.quantity_was).ok().map(BagsInStock::get)
    }

    /// Reads a change of the bean that was `shown`, whose stock was `from` then: another number of bags
    /// needs a reason.
    pub(crate) fn parse_change(
        &self,
        shown: &Self,
        from: i64,
    ) -> Result<(TypedBean, Option<ShortText<500>>), Mistakes> {
        let parsed = self.parse(Some(shown));
        let same = self.quantity.trim() == from.to_string();
        if same || parse_stock(&self.quantity).is_ok_and(|to| to.get() == from) {
            return parsed.map(|typed| (typed, None));
        }
        let reason = ShortText::parse(&self.quantity_reason)
            .map_err(|error| text_sentence("Reason", "Enter a reason for the correction", error));
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

impl BeanForm {
    /// Takes over what somebody else changed meanwhile, and tells where both changed the same.
    pub(crate) fn merge(&mut self, saved: &Self, supplier_name: &str) -> Merged {
        let seen = Version::seen(&self.seen);
        let field = |name, label, typed, saved| MergedField {
            name,
            label,
            typed,
            saved,
            shown: saved,
            canonical: as_typed,
        };
        let fields = vec![
            MergedField {
                shown: supplier_name,
                canonical: |text| text.trim().to_owned(),
                ..field(
                    "supplier_id",
                    "Supplier",
                    &mut self.supplier_id,
                    &saved.supplier_id,
                )
            },
            field("type", "Type", &mut self.bean_type, &saved.bean_type),
            field(
                "product_name",
                "Product name",
                &mut self.product_name,
                &saved.product_name,
            ),
            MergedField {
                canonical: canonical_price,
                ..field("price", "Price", &mut self.price, &saved.price)
            },
            field(
                "description",
                "Description",
                &mut self.description,
                &saved.description,
            ),
        ];
        merge(seen.as_ref(), fields)
    }

    /// Its fields, as it sends them.
    pub(crate) fn fields(&self) -> Vec<(&'static str, String)> {
        vec![
            ("id", self.id.clone()),
            ("supplier_id", self.supplier_id.clone()),
            ("type", self.bean_type.clone()),
            ("product_name", self.product_name.clone()),
            ("price", self.price.clone()),
            ("description", self.description.clone()),
            ("quantity", self.quantity.clone()),
            ("quantity_was", self.quantity_was.clone()),
            ("quantity_reason", self.quantity_reason.clone()),
            ("seen", self.seen.clone()),
        ]
    }

    /// The number of bags that both have changed, if they have.
    pub(crate) fn stock_conflict(&self, quantity: i64) -> Conflict {
        Conflict {
            name: "quantity",
            label: "Bags in stock",
            theirs: quantity.to_string(),
            theirs_shown: quantity.to_string(),
            yours: self.quantity.clone(),
        }
    }

    /// Whether the number of bags that was typed is the one that is stored.
    pub(crate) fn wants_stock(&self, quantity: i64) -> bool {
        parse_stock(&self.quantity).is_ok_and(|bags| bags.get() == quantity)
    }
}

fn parse_type(typed: &str) -> Result<BeanType, String> {
    let bean_type = BeanType::parse(typed)
        .map_err(|error| text_sentence("Type", "Enter a type, like Arabica", error.0))?;
    if bean_type.fits_a_line() {
        Ok(bean_type)
    } else {
        Err("Type can’t contain a colon; suppliers’ lines use it as a separator".to_owned())
    }
}

/// A price as a [`Version`] has it, however it is typed.
fn canonical_price(typed: &str) -> String {
    Price::parse(typed).map_or_else(
        |_| typed.to_owned(),
        |price| price.amount().normalize().to_string(),
    )
}

pub(super) fn parse_price(typed: &str) -> Result<Price, String> {
    if typed.trim().is_empty() {
        return Err("Enter a price, like 18 or 18.00".to_owned());
    }
    Price::parse(typed).map_err(|error| format!("Price {error}"))
}

/// Reads a description; its lines become one, since what reads it shows one.
fn parse_description(typed: &str) -> Result<ShortText<1000>, String> {
    let line = typed.replace("\r\n", " ").replace(['\n', '\r', '\t'], " ");
    ShortText::parse(&line)
        .map_err(|error: InvalidText| text_sentence("Description", "Enter a description", error))
}

fn parse_stock(typed: &str) -> Result<BagsInStock, String> {
    match BagsInStock::parse_typed(typed) {
        Ok(bags) => Ok(bags),
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
#[template(path = "staff/beans/form.html")]
pub(crate) struct BeanFormPage {
    layout: Layout,
    /// The bean that is changed; none for a new one.
    id: Option<BeanId>,
    suppliers: Vec<SupplierChoice>,
    about: [TextField; 4],
    quantity: TextField,
    quantity_was: String,
    quantity_reason: TextField,
    form_key: String,
    seen: String,
    mistakes: Mistakes,
}

impl BeanFormPage {
    fn heading(&self) -> &'static str {
        match self.id {
            Some(_) => "Change a bean",
            None => "Add a bean",
        }
    }

    fn action(&self) -> &'static str {
        match self.id {
            Some(_) => paths::BEAN_UPDATE,
            None => paths::BEAN_ADD,
        }
    }

    /// Shows the form with what was typed and what is wrong with it.
    pub(crate) fn new(
        layout: Layout,
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
            layout,
            id,
            suppliers: suppliers.into_iter().map(choice).collect(),
            about: about_fields(form, &mistakes),
            quantity: TextField {
                inputmode: "numeric",
                width: "short",
                hint: if id.is_some() {
                    "Deliveries update this number automatically. Change it only to correct it."
                } else {
                    "The bags on the shelf today. They become the opening stock."
                },
                ..TextField::new("quantity", "Bags in stock", &form.quantity, &mistakes)
            },
            quantity_was: form.quantity_was.clone(),
            quantity_reason: TextField {
                width: "wide",
                hint: "Needed if you change the number, for example “Two bags torn”. It is kept with the movement.",
                ..TextField::new(
                    "quantity_reason",
                    "Reason for the correction",
                    &form.quantity_reason,
                    &mistakes,
                )
            },
            form_key: form.form_key.clone(),
            seen: form.seen.clone(),
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
            hint: "Suppliers use this name in their updates. Upper and lower case are the same.",
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
        let mistakes = BeanForm::default().parse(None).unwrap_err();

        let fields: Vec<_> = mistakes
            .all()
            .iter()
            .map(|mistake| &*mistake.field)
            .collect();
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
        let typed = form().parse(None).unwrap();

        assert_eq!(typed.details.supplier, SupplierId(3));
        assert_eq!(typed.details.description.as_str(), "Tart and fruity");
        assert_eq!(typed.quantity.get(), 1_000);
    }

    #[test]
    fn only_another_number_of_bags_wants_a_reason() {
        let mut form = form();

        let (_, kept) = form.parse_change(&BeanForm::default(), 1_000).unwrap();
        let unexplained = form.parse_change(&BeanForm::default(), 999).unwrap_err();
        form.quantity_reason = "Found one".to_owned();
        let (_, explained) = form.parse_change(&BeanForm::default(), 999).unwrap();

        assert_eq!(kept, None);
        assert_eq!(
            unexplained.of("quantity_reason"),
            Some("Enter a reason for the correction")
        );
        assert_eq!(explained.unwrap().as_str(), "Found one");
    }

    #[test]
    fn all_mistakes_are_told_at_once() {
        let mut form = form();
        form.price = "cheap".to_owned();

        let mistakes = form.parse_change(&BeanForm::default(), 999).unwrap_err();

        let fields: Vec<_> = mistakes
            .all()
            .iter()
            .map(|mistake| &*mistake.field)
            .collect();
        assert_eq!(fields, ["price", "quantity_reason"]);
    }

    #[test]
    fn what_nobody_touched_is_not_checked_again() {
        let shown = BeanForm {
            description: String::new(),
            bean_type: "House: Dark".to_owned(),
            price: "250000.00".to_owned(),
            ..form()
        };
        let typed = BeanForm {
            quantity: "7".to_owned(),
            quantity_reason: "Counted".to_owned(),
            ..shown_again(&shown)
        };

        let (bean, reason) = typed.parse_change(&shown, 1_000).unwrap();

        assert_eq!(
            (bean.quantity.get(), bean.details.description.as_str()),
            (7, "")
        );
        assert!(reason.is_some());
        let mut touched = shown_again(&shown);
        touched.bean_type = "House: Light".to_owned();
        let mistakes = touched.parse_change(&shown, 1_000).unwrap_err();
        assert!(mistakes.of("type").is_some_and(|why| why.contains("colon")));
    }

    fn shown_again(shown: &BeanForm) -> BeanForm {
        BeanForm {
            bean_type: shown.bean_type.clone(),
            price: shown.price.clone(),
            description: shown.description.clone(),
            ..form()
        }
    }
}
