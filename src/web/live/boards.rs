//! What watched dashboards are sent: the parts that say something else than before.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use askama::Template as _;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::events;
use super::hub::Seated;
use crate::web::dashboard::{Board, Figures, Part, PartPage};

/// The dashboard after a look, rendered once for each time zone.
pub(super) struct Boards {
    figures: Option<Arc<Figures>>,
    now: DateTime<Utc>,
    rendered: HashMap<Tz, Vec<(Part, u64, String)>>,
}

impl Boards {
    /// Nothing is sent without figures.
    pub(super) fn new(figures: Option<Arc<Figures>>, now: DateTime<Utc>) -> Self {
        Self {
            figures,
            now,
            rendered: HashMap::new(),
        }
    }

    /// Sends a watcher what differs from what it shows, if it is a dashboard.
    pub(super) fn tell(&mut self, seated: &mut Seated) {
        let Some(figures) = self.figures.as_ref().filter(|_| seated.watcher.has_board) else {
            return;
        };
        let (zone, now) = (seated.watcher.eyes.zone, self.now);
        let parts = self.rendered.entry(zone).or_insert_with(|| {
            let figures = Arc::clone(figures);
            render(&Board { figures, zone, now })
        });
        let mut html = String::new();
        for (part, says, text) in parts {
            if seated.learns_part(*part, *says) {
                html.push_str(text);
            }
        }
        if !html.is_empty() {
            seated.send(events::parts(&html));
        }
    }
}

fn render(board: &Board) -> Vec<(Part, u64, String)> {
    let part = |part| {
        let html = PartPage { part, board }.render().unwrap_or_default();
        let mut hasher = DefaultHasher::new();
        html.hash(&mut hasher);
        (part, hasher.finish(), html)
    };
    Part::ALL.into_iter().map(part).collect()
}
