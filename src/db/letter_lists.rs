//! SQL that finds open dead letters: in groups, by what they say, a page at a time.

use chrono::{DateTime, Utc};
use sqlx::MySqlConnection;
use uuid::Uuid;

use super::DbResult;
use super::rows::{code, hex, in_order_of, json, like};
use crate::domain::{Reason, UpdateId, UpdateKind};

/// How much of a body a list carries. The rest is an address away.
pub const LISTED_CHARACTERS: i64 = 65_536;

/// A dead letter as its list shows it.
#[derive(Debug, Clone)]
pub struct DeadLetterLine {
    pub id: Uuid,
    /// The update it carries.
    pub update: UpdateId,
    /// Its body, as received; at most [`LISTED_CHARACTERS`] of it.
    pub body: String,
    /// How many characters the whole body has.
    pub body_length: i64,
    /// The source queue's last receive that we saw; `None` if we never handled the message.
    pub receive_count: Option<i32>,
    /// How many copies the queue has given up.
    pub arrivals: i32,
    /// What kind of refusal it was.
    pub reason: Reason,
    /// Why, in plain words.
    pub explanation: String,
    /// When we collected it.
    pub collected_at: DateTime<Utc>,
    /// The supplier it claims to come from.
    pub supplier: Option<i64>,
    /// That supplier's name, if there is one.
    pub supplier_name: Option<String>,
    /// The bean it names.
    pub bean_type: Option<String>,
    /// What it does with how many bags, as far as that could be read.
    pub kind: Option<UpdateKind>,
    pub quantity: Option<i64>,
    /// Whether its message was sent again and has not come back yet.
    pub is_on_its_way: bool,
}

/// Whose letters are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LettersOf {
    #[default]
    Anybody,
    /// Those that claim to come from this number, whether there is such a supplier or not.
    Supplier(i64),
    /// Those of which it could not be read.
    Nobody,
}

impl LettersOf {
    fn code(self) -> &'static str {
        match self {
            Self::Anybody => "anybody",
            Self::Supplier(_) => "supplier",
            Self::Nobody => "nobody",
        }
    }

    fn number(self) -> Option<i64> {
        match self {
            Self::Supplier(number) => Some(number),
            Self::Anybody | Self::Nobody => None,
        }
    }
}

/// Which open letters are looked for.
#[derive(Debug, Clone, Default)]
pub struct LetterFilter {
    pub reason: Option<Reason>,
    pub of: LettersOf,
    /// The bean that the update names, to the letter; empty for any.
    pub bean: String,
    /// What the message, its reference or its bean contains; empty for anything.
    pub words: String,
}

impl LetterFilter {
    /// Whether what letters say decides.
    pub fn looks_inside(&self) -> bool {
        !self.words.is_empty() || !self.bean.is_empty()
    }

    /// Whether it lets all of them through whatever they say: then an index has them in the order of their ids.
    fn is_any(&self) -> bool {
        self.reason.is_none() && self.of == LettersOf::Anybody
    }

    /// The first and the last code of the reasons that it lets through; an index finds what lies between.
    fn reasons(&self) -> (&'static str, &'static str) {
        self.reason
            .map_or(("", "~"), |reason| (reason.code(), reason.code()))
    }
}

/// Ids of open letters that a filter lets through whatever they say, between two ids, newest first.
macro_rules! select_ids {
    ($index:literal, $filter:expr, $range:expr, $limit:expr, $offset:expr) => {
        sqlx::query_scalar!(
            r#"
            SELECT id AS "id: Uuid"
            FROM dead_letters FORCE INDEX ("#
                + $index
                + r#")
            WHERE state = 'open'
                AND reason BETWEEN ? AND ?
                AND CASE ? WHEN 'anybody' THEN TRUE WHEN 'nobody' THEN supplier_id IS NULL ELSE supplier_id = ? END
                AND id >= ?
                AND id < ?
            ORDER BY id DESC
            LIMIT ? OFFSET ?
            "#,
            $filter.reasons().0,
            $filter.reasons().1,
            $filter.of.code(),
            $filter.of.number(),
            $range.from,
            $range.before,
            $limit,
            $offset
        )
    };
}

/// The same of those that say what is looked for.
macro_rules! select_ids_that_say {
    ($index:literal, $filter:expr, $range:expr, $limit:expr, $offset:expr) => {
        sqlx::query_scalar!(
            r#"
            SELECT d.id AS "id: Uuid"
            FROM dead_letters AS d FORCE INDEX ("#
                + $index
                + r#")
            STRAIGHT_JOIN inventory_updates AS u FORCE INDEX (PRIMARY) ON u.id = d.update_id
            WHERE d.state = 'open'
                AND d.reason BETWEEN ? AND ?
                AND CASE ? WHEN 'anybody' THEN TRUE WHEN 'nobody' THEN d.supplier_id IS NULL ELSE d.supplier_id = ? END
                AND d.id >= ?
                AND d.id < ?
                AND (? OR u.bean_type = ? COLLATE utf8mb4_bin)
                AND (? OR d.body LIKE ? OR u.reference LIKE ? OR u.bean_type LIKE ?)
            ORDER BY d.id DESC
            LIMIT ? OFFSET ?
            "#,
            $filter.reasons().0,
            $filter.reasons().1,
            $filter.of.code(),
            $filter.of.number(),
            $range.from,
            $range.before,
            $filter.bean.is_empty(),
            $filter.bean,
            $filter.words.is_empty(),
            like(&$filter.words),
            like(&$filter.words),
            like(&$filter.words),
            $limit,
            $offset
        )
    };
}

/// The open letters of a reason that claim to come from one supplier.
#[derive(Debug, Clone)]
pub struct LetterGroup {
    pub reason: Reason,
    pub supplier: Option<i64>,
    /// That supplier's name, if there is one.
    pub supplier_name: Option<String>,
    pub number: i64,
    /// The ids of the oldest and the newest, which tell when they were collected.
    pub oldest: Uuid,
    pub newest: Uuid,
}

/// Counts open letters by reason and supplier, the largest groups of a reason first.
pub async fn list_groups(conn: &mut MySqlConnection) -> DbResult<Vec<LetterGroup>> {
    let rows = sqlx::query!(
        r#"
        SELECT
            g.reason AS "reason!",
            g.supplier_id,
            s.name AS "supplier_name?",
            g.number AS "number!: i64",
            g.oldest AS "oldest!: Uuid",
            g.newest AS "newest!: Uuid"
        FROM (
            SELECT reason, supplier_id, COUNT(*) AS number, MIN(id) AS oldest, MAX(id) AS newest
            FROM dead_letters FORCE INDEX (idx_dead_letters_state_reason_supplier_id)
            WHERE state = 'open'
            GROUP BY reason, supplier_id
        ) AS g
        LEFT JOIN suppliers AS s ON s.id = g.supplier_id
        ORDER BY g.reason, g.number DESC, g.supplier_id
        "#
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(LetterGroup {
                reason: code("dead_letters", "reason", &row.reason, Reason::from_code)?,
                supplier: row.supplier_id,
                supplier_name: row.supplier_name,
                number: row.number,
                oldest: row.oldest,
                newest: row.newest,
            })
        })
        .collect()
}

/// Finds the `most`-th of the letters older than `before`; none if there are fewer.
///
/// Counted are those that the filter lets through whatever they say. Whoever looks for words back to it looks through no more than these.
pub async fn find_reach(
    conn: &mut MySqlConnection,
    filter: &LetterFilter,
    before: Uuid,
    most: i64,
) -> DbResult<Option<Uuid>> {
    let range = Range {
        before,
        ..Range::ALL
    };
    let ids = list_matching(conn, filter, range, 1, most - 1).await?;
    Ok(ids.first().copied())
}

/// The ids of open letters between two, newest first.
#[derive(Debug, Clone, Copy)]
pub struct Range {
    /// Letters with smaller ids are older; this one is the first that is looked at.
    pub from: Uuid,
    /// The first that is not.
    pub before: Uuid,
}

impl Range {
    /// All there are.
    pub const ALL: Self = Self {
        from: Uuid::nil(),
        before: Uuid::max(),
    };
}

/// Lists the ids of open letters that a filter lets through, newest first.
pub async fn list_ids(
    conn: &mut MySqlConnection,
    filter: &LetterFilter,
    range: Range,
    limit: i64,
    offset: i64,
) -> DbResult<Vec<Uuid>> {
    if filter.looks_inside() {
        list_that_say(conn, filter, range, limit, offset).await
    } else {
        list_matching(conn, filter, range, limit, offset).await
    }
}

async fn list_matching(
    conn: &mut MySqlConnection,
    filter: &LetterFilter,
    range: Range,
    limit: i64,
    offset: i64,
) -> DbResult<Vec<Uuid>> {
    let ids = if filter.is_any() {
        select_ids!("idx_dead_letters_state", filter, range, limit, offset)
            .fetch_all(conn)
            .await?
    } else {
        select_ids!(
            "idx_dead_letters_state_reason_supplier_id",
            filter,
            range,
            limit,
            offset
        )
        .fetch_all(conn)
        .await?
    };
    Ok(ids)
}

async fn list_that_say(
    conn: &mut MySqlConnection,
    filter: &LetterFilter,
    range: Range,
    limit: i64,
    offset: i64,
) -> DbResult<Vec<Uuid>> {
    let ids = if filter.is_any() {
        select_ids_that_say!("idx_dead_letters_state", filter, range, limit, offset)
            .fetch_all(conn)
            .await?
    } else {
        select_ids_that_say!(
            "idx_dead_letters_state_reason_supplier_id",
            filter,
            range,
            limit,
            offset
        )
        .fetch_all(conn)
        .await?
    };
    Ok(ids)
}

/// Reads letters for a list, in the order given; those that are closed are left out.
pub async fn list_letters(
    conn: &mut MySqlConnection,
    ids: &[Uuid],
) -> DbResult<Vec<DeadLetterLine>> {
    let hexed: Vec<String> = ids.iter().copied().map(hex).collect();
    let rows = sqlx::query!(
        r#"
        SELECT
            d.id AS "id!: Uuid",
            d.update_id AS "update_id!: Uuid",
            LEFT(d.body, ?) AS "body!",
            CHAR_LENGTH(d.body) AS "body_length!: i64",
            d.receive_count AS "receive_count: i32",
            d.arrivals AS "arrivals!",
            d.reason AS "reason!",
            d.explanation AS "explanation!",
            d.collected_at AS "collected_at!: DateTime<Utc>",
            d.supplier_id,
            s.name AS "supplier_name?",
            u.bean_type,
            u.kind,
            u.quantity,
            EXISTS (SELECT 1 FROM outbox_messages AS o WHERE o.update_id = d.update_id) AS "is_on_its_way!: bool"
        FROM JSON_TABLE(?, '$[*]' COLUMNS (id CHAR(32) PATH '$')) AS wanted
        STRAIGHT_JOIN dead_letters AS d FORCE INDEX (PRIMARY) ON d.id = UNHEX(wanted.id) AND d.state = 'open'
        STRAIGHT_JOIN inventory_updates AS u FORCE INDEX (PRIMARY) ON u.id = d.update_id
        LEFT JOIN suppliers AS s ON s.id = d.supplier_id
        "#,
        LISTED_CHARACTERS,
        json(&hexed)
    )
    .fetch_all(conn)
    .await?;
    let letters: DbResult<Vec<DeadLetterLine>> = rows
        .into_iter()
        .map(|row| {
            Ok(DeadLetterLine {
                id: row.id,
                update: UpdateId(row.update_id),
                body: row.body,
                body_length: row.body_length,
                receive_count: row.receive_count,
                arrivals: row.arrivals,
                reason: code("dead_letters", "reason", &row.reason, Reason::from_code)?,
                explanation: row.explanation,
                collected_at: row.collected_at,
                supplier: row.supplier_id,
                supplier_name: row.supplier_name,
                bean_type: row.bean_type,
                kind: row.kind.as_deref().and_then(UpdateKind::from_code),
                quantity: row.quantity,
                is_on_its_way: row.is_on_its_way,
            })
        })
        .collect();
    Ok(in_order_of(ids, letters?, |letter| letter.id))
}

/// Counts the open letters that a filter lets through whatever they say, and that are newer than one.
pub async fn count_newer(
    conn: &mut MySqlConnection,
    filter: &LetterFilter,
    than: Uuid,
) -> DbResult<i64> {
    let number = sqlx::query_scalar!(
        r#"
        SELECT COUNT(*) AS "number!: i64"
        FROM dead_letters FORCE INDEX (idx_dead_letters_state_reason_supplier_id)
        WHERE state = 'open'
            AND reason BETWEEN ? AND ?
            AND CASE ? WHEN 'anybody' THEN TRUE WHEN 'nobody' THEN supplier_id IS NULL ELSE supplier_id = ? END
            AND id > ?
        "#,
        filter.reasons().0,
        filter.reasons().1,
        filter.of.code(),
        filter.of.number(),
        than
    );
    Ok(number.fetch_one(conn).await?)
}
