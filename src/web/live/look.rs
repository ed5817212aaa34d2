//! One look at the database for everybody who watches, and what each of them is sent.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use askama::Template;
use chrono::{DateTime, Utc};
use tokio::time::Instant;

use super::events;
use super::hub::{Page, Seated};
use crate::db;
use crate::db::DbResult;
use crate::db::live::Version;
use crate::db::update_lists::UpdateLine;
use crate::domain::{SupplierId, UpdateId};
use crate::web::paths;
use crate::web::state::AppState;
use crate::web::ui::page::filters;
use crate::web::ui::updates::{UpdateRow, without_levels};
use crate::web::updates::{Card, Eyes, Told};

/// The parts of an update's page that change.
#[derive(Template)]
#[template(path = "updates/parts.html")]
struct Parts {
    card: Card,
}

/// The parts of an update's row that change.
#[derive(Template)]
#[template(path = "updates/row_parts.html")]
struct RowParts {
    update: UpdateRow,
}

/// What is known after a look.
struct Seen {
    versions: HashMap<UpdateId, Version>,
    /// The updates of which somebody was told something else.
    told: Told,
    news: Vec<(Option<SupplierId>, DateTime<Utc>)>,
}

/// How often the database is asked while somebody watches.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// And how often at most, however much this process commits.
const LOOK_AT_MOST_EVERY: Duration = Duration::from_millis(100);

/// Has the database looked at for as long as somebody watches, on one task.
pub(super) fn keep_looking(state: &AppState) {
    if state.live.take_on_looking() {
        state.tasks.spawn(look_again_and_again(state.clone()));
    }
}

async fn look_again_and_again(state: AppState) {
    let live = Arc::clone(&state.live);
    let mut commits = state.pool.watch_commits();
    while !live.may_rest() {
        let began = Instant::now();
        commits.mark_unchanged();
        live.looks.fetch_add(1, Ordering::Relaxed);
        if let Err(error) = look(&state).await {
            // The pages notice by themselves that they hear nothing.
            let error = crate::telemetry::chain(&error);
            tracing::debug!(error, "could not look for live pages");
        }
        let wait_for_more = async {
            tokio::time::sleep_until(began + LOOK_AT_MOST_EVERY).await;
            tokio::select! {
                _ = commits.changed() => {}
                () = live.newcomer.notified() => {}
                () = tokio::time::sleep_until(began + LOOK_EVERY) => {}
            }
        };
        tokio::select! {
            () = wait_for_more => {}
            () = live.closing.cancelled() => return,
        }
    }
}

/// Looks at the database, with at most seven queries, and sends what differs.
async fn look(state: &AppState) -> DbResult<()> {
    let live = &state.live;
    let asked = live.asked();
    let mut conn = state.pool.acquire().await?;
    let limits = state.rules.sessions;
    let going = db::live::list_going_sessions(&mut conn, &asked.sessions, limits).await?;
    let versions = db::live::list_versions(&mut conn, &asked.updates).await?;
    let differing = live.differing(&versions);
    let lines = db::update_lists::list_updates_by_id(&mut conn, &differing, None).await?;
    let told = Told::read(&mut conn, lines).await?;
    let news = match asked.since {
        Some(since) => db::live::list_new(&mut conn, since).await?,
        None => Vec::new(),
    };
    drop(conn);
    let seen = Seen {
        versions,
        told,
        news,
    };
    let asked_for = |seated: &Seated| {
        asked
            .sessions
            .binary_search(&seated.watcher.session)
            .is_ok()
    };
    let mut rendered = HashMap::new();
    live.for_each(|seated| {
        // Whoever came during the look has the next one.
        if !asked_for(seated) {
            return;
        }
        match going.get(&seated.watcher.session) {
            None => return seated.end(),
            Some(role) if *role != seated.watcher.role => return seated.reconnect(),
            Some(_) => {}
        }
        seen.tell(seated, &mut rendered);
        seated.beat();
    });
    Ok(())
}

/// Pages that look the same to several watchers are rendered once.
type Rendered = HashMap<(UpdateId, Page, Eyes), String>;

impl Seen {
    fn tell(&self, seated: &mut Seated, rendered: &mut Rendered) {
        let mut html = String::new();
        for line in &self.told.lines {
            let Some(version) = self.versions.get(&line.id) else {
                continue;
            };
            if seated.learns(line.id, version) {
                let (page, eyes) = (seated.watcher.page, seated.watcher.eyes);
                let part = rendered
                    .entry((line.id, page, eyes))
                    .or_insert_with(|| self.render(line, page, eyes));
                html.push_str(part);
            }
        }
        if !html.is_empty() {
            seated.send(events::parts(&html));
        }
        if let Some(news) = seated.watcher.news {
            let of_interest = self.news.iter().filter(|(supplier, at)| {
                *at > news.since && news.supplier.is_none_or(|wanted| *supplier == Some(wanted))
            });
            let number = of_interest.count();
            if number != seated.news_told {
                seated.news_told = number;
                seated.send(events::news(number));
            }
        }
    }

    fn render(&self, line: &UpdateLine, page: Page, eyes: Eyes) -> String {
        let html = match page {
            Page::Slip => {
                let card = self.told.card(line, eyes).in_short();
                Parts { card }.render()
            }
            Page::Update => {
                let card = self.told.card(line, eyes);
                Parts { card }.render()
            }
            Page::List => {
                let line = line.clone();
                let line = if eyes.sees_levels {
                    line
                } else {
                    without_levels(line)
                };
                let update = line.into();
                RowParts { update }.render()
            }
        };
        html.unwrap_or_default()
    }
}
