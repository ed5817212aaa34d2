//! SQL on the tables of the lab's app, two of which have the names of ours.
//!
//! They are no part of our schema, so statements on them cannot be checked at compile time. Every
//! value is read as text, whatever the type of its column.

mod layout;

use sqlx::MySqlConnection;

use super::DbResult;
pub use layout::{Constraint, Layout, find_layout};

/// A table of the lab's app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LabTable {
    /// Who delivers.
    Suppliers,
    /// What they deliver, and how much of it is there.
    Beans,
}

/// Under which name a table of the lab's app is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Under its own, which ours needs.
    Own,
    /// Under the name it is moved to.
    Moved,
}

impl LabTable {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Suppliers, Self::Beans];

    /// The name it shares with ours.
    pub fn name(self) -> &'static str {
        match self {
            Self::Suppliers => "suppliers",
            Self::Beans => "beans",
        }
    }

    /// The name it is kept under.
    pub fn moved_name(self) -> &'static str {
        match self {
            Self::Suppliers => "lab_suppliers",
            Self::Beans => "lab_beans",
        }
    }

    /// Its name at a place.
    pub fn name_at(self, place: Place) -> &'static str {
        match place {
            Place::Own => self.name(),
            Place::Moved => self.moved_name(),
        }
    }

    /// The columns the lab's app uses.
    pub fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Suppliers => &["id", "name", "address", "city", "state", "email", "phone"],
            Self::Beans => &[
                "id",
                "supplier_id",
                "type",
                "product_name",
                "price",
                "description",
                "quantity",
            ],
        }
    }
}

/// A supplier as the lab's app stored it. Its order is that of its columns.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the lab's table, as text")]
pub struct LabSupplier {
    pub id: Option<String>,
    pub name: Option<String>,
    pub address: Option<String>,
    pub city: Option<String>,
    pub state: Option<String>,
    pub email: Option<String>,
    pub phone: Option<String>,
}

/// A bean as the lab's app stored it. Its order is that of its columns.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the lab's table, as text")]
pub struct LabBean {
    pub id: Option<String>,
    pub supplier_id: Option<String>,
    pub bean_type: Option<String>,
    pub product_name: Option<String>,
    pub price: Option<String>,
    pub description: Option<String>,
    pub quantity: Option<String>,
}

/// Lists the lab's suppliers, in no order.
#[expect(clippy::disallowed_methods, reason = "the table is not in our schema")]
pub async fn list_lab_suppliers(
    conn: &mut MySqlConnection,
    place: Place,
) -> DbResult<Vec<LabSupplier>> {
    let sql = match place {
        Place::Own => {
            "SELECT CAST(id AS CHAR) AS id, CAST(name AS CHAR) AS name, \
             CAST(address AS CHAR) AS address, CAST(city AS CHAR) AS city, \
             CAST(state AS CHAR) AS state, CAST(email AS CHAR) AS email, \
             CAST(phone AS CHAR) AS phone FROM suppliers"
        }
        Place::Moved => {
            "SELECT CAST(id AS CHAR) AS id, CAST(name AS CHAR) AS name, \
             CAST(address AS CHAR) AS address, CAST(city AS CHAR) AS city, \
             CAST(state AS CHAR) AS state, CAST(email AS CHAR) AS email, \
             CAST(phone AS CHAR) AS phone FROM lab_suppliers"
        }
    };
    Ok(sqlx::query_as(sql).fetch_all(conn).await?)
}

/// Lists the lab's beans, in no order.
#[expect(clippy::disallowed_methods, reason = "the table is not in our schema")]
pub async fn list_lab_beans(conn: &mut MySqlConnection, place: Place) -> DbResult<Vec<LabBean>> {
    let sql = match place {
        Place::Own => {
            "SELECT CAST(id AS CHAR) AS id, CAST(supplier_id AS CHAR) AS supplier_id, \
             CAST(type AS CHAR) AS bean_type, CAST(product_name AS CHAR) AS product_name, \
             CAST(price AS CHAR) AS price, CAST(description AS CHAR) AS description, \
             CAST(quantity AS CHAR) AS quantity FROM beans"
        }
        Place::Moved => {
            "SELECT CAST(id AS CHAR) AS id, CAST(supplier_id AS CHAR) AS supplier_id, \
             CAST(type AS CHAR) AS bean_type, CAST(product_name AS CHAR) AS product_name, \
             CAST(price AS CHAR) AS price, CAST(description AS CHAR) AS description, \
             CAST(quantity AS CHAR) AS quantity FROM lab_beans"
        }
    };
    Ok(sqlx::query_as(sql).fetch_all(conn).await?)
}

/// Moves a table of the lab's out of the way of ours, on a connection that is used for nothing
/// else afterwards: waiting for whoever still uses the table is cut short on it.
#[expect(clippy::disallowed_methods, reason = "the table is not in our schema")]
pub async fn move_lab_table(conn: &mut MySqlConnection, table: LabTable) -> DbResult<()> {
    // The default is a day or a year.
    sqlx::query("SET SESSION lock_wait_timeout = 10")
        .execute(&mut *conn)
        .await?;
    let sql = match table {
        LabTable::Suppliers => "RENAME TABLE suppliers TO lab_suppliers",
        LabTable::Beans => "RENAME TABLE beans TO lab_beans",
    };
    sqlx::query(sql).execute(conn).await?;
    Ok(())
}
