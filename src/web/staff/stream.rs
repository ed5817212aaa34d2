//! The stream of stock movements: its shards, who reads them, and what went wrong with it.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Redirect;
use axum::routing::{get, post};
use serde::Deserialize;

use crate::db;
use crate::db::parked_records::ParkedRecord;
use crate::db::stream_held::HeldBean;
use crate::db::stream_marks::{Rewind, Unstreamed};
use crate::db::stream_shards::{ShardLine, StreamLag};
use crate::domain::{Action, Shard, neighbours};
use crate::messaging::ServiceError;
use crate::messaging::kinesis::{DataStream as _, KinesisStream, ReshardError};
use crate::web::acting::Acting;
use crate::web::http::error::WebError;
use crate::web::paths;
use crate::web::state::AppState;
use crate::web::ui::form::Form;
use crate::web::ui::layout::Layout;
use crate::web::ui::notice::Notice;
use crate::web::ui::page::{Page, filters};
use crate::web::ui::shard_map::{ShardMap, number};
use crate::web::ui::time_span::Time;
use crate::web::ui::wording::Tag;

/// As many records that nobody can read are listed.
const PARKED: i64 = 20;

/// A shard is read every second; after so many milliseconds without a read, nobody does.
const UNREAD_AFTER: i64 = 15_000;

#[derive(Template)]
#[template(path = "staff/stream.html")]
struct StreamPage {
    layout: Layout,
    shards: Vec<ShardRow>,
    map: Option<ShardMap>,
    lag: StreamLag,
    unstreamed: Unstreamed,
    held: Vec<HeldBean>,
    parked: Vec<ParkedRecord>,
    all_parked: i64,
    /// Whether shards can be split and merged here.
    is_ours: bool,
}

/// A shard with what can be done with it.
struct ShardRow {
    line: ShardLine,
    /// The number of the open shard whose keys come next.
    next: Option<String>,
}

impl ShardRow {
    fn id(&self) -> &str {
        &self.line.shard.id
    }

    fn number(&self) -> String {
        number(self.id())
    }

    /// How much of the range of hash keys goes there, and from which shards it came.
    fn origin(&self) -> String {
        let (first, last) = self.line.shard.hash_keys();
        let tenths = last.saturating_sub(first) / (u128::MAX / 1_000);
        let share = format!("{}.{}% of the keys", tenths / 10, tenths % 10);
        let parents: Vec<String> = self.line.shard.parents().map(number).collect();
        if parents.is_empty() {
            share
        } else {
            format!("{share}, child of {}", parents.join(" and "))
        }
    }

    /// Enough of the checkpoint to see it move: its last ten digits.
    fn checkpoint(&self) -> Option<&str> {
        let checkpoint = self.line.checkpoint.as_deref()?;
        checkpoint.get(checkpoint.len().saturating_sub(10)..)
    }

    fn state(&self) -> Tag {
        let (class, word) = state(&self.line);
        Tag { class, word }
    }

    fn behind(&self) -> Option<Time> {
        let line = &self.line;
        let behind = line.behind_ms.filter(|_| line.ended_at.is_none())?;
        let unread = line
            .unread_ms
            .filter(|unread| *unread > UNREAD_AFTER)
            .unwrap_or(0);
        Some(Time(behind.max(unread) * 1_000))
    }
}

/// What becomes of a shard.
fn state(shard: &ShardLine) -> (&'static str, &'static str) {
    if shard.ended_at.is_some() {
        ("closed", "Read to its end")
    } else if shard.waits {
        ("waiting", "Waiting for its parent shard")
    } else if shard.owner.is_none() || shard.unread_ms.is_none_or(|unread| unread > UNREAD_AFTER) {
        ("alarm", "No reader")
    } else if shard.shard.is_closed {
        ("retrying", "Closed, being read")
    } else {
        ("good", "Being read")
    }
}

impl StreamPage {
    fn name(&self) -> &str {
        let stream = self.shards.first().map(|shard| shard.line.stream.as_str());
        stream
            .and_then(|stream| stream.split('@').next())
            .unwrap_or_default()
    }

    fn open(&self) -> usize {
        self.shards
            .iter()
            .filter(|shard| !shard.line.shard.is_closed)
            .count()
    }

    /// What the drawing shows, in words.
    fn in_words(&self) -> String {
        let ended = self
            .shards
            .iter()
            .filter(|shard| shard.line.ended_at.is_some())
            .count();
        let closed = self.shards.len() - self.open();
        format!(
            "{} open, side by side over the range of keys. {closed} closed, above their child shards; {ended} read to the end.",
            self.open()
        )
    }

    fn behind(&self) -> Time {
        Time(self.lag.behind_ms * 1_000)
    }

    fn behind_class(&self) -> &'static str {
        if self.lag.unread > 0 || self.lag.behind_ms > 60_000 {
            "alarm"
        } else {
            ""
        }
    }

    fn held_class(&self) -> &'static str {
        if self.held.is_empty() { "" } else { "alarm" }
    }

    fn newest_parked(&self) -> i64 {
        self.parked.first().map_or(0, |record| record.id)
    }

    fn has_more_parked(&self) -> bool {
        usize::try_from(self.all_parked).is_ok_and(|all| all > self.parked.len())
    }

    /// Whether nothing else on the page offers to send again what did not arrive.
    fn may_send_again(&self) -> bool {
        let is_offered = self.lag.trimmed || !self.held.is_empty();
        self.layout.is_staff() && !self.shards.is_empty() && !is_offered
    }

    fn can_reshard(&self) -> bool {
        self.is_ours && self.layout.is_manager()
    }

    /// How many shards are read.
    fn readers(&self) -> String {
        let StreamLag { shards, unread, .. } = self.lag;
        match (shards, unread) {
            (1, 0) => "the shard is being read".to_owned(),
            (_, 0) => format!("all {shards} shards are being read"),
            (1, _) => "the shard has no reader".to_owned(),
            (_, 1) => format!("1 of {shards} shards has no reader"),
            _ => format!("{unread} of {shards} shards have no reader"),
        }
    }

    /// Which movements of a bean are missing.
    #[expect(clippy::unused_self, reason = "how a template calls it")]
    fn gap(&self, bean: &HeldBean) -> String {
        match bean.seen {
            Some(seen) if seen + 2 == bean.first => format!("movement {} is missing", seen + 1),
            Some(seen) => format!("movements {} to {} are missing", seen + 1, bean.first - 1),
            None => "its first record is missing".to_owned(),
        }
    }

    #[expect(clippy::unused_self, reason = "how a template calls it")]
    fn text(&self, record: &ParkedRecord) -> String {
        String::from_utf8_lossy(&record.record)
            .chars()
            .take(300)
            .collect()
    }
}

pub(super) fn router() -> Router<AppState> {
    Router::new()
        .route(paths::STREAM, get(show_stream))
        .route(paths::STREAM_SPLIT, post(split))
        .route(paths::STREAM_MERGE, post(merge))
        .route(paths::STREAM_AGAIN, post(stream_again))
        .route(paths::STREAM_SEEN, post(dismiss_parked))
        .route(paths::STREAM_EXPIRED, post(dismiss_expired))
}

async fn show_stream(
    State(state): State<AppState>,
    layout: Layout,
) -> Result<Page<StreamPage>, WebError> {
    let mut conn = state.connection().await?;
    let lines = db::stream_shards::list_shards(&mut conn).await?;
    let map = ShardMap::new(&lines, |line| self::state(line).0);
    let next = neighbours(lines.iter().map(|line| &line.shard));
    let next: HashMap<String, String> = next
        .into_iter()
        .map(|(shard, next)| (shard.to_owned(), number(next)))
        .collect();
    let shards = lines.into_iter().map(|line| ShardRow {
        next: next.get(&line.shard.id).cloned(),
        line,
    });
    // Open ones by their keys, then closed ones, the newest first.
    let (mut open, mut closed): (Vec<ShardRow>, Vec<ShardRow>) =
        shards.partition(|row| !row.line.shard.is_closed);
    open.sort_by_key(|row| row.line.shard.hash_keys());
    closed.reverse();
    Ok(Page::ok(StreamPage {
        shards: open.into_iter().chain(closed).collect(),
        map,
        lag: db::stream_shards::find_lag(&mut conn).await?,
        unstreamed: db::stream_marks::count_unstreamed(&mut conn).await?,
        held: db::stream_held::list_held_beans(&mut conn).await?,
        parked: db::parked_records::list_parked(&mut conn, PARKED).await?,
        all_parked: db::parked_records::count_parked(&mut conn).await?,
        is_ours: state.local_stream.is_some(),
        layout,
    }))
}

/// A form of one shard.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ShardForm {
    shard: String,
}

/// Splits a shard in the middle of its keys. Only where the stream is embedded: elsewhere shards cost money, and are
/// split in AWS.
async fn split(
    State(state): State<AppState>,
    acting: Acting,
    Form(form): Form<ShardForm>,
) -> Result<Redirect, WebError> {
    let Some(stream) = state.local_stream.as_deref() else {
        return Ok(Redirect::to(&Notice::StreamElsewhere.on(paths::STREAM)));
    };
    let shards = stream.list_shards().await.map_err(refused)?;
    let Some(shard) = open(&shards, &form.shard) else {
        return Ok(Redirect::to(&Notice::ShardNotOpen.on(paths::STREAM)));
    };
    if let Err(error) = stream.split(shard).await {
        return not_resharded(error);
    }
    note(&state, &acting, Action::SplitShard, &shard.id).await?;
    note_reshard(&state, stream).await?;
    Ok(Redirect::to(&at_shards(Notice::ShardSplit)))
}

/// Merges a shard with the one whose keys come next.
async fn merge(
    State(state): State<AppState>,
    acting: Acting,
    Form(form): Form<ShardForm>,
) -> Result<Redirect, WebError> {
    let Some(stream) = state.local_stream.as_deref() else {
        return Ok(Redirect::to(&Notice::StreamElsewhere.on(paths::STREAM)));
    };
    let shards = stream.list_shards().await.map_err(refused)?;
    let next = neighbours(&shards)
        .get(form.shard.as_str())
        .map(|next| (*next).to_owned());
    let Some(next) = next else {
        return Ok(Redirect::to(&Notice::ShardNotOpen.on(paths::STREAM)));
    };
    if let Err(error) = stream.merge(&form.shard, &next).await {
        return not_resharded(error);
    }
    let both = format!("{} and {next}", form.shard);
    note(&state, &acting, Action::MergedShards, &both).await?;
    note_reshard(&state, stream).await?;
    Ok(Redirect::to(&at_shards(Notice::ShardsMerged)))
}

/// Where the shards are drawn.
fn at_shards(notice: Notice) -> String {
    format!("{}#map-title", notice.on(paths::STREAM))
}

/// Notes the shards that a reshard opened, so that the next page shows them: the stream's readers look only now and
/// then. After three seconds without an end, they will tell.
async fn note_reshard(state: &AppState, stream: &KinesisStream) -> Result<(), WebError> {
    let until = Instant::now() + Duration::from_secs(3);
    while stream.describe().await.map_err(refused)?.status != "ACTIVE" {
        if Instant::now() > until {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let shards = stream.list_shards().await.map_err(refused)?;
    db::in_transaction(&state.pool, async |tx| {
        let known = db::stream_shards::list_shards(tx).await?;
        match known.first() {
            Some(line) => db::stream_shards::note_shards(tx, &line.stream, &shards).await,
            None => Ok(()),
        }
    })
    .await?;
    Ok(())
}

/// Has what beans miss put on the stream again, and puts aside what waits for movements that there are not.
async fn stream_again(State(state): State<AppState>, acting: Acting) -> Result<Redirect, WebError> {
    let activity = acting.did(Action::StreamedAgain, "");
    db::in_transaction(&state.pool, async |tx| {
        db::stream_held::put_impossible_aside(tx).await?;
        db::stream_marks::rewind_marks(tx, Rewind::Missing).await?;
        db::activity::insert_activity(tx, &activity).await
    })
    .await?;
    Ok(Redirect::to(&Notice::StreamedAgain.on(paths::STREAM)))
}

/// The newest record that somebody has seen.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SeenForm {
    record: i64,
}

/// Notes that somebody knows of the records that nobody can read.
async fn dismiss_parked(
    State(state): State<AppState>,
    acting: Acting,
    Form(form): Form<SeenForm>,
) -> Result<Redirect, WebError> {
    let activity = acting.did(Action::DismissedRecords, "");
    let now = state.clock.now();
    db::in_transaction(&state.pool, async |tx| {
        db::parked_records::dismiss_parked(tx, form.record, now).await?;
        db::activity::insert_activity(tx, &activity).await
    })
    .await?;
    Ok(Redirect::to(&Notice::RecordsSeen.on(paths::STREAM)))
}

/// Notes that somebody knows of the records that expired unread.
async fn dismiss_expired(
    State(state): State<AppState>,
    acting: Acting,
) -> Result<Redirect, WebError> {
    let activity = acting.did(Action::DismissedRecords, "expired");
    db::in_transaction(&state.pool, async |tx| {
        db::stream_shards::dismiss_trimmed(tx).await?;
        db::activity::insert_activity(tx, &activity).await
    })
    .await?;
    Ok(Redirect::to(&Notice::RecordsSeen.on(paths::STREAM)))
}

async fn note(
    state: &AppState,
    acting: &Acting,
    action: Action,
    details: &str,
) -> Result<(), WebError> {
    let activity = acting.did(action, details);
    db::in_transaction(&state.pool, async |tx| {
        db::activity::insert_activity(tx, &activity).await
    })
    .await?;
    Ok(())
}

fn open<'a>(shards: &'a [Shard], id: &str) -> Option<&'a Shard> {
    shards
        .iter()
        .find(|shard| shard.id == id && !shard.is_closed)
}

fn not_resharded(error: ReshardError) -> Result<Redirect, WebError> {
    let notice = match error {
        ReshardError::Busy => Notice::StreamBusy,
        ReshardError::NotOpen => Notice::ShardNotOpen,
        ReshardError::Limit => Notice::ShardLimit,
        ReshardError::Service(error) => return Err(refused(error)),
    };
    Ok(Redirect::to(&notice.on(paths::STREAM)))
}

fn refused(error: ServiceError) -> WebError {
    WebError::Unavailable(std::sync::Arc::new(error))
}
