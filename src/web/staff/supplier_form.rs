//! The form of a supplier: what was typed, what is wrong with it, and its page.

use askama::Template;
use serde::Deserialize;

use crate::catalogue::Version;
use crate::db::suppliers::Supplier;
use crate::domain::{EmailAddress, PhoneNumber, ShortText, SupplierDetails, SupplierId};
use crate::submission::Submission;
use crate::web::paths;
use crate::web::ui::form::{Mistakes, TextField, as_typed, is_untouched, new_key, text_sentence};
use crate::web::ui::layout::Layout;
use crate::web::ui::merge::{Merged, MergedField, merge};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct SupplierForm {
    pub(crate) id: String,
    pub(crate) name: String,
    address: String,
    city: String,
    state: String,
    email: String,
    phone: String,
    /// Makes a form that is sent twice one form; the lab's clients do not send it.
    form_key: String,
    /// Which version of the supplier the form was filled in from; the lab's clients do not send it.
    pub(crate) seen: String,
}

impl From<Supplier> for SupplierForm {
    fn from(supplier: Supplier) -> Self {
        Self {
            form_key: String::new(),
            seen: Version::of_supplier(&supplier).as_str().to_owned(),
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

impl SupplierForm {
    pub(crate) fn empty() -> Self {
        Self {
            form_key: new_key(),
            ..Self::default()
        }
    }

    /// The form as something that has one effect.
    pub(crate) fn submission(&self) -> Submission {
        let content = [
            "supplier",
            &self.name,
            &self.address,
            &self.city,
            &self.state,
            &self.email,
            &self.phone,
        ];
        Submission::new(&self.form_key, &content)
    }

    /// Takes over what somebody else changed meanwhile, and tells where both changed the same.
    pub(crate) fn merge(&mut self, saved: &Self) -> Merged {
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
            field("name", "Name", &mut self.name, &saved.name),
            field("address", "Address", &mut self.address, &saved.address),
            field("city", "City", &mut self.city, &saved.city),
            field("state", "State", &mut self.state, &saved.state),
            field("email", "Email address", &mut self.email, &saved.email),
            field("phone", "Phone number", &mut self.phone, &saved.phone),
        ];
        merge(seen.as_ref(), fields)
    }

    /// Its fields, as it sends them.
    pub(crate) fn fields(&self) -> Vec<(&'static str, String)> {
        vec![
            ("id", self.id.clone()),
            ("name", self.name.clone()),
            ("address", self.address.clone()),
            ("city", self.city.clone()),
            ("state", self.state.clone()),
            ("email", self.email.clone()),
            ("phone", self.phone.clone()),
            ("seen", self.seen.clone()),
        ]
    }

    /// Reads the fields. Those that hold what was `shown` are taken as they are.
    pub(crate) fn parse(&self, shown: Option<&Self>) -> Result<SupplierDetails, Mistakes> {
        let untouched = |field: fn(&Self) -> &str| {
            shown.is_some_and(|shown| is_untouched(field(self), field(shown)))
        };
        let mut mistakes = Mistakes::default();
        let mut text = |name, label, enter, field: fn(&Self) -> &str| {
            let text = if untouched(field) {
                Ok(ShortText::stored(field(self).to_owned()))
            } else {
                ShortText::parse(field(self)).map_err(|error| text_sentence(label, enter, error))
            };
            mistakes.check(name, text)
        };
        let name = text("name", "Name", "Enter the supplier’s name", |form| {
            &form.name
        });
        let address = text("address", "Address", "Enter an address", |form| {
            &form.address
        });
        let city = text("city", "City", "Enter a city", |form| &form.city);
        let state = text("state", "State", "Enter a state or region", |form| {
            &form.state
        });
        let email = if untouched(|form| &form.email) {
            Ok(EmailAddress::stored(self.email.clone()))
        } else {
            EmailAddress::parse(&self.email)
                .map_err(|error| text_sentence("Email address", "Enter an email address", error))
        };
        let email = mistakes.check("email", email);
        let phone = if untouched(|form| &form.phone) {
            Ok(PhoneNumber::stored(self.phone.clone()))
        } else {
            PhoneNumber::parse(&self.phone)
                .map_err(|error| text_sentence("Phone number", "Enter a phone number", error))
        };
        let phone = mistakes.check("phone", phone);
        match (name, address, city, state, email, phone) {
            (Some(name), Some(address), Some(city), Some(state), Some(email), Some(phone)) => {
                Ok(SupplierDetails {
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
#[template(path = "staff/suppliers/form.html")]
pub(crate) struct SupplierFormPage {
    layout: Layout,
    /// The supplier that is changed; none for a new one.
    id: Option<SupplierId>,
    mistakes: Mistakes,
    fields: [TextField; 6],
    form_key: String,
    seen: String,
}

impl SupplierFormPage {
    fn heading(&self) -> &'static str {
        match self.id {
            Some(_) => "Change a supplier",
            None => "Add a supplier",
        }
    }

    fn action(&self) -> &'static str {
        match self.id {
            Some(_) => paths::SUPPLIER_UPDATE,
            None => paths::SUPPLIER_ADD,
        }
    }

    /// Shows the form with what was typed and what is wrong with it.
    pub(crate) fn new(
        layout: Layout,
        id: Option<SupplierId>,
        form: &SupplierForm,
        mistakes: Mistakes,
    ) -> Self {
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
            layout,
            id,
            form_key: form.form_key.clone(),
            seen: form.seen.clone(),
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
        let mistakes = SupplierForm::default().parse(None).unwrap_err();

        let fields: Vec<_> = mistakes
            .all()
            .iter()
            .map(|mistake| &*mistake.field)
            .collect();
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

        let typed = form.parse(None).unwrap();

        assert_eq!(typed.name.as_str(), "AnyCompany & Söhne");
    }
}
