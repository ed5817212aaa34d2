//! Which dead letters an address chooses.

use serde::Deserialize;
use uuid::Uuid;

use crate::db::letter_lists::{LetterFilter, LetterGroup, LettersOf};
use crate::domain::{BeanType, Reason};
use crate::web::paths;
use crate::web::ui::query;

/// How an address says that a letter's supplier could not be read.
const NOBODY: &str = "none";

/// What an address chooses, as it is written there.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Choice {
    pub(super) reason: String,
    pub(super) supplier: String,
    /// The bean that updates name, as they write it.
    pub(super) bean: String,
    pub(super) q: String,
    pub(super) page: String,
    /// Where somebody who looks for words goes on.
    pub(super) before: String,
}

impl Choice {
    /// The letters of a group.
    pub(super) fn of(reason: Reason, supplier: Option<i64>) -> Self {
        Self {
            reason: reason.code().to_owned(),
            supplier: supplier.map_or_else(|| NOBODY.to_owned(), |number| number.to_string()),
            ..Self::default()
        }
    }

    /// All letters of a reason.
    pub(super) fn of_reason(reason: Reason) -> Self {
        Self {
            reason: reason.code().to_owned(),
            ..Self::default()
        }
    }

    /// Whether it leaves anything out.
    pub(super) fn is_any(&self) -> bool {
        self.reason.is_empty() && self.supplier.is_empty() && !self.searches()
    }

    pub(super) fn reason(&self) -> Option<Reason> {
        Reason::from_code(&self.reason)
    }

    /// Whether what letters say decides.
    pub(super) fn searches(&self) -> bool {
        !self.words().is_empty() || !self.bean.is_empty()
    }

    /// What is looked for, up to as many characters as anybody types.
    pub(super) fn words(&self) -> &str {
        first_characters(self.q.trim(), MOST_CHARACTERS)
    }

    fn bean(&self) -> &str {
        first_characters(&self.bean, MOST_CHARACTERS)
    }

    /// The letters that it means; none if it names what cannot be.
    pub(super) fn filter(&self) -> Option<LetterFilter> {
        let reason = self.reason();
        if reason.is_none() && !self.reason.is_empty() {
            return None;
        }
        let of = match self.supplier.as_str() {
            "" => LettersOf::Anybody,
            NOBODY => LettersOf::Nobody,
            number => LettersOf::Supplier(number.parse().ok()?),
        };
        // Collations ignore what nobody sees, so that such words would be in every letter.
        let is_invisible =
            |text: &str| !text.is_empty() && BeanType::stored(text.to_owned()).key().is_empty();
        if is_invisible(self.words()) || is_invisible(self.bean()) {
            return None;
        }
        Some(LetterFilter {
            reason,
            of,
            bean: self.bean().to_owned(),
            words: self.words().to_owned(),
        })
    }

    /// Whether a group is among those that it means, whatever its letters say.
    pub(super) fn takes(&self, group: &LetterGroup) -> bool {
        self.filter().is_some_and(|filter| {
            let is_its = match filter.of {
                LettersOf::Anybody => true,
                LettersOf::Nobody => group.supplier.is_none(),
                LettersOf::Supplier(number) => group.supplier == Some(number),
            };
            is_its && filter.reason.is_none_or(|reason| reason == group.reason)
        })
    }

    /// The code of the group that it means; none if it means no group as a whole.
    pub(super) fn scope(&self) -> Option<String> {
        let filter = self.filter()?;
        let reason = filter.reason?.code();
        if self.searches() {
            return None;
        }
        Some(match filter.of {
            LettersOf::Anybody => reason.to_owned(),
            LettersOf::Nobody => format!("{reason}:{NOBODY}"),
            LettersOf::Supplier(number) => format!("{reason}:{number}"),
        })
    }

    /// Its address on a page of letters.
    pub(super) fn on(&self, page: &str) -> String {
        let choices = [
            ("reason", self.reason.as_str()),
            ("supplier", &self.supplier),
            ("bean", self.bean()),
            ("q", self.words()),
        ];
        query::address(page, &choices)
    }

    pub(super) fn address(&self) -> String {
        self.on(paths::DEAD_LETTERS)
    }

    /// The address from which older letters are looked through for its words.
    pub(super) fn further(&self, before: Uuid) -> String {
        let address = self.address();
        let sign = if address.contains('?') { '&' } else { '?' };
        format!("{address}{sign}before={before}")
    }

    /// What it chooses, in words; `of` names the supplier.
    pub(super) fn in_words(&self, of: Option<&str>) -> String {
        let what = self.reason().map_or("All reasons", Reason::title);
        let mut words = what.to_owned();
        if let Some(of) = of {
            words.push_str(", ");
            words.push_str(of);
        }
        for said in [self.bean(), self.words()] {
            if !said.is_empty() {
                words.push_str(", with “");
                words.push_str(said);
                words.push('”');
            }
        }
        if let Some((end, _)) = words.char_indices().nth(290) {
            words.truncate(end);
            words.push('…');
        }
        words
    }
}

/// The longest text that is looked for.
const MOST_CHARACTERS: usize = 100;

fn first_characters(text: &str, most: usize) -> &str {
    let end = text.char_indices().nth(most);
    end.map_or(text, |(end, _)| &text[..end])
}

/// How a supplier is called that letters claim to come from.
pub(super) fn sender(number: Option<i64>, name: Option<&str>) -> String {
    match (number, name) {
        (_, Some(name)) => name.to_owned(),
        (Some(number), None) => format!("Number {number} (unknown)"),
        (None, None) => "Supplier unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_address_cannot_mean_means_nothing_rather_than_everything() {
        for (reason, supplier) in [("nonsense", ""), ("", "three"), ("malformed", "3x")] {
            let choice = Choice {
                reason: reason.to_owned(),
                supplier: supplier.to_owned(),
                ..Choice::default()
            };
            assert!(choice.filter().is_none(), "{reason} {supplier}");
        }
        for invisible in ["\u{200b}", "\u{2060}", "\u{200d}\u{200b}"] {
            let choice = Choice {
                bean: invisible.to_owned(),
                ..Choice::default()
            };
            assert!(choice.filter().is_none(), "{invisible:?}");
            let choice = Choice {
                q: invisible.to_owned(),
                ..Choice::default()
            };
            assert!(choice.filter().is_none(), "{invisible:?}");
        }
        assert!(Choice::default().filter().is_some());
    }

    #[test]
    fn a_choice_survives_its_address() {
        let choice = Choice {
            q: " DN 4411&x ".to_owned(),
            ..Choice::of(Reason::UnknownBean, Some(3))
        };

        assert_eq!(
            choice.address(),
            "/dead-letters?reason=unknown_bean&supplier=3&q=DN+4411%26x"
        );
    }
}
