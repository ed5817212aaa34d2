//! The audit: proves on a live database that stock is explained, updates count once and none is lost.
//!
//! Each check looks for rows that break an invariant and names them. A transaction that commits
//! between two checks cannot cause a false alarm: every check is one statement.

use serde::Serialize;

use crate::db::{DbResult, Pool, audit};

/// One invariant and the rows that break it.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// What must always be true.
    pub invariant: &'static str,
    /// The rows for which it is not, in words; at most fifty.
    pub broken_by: Vec<String>,
}

/// Checks every invariant. The books are right if no finding names a row.
pub async fn audit(pool: &Pool) -> DbResult<Vec<Finding>> {
    let mut conn = pool.acquire().await?;
    let conn = &mut *conn;
    let bean_at = |(bean, sequence): (i64, i64)| format!("bean {bean}, movement {sequence}");
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
            "an update has exactly one end",
            audit::disagreeing_ends(conn).await?,
            |(id, state, outcome)| format!("update {id} is {state}, its inbox row says {outcome}"),
        ),
        finding(
            "every end belongs to an update",
            audit::orphaned_ends(conn).await?,
            |id| format!("update {id}"),
        ),
        finding(
            "what was applied was booked once, and nothing else was",
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
            "every dead-lettered update can be looked into",
            audit::missing_dead_letters(conn).await?,
            |id| format!("update {id}"),
        ),
    ])
}

fn finding<T>(invariant: &'static str, rows: Vec<T>, describe: impl Fn(T) -> String) -> Finding {
    Finding {
        invariant,
        broken_by: rows.into_iter().map(describe).collect(),
    }
}
