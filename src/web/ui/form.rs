//! What all forms share: how they are read, and how their fields and mistakes are shown.

use std::borrow::Cow;

use axum::extract::rejection::FormRejection;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use serde::de::DeserializeOwned;

use crate::domain::InvalidText;
use crate::web::http::error::WebError;

/// A posted form. What cannot be read at all gets a page of ours.
pub(crate) struct Form<T>(pub(crate) T);

impl<S, T> FromRequest<S> for Form<T>
where
    S: Send + Sync,
    T: DeserializeOwned,
{
    type Rejection = WebError;

    async fn from_request(request: Request, state: &S) -> Result<Self, WebError> {
        match axum::Form::from_request(request, state).await {
            Ok(axum::Form(form)) => Ok(Self(form)),
            Err(rejection) => Err(unreadable(rejection)),
        }
    }
}

fn unreadable(rejection: FormRejection) -> WebError {
    if rejection.into_response().status() == StatusCode::PAYLOAD_TOO_LARGE {
        WebError::TooLarge
    } else {
        WebError::BadForm
    }
}

impl TextField {
    /// A password: what was typed is not shown again.
    pub(crate) fn password(
        name: &'static str,
        label: &'static str,
        autocomplete: &'static str,
        mistakes: &Mistakes,
    ) -> Self {
        Self {
            kind: "password",
            autocomplete,
            width: "medium",
            ..Self::new(name, label, "", mistakes)
        }
    }
}

/// A key for a form that adds something, so that sending it twice has one effect.
pub(crate) fn new_key() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

/// Whether a field holds what the form was filled in with. Such a value is not checked again: it may
/// be older than a rule, and whoever changes another field has no part in it. Browsers write line
/// breaks in their own way.
pub(crate) fn is_untouched(typed: &str, shown: &str) -> bool {
    typed == shown || typed.replace("\r\n", "\n") == shown.replace("\r\n", "\n")
}

/// A text without what browsers do to its line breaks.
pub(crate) fn as_typed(text: &str) -> String {
    text.replace("\r\n", "\n")
}

/// A mistake in a form: the field's name, and the sentence shown at the field and in the summary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mistake {
    pub(crate) field: Cow<'static, str>,
    pub(crate) sentence: String,
}

/// The mistakes of a form, in the order of its fields.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Mistakes(Vec<Mistake>);

impl Mistakes {
    pub(crate) fn one(field: impl Into<Cow<'static, str>>, sentence: impl Into<String>) -> Self {
        let mut mistakes = Self::default();
        mistakes.add(field, sentence);
        mistakes
    }

    pub(crate) fn add(&mut self, field: impl Into<Cow<'static, str>>, sentence: impl Into<String>) {
        self.0.push(Mistake {
            field: field.into(),
            sentence: sentence.into(),
        });
    }

    /// Keeps the value, or notes the mistake.
    pub(crate) fn check<T>(
        &mut self,
        field: impl Into<Cow<'static, str>>,
        parsed: Result<T, String>,
    ) -> Option<T> {
        parsed.map_err(|sentence| self.add(field, sentence)).ok()
    }

    /// All of them, for the summary.
    pub(crate) fn all(&self) -> &[Mistake] {
        &self.0
    }

    /// Whether the form is right.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is wrong with one field.
    pub(crate) fn of(&self, field: &str) -> Option<&str> {
        let mistake = self.0.iter().find(|mistake| mistake.field == field)?;
        Some(&mistake.sentence)
    }
}

/// Puts a refused text into words: `enter` when it is missing, otherwise what is wrong with it.
pub(crate) fn text_sentence(label: &str, enter: &str, error: InvalidText) -> String {
    match error {
        InvalidText::Empty => enter.to_owned(),
        InvalidText::NotAnEmailAddress => "Enter an email address like name@example.com".to_owned(),
        InvalidText::NotAPhoneNumber => {
            "Enter a phone number like 555-555-0100 or +44 20 7946 0000".to_owned()
        }
        error => format!("{label} {error}"),
    }
}

/// A field to type into, as the template shows it.
#[derive(Debug, Clone, Default)]
pub(crate) struct TextField {
    /// Its name, which is its id too.
    pub(crate) name: Cow<'static, str>,
    pub(crate) label: &'static str,
    /// A sentence of help; empty for none.
    pub(crate) hint: &'static str,
    pub(crate) value: String,
    pub(crate) error: Option<String>,
    /// `text`, `email` or `tel`; empty for a text of several lines.
    pub(crate) kind: &'static str,
    pub(crate) inputmode: &'static str,
    pub(crate) autocomplete: &'static str,
    /// The class of its width.
    pub(crate) width: &'static str,
    /// The id of a list of suggestions; empty for none.
    pub(crate) suggestions: &'static str,
}

impl TextField {
    /// A line of text that holds what was typed and says what is wrong with it.
    pub(crate) fn new(
        name: impl Into<Cow<'static, str>>,
        label: &'static str,
        value: &str,
        mistakes: &Mistakes,
    ) -> Self {
        let name = name.into();
        Self {
            label,
            value: value.to_owned(),
            error: mistakes.of(&name).map(str::to_owned),
            name,
            kind: "text",
            autocomplete: "off",
            ..Self::default()
        }
    }

    /// The ids of what describes the field; empty for nothing.
    pub(crate) fn described_by(&self) -> String {
        let hint = (!self.hint.is_empty()).then(|| format!("{}-hint", self.name));
        let error = self.error.is_some().then(|| format!("{}-error", self.name));
        hint.into_iter().chain(error).collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_described_by_its_hint_and_its_mistake() {
        let mistakes = Mistakes::one("price", "Enter a price");
        let mut field = TextField::new("price", "Price", "", &mistakes);
        assert_eq!(field.described_by(), "price-error");

        field.hint = "In dollars";

        assert_eq!(field.described_by(), "price-hint price-error");
    }

    #[test]
    fn a_missing_text_is_asked_for_and_a_wrong_one_described() {
        let sentence = |error| text_sentence("City", "Enter a city", error);

        assert_eq!(sentence(InvalidText::Empty), "Enter a city");
        assert_eq!(
            sentence(InvalidText::TooLong(255)),
            "City must be 255 characters or fewer"
        );
    }
}
