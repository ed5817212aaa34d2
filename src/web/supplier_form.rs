//! The form of a supplier: what was typed, what is wrong with it, and its page.

use askama::Template;
use serde::Deserialize;

use super::form::{Mistakes, TextField, text_sentence};
use crate::db::suppliers::{Supplier, SupplierTexts};
use crate::domain::{EmailAddress, PhoneNumber, ShortText, SupplierId};

/// What was typed.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SupplierForm {
    pub(super) id: String,
    name: String,
    address: String,
    city: String,
    state: String,
    email: String,
    phone: String,
}

impl From<Supplier> for SupplierForm {
    fn from(supplier: Supplier) -> Self {
        Self {
            id: supplier.id.to_string(),
            name: supplier.name,
            address: supplier.address,
            city: supplier.city,
            state: supplier.state,
            email: supplier.email,
            phone: supplier.phone,
        }
    }
}

/// A form without mistakes.
#[derive(Debug)]
pub(super) struct TypedSupplier {
    name: ShortText<255>,
    address: ShortText<255>,
    city: ShortText<255>,
    state: ShortText<255>,
    email: EmailAddress,
    phone: PhoneNumber,
}

impl TypedSupplier {
    /// The texts to store.
    pub(super) fn texts(&self) -> SupplierTexts<'_> {
        SupplierTexts {
            name: self.name.as_str(),
            address: self.address.as_str(),
            city: self.city.as_str(),
            state: self.state.as_str(),
            email: self.email.as_str(),
            phone: self.phone.as_str(),
        }
    }
}

impl SupplierForm {
    /// Reads the fields.
    pub(super) fn parse(&self) -> Result<TypedSupplier, Mistakes> {
        let mut mistakes = Mistakes::default();
        let text = |label, enter, typed: &str| {
            ShortText::parse(typed).map_err(|error| text_sentence(label, enter, error))
        };
        let name = mistakes.check(
            "name",
            text("Name", "Enter the supplier’s name", &self.name),
        );
        let address = mistakes.check(
            "address",
            text("Address", "Enter an address", &self.address),
        );
        let city = mistakes.check("city", text("City", "Enter a city", &self.city));
        let state = mistakes.check(
            "state",
            text("State", "Enter a state or region", &self.state),
        );
        let email = EmailAddress::parse(&self.email)
            .map_err(|error| text_sentence("Email address", "Enter an email address", error));
        let email = mistakes.check("email", email);
        let phone = PhoneNumber::parse(&self.phone)
            .map_err(|error| text_sentence("Phone number", "Enter a phone number", error));
        let phone = mistakes.check("phone", phone);
        match (name, address, city, state, email, phone) {
            (Some(name), Some(address), Some(city), Some(state), Some(email), Some(phone)) => {
                Ok(TypedSupplier {
                    name,
                    address,
                    city,
                    state,
                    email,
                    phone,
                })
            }
            _ => Err(mistakes),
        }
    }
}

#[derive(Template)]
#[template(path = "suppliers/form.html")]
pub(super) struct SupplierFormPage {
    /// The supplier that is changed; none for a new one.
    id: Option<SupplierId>,
    mistakes: Mistakes,
    fields: [TextField; 6],
}

impl SupplierFormPage {
    /// Shows the form with what was typed and what is wrong with it.
    pub(super) fn new(id: Option<SupplierId>, form: &SupplierForm, mistakes: Mistakes) -> Self {
        let field = |name, label, value, autocomplete, width| TextField {
            autocomplete,
            width,
            ..TextField::new(name, label, value, &mistakes)
        };
        let fields = [
            field("name", "Name", &form.name, "organization", "wide"),
            field(
                "address",
                "Address",
                &form.address,
                "street-address",
                "wide",
            ),
            field("city", "City", &form.city, "address-level2", "medium"),
            field(
                "state",
                "State or region",
                &form.state,
                "address-level1",
                "medium",
            ),
            TextField {
                kind: "email",
                ..field("email", "Email address", &form.email, "email", "wide")
            },
            TextField {
                kind: "tel",
                hint: "With the country’s code if it is abroad, like +44 20 7946 0000",
                ..field("phone", "Phone number", &form.phone, "tel", "medium")
            },
        ];
        Self {
            id,
            mistakes,
            fields,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_form_asks_for_every_field_in_order() {
        let mistakes = SupplierForm::default().parse().unwrap_err();

        let fields: Vec<_> = mistakes.all().iter().map(|mistake| mistake.field).collect();
        assert_eq!(
            fields,
            ["name", "address", "city", "state", "email", "phone"]
        );
    }

    #[test]
    fn the_labs_supplier_is_taken_as_it_is() {
        let form = SupplierForm {
            name: " AnyCompany & Söhne ".to_owned(),
            address: "1 Any Street".to_owned(),
            city: "Anytown".to_owned(),
            state: "CA".to_owned(),
            email: "info@example.com".to_owned(),
            phone: "555-555-0100".to_owned(),
            ..SupplierForm::default()
        };

        let typed = form.parse().unwrap();

        assert_eq!(typed.texts().name, "AnyCompany & Söhne");
    }
}
