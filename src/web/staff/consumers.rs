//! The consumers, as they say themselves, and pausing them.

use std::collections::HashMap;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;

use crate::db::consumers::ConsumerLine;
use crate::db::lanes::Lane;
use crate::db::queue_pauses::QueuePause;
use crate::db::{self, DbResult};
use crate::domain::{Action, ShortText};
use crate::messaging::{ALERTS, DEAD_LETTERS, QueueRole, UNDELIVERED, UPDATES};
use crate::web::acting::Acting;
use crate::web::http::error::WebError;
use crate::web::paths;
use crate::web::state::AppState;
use crate::web::ui::form::{Form, Mistakes, TextField, text_sentence};
use crate::web::ui::layout::Layout;
use crate::web::ui::notice::Notice;
use crate::web::ui::page::{Page, filters, grouped};
use crate::web::ui::wording::{self, Tag};

#[derive(Template)]
#[template(path = "staff/consumers/list.html")]
pub(super) struct ConsumersPage {
    layout: Layout,
    queues: Vec<QueueState>,
    consumers: Vec<ConsumerLine>,
    lanes: Vec<LaneLine>,
    is_fifo: bool,
    mistakes: Mistakes,
}

/// A queue, and who has paused it if somebody has.
struct QueueState {
    code: &'static str,
    title: &'static str,
    pause: Option<QueuePause>,
    reason: TextField,
}

/// As many message groups that wait are listed.
const LANES: usize = 20;

/// As many updates that are tried again are looked at for them.
const TRIED_AGAIN: i64 = 500;

/// As many of those behind are counted.
const COUNTED_BEHIND: i64 = 1_000;

/// A message group that waits, and how many of ours wait behind its first message.
struct LaneLine {
    lane: Lane,
    behind: i64,
}

impl LaneLine {
    fn what(&self) -> String {
        wording::what(self.lane.kind, self.lane.quantity)
    }

    fn attempt(&self) -> String {
        match (self.lane.receive_count, self.lane.receive_limit) {
            (Some(count), Some(limit)) => format!("{count} of {limit}"),
            (Some(count), None) => format!("{count}, no limit"),
            (None, _) => "unknown".to_owned(),
        }
    }

    fn behind(&self) -> String {
        match self.behind {
            0 => "none of ours".to_owned(),
            number if number > COUNTED_BEHIND => format!("{}+ of ours", grouped(COUNTED_BEHIND)),
            number => format!("{} of ours", grouped(number)),
        }
    }
}

/// The queues that are polled, as people can pause them.
const QUEUES: [QueueRole; 4] = [UPDATES, UNDELIVERED, DEAD_LETTERS, ALERTS];

/// A form of one queue: its code, and why it is paused in a field that is named after it.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct PauseForm(HashMap<String, String>);

impl PauseForm {
    fn queue(&self) -> Result<QueueRole, WebError> {
        let code = self.0.get("queue").map_or("", String::as_str);
        let role = QUEUES.into_iter().find(|role| role.code == code);
        role.ok_or(WebError::BadForm)
    }

    fn reason(&self, role: QueueRole) -> &str {
        let field = reason_field(role);
        self.0.get(&field).map_or("", String::as_str)
    }
}

fn reason_field(role: QueueRole) -> String {
    format!("reason-{}", role.code)
}

impl ConsumersPage {
    #[expect(clippy::unused_self, reason = "how a template calls it")]
    fn title(&self, consumer: &ConsumerLine) -> String {
        let role = QUEUES.iter().find(|role| role.code == consumer.queue);
        let title = role.map_or(consumer.queue.as_str(), |role| role.title);
        format!("Polls the {title}")
    }

    #[expect(clippy::unused_self, reason = "how a template calls it")]
    fn is_silent(&self, consumer: &ConsumerLine) -> bool {
        consumer.is_silent()
    }

    fn first_column(&self) -> &'static str {
        if self.is_fifo {
            "First message"
        } else {
            "Message"
        }
    }

    /// Whether nobody receives updates for now.
    fn waits_for_people(&self) -> bool {
        let is_paused = |queue: &QueueState| queue.code == UPDATES.code && queue.pause.is_some();
        self.queues.iter().any(is_paused)
    }

    fn is_paused(&self, consumer: &ConsumerLine) -> bool {
        let is_its = |queue: &&QueueState| queue.code == consumer.queue;
        let queue = self.queues.iter().find(is_its);
        queue.is_some_and(|queue| queue.pause.is_some())
    }

    fn state(&self, consumer: &ConsumerLine) -> Tag {
        let (class, word) = if self.is_silent(consumer) {
            ("alarm", "Gone")
        } else if self.is_paused(consumer) {
            ("waiting", "Paused")
        } else if consumer.last_error_at > consumer.last_receive_at {
            ("retrying", "No answer")
        } else {
            ("good", "Running")
        };
        Tag { class, word }
    }
}

pub(super) async fn list_consumers(
    State(state): State<AppState>,
    layout: Layout,
) -> Result<Page<ConsumersPage>, WebError> {
    let none = Mistakes::default();
    Ok(Page::ok(read(&state, layout, none, "").await?))
}

/// Has no consumer of a queue receive, and says why.
pub(super) async fn pause(
    State(state): State<AppState>,
    acting: Acting,
    layout: Layout,
    Form(form): Form<PauseForm>,
) -> Result<Response, WebError> {
    let role = form.queue()?;
    let reason: ShortText<500> = match ShortText::parse(form.reason(role)) {
        Ok(reason) => reason,
        Err(error) => {
            let sentence = text_sentence("The reason", "Say why it is paused", error);
            let mistakes = Mistakes::one(reason_field(role), sentence);
            let page = read(&state, layout, mistakes, form.reason(role)).await?;
            return Ok(Page(StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
        }
    };
    let details = format!("{}: {}", role.title, reason.as_str());
    let by = acting.account;
    let activity = acting.did(Action::PausedQueue, &details);
    let now = state.clock.now();
    let notice = db::in_transaction(&state.pool, async |tx| {
        if db::queue_pauses::is_paused(tx, role.code).await? {
            return DbResult::Ok(Notice::QueueWasPaused);
        }
        db::queue_pauses::pause_queue(tx, role.code, by, reason.as_str(), now).await?;
        db::activity::insert_activity(tx, &activity).await?;
        Ok(Notice::QueuePaused)
    })
    .await?;
    state.consumption.forget();
    Ok(Redirect::to(&notice.on(paths::CONSUMERS)).into_response())
}

/// Has a queue received from again.
pub(super) async fn resume(
    State(state): State<AppState>,
    acting: Acting,
    Form(form): Form<PauseForm>,
) -> Result<Redirect, WebError> {
    let role = form.queue()?;
    let activity = acting.did(Action::ResumedQueue, role.title);
    db::in_transaction(&state.pool, async |tx| {
        if !db::queue_pauses::is_paused(tx, role.code).await? {
            return DbResult::Ok(());
        }
        db::queue_pauses::resume_queue(tx, role.code).await?;
        db::activity::insert_activity(tx, &activity).await
    })
    .await?;
    state.consumption.forget();
    Ok(Redirect::to(&Notice::QueueResumed.on(paths::CONSUMERS)))
}

/// Keeps the update that each message group waits for: where an earlier one has got lost, that is the one tried last.
/// In a standard queue nothing waits for another.
fn one_a_group(tried_again: Vec<Lane>, is_fifo: bool) -> Vec<Lane> {
    let mut places = HashMap::new();
    let mut lanes: Vec<Lane> = Vec::new();
    for lane in tried_again {
        let group = lane.group().filter(|_| is_fifo);
        let place = group.map(|group| *places.entry(group).or_insert(lanes.len()));
        match place.and_then(|place| lanes.get_mut(place)) {
            Some(other) if other.tried_at < lane.tried_at => *other = lane,
            Some(_) => {}
            None => lanes.push(lane),
        }
    }
    lanes.truncate(LANES);
    lanes
}

async fn read(
    state: &AppState,
    layout: Layout,
    mistakes: Mistakes,
    reason: &str,
) -> Result<ConsumersPage, WebError> {
    let mut conn = state.connection().await?;
    let pauses = db::queue_pauses::list_pauses(&mut conn).await?;
    let queue = |role: QueueRole| {
        let name = reason_field(role);
        let typed = mistakes.of(&name).map_or("", |_| reason);
        QueueState {
            code: role.code,
            title: role.title,
            pause: pauses
                .iter()
                .find(|pause| pause.queue == role.code)
                .cloned(),
            reason: TextField {
                width: "wide",
                hint: "Everybody reads it.",
                ..TextField::new(name, "Why?", typed, &mistakes)
            },
        }
    };
    let mut lanes = Vec::new();
    let consumers = db::consumers::list_consumers(&mut conn).await?;
    // Where none has said so, it is as the café's own topic has it.
    let polls_updates = |line: &&ConsumerLine| line.queue == UPDATES.code && !line.is_silent();
    let is_fifo = consumers
        .iter()
        .filter(polls_updates)
        .all(|line| line.is_fifo);
    let tried_again = db::lanes::list_tried_again(&mut conn, TRIED_AGAIN).await?;
    for lane in one_a_group(tried_again, is_fifo) {
        let behind = db::lanes::count_behind(&mut conn, &lane, COUNTED_BEHIND + 1).await?;
        lanes.push(LaneLine { lane, behind });
    }
    Ok(ConsumersPage {
        layout,
        lanes,
        is_fifo,
        queues: QUEUES.into_iter().map(queue).collect(),
        consumers,
        mistakes,
    })
}
