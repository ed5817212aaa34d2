//! The audit by two witnesses: the stock that the stream's consumer added up, against the ledger.

use super::audit::{Finding, finding, shown};
use crate::db::audit_stream::{
    self, Difference, DifferingStock, Impossible, Lost, Miscount, Repeat,
};
use crate::db::{self, Connection, DbResult, Pool};

/// Checks that stream and ledger tell the same. What came twice and counted once is told, and breaks nothing.
///
/// # Errors
/// The database is away.
pub async fn audit_stream(pool: &Pool) -> DbResult<Vec<Finding>> {
    let mut conn = pool.acquire().await?;
    // While it is read, the consumer goes on.
    let mut conn = db::snapshot(&mut conn).await?;
    let mut findings = audit_stock(&mut conn).await?;
    findings.extend(audit_records(&mut conn).await?);
    Ok(findings)
}

/// Whether both come to the same stock by the same movements.
async fn audit_stock(conn: &mut Connection) -> DbResult<Vec<Finding>> {
    Ok(vec![
        finding(
            "every snapshot on the stream gives the ledger’s stock",
            audit_stream::wrong_snapshots(conn).await?,
            differing_stock,
        ),
        finding(
            "stream and ledger tell of the same movements",
            audit_stream::first_differences(conn).await?,
            first_difference,
        ),
        finding(
            "every movement on the stream counted once",
            audit_stream::miscounted(conn).await?,
            miscount,
        ),
        finding(
            "the stock by the stream is the ledger’s",
            audit_stream::differing_stock(conn).await?,
            differing_stock,
        ),
    ])
}

/// Whether every record came, and those that came again said the same.
async fn audit_records(conn: &mut Connection) -> DbResult<Vec<Finding>> {
    let repeats = audit_stream::list_repeats(conn).await?;
    let (differing, same): (Vec<_>, Vec<_>) =
        repeats.into_iter().partition(|repeat| repeat.differs);
    Ok(vec![
        finding(
            "nothing that was put on the stream is lost",
            audit_stream::lost_movements(conn).await?,
            lost,
        ),
        finding(
            "what waits on the stream is in the ledger",
            audit_stream::impossible_records(conn).await?,
            impossible,
        ),
        Finding {
            also: shown(same, came_again),
            ..finding("what comes again says the same", differing, came_again)
        },
    ])
}

fn differing_stock(found: DifferingStock) -> String {
    let DifferingStock {
        bean,
        movement,
        told,
        booked,
    } = found;
    match booked {
        Some(booked) => format!(
            "bean {bean} had {booked} bags after movement {movement} by the ledger, and {told} by the stream"
        ),
        None => format!(
            "bean {bean} had {told} bags after movement {movement} by the stream, and the ledger has no such movement"
        ),
    }
}

fn miscount(found: Miscount) -> String {
    let Miscount {
        bean,
        counted,
        kept,
        bags,
        sum,
    } = found;
    format!(
        "bean {bean} counted {counted} movements to {bags} bags, but {kept} came that make {sum}"
    )
}

fn impossible(found: Impossible) -> String {
    let Impossible {
        bean,
        first,
        last_booked,
    } = found;
    format!("bean {bean}, movement {first} waits, and the ledger ends with {last_booked}")
}

fn lost(found: Lost) -> String {
    let movements = movements(found.first, found.last);
    let parked = found
        .parked
        .map(|parked| format!("; a record of this bean was put aside ({parked})"));
    format!(
        "bean {}, {movements}{}",
        found.bean,
        parked.unwrap_or_default()
    )
}

fn first_difference(found: Difference) -> String {
    let Difference {
        bean,
        sequence,
        told,
        booked,
    } = found;
    let booked = booked.map_or("has none".to_owned(), |booked| format!("says {booked:+}"));
    format!(
        "bean {bean} first differs at movement {sequence}: the stream says {told:+} bags, the ledger {booked}"
    )
}

fn came_again(repeat: Repeat) -> String {
    let movements = movements(repeat.first, repeat.last);
    let Repeat {
        bean,
        shard,
        sequence_number,
        ..
    } = repeat;
    format!("bean {bean}, {movements} came again: {shard}, record {sequence_number}")
}

fn movements(first: i64, last: i64) -> String {
    if first >= last {
        format!("movement {first}")
    } else {
        format!("movements {first} to {last}")
    }
}
