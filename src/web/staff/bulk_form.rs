//! The form that changes prices and alert lines of several beans: how it is read, and what it says.

use std::collections::HashMap;

use axum::extract::{FromRequest, Request};
use rust_decimal::{Decimal, RoundingStrategy};

use super::bean_form::parse_price;
use crate::catalogue::TermsChange;
use crate::db::beans::Bean;
use crate::domain::{BeanId, BeanTerms, Price};
use crate::submission::Submission;
use crate::web::http::error::WebError;
use crate::web::paths::InPath as _;
use crate::web::ui::form::{Form, Mistakes, new_key};
use crate::web::ui::typed::parse_stock;

/// As many beans are changed at once.
pub(super) const MOST: usize = 100;

/// What is typed for one bean.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) bean: BeanId,
    pub(super) price: String,
    /// Empty for no alert line.
    pub(super) line: String,
    /// How the bean stood when the form was made, as [`seen`] writes it.
    pub(super) seen: String,
}

/// The form as typed.
#[derive(Debug, Clone, Default)]
pub(super) struct BulkForm {
    pub(super) wish: String,
    pub(super) form_key: String,
    /// By how many per cent all prices are to go up.
    pub(super) percent: String,
    /// The alert line for all.
    pub(super) line: String,
    pub(super) rows: Vec<Row>,
}

/// How a bean stands, as the form carries it.
pub(super) fn seen(terms: BeanTerms) -> String {
    let line = terms.alert_at.map_or_else(String::new, |at| at.to_string());
    format!("{} {line}", terms.price.amount())
}

fn parse_seen(seen: &str) -> Option<BeanTerms> {
    let (price, line) = seen.split_once(' ')?;
    let alert_at = match line {
        "" => None,
        line => Some(line.parse().ok()?),
    };
    let price = Price::stored(price.parse().ok()?);
    Some(BeanTerms { price, alert_at })
}

impl Row {
    fn of(bean: &Bean) -> Self {
        Self {
            bean: bean.id,
            price: bean.price.to_string(),
            line: bean.alert_at.map_or_else(String::new, |at| at.to_string()),
            seen: seen(bean.terms()),
        }
    }

    /// Reads what is wanted. What was not touched is taken as it was seen.
    fn parse(&self, was: BeanTerms, mistakes: &mut Mistakes) -> Option<BeanTerms> {
        let price = if self.price.trim() == was.price.amount().to_string() {
            Ok(was.price)
        } else {
            parse_price(&self.price)
        };
        let line = match self.line.trim() {
            "" => Ok(None),
            line if was.alert_at.map(|at| at.to_string()).as_deref() == Some(line) => {
                Ok(was.alert_at)
            }
            line => parse_stock(line).map(|bags| Some(bags.get())),
        };
        let price = mistakes.check(format!("price-{}", self.bean), price);
        let alert_at = mistakes.check(format!("line-{}", self.bean), line);
        let (price, alert_at) = price.zip(alert_at)?;
        Some(BeanTerms { price, alert_at })
    }
}

impl BulkForm {
    pub(super) fn of(beans: &[Bean]) -> Self {
        Self {
            form_key: new_key(),
            rows: beans.iter().map(Row::of).collect(),
            ..Self::default()
        }
    }

    fn read(fields: Vec<(String, String)>) -> Self {
        let mut form = Self::default();
        for (name, value) in fields {
            match name.as_str() {
                "do" => form.wish = value,
                "form_key" => form.form_key = value,
                "percent" => form.percent = value,
                "line" => form.line = value,
                _ => form.read_row_field(&name, value),
            }
        }
        form
    }

    /// Reads a field like `price-7`.
    fn read_row_field(&mut self, name: &str, value: String) {
        let Some((field, bean)) = name.split_once('-') else {
            return;
        };
        let Some(bean) = BeanId::from_segment(bean) else {
            return;
        };
        let place = self.rows.iter().position(|row| row.bean == bean);
        let place = place.unwrap_or_else(|| {
            self.rows.push(Row {
                bean,
                price: String::new(),
                line: String::new(),
                seen: String::new(),
            });
            self.rows.len() - 1
        });
        let row = &mut self.rows[place];
        match field {
            "price" => row.price = value,
            "line" => row.line = value,
            "seen" => row.seen = value,
            _ => {}
        }
    }

    /// Reads the rows that want something else than was seen. A bean that is not as it was seen is shown as it is
    /// now and asked about again.
    pub(super) fn parse(
        &mut self,
        beans: &HashMap<BeanId, Bean>,
    ) -> Result<Vec<TermsChange>, Mistakes> {
        let mut mistakes = Mistakes::default();
        let mut changes = Vec::new();
        for row in &mut self.rows {
            let Some(bean) = beans.get(&row.bean) else {
                mistakes.add(
                    format!("price-{}", row.bean),
                    format!("Bean {} is not on the list any more", row.bean),
                );
                continue;
            };
            let now = bean.terms();
            if parse_seen(&row.seen) != Some(now) {
                mistakes.add(format!("price-{}", row.bean), changed_meanwhile(bean));
                row.seen = seen(now);
                continue;
            }
            let Some(wanted) = row.parse(now, &mut mistakes) else {
                continue;
            };
            if wanted != now {
                changes.push(TermsChange {
                    bean: row.bean,
                    seen: now,
                    wanted,
                });
            }
        }
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        if changes.is_empty() {
            return Err(Mistakes::one("percent", "Nothing is different yet"));
        }
        Ok(changes)
    }

    /// Types into every row what was chosen for all of them.
    pub(super) fn fill_in(&mut self) -> Result<(), Mistakes> {
        let mut mistakes = Mistakes::default();
        let percent = match self.percent.trim() {
            "" => Ok(None),
            typed => parse_percent(typed).map(Some),
        };
        let percent = mistakes.check("percent", percent).flatten();
        let line = match self.line.trim() {
            "" => Ok(None),
            typed => parse_stock(typed).map(|bags| Some(bags.get())),
        };
        let line = mistakes.check("line", line).flatten();
        for row in &mut self.rows {
            if let (Some(percent), Ok(price)) = (percent, Price::parse(&row.price)) {
                row.price = raised(price, percent).to_string();
            }
            if let Some(line) = line {
                row.line = line.to_string();
            }
        }
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        self.percent.clear();
        self.line.clear();
        Ok(())
    }

    /// The form as something that has one effect.
    pub(super) fn submission(&self) -> Submission {
        let mut content = vec!["beans".to_owned()];
        for row in &self.rows {
            content.extend([row.bean.to_string(), row.price.clone(), row.line.clone()]);
        }
        let content: Vec<&str> = content.iter().map(String::as_str).collect();
        Submission::new(&self.form_key, &content)
    }
}

fn changed_meanwhile(bean: &Bean) -> String {
    let line = match bean.alert_at {
        None => "no alert line".to_owned(),
        Some(at) => format!("an alert line of {at}"),
    };
    format!(
        "{} was changed in the meantime: it now costs ${} and has {line}. Check what you typed for it",
        bean.product_name, bean.price
    )
}

fn parse_percent(typed: &str) -> Result<Decimal, String> {
    let number = typed.trim_end_matches('%').trim().replace('−', "-");
    let percent: Option<Decimal> = number.parse().ok();
    percent
        .filter(|percent| {
            (-90..=1_000).contains(&percent.round().mantissa()) && percent.scale() <= 4
        })
        .ok_or_else(|| "Enter a number of per cent from -90 to 1,000, like 5 or -2.5".to_owned())
}

/// A price that went up by so many per cent, to the cent.
fn raised(price: Price, percent: Decimal) -> Decimal {
    let factor = Decimal::ONE + percent / Decimal::ONE_HUNDRED;
    let mut raised =
        (price.amount() * factor).round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero);
    raised.rescale(2);
    raised
}

impl<S: Send + Sync> FromRequest<S> for BulkForm {
    type Rejection = WebError;

    async fn from_request(request: Request, state: &S) -> Result<Self, WebError> {
        let Form(fields) = Form::from_request(request, state).await?;
        let form = Self::read(fields);
        if form.rows.len() > MOST {
            return Err(WebError::BadForm);
        }
        Ok(form)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_go_up_by_per_cent_to_the_cent() {
        let raise = |price: &str, percent: &str| {
            let percent = parse_percent(percent).unwrap();
            raised(Price::parse(price).unwrap(), percent).to_string()
        };

        assert_eq!(raise("18", "5"), "18.90");
        assert_eq!(raise("18.99", "-2.5%"), "18.52");
        assert_eq!(raise("0.10", "5"), "0.11");
        assert_eq!(raise("10", "−50"), "5.00");
        for wrong in [
            "",
            "five",
            "-91",
            "1001",
            "99999999999999999999999999",
            "0.00001",
        ] {
            assert!(parse_percent(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_was_seen_is_read_as_it_was_written() {
        for alert_at in [None, Some(60)] {
            let terms = BeanTerms {
                price: Price::parse("18.00").unwrap(),
                alert_at,
            };
            assert_eq!(parse_seen(&seen(terms)), Some(terms));
        }
        assert_eq!(parse_seen("18.00 many"), None);
        assert_eq!(parse_seen(""), None);
    }
}
