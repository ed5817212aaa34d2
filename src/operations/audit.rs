//! The audit: proves on a live database that stock is explained, updates count once and none is lost.
//!
//! Each check looks for rows that break an invariant and names them. A transaction that commits
//! between two checks cannot cause a false alarm: every check is one statement.

use crate::db::{Connection, DbResult, Pool, audit};
use serde::Serialize;

/// One invariant and the rows that break it.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// What must always be true.
    pub invariant: &'static str,
    /// The rows for which it is not, in words: fifty, and whether there are more.
    pub broken_by: Vec<String>,
    /// What is worth knowing and breaks nothing, cut in the same way.
    pub also: Vec<String>,
}

/// Checks every invariant. All is well if no finding names a row.
pub async fn audit(pool: &Pool) -> DbResult<Vec<Finding>> {
    let mut conn = pool.acquire().await?;
    let mut findings = audit_stock(&mut conn).await?;
    findings.extend(audit_updates(&mut conn).await?);
    Ok(findings)
}

fn bean_at((bean, sequence): (i64, i64)) -> String {
    format!("bean {bean}, movement {sequence}")
}

/// Whether stock is explained.
async fn audit_stock(conn: &mut Connection) -> DbResult<Vec<Finding>> {
    Ok(vec![
        finding(
            "stock is the sum of its movements",
            audit::unexplained_stock(conn).await?,
            |(bean, quantity, sum)| format!("bean {bean} has {quantity} bags, movements say {sum}"),
        ),
        finding(
            "movements follow from one another",
            audit::broken_chains(conn).await?,
            bean_at,
        ),
        finding(
            "every bean points to its newest movement",
            audit::lost_movements(conn).await?,
            |(bean, expected, newest)| {
                format!("bean {bean} expects {expected}, newest is {newest}")
            },
        ),
        finding(
            "what was undone is undone once, by as much the other way",
            audit::unfit_undos(conn).await?,
            bean_at,
        ),
        finding(
            "every count of a finished stocktake is booked as it was made, or says why not",
            audit::unfit_counts(conn).await?,
            |(stocktake, bean)| format!("stocktake {stocktake}, bean {bean}"),
        ),
    ])
}

/// Whether every update counts once and none is lost.
async fn audit_updates(conn: &mut Connection) -> DbResult<Vec<Finding>> {
    Ok(vec![
        finding(
            "an update has one final state, and it stays",
            audit::disagreeing_ends(conn).await?,
            |(id, state, outcome)| format!("update {id} is {state}, its inbox row says {outcome}"),
        ),
        finding(
            "every final state belongs to an update",
            audit::orphaned_ends(conn).await?,
            |id| format!("update {id}"),
        ),
        finding(
            "every applied update has exactly one movement, and no other has one",
            audit::unbooked_updates(conn).await?,
            |(id, state)| format!("update {id} is {state}"),
        ),
        finding(
            "a movement says what its update said",
            audit::foreign_movements(conn).await?,
            bean_at,
        ),
        finding(
            "nothing accepted is lost",
            audit::lost_updates(conn).await?,
            |(id, state)| format!("update {id} is {state} and will not be published again"),
        ),
        finding(
            "every dead-lettered update has one open dead letter, and no other has one",
            audit::mismatched_letters(conn).await?,
            |(id, state)| format!("update {id} is {state}"),
        ),
        finding(
            "every dead letter that a message closed belongs to an applied update",
            audit::closed_without_effect(conn).await?,
            |(id, state)| format!("update {id} is {state}"),
        ),
        finding(
            "every update is known by an id of its supplier's",
            audit::unkeyed_updates(conn).await?,
            |id| format!("update {id}"),
        ),
        finding(
            "what follows an update fits its end: every chain ends",
            audit::unfit_followers(conn).await?,
            |(id, how)| format!("update {id} follows as {how}"),
        ),
    ])
}

pub(super) fn finding<T>(
    invariant: &'static str,
    rows: Vec<T>,
    describe: impl Fn(T) -> String,
) -> Finding {
    Finding {
        invariant,
        broken_by: shown(rows, describe),
        also: Vec::new(),
    }
}

/// Fifty rows in words, and whether there are more.
pub(super) fn shown<T>(rows: Vec<T>, describe: impl Fn(T) -> String) -> Vec<String> {
    let is_cut = rows.len() > audit::SHOWN;
    let mut shown: Vec<String> = rows.into_iter().take(audit::SHOWN).map(describe).collect();
    if is_cut {
        shown.push("and more".to_owned());
    }
    shown
}
