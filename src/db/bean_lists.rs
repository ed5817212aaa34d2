//! SQL for lists of beans: which of them, in which order, and how each was used.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use sqlx::MySqlConnection;

use super::DbResult;
use super::beans::Bean;
use super::rows::{json, like};
use crate::domain::{BeanId, Gone, MovementKind, SupplierId, Usage};

/// How the stock of the beans that are looked for stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// There are none.
    Out,
    /// At or below the alert line, and there are some.
    Low,
    /// Their supplier has none.
    OutAtSupplier,
}

/// The order of a list of beans.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    #[default]
    Number,
    Name,
    Supplier,
    FewestBags,
    MostBags,
    /// Those that moved last come first.
    Moved,
    /// By name, those that there are none of last.
    Usable,
}

/// Which beans are looked for.
#[derive(Debug, Clone, Default)]
pub struct BeanFilter {
    pub supplier: Option<SupplierId>,
    pub standing: Option<Standing>,
    /// What their name, type, description or supplier contains; empty for anything.
    pub words: String,
}

struct Row {
    id: i64,
    supplier_id: i64,
    supplier_name: String,
    bean_type: String,
    product_name: String,
    price: Decimal,
    description: String,
    quantity: i64,
    out_of_stock_since: Option<DateTime<Utc>>,
    alert_at: Option<i64>,
}

impl From<Row> for Bean {
    fn from(row: Row) -> Self {
        Self {
            id: BeanId(row.id),
            supplier: SupplierId(row.supplier_id),
            supplier_name: row.supplier_name,
            bean_type: row.bean_type,
            product_name: row.product_name,
            price: row.price,
            description: row.description,
            quantity: row.quantity,
            out_of_stock_since: row.out_of_stock_since,
            alert_at: row.alert_at,
        }
    }
}

/// Beans that a filter lets through, with what an order and a limit say.
///
/// Suppliers are searched once each, not once for each of their beans.
macro_rules! select_beans {
    ($filter:expr, $order:literal, $limit:expr, $offset:expr) => {
        sqlx::query_as!(
            Row,
            r#"
            SELECT
                b.id,
                b.supplier_id,
                s.name AS supplier_name,
                b.type AS bean_type,
                b.product_name,
                b.price,
                b.description,
                b.quantity,
                b.out_of_stock_since AS "out_of_stock_since: DateTime<Utc>",
                b.alert_at
            FROM beans AS b
            STRAIGHT_JOIN suppliers AS s ON s.id = b.supplier_id
            WHERE b.removed_at IS NULL
                AND (? IS NULL OR b.supplier_id = ?)
                AND (NOT ? OR b.quantity = 0)
                AND (NOT ? OR (b.quantity > 0 AND b.quantity <= b.alert_at))
                AND (NOT ? OR b.out_of_stock_since IS NOT NULL)
                AND (
                    ? = ''
                    OR b.product_name LIKE ? OR b.type LIKE ? OR b.description LIKE ?
                    OR b.supplier_id IN (SELECT id FROM suppliers WHERE name LIKE ?)
                )
            "#
                + $order
                + " LIMIT ? OFFSET ?",
            $filter.supplier.map(|id| id.0),
            $filter.supplier.map(|id| id.0),
            $filter.standing == Some(Standing::Out),
            $filter.standing == Some(Standing::Low),
            $filter.standing == Some(Standing::OutAtSupplier),
            $filter.words,
            $filter.pattern(),
            $filter.pattern(),
            $filter.pattern(),
            $filter.pattern(),
            $limit,
            $offset
        )
    };
}

impl BeanFilter {
    fn pattern(&self) -> String {
        like(&self.words)
    }
}

/// Lists the beans with these ids that are on the list, in the order of their ids.
pub async fn list_beans_by_id(conn: &mut MySqlConnection, beans: &[BeanId]) -> DbResult<Vec<Bean>> {
    if beans.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<i64> = beans.iter().map(|bean| bean.0).collect();
    let rows = sqlx::query_as!(
        Row,
        r#"
        SELECT
            b.id,
            b.supplier_id,
            s.name AS supplier_name,
            b.type AS bean_type,
            b.product_name,
            b.price,
            b.description,
            b.quantity,
            b.out_of_stock_since AS "out_of_stock_since: DateTime<Utc>",
            b.alert_at
        FROM beans AS b
        JOIN suppliers AS s ON s.id = b.supplier_id
        WHERE b.removed_at IS NULL
            AND b.id IN (SELECT wanted.id FROM JSON_TABLE(?, '$[*]' COLUMNS (id BIGINT PATH '$')) AS wanted)
        ORDER BY b.id
        "#,
        json(&ids)
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Bean::from).collect())
}

/// Lists beans in an order, from an offset on.
pub async fn list_filtered_beans(
    conn: &mut MySqlConnection,
    filter: &BeanFilter,
    order: Order,
    limit: i64,
    offset: i64,
) -> DbResult<Vec<Bean>> {
    let rows = match order {
        Order::Number => {
            select_beans!(filter, "ORDER BY b.id", limit, offset)
                .fetch_all(conn)
                .await?
        }
        Order::Name => {
            select_beans!(filter, "ORDER BY b.product_name, b.id", limit, offset)
                .fetch_all(conn)
                .await?
        }
        Order::Supplier => {
            select_beans!(
                filter,
                "ORDER BY s.name, b.product_name, b.id",
                limit,
                offset
            )
            .fetch_all(conn)
            .await?
        }
        Order::FewestBags => {
            select_beans!(filter, "ORDER BY b.quantity, b.id", limit, offset)
                .fetch_all(conn)
                .await?
        }
        Order::MostBags => {
            select_beans!(filter, "ORDER BY b.quantity DESC, b.id", limit, offset)
                .fetch_all(conn)
                .await?
        }
        Order::Usable => {
            select_beans!(
                filter,
                "ORDER BY b.quantity = 0, b.product_name, b.id",
                limit,
                offset
            )
            .fetch_all(conn)
            .await?
        }
        Order::Moved => {
            select_beans!(filter, "ORDER BY b.moved_at DESC, b.id", limit, offset)
                .fetch_all(conn)
                .await?
        }
    };
    Ok(rows.into_iter().map(Bean::from).collect())
}

/// How many beans a filter lets through, and the most bags that one of them has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BeanCount {
    pub number: i64,
    pub most_bags: i64,
}

/// Counts the beans that a filter lets through.
pub async fn count_filtered_beans(
    conn: &mut MySqlConnection,
    filter: &BeanFilter,
) -> DbResult<BeanCount> {
    let supplier = filter.supplier.map(|id| id.0);
    let count = sqlx::query_as!(
        BeanCount,
        r#"
        SELECT
            COUNT(*) AS "number!: i64",
            CAST(COALESCE(MAX(b.quantity), 0) AS SIGNED) AS "most_bags!: i64"
        FROM beans AS b
        WHERE b.removed_at IS NULL
            AND (? IS NULL OR b.supplier_id = ?)
            AND (NOT ? OR b.quantity = 0)
            AND (NOT ? OR (b.quantity > 0 AND b.quantity <= b.alert_at))
            AND (NOT ? OR b.out_of_stock_since IS NOT NULL)
            AND (
                ? = ''
                OR b.product_name LIKE ? OR b.type LIKE ? OR b.description LIKE ?
                OR b.supplier_id IN (SELECT id FROM suppliers WHERE name LIKE ?)
            )
        "#,
        supplier,
        supplier,
        filter.standing == Some(Standing::Out),
        filter.standing == Some(Standing::Low),
        filter.standing == Some(Standing::OutAtSupplier),
        filter.words,
        filter.pattern(),
        filter.pattern(),
        filter.pattern(),
        filter.pattern()
    );
    Ok(count.fetch_one(conn).await?)
}

/// Tells how beans were used since a moment; those that were not used and not counted are absent.
pub async fn list_usage(
    conn: &mut MySqlConnection,
    beans: &[BeanId],
    since: DateTime<Utc>,
) -> DbResult<HashMap<BeanId, Usage>> {
    if beans.is_empty() {
        return Ok(HashMap::new());
    }
    let ids: Vec<i64> = beans.iter().map(|bean| bean.0).collect();
    let rows = sqlx::query!(
        r#"
        SELECT
            m.bean_id AS "bean_id!: i64",
            m.sequence AS "sequence!: i64",
            m.kind AS "kind!: String",
            m.change_by AS "change_by!: i64",
            m.undoes,
            COALESCE(m.occurred_at, m.created_at) AS "at!: DateTime<Utc>",
            o.created_at AS "opened_at: DateTime<Utc>"
        FROM JSON_TABLE(?, '$[*]' COLUMNS (id BIGINT PATH '$')) AS wanted
        STRAIGHT_JOIN stock_movements AS o ON o.bean_id = wanted.id AND o.sequence = 1
        STRAIGHT_JOIN stock_movements AS m FORCE INDEX (idx_stock_movements_bean_id_created_at)
            ON m.bean_id = wanted.id AND m.created_at > ?
        WHERE m.kind IN ('use', 'count', 'undo')
        "#,
        json(&ids),
        since
    )
    .fetch_all(conn)
    .await?;
    let undone: HashSet<(i64, i64)> = rows
        .iter()
        .filter_map(|row| Some((row.bean_id, row.undoes?)))
        .collect();
    let stands = |bean, sequence| !undone.contains(&(bean, sequence));
    let mut gone: HashMap<BeanId, Vec<Gone>> = HashMap::new();
    let mut opened: HashMap<BeanId, DateTime<Utc>> = HashMap::new();
    for row in rows {
        if row.kind == MovementKind::Undo.code() || !stands(row.bean_id, row.sequence) {
            continue;
        }
        let bean = BeanId(row.bean_id);
        gone.entry(bean).or_default().push(Gone {
            bags: -row.change_by,
            at: row.at,
            is_count: row.kind == MovementKind::Count.code(),
        });
        opened.insert(bean, row.opened_at.max(since));
    }
    let usage = gone.into_iter().map(|(bean, gone)| {
        let since = opened.get(&bean).copied().unwrap_or(since);
        (bean, Usage::of(&gone, since))
    });
    Ok(usage.collect())
}

/// By how many bags the stock of beans changed in each span of so many seconds since a moment, without their
/// opening stock; spans without a change are absent.
pub async fn list_changes_by_span(
    conn: &mut MySqlConnection,
    beans: &[BeanId],
    since: DateTime<Utc>,
    seconds: i64,
) -> DbResult<HashMap<BeanId, Vec<(i64, i64)>>> {
    let mut changes: HashMap<BeanId, Vec<(i64, i64)>> = HashMap::new();
    if beans.is_empty() {
        return Ok(changes);
    }
    let ids: Vec<i64> = beans.iter().map(|bean| bean.0).collect();
    let rows = sqlx::query!(
        r#"
        SELECT
            m.bean_id AS "bean_id!: i64",
            TIMESTAMPDIFF(SECOND, ?, m.created_at) DIV ? AS "span!: i64",
            CAST(SUM(m.change_by) AS SIGNED) AS "change_by!: i64"
        FROM JSON_TABLE(?, '$[*]' COLUMNS (id BIGINT PATH '$')) AS wanted
        STRAIGHT_JOIN stock_movements AS m FORCE INDEX (idx_stock_movements_bean_id_created_at)
            ON m.bean_id = wanted.id AND m.created_at > ? AND m.sequence > 1
        GROUP BY m.bean_id, 2
        ORDER BY m.bean_id, 2
        "#,
        since,
        seconds,
        json(&ids),
        since
    )
    .fetch_all(conn)
    .await?;
    for row in rows {
        let of_bean = changes.entry(BeanId(row.bean_id)).or_default();
        of_bean.push((row.span, row.change_by));
    }
    Ok(changes)
}
