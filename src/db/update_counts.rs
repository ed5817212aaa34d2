//! SQL for counting inventory updates: how many stand where.

use chrono::{DateTime, Utc};
use sqlx::MySqlConnection;

use super::DbResult;
use super::rows::code;
use super::update_lists::Filter;
use crate::domain::{BeanId, UpdateState};

/// How many updates stand in one state.
#[derive(Debug, Clone, Copy)]
pub struct StateCount {
    pub state: UpdateState,
    /// How many updates stand there.
    pub number: i64,
}

/// Counts the updates that a filter lets through by state, whatever state it names, up to `most` in each: what
/// is counted further takes longer and says no more. A state where none stands is absent.
pub async fn count_by_state(
    conn: &mut MySqlConnection,
    filter: &Filter,
    most: i64,
) -> DbResult<Vec<StateCount>> {
    let mut counts = Vec::new();
    for state in UpdateState::ALL {
        let number = count_in_state(conn, filter, state, most).await?;
        if number > 0 {
            counts.push(StateCount { state, number });
        }
    }
    Ok(counts)
}

async fn count_in_state(
    conn: &mut MySqlConnection,
    filter: &Filter,
    state: UpdateState,
    most: i64,
) -> DbResult<i64> {
    if filter.words.is_empty() {
        count_in_index(conn, filter, state, most).await
    } else {
        count_matching(conn, filter, state, most).await
    }
}

/// Counts without looking at the rows themselves: the indexes of states and of suppliers' states tell it.
async fn count_in_index(
    conn: &mut MySqlConnection,
    filter: &Filter,
    state: UpdateState,
    most: i64,
) -> DbResult<i64> {
    macro_rules! count {
        ($index:literal, $where:literal, [$($argument:expr),*]) => {
            sqlx::query_scalar!(
                r#"
                SELECT COUNT(*) AS "number!: i64"
                FROM (
                    SELECT 1
                    FROM inventory_updates AS u FORCE INDEX ("#
                    + $index
                    + ")
                    WHERE "
                    + $where
                    + "
                        AND u.accepted_at >= ?
                        AND u.accepted_at < ?
                    LIMIT ?
                ) AS some",
                $($argument,)*
                filter.since(),
                filter.until(),
                most
            )
        };
    }
    Ok(match filter.supplier {
        Some(supplier) => {
            count!(
                "idx_inventory_updates_supplier_id_state_accepted_at",
                "u.supplier_id = ? AND u.state = ?",
                [supplier.0, state.code()]
            )
            .fetch_one(conn)
            .await?
        }
        None => {
            count!(
                "idx_inventory_updates_state_accepted_at",
                "u.state = ?",
                [state.code()]
            )
            .fetch_one(conn)
            .await?
        }
    })
}

async fn count_matching(
    conn: &mut MySqlConnection,
    filter: &Filter,
    state: UpdateState,
    most: i64,
) -> DbResult<i64> {
    let supplier = filter.supplier.map(|id| id.0);
    let number = sqlx::query_scalar!(
        r#"
        SELECT COUNT(*) AS "number!: i64"
        FROM (
            SELECT 1
            FROM inventory_updates AS u
            LEFT JOIN slips AS l ON l.id = u.slip_id
            WHERE u.state = ?
                AND (? IS NULL OR u.supplier_id = ?)
                AND (u.reference LIKE ? OR u.note LIKE ? OR u.bean_type LIKE ? OR l.number = ?)
                AND u.accepted_at >= ?
                AND u.accepted_at < ?
            LIMIT ?
        ) AS some
        "#,
        state.code(),
        supplier,
        supplier,
        filter.pattern(),
        filter.pattern(),
        filter.pattern(),
        filter.slip(),
        filter.since(),
        filter.until(),
        most
    );
    Ok(number.fetch_one(conn).await?)
}

/// How many updates stand where, and since when the oldest unfinished one waits.
#[derive(Debug, Clone, Copy, Default)]
pub struct UpdateCounts {
    pub accepted: i64,
    /// Those whose effect is in the stock.
    pub applied: i64,
    /// Those overtaken by a newer count.
    pub superseded: i64,
    /// Those not finished yet.
    pub waiting: i64,
    /// When the oldest of the waiting ones was accepted.
    pub oldest_waiting: Option<DateTime<Utc>>,
}

/// Counts updates by what their states mean for whoever watches.
pub async fn count_updates(conn: &mut MySqlConnection) -> DbResult<UpdateCounts> {
    let rows = sqlx::query!(
        r#"
        SELECT state, COUNT(*) AS "number!: i64", MIN(accepted_at) AS "oldest: DateTime<Utc>"
        FROM inventory_updates
        GROUP BY state
        "#
    )
    .fetch_all(conn)
    .await?;
    let mut counts = UpdateCounts::default();
    for row in rows {
        let state = code(
            "inventory_updates",
            "state",
            &row.state,
            UpdateState::from_code,
        )?;
        counts.accepted += row.number;
        match state {
            UpdateState::Applied => counts.applied += row.number,
            UpdateState::Superseded => counts.superseded += row.number,
            UpdateState::Accepted | UpdateState::Published | UpdateState::Refused => {
                counts.waiting += row.number;
                counts.oldest_waiting = counts.oldest_waiting.into_iter().chain(row.oldest).min();
            }
            _ => {}
        }
    }
    Ok(counts)
}

/// Counts the updates of one bean, up to `most`.
pub async fn count_updates_of_bean(
    conn: &mut MySqlConnection,
    bean: BeanId,
    most: i64,
) -> DbResult<i64> {
    let count = sqlx::query_scalar!(
        r#"
        SELECT COUNT(*) AS "count!: i64"
        FROM (SELECT 1 FROM inventory_updates WHERE bean_id = ? LIMIT ?) AS some
        "#,
        bean.0,
        most
    );
    Ok(count.fetch_one(conn).await?)
}

/// Counts what [`list_overtaken`](super::update_lists::list_overtaken) lists, up to `most`.
pub async fn count_overtaken(conn: &mut MySqlConnection, most: i64) -> DbResult<i64> {
    let count = sqlx::query_scalar!(
        r#"
        SELECT COUNT(*) AS "count!: i64"
        FROM (
            SELECT 1
            FROM inventory_updates
            WHERE state = 'superseded' AND occurred_at IS NULL AND decided_at IS NULL
            LIMIT ?
        ) AS overtaken
        "#,
        most
    );
    Ok(count.fetch_one(conn).await?)
}
