//! SQL for the audit by two witnesses: what the stream told, against the ledger. The stream's own tables never look
//! into the ledger, and here the two meet.

use sqlx::MySqlConnection;

use super::DbResult;

/// One more than is shown shows that there are more.
const LIMIT: i64 = 51;

/// A movement about which the two disagree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Difference {
    pub bean: i64,
    pub sequence: i64,
    /// By how many bags the stream says that it changed the stock.
    pub told: i64,
    /// By how many the ledger says so; `None` if it has no such movement.
    pub booked: Option<i64>,
}

/// The first movement of each bean on which stream and ledger differ.
pub async fn first_differences(conn: &mut MySqlConnection) -> DbResult<Vec<Difference>> {
    let rows = sqlx::query_as!(
        Difference,
        r#"
        SELECT bean AS "bean!: i64", sequence AS "sequence!: i64", told AS "told!: i64", booked AS "booked: i64"
        FROM (
            SELECT
                r.bean_id AS bean,
                r.first_sequence + j.place - 1 AS sequence,
                j.change_by AS told,
                m.change_by AS booked,
                ROW_NUMBER() OVER (PARTITION BY r.bean_id ORDER BY r.first_sequence + j.place) AS turn
            FROM stream_runs AS r
            JOIN JSON_TABLE(r.changes, '$[*]' COLUMNS (place FOR ORDINALITY, change_by BIGINT PATH '$')) AS j
            LEFT JOIN stock_movements AS m ON m.bean_id = r.bean_id AND m.sequence = r.first_sequence + j.place - 1
            WHERE NOT (m.change_by <=> j.change_by)
        ) AS differing
        WHERE turn = 1
        ORDER BY bean
        LIMIT ?
        "#,
        LIMIT
    );
    Ok(rows.fetch_all(conn).await?)
}

/// A bean whose stock differs after a movement, or whose movement the ledger does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DifferingStock {
    pub bean: i64,
    pub movement: i64,
    /// Bags by the stream.
    pub told: i64,
    /// Bags by the ledger; `None` if it has no such movement.
    pub booked: Option<i64>,
}

/// Snapshots that give another stock than the ledger.
pub async fn wrong_snapshots(conn: &mut MySqlConnection) -> DbResult<Vec<DifferingStock>> {
    let rows = sqlx::query_as!(
        DifferingStock,
        r#"
        SELECT
            w.bean_id AS bean,
            w.base_sequence AS movement,
            w.base_quantity AS told,
            IF(w.base_sequence = 0, 0, m.quantity_after) AS "booked: i64"
        FROM stream_beans AS w
        LEFT JOIN stock_movements AS m ON m.bean_id = w.bean_id AND m.sequence = w.base_sequence
        WHERE NOT (w.base_quantity <=> IF(w.base_sequence = 0, 0, m.quantity_after))
        ORDER BY w.bean_id
        LIMIT ?
        "#,
        LIMIT
    );
    Ok(rows.fetch_all(conn).await?)
}

/// A bean that did not count what came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Miscount {
    pub bean: i64,
    /// How many movements were counted since the snapshot, and how many are kept.
    pub counted: i64,
    pub kept: i64,
    /// Bags as they were counted, and by what is kept.
    pub bags: i64,
    pub sum: i64,
}

/// Beans whose stock by the stream is not the snapshot and all changes since, once each.
pub async fn miscounted(conn: &mut MySqlConnection) -> DbResult<Vec<Miscount>> {
    let rows = sqlx::query_as!(
        Miscount,
        r#"
        SELECT
            w.bean_id AS bean,
            w.seen - w.base_sequence AS "counted!: i64",
            CAST(COALESCE(r.movements, 0) AS SIGNED) AS "kept!: i64",
            w.quantity AS bags,
            CAST(w.base_quantity + COALESCE(r.change_by, 0) AS SIGNED) AS "sum!: i64"
        FROM stream_beans AS w
        LEFT JOIN (
            SELECT r.bean_id, COUNT(*) AS movements, SUM(j.change_by) AS change_by
            FROM stream_runs AS r
            JOIN JSON_TABLE(r.changes, '$[*]' COLUMNS (change_by BIGINT PATH '$')) AS j
            GROUP BY r.bean_id
        ) AS r ON r.bean_id = w.bean_id
        WHERE w.seen - w.base_sequence <> COALESCE(r.movements, 0)
            OR w.quantity <> w.base_quantity + COALESCE(r.change_by, 0)
        ORDER BY w.bean_id
        LIMIT ?
        "#,
        LIMIT
    );
    Ok(rows.fetch_all(conn).await?)
}

/// Beans whose stock by the stream is not that of the ledger after the same movement.
pub async fn differing_stock(conn: &mut MySqlConnection) -> DbResult<Vec<DifferingStock>> {
    let rows = sqlx::query_as!(
        DifferingStock,
        r#"
        SELECT
            w.bean_id AS bean,
            w.seen AS movement,
            w.quantity AS told,
            IF(w.seen = 0, 0, m.quantity_after) AS "booked: i64"
        FROM stream_beans AS w
        LEFT JOIN stock_movements AS m ON m.bean_id = w.bean_id AND m.sequence = w.seen
        WHERE NOT (w.quantity <=> IF(w.seen = 0, 0, m.quantity_after))
        ORDER BY w.bean_id
        LIMIT ?
        "#,
        LIMIT
    );
    Ok(rows.fetch_all(conn).await?)
}

/// Movements of a bean that were put on the stream and did not arrive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    pub bean: i64,
    pub first: i64,
    pub last: i64,
    /// Why the bean's newest record that nobody could read was put aside, if there is one.
    pub parked: Option<String>,
}

/// Movements that were put on the stream and did not arrive: of each bean the first one and the last one of them.
///
/// They are lost once every shard has been read to its end after they were put there, or after later ones came.
pub async fn lost_movements(conn: &mut MySqlConnection) -> DbResult<Vec<Lost>> {
    let rows = sqlx::query_as!(
        Lost,
        r#"
        SELECT
            m.bean_id AS bean,
            COALESCE(w.seen, m.snapshot_at) + 1 AS "first!: i64",
            COALESCE(h.first_sequence - 1, m.streamed, m.snapshot_at) AS "last!: i64",
            (
                SELECT CONCAT(p.shard_id, ', record ', p.sequence_number, ': ', p.reason)
                FROM parked_records AS p
                WHERE p.partition_key = CONCAT(m.bean_id)
                ORDER BY p.id DESC
                LIMIT 1
            ) AS "parked: String"
        FROM stream_marks AS m
        LEFT JOIN stream_beans AS w ON w.bean_id = m.bean_id
        LEFT JOIN (
            SELECT bean_id, MIN(first_sequence) AS first_sequence, MIN(held_at) AS held_at
            FROM stream_held
            GROUP BY bean_id
        ) AS h ON h.bean_id = m.bean_id
        WHERE COALESCE(m.streamed, m.snapshot_at) > COALESCE(w.seen, m.snapshot_at - 1)
            AND m.streamed IS NOT NULL
            AND COALESCE(h.held_at, m.streamed_at) + INTERVAL 10 SECOND < (
                SELECT MIN(COALESCE(s.at_end_at, '1970-01-02'))
                FROM stream_shards AS s
                WHERE s.ended_at IS NULL
            )
        ORDER BY m.bean_id
        LIMIT ?
        "#,
        LIMIT
    );
    Ok(rows.fetch_all(conn).await?)
}

/// A record that waits for movements which the ledger does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Impossible {
    pub bean: i64,
    /// The first movement that waits.
    pub first: i64,
    /// The last one in the ledger.
    pub last_booked: i64,
}

/// Records that wait although the ledger has no such movement: somebody else put them on the stream.
pub async fn impossible_records(conn: &mut MySqlConnection) -> DbResult<Vec<Impossible>> {
    let rows = sqlx::query_as!(
        Impossible,
        r#"
        SELECT h.bean_id AS bean, h.first_sequence AS first, b.last_movement AS last_booked
        FROM stream_held AS h
        JOIN beans AS b ON b.id = h.bean_id
        WHERE h.first_sequence > b.last_movement
        ORDER BY h.bean_id, h.first_sequence
        LIMIT ?
        "#,
        LIMIT
    );
    Ok(rows.fetch_all(conn).await?)
}

/// Movements that came again: the bean, the first one and the last one, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repeat {
    pub bean: i64,
    pub first: i64,
    pub last: i64,
    pub shard: String,
    pub sequence_number: String,
    /// Whether one of them said something else than the ledger does.
    pub differs: bool,
}

/// Lists what came again: first what said something else, newest first.
pub async fn list_repeats(conn: &mut MySqlConnection) -> DbResult<Vec<Repeat>> {
    let rows = sqlx::query_as!(
        Repeat,
        r#"
        SELECT
            r.bean_id AS bean,
            r.first_sequence AS first,
            r.last_sequence AS last,
            r.shard_id AS shard,
            r.sequence_number,
            EXISTS (
                SELECT 1
                FROM JSON_TABLE(r.changes, '$[*]' COLUMNS (place FOR ORDINALITY, change_by BIGINT PATH '$')) AS j
                LEFT JOIN stock_movements AS m
                    ON m.bean_id = r.bean_id AND m.sequence = r.first_sequence + j.place - 1
                WHERE NOT (m.change_by <=> j.change_by)
            ) AS "differs!: bool"
        FROM stream_repeats AS r
        ORDER BY 6 DESC, r.seen_at DESC, r.sequence_number
        LIMIT ?
        "#,
        LIMIT
    );
    Ok(rows.fetch_all(conn).await?)
}
