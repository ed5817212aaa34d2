//! Applies a page of records: its effect and the shard's checkpoint are one transaction.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono_tz::Tz;

use super::fold::{Changes, Fold, Placed};
use super::record::{Content, InvalidRecord, StreamRecord};
use crate::db::parked_records::NewParkedRecord;
use crate::db::stream_beans::WitnessedBean;
use crate::db::stream_held::HeldRecord;
use crate::db::stream_leases::{Lease, Progress};
use crate::db::{self, Connection, DbError, DbResult, Pool, Transaction, Trouble, WorkError};
use crate::domain::BeanId;
use crate::messaging::kinesis::Record;

/// How long a shard stays an instance's that says nothing more.
pub(super) const LEASE: Duration = Duration::from_secs(15);

/// As much of a record that nobody can read is kept.
const KEPT_OF_A_RECORD: usize = 64 << 10;

/// Why a page was not applied.
#[derive(Debug, thiserror::Error)]
pub(super) enum ApplyError {
    /// Another instance reads the shard now. Nothing was changed.
    #[error("another instance reads the shard")]
    Fenced,
    #[error(transparent)]
    Db(#[from] DbError),
}

impl WorkError for ApplyError {
    fn db_error(&self) -> Option<&DbError> {
        match self {
            Self::Fenced => None,
            Self::Db(error) => Some(error),
        }
    }
}

/// A page as it was read.
pub(super) struct ReadPage<'a> {
    pub(super) records: &'a [Record],
    pub(super) behind_ms: i64,
    /// Whether the shard ends with it.
    pub(super) is_end: bool,
}

/// Applies a page. A record that the database does not take is put aside like one that nobody can read.
///
/// # Errors
/// The lease was lost, or the database is away: then nothing was applied.
pub(super) async fn apply_page(
    pool: &Pool,
    lease: &Lease,
    page: &ReadPage<'_>,
    zone: Tz,
) -> Result<(), ApplyError> {
    if page.records.is_empty() && !page.is_end {
        return note_nothing_new(pool, lease, page.behind_ms).await;
    }
    let sorted = Sorted::sort(lease, page.records);
    let applied = db::in_transaction(pool, async |tx| apply(tx, lease, page, &sorted, zone).await);
    match applied.await {
        Err(ApplyError::Db(error)) if is_of_the_data(&error) => {
            apply_one_by_one(pool, lease, page, zone).await
        }
        applied => applied,
    }
}

/// Whether the database will never take what it was given: its values, or a run of movements of which it has another
/// record. [`db::in_transaction`] has tried again by then, in case somebody else was just writing it.
fn is_of_the_data(error: &DbError) -> bool {
    matches!(error.trouble(), Trouble::BadData | Trouble::Duplicate)
}

fn why_never(error: &DbError) -> &'static str {
    if error.trouble() == Trouble::Duplicate {
        "some of its movements were already counted from another record"
    } else {
        "the database rejects its values"
    }
}

/// Most pages of a quiet café are empty. They are one statement and no transaction, which would wake whoever waits for
/// commits.
async fn note_nothing_new(pool: &Pool, lease: &Lease, behind_ms: i64) -> Result<(), ApplyError> {
    let mut conn = pool.acquire().await?;
    if db::stream_leases::note_nothing_new(&mut conn, lease, behind_ms).await? {
        Ok(())
    } else {
        Err(ApplyError::Fenced)
    }
}

/// Finds what the database does not take.
async fn apply_one_by_one(
    pool: &Pool,
    lease: &Lease,
    page: &ReadPage<'_>,
    zone: Tz,
) -> Result<(), ApplyError> {
    for (place, record) in page.records.iter().enumerate() {
        let is_last = place + 1 == page.records.len();
        let alone = ReadPage {
            records: std::slice::from_ref(record),
            behind_ms: page.behind_ms,
            is_end: page.is_end && is_last,
        };
        let sorted = Sorted::sort(lease, alone.records);
        let applied = db::in_transaction(pool, async |tx| {
            apply(tx, lease, &alone, &sorted, zone).await
        });
        match applied.await {
            Err(ApplyError::Db(error)) if is_of_the_data(&error) => {
                let reason = why_never(&error);
                let aside = Sorted {
                    beans: BTreeMap::new(),
                    parked: vec![parked(lease, record, reason)],
                };
                db::in_transaction(pool, async |tx| {
                    apply(tx, lease, &alone, &aside, zone).await
                })
                .await?;
            }
            applied => applied?,
        }
    }
    Ok(())
}

/// The records of a page by their beans, and those that nobody can read.
struct Sorted {
    beans: BTreeMap<i64, Vec<Placed>>,
    parked: Vec<NewParkedRecord>,
}

impl Sorted {
    fn sort(lease: &Lease, records: &[Record]) -> Self {
        let mut sorted = Self {
            beans: BTreeMap::new(),
            parked: Vec::new(),
        };
        for record in records {
            match StreamRecord::parse(&record.key, &record.data) {
                Ok(read) => sorted.beans.entry(read.bean.0).or_default().push(Placed {
                    stream: lease.stream.clone(),
                    shard: lease.shard.clone(),
                    sequence_number: record.sequence_number.clone(),
                    record: read,
                    was_held: false,
                }),
                Err(invalid) => sorted
                    .parked
                    .push(parked(lease, record, &invalid.to_string())),
            }
        }
        sorted
    }

    /// The beans of which a record goes on from what is known: only then can one that waits.
    fn continuing(&self, known: &BTreeMap<i64, Option<WitnessedBean>>) -> Vec<BeanId> {
        let goes_on = |bean: &i64, placed: &[Placed]| {
            let seen = known.get(bean).and_then(|known| Some(known.as_ref()?.seen));
            placed.iter().any(|placed| {
                placed.record.is_snapshot()
                    || seen.is_some_and(|seen| placed.record.first() - 1 <= seen)
            })
        };
        let beans = self
            .beans
            .iter()
            .filter(|(bean, placed)| goes_on(bean, placed));
        beans.map(|(bean, _)| BeanId(*bean)).collect()
    }

    fn movements(&self) -> i64 {
        let records = self.beans.values().flatten();
        let movements = records.map(|placed| match &placed.record.content {
            Content::Snapshot(_) => 0,
            Content::Movements(movements) => movements.len(),
        });
        i64::try_from(movements.sum::<usize>()).unwrap_or(i64::MAX)
    }
}

fn parked(lease: &Lease, record: &Record, reason: &str) -> NewParkedRecord {
    let kept = &record.data[..record.data.len().min(KEPT_OF_A_RECORD)];
    NewParkedRecord {
        shard: lease.shard.clone(),
        sequence_number: record.sequence_number.clone(),
        partition_key: record.key.chars().take(256).collect(),
        reason: reason.chars().take(500).collect(),
        record: STANDARD.encode(kept),
    }
}

async fn apply(
    tx: &mut Transaction,
    lease: &Lease,
    page: &ReadPage<'_>,
    sorted: &Sorted,
    zone: Tz,
) -> Result<(), ApplyError> {
    if !db::stream_leases::lock_lease(tx, lease).await? {
        return Err(ApplyError::Fenced);
    }
    let beans: Vec<BeanId> = sorted.beans.keys().copied().map(BeanId).collect();
    let known = lock_known(tx, &beans).await?;
    let mut parked = sorted.parked.clone();
    let mut changes = Vec::new();
    let mut held = held_records(tx, &sorted.continuing(&known)).await?;
    for (bean, placed) in &sorted.beans {
        let Some(state) = known.get(bean) else {
            let reason = InvalidRecord::UnknownBean(*bean).to_string();
            let of_it = page.records.iter().filter(|record| {
                let mut placed = placed.iter();
                placed.any(|placed| placed.sequence_number == record.sequence_number)
            });
            parked.extend(of_it.map(|record| self::parked(lease, record, &reason)));
            continue;
        };
        let mut records = placed.clone();
        records.extend(held.remove(bean).unwrap_or_default());
        changes.push(Fold::new(*bean, state.clone(), zone).take(records));
    }
    write(tx, &changes).await?;
    db::parked_records::park_records(tx, &lease.stream, &parked).await?;
    let progress = Progress {
        checkpoint: page
            .records
            .last()
            .map(|record| record.sequence_number.as_str()),
        movements: sorted.movements(),
        behind_ms: page.behind_ms,
        is_end: page.is_end,
    };
    db::stream_leases::note_progress(tx, lease, &progress, LEASE).await?;
    Ok(())
}

/// What is known of the beans that there are; of the others, nothing.
async fn lock_known(
    conn: &mut Connection,
    beans: &[BeanId],
) -> DbResult<BTreeMap<i64, Option<WitnessedBean>>> {
    if beans.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut known: BTreeMap<i64, Option<WitnessedBean>> = BTreeMap::new();
    for witnessed in db::stream_beans::lock_witnessed(conn, beans).await? {
        known.insert(witnessed.bean, Some(witnessed));
    }
    let new: Vec<BeanId> = beans
        .iter()
        .copied()
        .filter(|bean| !known.contains_key(&bean.0))
        .collect();
    if !new.is_empty() {
        let existing = db::stream_beans::list_existing(conn, &new).await?;
        known.extend(existing.into_iter().map(|bean| (bean.0, None)));
    }
    Ok(known)
}

/// The records of beans that wait for an earlier one. One that cannot be read any more, because another version of this
/// program held it, is put aside.
async fn held_records(
    conn: &mut Connection,
    beans: &[BeanId],
) -> DbResult<BTreeMap<i64, Vec<Placed>>> {
    let mut placed: BTreeMap<i64, Vec<Placed>> = BTreeMap::new();
    if beans.is_empty() {
        return Ok(placed);
    }
    for held in db::stream_held::list_held(conn, beans).await? {
        match StreamRecord::parse(&held.bean.to_string(), held.record.as_bytes()) {
            Ok(record) => placed.entry(held.bean).or_default().push(Placed {
                stream: held.stream,
                shard: held.shard,
                sequence_number: held.sequence_number,
                record,
                was_held: true,
            }),
            Err(invalid) => put_aside(conn, held, invalid.to_string()).await?,
        }
    }
    Ok(placed)
}

async fn put_aside(conn: &mut Connection, held: HeldRecord, reason: String) -> DbResult<()> {
    let parked = NewParkedRecord {
        shard: held.shard,
        sequence_number: held.sequence_number.clone(),
        partition_key: held.bean.to_string(),
        reason,
        record: STANDARD.encode(&held.record),
    };
    db::parked_records::park_records(conn, &held.stream, &[parked]).await?;
    db::stream_held::delete_held(conn, &[(held.bean, held.sequence_number)]).await
}

/// Counts what waited for an earlier record that has come meanwhile: two shards may have brought them at once. Some beans
/// at a time; the others have their turn the next time. What the database does not take is put aside.
///
/// # Errors
/// The database is away.
pub(super) async fn count_what_waited(pool: &Pool, zone: Tz) -> DbResult<()> {
    let ready = db::stream_held::list_ready(&mut *pool.acquire().await?).await?;
    if ready.is_empty() {
        return Ok(());
    }
    match count_held(pool, zone, &ready).await {
        Err(error) if is_of_the_data(&error) => count_bean_by_bean(pool, zone, &ready).await,
        counted => counted,
    }
}

async fn count_bean_by_bean(pool: &Pool, zone: Tz, beans: &[BeanId]) -> DbResult<()> {
    for bean in beans {
        let bean = std::slice::from_ref(bean);
        match count_held(pool, zone, bean).await {
            Err(error) if is_of_the_data(&error) => {
                put_all_aside(pool, bean, why_never(&error)).await?;
            }
            counted => counted?,
        }
    }
    Ok(())
}

async fn put_all_aside(pool: &Pool, beans: &[BeanId], reason: &str) -> DbResult<()> {
    db::in_transaction(pool, async |tx| {
        for held in db::stream_held::list_held(tx, beans).await? {
            put_aside(tx, held, reason.to_owned()).await?;
        }
        Ok(())
    })
    .await
}

async fn count_held(pool: &Pool, zone: Tz, beans: &[BeanId]) -> DbResult<()> {
    db::in_transaction(pool, async |tx| {
        let beans = db::stream_beans::lock_free(tx, beans).await?;
        let known = db::stream_beans::lock_witnessed(tx, &beans).await?;
        let mut held = held_records(tx, &beans).await?;
        let mut changes = Vec::new();
        for state in known {
            let records = held.remove(&state.bean).unwrap_or_default();
            changes.push(Fold::new(state.bean, Some(state), zone).take(records));
        }
        write(tx, &changes).await
    })
    .await
}

async fn write(conn: &mut Connection, changes: &[Changes]) -> DbResult<()> {
    fn all<T: Clone>(changes: &[Changes], of: impl Fn(&Changes) -> &[T]) -> Vec<T> {
        changes.iter().flat_map(of).cloned().collect()
    }
    let (new, known): (Vec<&Changes>, Vec<&Changes>) =
        changes.iter().partition(|change| change.is_new);
    let witnessed = |changes: Vec<&Changes>| {
        let witnessed = changes
            .into_iter()
            .filter_map(|change| change.witnessed.clone());
        witnessed.collect::<Vec<_>>()
    };
    db::stream_beans::insert_witnessed(conn, &witnessed(new)).await?;
    db::stream_beans::set_witnessed(conn, &witnessed(known)).await?;
    db::stream_runs::insert_runs(conn, &all(changes, |change| &change.runs)).await?;
    db::stream_runs::insert_repeats(conn, &all(changes, |change| &change.repeats)).await?;
    db::stream_held::insert_held(conn, &all(changes, |change| &change.hold)).await?;
    let held_no_more = all(changes, |change| &change.held_no_more);
    db::stream_held::delete_held(conn, &held_no_more).await?;
    db::bean_days::add_to_days(conn, &all(changes, |change| &change.days)).await?;
    db::bean_days::insert_unusual(conn, &all(changes, |change| &change.unusual)).await?;
    db::bean_days::delete_unusual(conn, &all(changes, |change| &change.undone)).await
}
