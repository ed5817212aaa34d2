//! SQL that takes the lab's rows over: they keep their numbers, and one row says that it was done.

use chrono::{DateTime, Utc};
use sqlx::MySqlConnection;

use super::DbResult;
use super::rows::json;
use crate::domain::{
    BeanDetails, BeanId, EmailAddress, PhoneNumber, ShortText, SupplierDetails, SupplierId,
};

/// That the tables of the lab's app were taken over.
#[derive(Debug, Clone, Copy)]
pub struct Adoption {
    /// How many suppliers there were afterwards.
    pub suppliers: i64,
    /// How many beans.
    pub beans: i64,
    /// When.
    pub at: DateTime<Utc>,
}

/// Finds whether this database was taken over.
pub async fn find_adoption(conn: &mut MySqlConnection) -> DbResult<Option<Adoption>> {
    let row = sqlx::query_as!(
        Adoption,
        r#"
        SELECT suppliers, beans, adopted_at AS "at: DateTime<Utc>"
        FROM adoptions
        WHERE id = 1
        "#
    )
    .fetch_optional(conn)
    .await?;
    Ok(row)
}

/// Records that this database was taken over, and how. Tells how many of the decisions fit.
pub async fn record_adoption(
    conn: &mut MySqlConnection,
    adoption: Adoption,
    decisions: &[String],
) -> DbResult<usize> {
    let (decisions, listed) = list_within(find_room(conn).await?, decisions);
    sqlx::query!(
        r#"
        INSERT INTO adoptions (id, suppliers, beans, decisions, adopted_at)
        VALUES (1, ?, ?, ?, ?)
        "#,
        adoption.suppliers,
        adoption.beans,
        decisions,
        adoption.at
    )
    .execute(conn)
    .await?;
    Ok(listed)
}

/// Finds how many bytes of decisions one statement can bring into their column.
async fn find_room(conn: &mut MySqlConnection) -> DbResult<usize> {
    // The column ends at 16 MiB; `MariaDB` takes no longer statement, unless it is told to.
    const COLUMN: usize = 15 << 20;
    const REST_OF_THE_STATEMENT: usize = 64 << 10;
    let statement =
        sqlx::query_scalar!(r#"SELECT CAST(@@max_allowed_packet AS SIGNED) AS "bytes!: i64""#)
            .fetch_one(conn)
            .await?;
    let statement = usize::try_from(statement).unwrap_or(0);
    Ok(COLUMN.min(statement.saturating_sub(REST_OF_THE_STATEMENT)))
}

/// Encodes as many decisions as fit, with a sentence about those that do not, and counts them.
fn list_within(room: usize, decisions: &[String]) -> (String, usize) {
    const LAST_SENTENCE: usize = 200;
    let room = room.saturating_sub(LAST_SENTENCE);
    let mut listed = 0;
    let mut list = "[".to_owned();
    for decision in decisions {
        let decision = json(decision);
        if list.len() + decision.len() > room {
            break;
        }
        list.push_str(&decision);
        list.push(',');
        listed += 1;
    }
    match decisions.len() - listed {
        0 if listed > 0 => drop(list.pop()),
        0 => {}
        more => list.push_str(&json(&format!(
            "and {more} more, for which there is no room here; what the lab had is in \
             lab_suppliers and lab_beans"
        ))),
    }
    list.push(']');
    (list, listed)
}

/// Whether our tables hold a supplier or a bean, be it a removed one.
pub async fn find_any_row(conn: &mut MySqlConnection) -> DbResult<bool> {
    let found = sqlx::query_scalar!(
        r#"
        SELECT EXISTS (SELECT 1 FROM suppliers) OR EXISTS (SELECT 1 FROM beans) AS "found!: bool"
        "#
    )
    .fetch_one(conn)
    .await?;
    Ok(found)
}

/// Adds a supplier with the number it has.
pub async fn insert_adopted_supplier(
    conn: &mut MySqlConnection,
    id: SupplierId,
    details: &SupplierDetails,
    now: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query!(
        r#"
        INSERT INTO suppliers (
            id, name, address, city, state, email, phone, created_at, updated_at
        )
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
        "#,
        id.0,
        details.name.as_str(),
        details.address.as_str(),
        details.city.as_str(),
        details.state.as_str(),
        details.email.as_str(),
        details.phone.as_str(),
        now,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Adds a bean with the number and the bags it has; the caller inserts its opening movement.
pub async fn insert_adopted_bean(
    conn: &mut MySqlConnection,
    id: BeanId,
    details: &BeanDetails,
    quantity: i64,
    now: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query!(
        r#"
        INSERT INTO beans (
            id, supplier_id, type, type_key, product_name, price, description,
            quantity, last_movement, moved_at, created_at, updated_at
        )
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1, ?, ?, ?)
        "#,
        id.0,
        details.supplier.0,
        details.bean_type.as_str(),
        details.bean_type.key(),
        details.product_name.as_str(),
        details.price.amount(),
        details.description.as_str(),
        quantity,
        now,
        now,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Has the server number suppliers after this one: it forgets no number that a row has had.
pub async fn use_up_supplier_id(
    conn: &mut MySqlConnection,
    id: SupplierId,
    now: DateTime<Utc>,
) -> DbResult<()> {
    insert_adopted_supplier(conn, id, &nobody(), now).await?;
    delete_supplier(conn, id).await
}

fn nobody() -> SupplierDetails {
    let empty = || ShortText::stored(String::new());
    SupplierDetails {
        name: empty(),
        address: empty(),
        city: empty(),
        state: empty(),
        email: EmailAddress::stored(String::new()),
        phone: PhoneNumber::stored(String::new()),
    }
}

async fn delete_supplier(conn: &mut MySqlConnection, id: SupplierId) -> DbResult<()> {
    sqlx::query!("DELETE FROM suppliers WHERE id = ?", id.0)
        .execute(conn)
        .await?;
    Ok(())
}

/// Has the server number beans after this one. It needs a supplier meanwhile, and there may be none.
pub async fn use_up_bean_id(
    conn: &mut MySqlConnection,
    id: BeanId,
    now: DateTime<Utc>,
) -> DbResult<()> {
    // No row has a number below 1, and one that is given leaves the numbering alone.
    let supplier = SupplierId(-1);
    insert_adopted_supplier(conn, supplier, &nobody(), now).await?;
    sqlx::query!(
        r#"
        INSERT INTO beans (
            id, supplier_id, type, type_key, product_name, price, description, created_at, updated_at
        )
        VALUES (?, ?, '', NULL, '', 0, '', ?, ?)
        "#,
        id.0,
        supplier.0,
        now,
        now
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!("DELETE FROM beans WHERE id = ?", id.0)
        .execute(&mut *conn)
        .await?;
    delete_supplier(conn, supplier).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decisions_that_do_not_fit_are_counted() {
        let decisions = vec!["bean 1: “\"quoted\"”".to_owned(); 1_000];
        for (room, expected) in [(1 << 20, 1_000), (5_000, 177), (0, 0)] {
            let (list, listed) = list_within(room, &decisions);

            let read: Vec<String> = serde_json::from_str(&list).unwrap();
            assert_eq!(listed, expected);
            assert_eq!(read[..listed], decisions[..listed]);
            assert!(room == 0 || list.len() <= room);
            let more = format!("and {} more", 1_000 - listed);
            assert_eq!(listed < 1_000, read.last().unwrap().starts_with(&more));
        }
        assert_eq!(list_within(5_000, &[]), ("[]".to_owned(), 0));
    }
}
