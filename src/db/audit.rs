//! SQL for the audit: each query lists the rows that break an invariant, and none when all is well.
//!
//! Every list is cut at [`LIMIT`] rows, one more than is shown; one is enough to fail.

use sqlx::MySqlConnection;
use uuid::Uuid;

use super::DbResult;

/// How many offending rows of each kind are shown.
pub const SHOWN: usize = 50;

/// One more shows that there are more.
const LIMIT: i64 = 51;

/// Beans whose quantity is not the sum of their movements: (bean, quantity, sum).
pub async fn unexplained_stock(conn: &mut MySqlConnection) -> DbResult<Vec<(i64, i64, i64)>> {
    let rows = sqlx::query!(
        r#"
        SELECT
            b.id,
            b.quantity,
            CAST(COALESCE(SUM(m.change_by), 0) AS SIGNED) AS "explained!: i64"
        FROM beans AS b
        LEFT JOIN stock_movements AS m ON m.bean_id = b.id
        GROUP BY b.id, b.quantity
        HAVING b.quantity <> CAST(COALESCE(SUM(m.change_by), 0) AS SIGNED)
        LIMIT ?
        "#,
        LIMIT
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.id, row.quantity, row.explained))
        .collect())
}

/// Movements that do not follow from the one before them: (bean, sequence). Two wrong rows can
/// cancel out in a sum; in the chain they cannot.
pub async fn broken_chains(conn: &mut MySqlConnection) -> DbResult<Vec<(i64, i64)>> {
    let rows = sqlx::query!(
        r#"
        SELECT bean_id AS "bean_id!: i64", sequence AS "sequence!: i64"
        FROM (
            SELECT
                bean_id,
                sequence,
                change_by,
                quantity_after,
                COALESCE(LAG(sequence) OVER (PARTITION BY bean_id ORDER BY sequence), 0)
                    AS previous_sequence,
                COALESCE(LAG(quantity_after) OVER (PARTITION BY bean_id ORDER BY sequence), 0)
                    AS previous_quantity
            FROM stock_movements
        ) AS chain
        WHERE sequence <> previous_sequence + 1
            OR quantity_after <> previous_quantity + change_by
        LIMIT ?
        "#,
        LIMIT
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.bean_id, row.sequence))
        .collect())
}

/// Beans whose newest movement is not the one they point to: (bean, expected, newest).
pub async fn lost_movements(conn: &mut MySqlConnection) -> DbResult<Vec<(i64, i64, i64)>> {
    let rows = sqlx::query!(
        r#"
        SELECT b.id, b.last_movement, COALESCE(MAX(m.sequence), 0) AS "newest!: i64"
        FROM beans AS b
        LEFT JOIN stock_movements AS m ON m.bean_id = b.id
        GROUP BY b.id, b.last_movement
        HAVING b.last_movement <> COALESCE(MAX(m.sequence), 0)
        LIMIT ?
        "#,
        LIMIT
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.id, row.last_movement, row.newest))
        .collect())
}

/// Updates whose state and inbox row disagree: one says the update has its final state, the other not,
/// or not the same: (update, state, outcome).
pub async fn disagreeing_ends(conn: &mut MySqlConnection) -> DbResult<Vec<(Uuid, String, String)>> {
    let rows = sqlx::query!(
        r#"
        SELECT
            u.id AS "id: Uuid",
            u.state,
            COALESCE(i.outcome, 'none') AS "outcome!: String"
        FROM inventory_updates AS u
        LEFT JOIN inbox AS i ON i.update_id = u.id
        WHERE COALESCE(i.outcome, 'none') <> CASE
                WHEN u.state IN ('applied', 'superseded', 'fixed', 'discarded', 'cancelled') THEN u.state
                -- An instance of version 0.1 that is still running notes here what was given up.
                WHEN u.state = 'dead_lettered' AND i.outcome = 'dead_lettered' THEN u.state
                ELSE 'none'
            END
            OR (i.outcome = u.state AND i.outcome <> 'dead_lettered' AND NOT (i.finished_at <=> u.finished_at))
        LIMIT ?
        "#,
        LIMIT
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.id, row.state, row.outcome))
        .collect())
}

/// Inbox rows without an update.
pub async fn orphaned_ends(conn: &mut MySqlConnection) -> DbResult<Vec<Uuid>> {
    let rows = sqlx::query_scalar!(
        r#"
        SELECT i.update_id AS "update_id: Uuid"
        FROM inbox AS i
        LEFT JOIN inventory_updates AS u ON u.id = i.update_id
        WHERE u.id IS NULL
        LIMIT ?
        "#,
        LIMIT
    )
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

/// Updates whose state and movement disagree: applied without the movement that would show it, or
/// a movement by an update that was not applied. (An applied `out_of_stock` moves nothing.)
pub async fn unbooked_updates(conn: &mut MySqlConnection) -> DbResult<Vec<(Uuid, String)>> {
    let rows = sqlx::query!(
        r#"
        SELECT u.id AS "id: Uuid", u.state
        FROM inventory_updates AS u
        LEFT JOIN stock_movements AS m ON m.update_id = u.id
        WHERE (u.state = 'applied' AND u.kind <> 'out_of_stock') <> (m.update_id IS NOT NULL)
        LIMIT ?
        "#,
        LIMIT
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.state)).collect())
}

/// Movements that disagree with their update about the bean or the bags: (bean, sequence).
pub async fn foreign_movements(conn: &mut MySqlConnection) -> DbResult<Vec<(i64, i64)>> {
    let rows = sqlx::query!(
        r#"
        SELECT m.bean_id, m.sequence
        FROM stock_movements AS m
        LEFT JOIN inventory_updates AS u ON u.id = m.update_id
        WHERE m.update_id IS NOT NULL
            AND (
                u.id IS NULL
                OR u.bean_id IS NULL
                OR u.bean_id <> m.bean_id
                OR u.kind <> m.kind
                OR m.change_by <> CASE u.kind
                    WHEN 'delivery' THEN u.quantity
                    WHEN 'return' THEN -u.quantity
                    ELSE m.change_by
                END
            )
        LIMIT ?
        "#,
        LIMIT
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.bean_id, row.sequence))
        .collect())
}

/// Accepted updates that nothing will ever carry further: not finished, never refused, and no
/// longer in the outbox that would publish them again.
pub async fn lost_updates(conn: &mut MySqlConnection) -> DbResult<Vec<(Uuid, String)>> {
    let rows = sqlx::query!(
        r#"
        SELECT u.id AS "id: Uuid", u.state
        FROM inventory_updates AS u
        LEFT JOIN outbox_messages AS o ON o.update_id = u.id
        WHERE u.state IN ('accepted', 'published') AND o.update_id IS NULL
        LIMIT ?
        "#,
        LIMIT
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.state)).collect())
}

/// Updates whose state and open letter disagree: given up without a letter that somebody could fix,
/// or an open letter although the update was applied or is on its way: (update, state).
pub async fn mismatched_letters(conn: &mut MySqlConnection) -> DbResult<Vec<(Uuid, String)>> {
    let rows = sqlx::query!(
        r#"
        SELECT u.id AS "id: Uuid", u.state
        FROM inventory_updates AS u
        LEFT JOIN dead_letters AS d ON d.open_update_id = u.id
        WHERE (u.state = 'dead_lettered') <> (d.id IS NOT NULL)
        LIMIT ?
        "#,
        LIMIT
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.state)).collect())
}

/// Letters that were closed by a message although their update was not applied: (update, state).
pub async fn closed_without_effect(conn: &mut MySqlConnection) -> DbResult<Vec<(Uuid, String)>> {
    let rows = sqlx::query!(
        r#"
        SELECT u.id AS "id: Uuid", u.state
        FROM dead_letters AS d
        JOIN inventory_updates AS u ON u.id = d.update_id
        WHERE d.closed_by IS NOT NULL AND u.state NOT IN ('applied', 'superseded')
        LIMIT ?
        "#,
        LIMIT
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.state)).collect())
}

/// Updates that are not known by an id of their supplier's, so that copies of them would count again.
pub async fn unkeyed_updates(conn: &mut MySqlConnection) -> DbResult<Vec<Uuid>> {
    let rows = sqlx::query_scalar!(
        r#"
        SELECT id AS "id: Uuid"
        FROM inventory_updates
        WHERE sender_id IS NULL
        LIMIT ?
        "#,
        LIMIT
    )
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

/// Movements that take another one back and do not fit it: (bean, sequence).
///
/// What was taken back is an earlier movement of the same bean, changed the stock by as much the other way, and was
/// no undoing itself.
pub async fn unfit_undos(conn: &mut MySqlConnection) -> DbResult<Vec<(i64, i64)>> {
    let rows = sqlx::query!(
        r#"
        SELECT m.bean_id, m.sequence
        FROM stock_movements AS m
        LEFT JOIN stock_movements AS undone ON undone.bean_id = m.bean_id AND undone.sequence = m.undoes
        WHERE (m.kind = 'undo' OR m.undoes IS NOT NULL)
            AND (
                m.kind <> 'undo'
                OR undone.sequence IS NULL
                OR undone.sequence >= m.sequence
                OR undone.kind IN ('undo', 'removal')
                OR m.change_by <> -undone.change_by
            )
        LIMIT ?
        "#,
        LIMIT
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.bean_id, row.sequence))
        .collect())
}

/// Counts of stocktakes that are not booked as they were made, or booked although dropped: (stocktake, bean).
pub async fn unfit_counts(conn: &mut MySqlConnection) -> DbResult<Vec<(i64, i64)>> {
    let rows = sqlx::query!(
        r#"
        SELECT c.stocktake_id, c.bean_id
        FROM stocktake_counts AS c
        JOIN stocktakes AS t ON t.id = c.stocktake_id
        LEFT JOIN stock_movements AS m ON m.bean_id = c.bean_id AND m.sequence = c.movement
        WHERE (c.movement IS NOT NULL AND (m.sequence IS NULL OR m.kind <> 'count' OR m.occurred_at <> c.counted_at))
            OR (t.finished_at IS NOT NULL AND NOT t.dropped AND c.movement IS NULL AND c.problem IS NULL)
            OR (t.dropped AND c.movement IS NOT NULL)
        LIMIT ?
        "#,
        LIMIT
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.stocktake_id, row.bean_id))
        .collect())
}

/// Updates that follow another one which has not come to the end that this needs, is another supplier's, or is
/// followed by several in a way that only one may: (update, how).
pub async fn unfit_followers(conn: &mut MySqlConnection) -> DbResult<Vec<(Uuid, String)>> {
    let rows = sqlx::query!(
        r#"
        SELECT f.id AS "id: Uuid", COALESCE(f.follows_as, 'nothing') AS "how!: String"
        FROM inventory_updates AS f
        LEFT JOIN inventory_updates AS u ON u.id = f.follows_id
        WHERE (f.follows_id IS NULL) <> (f.follows_as IS NULL)
            OR (
                f.follows_id IS NOT NULL
                AND (
                    u.id IS NULL
                    OR u.supplier_id <> f.supplier_id
                    OR u.state <> CASE f.follows_as
                        WHEN 'fix' THEN 'fixed'
                        WHEN 'correction' THEN 'applied'
                        WHEN 'anyway' THEN 'superseded'
                        ELSE ''
                    END
                    OR (
                        f.follows_as <> 'correction'
                        AND EXISTS (
                            SELECT 1
                            FROM inventory_updates AS other
                            WHERE other.follows_id = f.follows_id AND other.id <> f.id
                                AND other.follows_as <> 'correction'
                        )
                    )
                )
            )
        LIMIT ?
        "#,
        LIMIT
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.how)).collect())
}
