//! What comes next on the stream: of each bean its snapshot, or movements that follow its mark in the ledger.

use std::collections::HashMap;

use super::record::{Content, MOST_MOVEMENTS, Snapshot, StreamRecord, StreamedMovement, Undone};
use crate::db::stream_marks::{DueBean, LeasedMark, LedgerMovement, StockAsOf, Stretch};
use crate::db::{self, Connection, DbResult, Pool};
use crate::domain::{BeanId, SupplierId};
use crate::messaging::kinesis::{MAX_BYTES, NewRecord};

/// After so many movements no more are read for a call: they fill it.
const MOST_AT_ONCE: usize = 10_000;

/// The ledgers of so many beans are read in one statement.
const BEANS_AT_ONCE: usize = 100;

/// A record that is ready for the stream.
pub(super) struct Ready {
    pub(super) mark: LeasedMark,
    /// The bean's newest movement on the stream once this is there.
    pub(super) up_to: i64,
    pub(super) movements: usize,
    pub(super) record: NewRecord,
}

/// Reads the next record of each bean from the ledger, as many as one call takes.
///
/// # Errors
/// The database failed.
pub(super) async fn read_records(
    pool: &Pool,
    leased: &[LeasedMark],
    due: &[DueBean],
) -> DbResult<Vec<Ready>> {
    let suppliers: HashMap<BeanId, SupplierId> =
        due.iter().map(|due| (due.bean, due.supplier)).collect();
    let (new, begun): (Vec<_>, Vec<_>) = leased.iter().partition(|mark| mark.streamed.is_none());
    let mut conn = pool.acquire().await?;
    let mut ready = snapshots(&mut conn, &new, &suppliers).await?;
    ready.extend(runs(&mut conn, &begun, &suppliers).await?);
    Ok(within_a_call(ready))
}

async fn snapshots(
    conn: &mut Connection,
    marks: &[&LeasedMark],
    suppliers: &HashMap<BeanId, SupplierId>,
) -> DbResult<Vec<Ready>> {
    if marks.is_empty() {
        return Ok(Vec::new());
    }
    let beans: Vec<BeanId> = marks.iter().map(|mark| mark.bean).collect();
    let stocks = db::stream_marks::list_snapshots(conn, &beans).await?;
    let stocks: HashMap<BeanId, StockAsOf> = stocks
        .into_iter()
        .map(|stock| (stock.bean, stock))
        .collect();
    let ready = marks.iter().filter_map(|mark| {
        let (stock, supplier) = (stocks.get(&mark.bean)?, suppliers.get(&mark.bean)?);
        Some(snapshot(**mark, *supplier, stock))
    });
    Ok(ready.collect())
}

async fn runs(
    conn: &mut Connection,
    marks: &[&LeasedMark],
    suppliers: &HashMap<BeanId, SupplierId>,
) -> DbResult<Vec<Ready>> {
    if marks.is_empty() {
        return Ok(Vec::new());
    }
    let most = i64::try_from(MOST_MOVEMENTS).unwrap_or(i64::MAX);
    let stretches = marks.iter().map(|mark| {
        let from = mark.streamed.unwrap_or(mark.snapshot_at) + 1;
        Stretch {
            bean: mark.bean.0,
            from,
            to: from + most - 1,
        }
    });
    let stretches: Vec<Stretch> = stretches.collect();
    let mut by_bean: HashMap<BeanId, Vec<LedgerMovement>> = HashMap::new();
    for some in stretches.chunks(BEANS_AT_ONCE) {
        if by_bean.values().map(Vec::len).sum::<usize>() >= MOST_AT_ONCE {
            break;
        }
        for movement in db::stream_marks::list_stretches(conn, some).await? {
            by_bean.entry(movement.bean).or_default().push(movement);
        }
    }
    let ready = marks.iter().filter_map(|mark| {
        let movements = by_bean.remove(&mark.bean)?;
        Some(run(**mark, *suppliers.get(&mark.bean)?, movements))
    });
    Ok(ready.collect())
}

/// As many records as one call takes. Snapshots are short, and come first.
fn within_a_call(ready: Vec<Ready>) -> Vec<Ready> {
    let mut bytes = 0;
    let fits = ready.into_iter().take_while(|ready| {
        bytes += ready.record.data.len() + ready.record.key.len();
        bytes <= MAX_BYTES
    });
    fits.collect()
}

fn snapshot(mark: LeasedMark, supplier: SupplierId, stock: &StockAsOf) -> Ready {
    let content = Content::Snapshot(Snapshot {
        sequence: mark.snapshot_at,
        quantity: stock.quantity,
        as_of: stock.as_of,
    });
    ready(mark, supplier, content, mark.snapshot_at, 0)
}

fn run(mark: LeasedMark, supplier: SupplierId, movements: Vec<LedgerMovement>) -> Ready {
    let up_to = movements
        .last()
        .map_or(mark.snapshot_at, |last| last.sequence);
    let number = movements.len();
    let movements = movements.into_iter().map(StreamedMovement::from);
    ready(
        mark,
        supplier,
        Content::Movements(movements.collect()),
        up_to,
        number,
    )
}

fn ready(
    mark: LeasedMark,
    supplier: SupplierId,
    content: Content,
    up_to: i64,
    movements: usize,
) -> Ready {
    let record = StreamRecord {
        bean: mark.bean,
        supplier,
        content,
    };
    Ready {
        mark,
        up_to,
        movements,
        record: NewRecord {
            key: record.key(),
            data: record.to_json(),
        },
    }
}

impl From<LedgerMovement> for StreamedMovement {
    fn from(movement: LedgerMovement) -> Self {
        Self {
            sequence: movement.sequence,
            kind: movement.kind,
            change_by: movement.change_by,
            quantity_after: movement.quantity_after,
            occurred_at: movement.occurred_at,
            booked_at: movement.booked_at,
            update_id: movement.update,
            undoes: movement.undoes.map(|(sequence, kind, occurred_at)| Undone {
                sequence,
                kind,
                occurred_at,
            }),
        }
    }
}
