//! What every page has around its content: who is looking, where they are, what was just done, and in
//! which time zone times are shown.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::Uri;
use axum::http::request::Parts;
use chrono::{DateTime, Utc};

use super::assets::{FAVICON_URL, STYLESHEET_URL};
use super::notice::Notice;
use crate::web::paths;
use crate::web::state::AppState;

/// The surroundings of a page. Every page has one, in a field called `layout`.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    /// The page's own address, with its filters.
    pub(crate) path: String,
    /// What was just done.
    pub(crate) notice: Option<Notice>,
    /// When the page was made.
    pub(crate) now: DateTime<Utc>,
    /// The time zone of all times on the page.
    pub(crate) time_zone: &'static str,
    /// The address of the site's icon.
    pub(crate) icon: &'static str,
    /// The address of the style sheet.
    pub(crate) stylesheet: &'static str,
}

/// An entry of the main navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) label: &'static str,
    pub(crate) path: &'static str,
    /// The value of `aria-current`: `page` for the page itself, `true` for one below it.
    pub(crate) current: Option<&'static str>,
}

/// The main navigation: label, address, and how the addresses below it begin.
const NAVIGATION: [(&str, &str, &str); 4] = [
    ("Beans", paths::BEANS, "/bean"),
    ("Suppliers", paths::SUPPLIERS, "/supplier"),
    ("Updates", paths::UPDATES, "/update"),
    ("Needs attention", paths::DEAD_LETTERS, "/dead-letter"),
];

impl Layout {
    /// The surroundings of the page at an address.
    pub(crate) fn at(uri: &Uri, now: DateTime<Utc>) -> Self {
        let notice = Notice::in_uri(uri);
        let path = if notice.is_some() {
            uri.path()
        } else {
            uri.path_and_query().map_or("/", |path| path.as_str())
        };
        Self {
            path: path.to_owned(),
            notice,
            now,
            time_zone: "UTC",
            icon: &FAVICON_URL,
            stylesheet: &STYLESHEET_URL,
        }
    }

    /// The surroundings of a page that is shown instead of another one.
    pub(crate) fn nowhere() -> Self {
        Self::at(&Uri::default(), DateTime::UNIX_EPOCH).beside_navigation()
    }

    /// No entry of the navigation leads to this page.
    fn beside_navigation(self) -> Self {
        Self {
            path: String::new(),
            ..self
        }
    }

    /// The main navigation, seen from this page.
    pub(crate) fn navigation(&self) -> Vec<Entry> {
        let current = |path: &str, below: &str| match self.path.split('?').next() {
            Some(own) if own == path => Some("page"),
            Some(own) if own.starts_with(below) => Some("true"),
            _ => None,
        };
        let entry = |(label, path, below)| Entry {
            label,
            path,
            current: current(path, below),
        };
        NAVIGATION.into_iter().map(entry).collect()
    }

    pub(crate) fn is_home(&self) -> bool {
        self.path == paths::HOME
    }
}

impl FromRequestParts<AppState> for Layout {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Infallible> {
        Ok(Self::at(&parts.uri, state.clock.now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn current(address: &'static str) -> Vec<(&'static str, &'static str)> {
        let layout = Layout::at(&Uri::from_static(address), DateTime::UNIX_EPOCH);
        let entries = layout.navigation().into_iter();
        entries
            .filter_map(|entry| Some((entry.label, entry.current?)))
            .collect()
    }

    #[test]
    fn the_navigation_shows_where_a_page_is() {
        for (address, expected) in [
            ("/", vec![]),
            ("/beans", vec![("Beans", "page")]),
            ("/beans?page=2", vec![("Beans", "page")]),
            ("/beans/7", vec![("Beans", "true")]),
            ("/bean-update/7", vec![("Beans", "true")]),
            ("/supplier-add", vec![("Suppliers", "true")]),
            (
                "/dead-letters?reason=malformed",
                vec![("Needs attention", "page")],
            ),
        ] {
            assert_eq!(current(address), expected, "{address}");
        }
        assert!(
            Layout::nowhere()
                .navigation()
                .iter()
                .all(|entry| entry.current.is_none())
        );
    }

    #[test]
    fn refreshing_a_page_does_not_repeat_its_notice() {
        let uri = Uri::from_static("/beans?done=bean-added");

        let layout = Layout::at(&uri, DateTime::UNIX_EPOCH);

        assert_eq!(
            (layout.path.as_str(), layout.notice),
            ("/beans", Some(Notice::BeanAdded))
        );
    }
}
