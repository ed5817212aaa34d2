//! One look at the database for everybody who watches, and what each of them is sent.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use askama::Template;
use tokio::time::Instant;

use super::boards::Boards;
use super::events;
use super::hub::{Asked, Live, Page, Seated};
use crate::db;
use crate::db::DbResult;
use crate::db::live::{NewUpdate, Version};
use crate::db::update_lists::UpdateLine;
use crate::domain::{Role, UpdateId};
use crate::web::paths;
use crate::web::state::AppState;
use crate::web::ui::assets::{SCRIPT_URL, STYLESHEET_URL};
use crate::web::ui::page::filters;
use crate::web::ui::updates::{UpdateRow, as_seen};
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
    news: Vec<NewUpdate>,
    news_of_suppliers: Vec<NewUpdate>,
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
    let _guard = LookAgainAfterPanic(Arc::clone(&live));
    let mut is_failing = false;
    while !live.may_rest() {
        let began = Instant::now();
        commits.mark_unchanged();
        live.looks.fetch_add(1, Ordering::Relaxed);
        let looked = look(&state).await;
        if let Err(error) = &looked
            && !is_failing
        {
            // The pages notice by themselves that they hear nothing.
            let error = crate::telemetry::chain(error);
            tracing::warn!(
                error,
                "live pages are not up to date until this works again"
            );
        }
        is_failing = looked.is_err();
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

/// If this task panics, the next page that is opened has another one look. A task that ends because nobody
/// watches has said so already, and another may have begun since.
struct LookAgainAfterPanic(Arc<Live>);

impl Drop for LookAgainAfterPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.stop_looking();
        }
    }
}

/// Looks at the database, with at most eight queries besides those of the dashboard, and sends what differs.
async fn look(state: &AppState) -> DbResult<()> {
    let live = &state.live;
    let asked = live.asked();
    let (going, seen) = read(state, &asked).await?;
    let now = state.clock.now();
    let figures = if asked.wants_board {
        Some(state.figures.read(&state.pool, now).await?)
    } else {
        None
    };
    let mut boards = Boards::new(figures, now);
    let asked_for = |seated: &Seated| {
        asked
            .sessions
            .binary_search(&seated.watcher.session)
            .is_ok()
    };
    let mut rendered = HashMap::new();
    let files = format!("{} {}", *SCRIPT_URL, *STYLESHEET_URL);
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
        boards.tell(seated);
        seated.beat(&files);
    });
    Ok(())
}

/// Reads which sessions go on, and what the pages show, as they stand at one moment.
async fn read(state: &AppState, asked: &Asked) -> DbResult<(HashMap<i64, Role>, Seen)> {
    let mut conn = state.pool.acquire().await?;
    let mut conn = db::snapshot(&mut conn).await?;
    let limits = state.rules.sessions;
    let going = db::live::list_going_sessions(&mut conn, &asked.sessions, limits).await?;
    let versions = db::live::list_versions(&mut conn, &asked.updates).await?;
    let differing = state.live.differing(&versions);
    let lines = db::update_lists::list_updates_by_id(&mut conn, &differing, None).await?;
    let told = Told::read(&mut conn, lines).await?;
    let news = match asked.since_of_all {
        Some(since) => db::live::list_new(&mut conn, since).await?,
        None => Vec::new(),
    };
    let news_of_suppliers = match asked.since_of_suppliers {
        Some(since) => {
            let suppliers = &asked.suppliers;
            db::live::list_new_of_suppliers(&mut conn, suppliers, since).await?
        }
        None => Vec::new(),
    };
    let seen = Seen {
        versions,
        told,
        news,
        news_of_suppliers,
    };
    Ok((going, seen))
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
            let all = match news.supplier {
                None => &self.news,
                Some(_) => &self.news_of_suppliers,
            };
            let shown = &seated.watcher.updates;
            let of_interest = all.iter().filter(|update| {
                update.accepted_at > news.since
                    && news
                        .supplier
                        .is_none_or(|wanted| update.supplier == Some(wanted))
                    && shown.binary_search(&update.id).is_err()
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
                let update = as_seen(line.clone(), eyes.sees_levels).into();
                RowParts { update }.render()
            }
        };
        html.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_task_that_panicked_leaves_its_work_to_another() {
        let live = Arc::new(Live::default());
        assert!(live.take_on_looking());

        drop(LookAgainAfterPanic(Arc::clone(&live)));
        let after_an_end = live.take_on_looking();
        let guard = LookAgainAfterPanic(Arc::clone(&live));
        let panicked = std::thread::spawn(move || {
            let _guard = guard;
            panic!("while looking");
        });

        assert!(panicked.join().is_err());
        assert!(!after_an_end, "somebody else has begun");
        assert!(live.take_on_looking());
    }
}
