//! The audit by two witnesses: the stock that the stream's consumer added up, against the ledger.

use super::audit::{Finding, finding};
use crate::db::{self, DbResult, Pool, audit_stream};

/// Checks that stream and ledger tell the same. What came twice and counted once is told, and breaks nothing.
///
/// # Errors
/// The database is away.
pub async fn audit_stream(pool: &Pool) -> DbResult<Vec<Finding>> {
    let mut conn = pool.acquire().await?;
    // While it is read, the consumer goes on.
    let mut conn = db::snapshot(&mut conn).await?;
    let repeats = audit_stream::list_repeats(&mut conn).await?;
    let (differing, same): (Vec<_>, Vec<_>) =
        repeats.into_iter().partition(|repeat| repeat.differs);
    let again = |repeat: audit_stream::Repeat| {
        let movements = movements(repeat.first, repeat.last);
        let audit_stream::Repeat {
            bean,
            shard,
            sequence_number,
            ..
        } = repeat;
        format!("bean {bean}, {movements} came again: {shard}, record {sequence_number}")
    };
    Ok(vec![
        finding(
            "every snapshot on the stream gives the ledger’s stock",
            audit_stream::wrong_snapshots(&mut conn).await?,
            |(bean, movement, told, booked)| {
                format!(
                    "bean {bean} had {booked} bags after movement {movement}, the stream says {told}"
                )
            },
        ),
        finding(
            "stream and ledger tell of the same movements",
            audit_stream::first_differences(&mut conn).await?,
            |found| {
                let audit_stream::Difference {
                    bean,
                    sequence,
                    told,
                    booked,
                } = found;
                let booked =
                    booked.map_or("has none".to_owned(), |booked| format!("says {booked:+}"));
                format!(
                    "bean {bean} first differs at movement {sequence}: the stream says {told:+} bags, the ledger {booked}"
                )
            },
        ),
        finding(
            "every movement on the stream counted once",
            audit_stream::miscounted(&mut conn).await?,
            |(bean, counted, kept, bags, sum)| {
                format!(
                    "bean {bean} counted {counted} movements to {bags} bags, but {kept} came that make {sum}"
                )
            },
        ),
        finding(
            "the stock by the stream is the ledger’s",
            audit_stream::differing_stock(&mut conn).await?,
            |(bean, movement, told, booked)| {
                format!(
                    "bean {bean} had {booked} bags after movement {movement}, the stream’s movements make {told}"
                )
            },
        ),
        finding(
            "nothing that was put on the stream is lost",
            audit_stream::lost_movements(&mut conn).await?,
            |(bean, first, last)| format!("bean {bean}, {}", movements(first, last)),
        ),
        Finding {
            also: same.into_iter().map(again).collect(),
            ..finding("what comes again says the same", differing, again)
        },
    ])
}

fn movements(first: i64, last: i64) -> String {
    if first >= last {
        format!("movement {first}")
    } else {
        format!("movements {first} to {last}")
    }
}
