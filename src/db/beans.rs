//! SQL for beans and the stock on hand.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::Serialize;
use sqlx::MySqlConnection;

use super::DbResult;
use super::rows::{datetime, json};
use crate::domain::{BeanDetails, BeanId, BeanStock, BeanTerms, Price, Stock, SupplierId};

/// A bean as staff see it.
#[derive(Debug, Clone)]
pub struct Bean {
    pub id: BeanId,
    pub supplier: SupplierId,
    /// Who that is, by name.
    pub supplier_name: String,
    /// Its type, as typed.
    pub bean_type: String,
    pub product_name: String,
    /// US dollars a bag.
    pub price: Decimal,
    /// A sentence or two.
    pub description: String,
    pub quantity: i64,
    /// Since when the supplier has none.
    pub out_of_stock_since: Option<DateTime<Utc>>,
    /// Low at so many bags or fewer.
    pub alert_at: Option<i64>,
}

impl Bean {
    /// Its price and its line.
    pub fn terms(&self) -> BeanTerms {
        BeanTerms {
            price: Price::stored(self.price),
            alert_at: self.alert_at,
        }
    }

    /// Whether there are some, and as few as its line says.
    pub fn is_low(&self) -> bool {
        self.quantity > 0 && self.alert_at.is_some_and(|line| self.quantity <= line)
    }
}

/// What a supplier has to offer: enough to look up what an update is about.
#[derive(Debug, Clone)]
pub struct Offer {
    pub supplier_name: String,
    /// Whether its updates are taken.
    pub active: bool,
    /// Its beans with their types as typed.
    pub beans: Vec<(BeanId, String)>,
}

struct BeanRow {
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

impl From<BeanRow> for Bean {
    fn from(row: BeanRow) -> Self {
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

/// Lists all beans by number.
pub async fn list_beans(conn: &mut MySqlConnection) -> DbResult<Vec<Bean>> {
    select_beans(conn, None).await
}

pub async fn find_bean(conn: &mut MySqlConnection, id: BeanId) -> DbResult<Option<Bean>> {
    Ok(select_beans(conn, Some(id)).await?.pop())
}

async fn select_beans(conn: &mut MySqlConnection, only: Option<BeanId>) -> DbResult<Vec<Bean>> {
    // One way for both: `? IS NULL OR …` would read them all for one.
    let (first, last) = only.map_or((0, i64::MAX), |id| (id.0, id.0));
    let rows = sqlx::query_as!(
        BeanRow,
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
        WHERE b.removed_at IS NULL AND b.id BETWEEN ? AND ?
        ORDER BY b.id
        "#,
        first,
        last
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Bean::from).collect())
}

/// A bean as its supplier sends updates about it, with what the stock rule asks for.
#[derive(Debug, Clone)]
pub struct OfferedBean {
    pub id: BeanId,
    /// Its type, as typed.
    pub bean_type: String,
    pub product_name: String,
    pub stock: Stock,
    /// Low at so many bags or fewer.
    pub alert_at: Option<i64>,
}

impl OfferedBean {
    /// Whether there are some, and as few as its line says.
    pub fn is_low(&self) -> bool {
        let quantity = self.stock.quantity;
        quantity > 0 && self.alert_at.is_some_and(|line| quantity <= line)
    }
}

/// Lists the beans of a supplier by number. Locks nothing.
pub async fn list_offered_beans(
    conn: &mut MySqlConnection,
    supplier: SupplierId,
) -> DbResult<Vec<OfferedBean>> {
    let rows = sqlx::query!(
        r#"
        SELECT
            id,
            type AS bean_type,
            product_name,
            quantity,
            moved_at AS "moved_at: DateTime<Utc>",
            counted_at AS "counted_at: DateTime<Utc>",
            out_of_stock_since AS "out_of_stock_since: DateTime<Utc>",
            alert_at
        FROM beans
        WHERE supplier_id = ? AND removed_at IS NULL
        ORDER BY id
        "#,
        supplier.0
    )
    .fetch_all(conn)
    .await?;
    let bean = rows.into_iter().map(|row| OfferedBean {
        id: BeanId(row.id),
        bean_type: row.bean_type,
        product_name: row.product_name,
        stock: Stock {
            quantity: row.quantity,
            moved_at: row.moved_at,
            counted_at: row.counted_at,
            out_of_stock_since: row.out_of_stock_since,
        },
        alert_at: row.alert_at,
    });
    Ok(bean.collect())
}

/// Finds what the given suppliers offer. Suppliers that do not exist are absent from the answer.
pub async fn find_offers(
    conn: &mut MySqlConnection,
    suppliers: &[SupplierId],
) -> DbResult<HashMap<SupplierId, Offer>> {
    let ids: Vec<i64> = suppliers.iter().map(|id| id.0).collect();
    let rows = sqlx::query!(
        r#"
        SELECT
            s.id AS "supplier_id!",
            s.name AS "supplier_name!",
            s.active AS "active!: bool",
            b.id AS "bean_id?",
            b.type AS "bean_type?"
        FROM JSON_TABLE(?, '$[*]' COLUMNS (id BIGINT PATH '$')) AS wanted
        STRAIGHT_JOIN suppliers AS s ON s.id = wanted.id AND s.removed_at IS NULL
        LEFT JOIN beans AS b ON b.supplier_id = s.id AND b.removed_at IS NULL
        ORDER BY s.id, b.id
        "#,
        json(&ids)
    )
    .fetch_all(conn)
    .await?;
    let mut offers = HashMap::new();
    for row in rows {
        let offer = offers
            .entry(SupplierId(row.supplier_id))
            .or_insert_with(|| Offer {
                supplier_name: row.supplier_name,
                active: row.active,
                beans: Vec::new(),
            });
        if let (Some(id), Some(bean_type)) = (row.bean_id, row.bean_type) {
            offer.beans.push((BeanId(id), bean_type));
        }
    }
    Ok(offers)
}

struct LockedRow {
    id: i64,
    quantity: i64,
    last_movement: i64,
    moved_at: Option<DateTime<Utc>>,
    counted_at: Option<DateTime<Utc>>,
    out_of_stock_since: Option<DateTime<Utc>>,
    removed_at: Option<DateTime<Utc>>,
    alert_at: Option<i64>,
}

impl LockedRow {
    /// The stock of a bean that was not removed.
    fn stock(self) -> Option<BeanStock> {
        if self.removed_at.is_some() {
            return None;
        }
        Some(BeanStock {
            bean: BeanId(self.id),
            stock: Stock {
                quantity: self.quantity,
                moved_at: self.moved_at,
                counted_at: self.counted_at,
                out_of_stock_since: self.out_of_stock_since,
            },
            last_movement: self.last_movement,
            alert_at: self.alert_at,
        })
    }
}

/// `STRAIGHT_JOIN` keeps the order of the array; the forced key keeps the locks to these rows. The table
/// function is wrapped, because `MySQL` tries to lock it too and fails (3569).
macro_rules! query_beans {
    ($lock:tt, $ids:expr) => {
        sqlx::query_as!(
            LockedRow,
            r#"
            SELECT
                b.id AS "id!",
                b.quantity AS "quantity!",
                b.last_movement AS "last_movement!",
                b.moved_at AS "moved_at: DateTime<Utc>",
                b.counted_at AS "counted_at: DateTime<Utc>",
                b.out_of_stock_since AS "out_of_stock_since: DateTime<Utc>",
                b.removed_at AS "removed_at: DateTime<Utc>",
                b.alert_at
            FROM (
                SELECT id FROM JSON_TABLE(?, '$[*]' COLUMNS (id BIGINT PATH '$')) AS listed
            ) AS wanted
            STRAIGHT_JOIN beans AS b FORCE INDEX (PRIMARY) ON b.id = wanted.id
            "#
                + $lock,
            json(&$ids)
        )
    };
}

/// Locks beans in the order given, which must be ascending: then no two transactions can wait for
/// each other. Beans that were removed are absent from the answer.
pub async fn lock_beans(
    conn: &mut MySqlConnection,
    ascending: &[BeanId],
) -> DbResult<Vec<BeanStock>> {
    debug_assert!(ascending.is_sorted(), "locks are taken in id order");
    if ascending.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<i64> = ascending.iter().map(|id| id.0).collect();
    let rows = query_beans!("FOR UPDATE", ids).fetch_all(conn).await?;
    Ok(rows.into_iter().filter_map(LockedRow::stock).collect())
}

/// Finds a bean's stock without locking it.
pub async fn find_stock(conn: &mut MySqlConnection, bean: BeanId) -> DbResult<Option<BeanStock>> {
    let row = query_beans!("", [bean.0]).fetch_optional(conn).await?;
    Ok(row.and_then(LockedRow::stock))
}

/// Finds the stocks of beans without locking them.
pub async fn find_stocks(conn: &mut MySqlConnection, beans: &[BeanId]) -> DbResult<Vec<BeanStock>> {
    let ids: Vec<i64> = beans.iter().map(|id| id.0).collect();
    let rows = query_beans!("", ids).fetch_all(conn).await?;
    Ok(rows.into_iter().filter_map(LockedRow::stock).collect())
}

/// Locks those of the beans that nobody else has locked; gives the others as well.
pub async fn lock_free_beans(
    conn: &mut MySqlConnection,
    beans: &[BeanId],
) -> DbResult<(Vec<BeanStock>, BTreeSet<BeanId>)> {
    if beans.is_empty() {
        return Ok(Default::default());
    }
    let ids: Vec<i64> = beans.iter().map(|id| id.0).collect();
    let rows = query_beans!("FOR UPDATE SKIP LOCKED", ids)
        .fetch_all(conn)
        .await?;
    let mut others: BTreeSet<BeanId> = beans.iter().copied().collect();
    for row in &rows {
        others.remove(&BeanId(row.id));
    }
    let locked = rows.into_iter().filter_map(LockedRow::stock);
    Ok((locked.collect(), others))
}

#[derive(Serialize)]
struct StockRow {
    id: i64,
    quantity: i64,
    last_movement: i64,
    #[serde(serialize_with = "datetime", skip_serializing_if = "Option::is_none")]
    moved_at: Option<DateTime<Utc>>,
    #[serde(serialize_with = "datetime", skip_serializing_if = "Option::is_none")]
    counted_at: Option<DateTime<Utc>>,
    #[serde(serialize_with = "datetime", skip_serializing_if = "Option::is_none")]
    out_of_stock_since: Option<DateTime<Utc>>,
}

/// Stores the stock of beans that the caller has locked and whose movements it inserts.
pub async fn set_stock(conn: &mut MySqlConnection, beans: &[BeanStock]) -> DbResult<()> {
    let rows: Vec<StockRow> = beans
        .iter()
        .map(|bean| StockRow {
            id: bean.bean.0,
            quantity: bean.stock.quantity,
            last_movement: bean.last_movement,
            moved_at: bean.stock.moved_at,
            counted_at: bean.stock.counted_at,
            out_of_stock_since: bean.stock.out_of_stock_since,
        })
        .collect();
    sqlx::query!(
        r#"
        UPDATE JSON_TABLE(?, '$[*]' COLUMNS (
            id BIGINT PATH '$.id',
            quantity BIGINT PATH '$.quantity',
            last_movement BIGINT PATH '$.last_movement',
            moved_at DATETIME(6) PATH '$.moved_at',
            counted_at DATETIME(6) PATH '$.counted_at',
            out_of_stock_since DATETIME(6) PATH '$.out_of_stock_since'
        )) AS new
        STRAIGHT_JOIN beans AS b FORCE INDEX (PRIMARY) ON b.id = new.id
        SET
            b.quantity = new.quantity,
            b.last_movement = new.last_movement,
            b.moved_at = new.moved_at,
            b.counted_at = new.counted_at,
            b.out_of_stock_since = new.out_of_stock_since
        "#,
        json(&rows)
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Adds a bean without stock; its opening stock is a movement.
pub async fn insert_bean(
    conn: &mut MySqlConnection,
    details: &BeanDetails,
    now: DateTime<Utc>,
) -> DbResult<BeanId> {
    let result = sqlx::query!(
        r#"
        INSERT INTO beans (
            supplier_id, type, type_key, product_name, price, description, created_at, updated_at
        )
        VALUES (?, ?, ?, ?, ?, ?, ?, ?)
        "#,
        details.supplier.0,
        details.bean_type.as_str(),
        details.bean_type.key(),
        details.product_name.as_str(),
        details.price.amount(),
        details.description.as_str(),
        now,
        now
    )
    .execute(conn)
    .await?;
    Ok(BeanId(
        i64::try_from(result.last_insert_id()).unwrap_or(i64::MAX),
    ))
}

/// Replaces a bean's details, not its stock. Without a new `key` the bean keeps the one by
/// which its type is compared.
pub async fn set_bean_details(
    conn: &mut MySqlConnection,
    id: BeanId,
    details: &BeanDetails,
    key: Option<&str>,
    now: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query!(
        r#"
        UPDATE beans
        SET supplier_id = ?, type = ?, type_key = COALESCE(?, type_key), product_name = ?, price = ?, description = ?,
            updated_at = ?
        WHERE id = ? AND removed_at IS NULL
        "#,
        details.supplier.0,
        details.bean_type.as_str(),
        key,
        details.product_name.as_str(),
        details.price.amount(),
        details.description.as_str(),
        now,
        id.0
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Sets the number of bags at which a bean is low, or none.
pub async fn set_alert_at(
    conn: &mut MySqlConnection,
    id: BeanId,
    alert_at: Option<i64>,
) -> DbResult<()> {
    sqlx::query!("UPDATE beans SET alert_at = ? WHERE id = ?", alert_at, id.0)
        .execute(conn)
        .await?;
    Ok(())
}

/// Sets a bean's price and the number of bags at which it is low.
pub async fn set_terms(
    conn: &mut MySqlConnection,
    id: BeanId,
    terms: BeanTerms,
    now: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query!(
        "UPDATE beans SET price = ?, alert_at = ?, updated_at = ? WHERE id = ?",
        terms.price.amount(),
        terms.alert_at,
        now,
        id.0
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Takes a bean off the list and frees its type for a new one.
pub async fn set_bean_removed(
    conn: &mut MySqlConnection,
    id: BeanId,
    now: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query!(
        "UPDATE beans SET removed_at = ?, type_key = NULL WHERE id = ?",
        now,
        id.0
    )
    .execute(conn)
    .await?;
    Ok(())
}
