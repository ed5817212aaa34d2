//! `/beans.json`, byte for byte what the café's public site is used to.
//!
//! That site writes the strings into its HTML as they are, so they are escaped here.

use std::borrow::Cow;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use serde_json::ser::{PrettyFormatter, Serializer};

use super::error::HEADERS;
use crate::db;
use crate::db::beans::Bean;
use crate::web::http::error::WebError;
use crate::web::state::{AppState, READ_WITHIN, in_turn};

/// How the lab's app indents.
const INDENT: &[u8] = b"   ";

#[derive(Serialize)]
struct LegacyBean<'a> {
    id: i64,
    supplier_id: i64,
    #[serde(rename = "type")]
    bean_type: Cow<'a, str>,
    product_name: Cow<'a, str>,
    price: String,
    description: Cow<'a, str>,
    quantity: i64,
}

impl<'a> From<&'a Bean> for LegacyBean<'a> {
    fn from(bean: &'a Bean) -> Self {
        Self {
            id: bean.id.0,
            supplier_id: bean.supplier.0,
            bean_type: escape(&bean.bean_type),
            product_name: escape(&bean.product_name),
            price: format!("{:.2}", bean.price),
            description: escape(&bean.description),
            quantity: bean.quantity,
        }
    }
}

/// Lists the beans for the public site.
pub(crate) async fn list_beans_json(State(state): State<AppState>) -> Result<Response, WebError> {
    let json = state
        .shared
        .beans_json
        .get(async || in_turn(READ_WITHIN, render(&state)).await)
        .await?;
    Ok((HEADERS, [(CACHE_CONTROL, "no-cache")], json).into_response())
}

async fn render(state: &AppState) -> Result<Bytes, WebError> {
    let mut conn = state.connection().await?;
    let beans = db::beans::list_beans(&mut conn).await?;
    Ok(encode(&beans).map_err(WebError::internal)?.into())
}

fn encode(beans: &[Bean]) -> serde_json::Result<Vec<u8>> {
    let rows: Vec<LegacyBean<'_>> = beans.iter().map(LegacyBean::from).collect();
    let mut json = Vec::with_capacity(rows.len() * 256);
    let formatter = PrettyFormatter::with_indent(INDENT);
    rows.serialize(&mut Serializer::with_formatter(&mut json, formatter))?;
    Ok(json)
}

/// Escapes what validator.js's `escape` escapes, in the same way.
fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(['&', '<', '>', '"', '\'', '/', '\\', '`']) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#x27;"),
            '/' => escaped.push_str("&#x2F;"),
            '\\' => escaped.push_str("&#x5C;"),
            '`' => escaped.push_str("&#96;"),
            other => escaped.push(other),
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use rust_decimal::Decimal;

    use super::*;
    use crate::domain::{BeanId, SupplierId};

    #[test]
    fn a_bean_is_written_as_the_public_site_reads_it() {
        let bean = Bean {
            id: BeanId(1),
            supplier: SupplierId(3),
            supplier_name: "not shown".to_owned(),
            bean_type: "Arabica".to_owned(),
            product_name: "O'Malley & \"Sons\" <b>".to_owned(),
            price: Decimal::new(18, 0),
            description: "a/b\\c`d ☕".to_owned(),
            quantity: 1_000,
            alert_at: None,
            out_of_stock_since: None,
        };

        let json = String::from_utf8(encode(&[bean]).unwrap()).unwrap();

        insta::assert_snapshot!(json, @r#"
        [
           {
              "id": 1,
              "supplier_id": 3,
              "type": "Arabica",
              "product_name": "O&#x27;Malley &amp; &quot;Sons&quot; &lt;b&gt;",
              "price": "18.00",
              "description": "a&#x2F;b&#x5C;c&#96;d ☕",
              "quantity": 1000
           }
        ]
        "#);
    }

    #[test]
    fn no_beans_are_an_empty_array() {
        assert_eq!(encode(&[]).unwrap(), b"[]");
    }
}
