//! SQL on the tables of the lab's app, two of which have the names of ours.
//!
//! They are no part of our schema, so statements on them cannot be checked at compile time. Every
//! value is read as text, whatever the type of its column.

use std::collections::BTreeMap;

use sqlx::MySqlConnection;

use super::DbResult;

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

/// The tables of a database, by name, and their columns.
#[derive(Debug, Clone, Default)]
pub struct Layout(BTreeMap<String, Vec<String>>);

/// A column that our `suppliers` and `beans` have and the lab's have not.
const OURS_ALONE: &str = "removed_at";

impl Layout {
    /// Whether there is such a table.
    pub fn has(&self, table: &str) -> bool {
        self.0.contains_key(table)
    }

    /// A table's columns; none if there is no such table.
    pub fn columns_of(&self, table: &str) -> &[String] {
        self.0.get(table).map_or(&[], Vec::as_slice)
    }

    /// Whether our table of that name is there.
    pub fn has_ours(&self, table: LabTable) -> bool {
        let columns = self.columns_of(table.name());
        columns.iter().any(|column| column == OURS_ALONE)
    }

    /// Whether our table of what was taken over is there.
    pub fn has_adoptions(&self) -> bool {
        let columns = self.columns_of("adoptions");
        columns.iter().any(|column| column == "decisions")
    }

    /// Whether the lab's table is at that place.
    pub fn has_labs(&self, table: LabTable, place: Place) -> bool {
        self.has(table.name_at(place)) && (place == Place::Moved || !self.has_ours(table))
    }

    /// Whether any of the lab's tables is at that place.
    pub fn has_any_labs(&self, place: Place) -> bool {
        LabTable::ALL
            .into_iter()
            .any(|table| self.has_labs(table, place))
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

/// Finds which tables there are.
pub async fn find_layout(conn: &mut MySqlConnection) -> DbResult<Layout> {
    let rows = sqlx::query!(
        r#"
        SELECT
            CAST(TABLE_NAME AS CHAR) AS "table_name!: String",
            CAST(COLUMN_NAME AS CHAR) AS "column_name!: String"
        FROM information_schema.COLUMNS
        WHERE TABLE_SCHEMA = DATABASE()
        ORDER BY TABLE_NAME, ORDINAL_POSITION
        "#
    )
    .fetch_all(conn)
    .await?;
    let mut layout = Layout::default();
    for row in rows {
        let columns = layout.0.entry(row.table_name).or_default();
        columns.push(row.column_name.to_lowercase());
    }
    Ok(layout)
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
