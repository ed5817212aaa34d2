//! What the queue gave up on, grouped by why, waiting for somebody.

use askama::Template;
use axum::extract::State;
use chrono::{DateTime, Utc};

use super::error::WebError;
use super::page::{Page, filters};
use super::state::AppState;
use crate::db;
use crate::db::dead_letters::DeadLetterLine;
use crate::domain::Reason;
use crate::messaging::wire;

/// As many as one page can show without becoming slow to read.
const NEWEST: i64 = 200;

/// A dead letter with the message that the sender wrote, out of its envelope.
struct Letter {
    line: DeadLetterLine,
    message: Option<String>,
}

/// Dead letters that share a reason.
struct Group {
    title: String,
    letters: Vec<Letter>,
}

impl Group {
    /// Sorts letters into groups, which keep the order of their newest letters.
    fn sort(lines: Vec<DeadLetterLine>) -> Vec<Self> {
        let mut groups: Vec<Self> = Vec::new();
        for line in lines {
            let title = match Reason::from_code(&line.reason) {
                Some(reason) => reason.title().to_owned(),
                None => line.reason.clone(),
            };
            let letter = Letter {
                message: wire::message_within(&line.body),
                line,
            };
            match groups.iter_mut().find(|group| group.title == title) {
                Some(group) => group.letters.push(letter),
                None => groups.push(Self {
                    title,
                    letters: vec![letter],
                }),
            }
        }
        groups
    }
}

#[derive(Template)]
#[template(path = "dead_letters/list.html")]
pub(super) struct DeadLettersPage {
    now: DateTime<Utc>,
    open: i64,
    groups: Vec<Group>,
}

/// Lists the open dead letters.
pub(super) async fn list_dead_letters(
    State(state): State<AppState>,
) -> Result<Page<DeadLettersPage>, WebError> {
    let mut conn = state.connection().await?;
    let letters = db::dead_letters::list_open(&mut conn, NEWEST).await?;
    let open = db::dead_letters::count_open(&mut conn).await?;
    Ok(Page::ok(DeadLettersPage {
        now: state.clock.now(),
        open,
        groups: Group::sort(letters),
    }))
}
