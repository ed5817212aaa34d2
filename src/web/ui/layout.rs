//! What every page has around its content: who is looking, where they are and where they may go, what was
//! just done, and in which time zone times are shown.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::Uri;
use axum::http::request::Parts;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::assets::{FAVICON_URL, SCRIPT_URL, STYLESHEET_URL};
use super::consumption::{Banner, Consumption};
use super::notice::Notice;
use crate::domain::Role;
use crate::web::access::{Viewer, Who};
use crate::web::paths;
use crate::web::state::{AppState, Rules};

/// The surroundings of a page. Every page has one, in a field called `layout`.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    /// The page's own address, with its filters.
    pub(crate) path: String,
    /// Who is looking, if they are signed in.
    pub(crate) viewer: Option<Viewer>,
    /// What was just done.
    pub(crate) notice: Option<Notice>,
    /// How updates are applied, if the café looks.
    pub(crate) consumption: Consumption,
    /// When the page was made.
    pub(crate) now: DateTime<Utc>,
    /// The time zone of all times on the page.
    pub(crate) zone: Tz,
    /// Whether anybody may read the beans as JSON.
    pub(crate) public_beans_json: bool,
    /// The address of the site's icon.
    pub(crate) icon: &'static str,
    /// The address of the style sheet.
    pub(crate) stylesheet: &'static str,
    /// The address of the script that keeps pages up to date.
    pub(crate) script: &'static str,
}

/// An entry of the main navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) label: &'static str,
    pub(crate) path: &'static str,
    /// The value of `aria-current`: `page` for the page itself, `true` for one below it.
    pub(crate) current: Option<&'static str>,
}

/// Label, address, and how the addresses below it begin.
type Link = (&'static str, &'static str, &'static str);

/// The café's main navigation.
const CAFE: [Link; 5] = [
    ("Beans", paths::BEANS, "/bean"),
    ("Alerts", paths::ALERTS, "/alerts"),
    ("Suppliers", paths::SUPPLIERS, "/supplier"),
    ("Updates", paths::UPDATES, "/update"),
    ("Needs attention", paths::DEAD_LETTERS, "/dead-letter"),
];

/// What staff have besides.
const SHELF: [Link; 1] = [("Use bags", paths::USE, "/use")];

/// What managers have besides.
const MANAGEMENT: [Link; 1] = [("Accounts", paths::ACCOUNTS, "/accounts")];

/// A supplier's main navigation.
const SUPPLIER: [Link; 2] = [
    ("Your beans", paths::HOME, "//"),
    ("Your updates", paths::UPDATES, "/update"),
];

impl Layout {
    /// The surroundings of the page at an address.
    pub(crate) fn at(uri: &Uri, now: DateTime<Utc>, viewer: Option<Viewer>, rules: &Rules) -> Self {
        let notice = Notice::in_uri(uri);
        let path = if notice.is_some() {
            uri.path()
        } else {
            uri.path_and_query().map_or("/", |path| path.as_str())
        };
        Self {
            path: path.to_owned(),
            zone: zone(viewer.as_ref(), rules),
            viewer,
            notice,
            consumption: Consumption::default(),
            now,
            public_beans_json: rules.public_beans_json,
            icon: &FAVICON_URL,
            stylesheet: &STYLESHEET_URL,
            script: &SCRIPT_URL,
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
        self.links().into_iter().map(entry).collect()
    }

    fn links(&self) -> Vec<Link> {
        match self.role() {
            None => Vec::new(),
            Some(Role::Supplier(_)) => SUPPLIER.to_vec(),
            Some(Role::Viewer) => CAFE.to_vec(),
            Some(Role::Staff) => [&SHELF[..], &CAFE].concat(),
            Some(Role::Manager) => [&SHELF[..], &CAFE, &MANAGEMENT].concat(),
        }
    }

    /// What is said above everything else.
    pub(crate) fn banner(&self) -> Banner {
        self.consumption.banner(self.zone)
    }

    fn role(&self) -> Option<Role> {
        self.viewer.as_ref().map(Viewer::role)
    }

    pub(crate) fn is_home(&self) -> bool {
        self.path == paths::HOME
    }

    pub(crate) fn is_own_account(&self) -> bool {
        self.path.starts_with(paths::OWN) && !self.path.starts_with(paths::ACCOUNTS)
    }

    /// Whether somebody may change beans and stock.
    pub(crate) fn is_staff(&self) -> bool {
        matches!(self.role(), Some(Role::Staff | Role::Manager))
    }

    /// Whether somebody may send updates.
    pub(crate) fn is_sender(&self) -> bool {
        self.role().is_some_and(|role| Who::Senders.includes(role))
    }

    /// Whether somebody may change suppliers and accounts.
    pub(crate) fn is_manager(&self) -> bool {
        self.role() == Some(Role::Manager)
    }

    /// Whether somebody sees what the café sees.
    pub(crate) fn is_cafe(&self) -> bool {
        self.role().is_some_and(|role| role.supplier().is_none())
    }

    /// The colour scheme that somebody has chosen; empty for the system's.
    pub(crate) fn scheme(&self) -> &str {
        let viewer = self.viewer.as_ref();
        let chosen = viewer.and_then(|viewer| viewer.0.preferences.color_scheme.as_deref());
        chosen.unwrap_or_default()
    }
}

/// The zone somebody has chosen, or else the café's. One that we do not know any more counts as none.
fn zone(viewer: Option<&Viewer>, rules: &Rules) -> Tz {
    let chosen = viewer.and_then(|viewer| viewer.0.preferences.time_zone.as_ref());
    let chosen = chosen.and_then(|name| name.parse().ok());
    chosen.unwrap_or(rules.time_zone)
}

impl FromRequestParts<AppState> for Layout {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Infallible> {
        let viewer = parts.extensions.get().cloned();
        let layout = Self::at(&parts.uri, state.clock.now(), viewer, &state.rules);
        if !layout.is_cafe() {
            return Ok(layout);
        }
        Ok(Self {
            consumption: state.consumption.read(&state.pool).await,
            ..layout
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::db::accounts::Preferences;
    use crate::db::sessions::SignedIn;
    use crate::domain::{AccountId, SupplierId};

    fn page(address: &'static str, role: Option<Role>) -> Layout {
        let viewer = role.map(|role| {
            Viewer(Arc::new(SignedIn {
                session: 1,
                account: AccountId(1),
                email: "ana@example.com".to_owned(),
                name: "Ana".to_owned(),
                role,
                preferences: Preferences::default(),
                is_stale: false,
            }))
        });
        let uri = Uri::from_static(address);
        Layout::at(&uri, DateTime::UNIX_EPOCH, viewer, &Rules::default())
    }

    fn current(address: &'static str, role: Role) -> Vec<(&'static str, &'static str)> {
        let entries = page(address, Some(role)).navigation().into_iter();
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
            ("/accounts/7", vec![("Accounts", "true")]),
            ("/account", vec![]),
            (
                "/dead-letters?reason=malformed",
                vec![("Needs attention", "page")],
            ),
        ] {
            assert_eq!(current(address, Role::Manager), expected, "{address}");
        }
        let supplier = Role::Supplier(SupplierId(3));
        assert_eq!(current("/", supplier), [("Your beans", "page")]);
        assert_eq!(current("/updates/7", supplier), [("Your updates", "true")]);
    }

    #[test]
    fn everybody_is_shown_where_they_may_go() {
        let labels = |role| -> Vec<&str> {
            let entries = page("/", role).navigation().into_iter();
            entries.map(|entry| entry.label).collect()
        };

        assert_eq!(labels(None), [""; 0]);
        assert_eq!(
            labels(Some(Role::Supplier(SupplierId(3)))),
            ["Your beans", "Your updates"]
        );
        let cafe = ["Beans", "Alerts", "Suppliers", "Updates", "Needs attention"];
        assert_eq!(labels(Some(Role::Viewer)), cafe);
        let staff = [&["Use bags"], &cafe[..]].concat();
        assert_eq!(labels(Some(Role::Staff)), staff);
        assert_eq!(
            labels(Some(Role::Manager)),
            [&staff[..], &["Accounts"]].concat()
        );
    }

    #[test]
    fn refreshing_a_page_does_not_repeat_its_notice() {
        let layout = page("/beans?done=bean-added", None);

        assert_eq!(
            (layout.path.as_str(), layout.notice),
            ("/beans", Some(Notice::BeanAdded))
        );
    }
}
