//! The form that asks once more before many dead letters are dealt with.

use serde::Deserialize;
use uuid::Uuid;

use crate::domain::{BulkKind, ShortText};
use crate::web::http::error::WebError;
use crate::web::ui::form::{Mistakes, text_sentence};

/// From so many on, their number has to be typed.
pub(super) const MANY: i64 = 20;

/// How many letters a second somebody can choose: one to watch what comes of it, a hundred to be done with it.
pub(super) const SPEEDS: [i32; 3] = [1, 10, 100];

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct CheckForm {
    pub(super) form_key: String,
    pub(super) newest: String,
    pub(super) number: String,
    pub(super) digest: String,
    pub(super) speed: String,
    pub(super) why: String,
    pub(super) typed: String,
}

/// What a form says, checked.
pub(super) struct Checked {
    pub(super) newest: Uuid,
    pub(super) number: i64,
    pub(super) speed: i32,
    pub(super) why: Option<ShortText<500>>,
}

/// Checks what was typed.
///
/// # Errors
/// What no form of ours sends.
pub(super) fn check(
    form: &CheckForm,
    kind: BulkKind,
) -> Result<Result<Checked, Mistakes>, WebError> {
    let newest = Uuid::parse_str(&form.newest).map_err(|_not_ours| WebError::BadForm)?;
    let number: i64 = form.number.parse().map_err(|_not_ours| WebError::BadForm)?;
    if form.form_key.is_empty() || number < 1 {
        return Err(WebError::BadForm);
    }
    let mut mistakes = Mistakes::default();
    let speed = form.speed.parse().ok();
    let speed = speed.filter(|speed| SPEEDS.contains(speed));
    if speed.is_none() {
        mistakes.add("speed", "Choose how fast");
    }
    let why = match kind {
        BulkKind::Resend => None,
        BulkKind::Discard => {
            let why = ShortText::parse(&form.why)
                .map_err(|error| text_sentence("The reason", "Say why they are discarded", error));
            mistakes.check("why", why)
        }
    };
    let typed = form.typed.trim().replace([',', ' '], "");
    if number >= MANY && typed.parse() != Ok(number) {
        mistakes.add("typed", format!("Type {number} if you mean all of them"));
    }
    if !mistakes.is_empty() {
        return Ok(Err(mistakes));
    }
    Ok(Ok(Checked {
        newest,
        number,
        speed: speed.unwrap_or(SPEEDS[0]),
        why,
    }))
}
