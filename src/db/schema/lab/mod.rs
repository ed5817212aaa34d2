//! SQL on the tables of the lab's app, two of which have the names of ours.
//!
//! They are no part of our schema, so statements on them cannot be checked at compile time. Every
//! value is read as text, whatever the type of its column: statements that are not prepared are
//! answered so.

mod dependents;
mod layout;

use sqlx::mysql::MySqlRow;
use sqlx::{AssertSqlSafe, MySqlConnection, Row as _};

use crate::db::DbResult;
pub use dependents::{Dependent, list_dependents};
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

/// A row as the lab's app stored it: a text or NULL for each of its table's columns, in their order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LabRow {
    columns: &'static [&'static str],
    values: Vec<Option<String>>,
}

impl LabRow {
    /// A row of a table with a value for each of its columns.
    pub fn new(table: LabTable, values: Vec<Option<String>>) -> Self {
        let columns = table.columns();
        debug_assert_eq!(columns.len(), values.len());
        Self { columns, values }
    }

    /// What a column holds, which is one of its table's.
    pub fn get(&self, column: &str) -> Option<&str> {
        let position = self.columns.iter().position(|known| *known == column)?;
        self.values[position].as_deref()
    }
}

/// Lists a table's rows, in no order.
pub async fn list_rows(
    conn: &mut MySqlConnection,
    table: LabTable,
    place: Place,
) -> DbResult<Vec<LabRow>> {
    let columns = table.columns();
    let sql = format!(
        "SELECT {} FROM {}",
        columns.join(", "),
        table.name_at(place)
    );
    let rows = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(conn).await?;
    let rows = rows.iter().map(|row| {
        let values = columns.iter().map(|column| text(row, column));
        let values = values.collect::<DbResult<_>>()?;
        Ok(LabRow::new(table, values))
    });
    rows.collect()
}

/// Reads a value as text, whatever its column holds.
fn text(row: &MySqlRow, column: &str) -> DbResult<Option<String>> {
    let bytes: Option<&[u8]> = row.try_get_unchecked(column)?;
    Ok(bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned()))
}

/// Finds the number that the next row of a table would get, which is kept although the row that had the
/// one before may be gone; `None` if rows get no numbers.
pub async fn find_next_id(
    conn: &mut MySqlConnection,
    table: LabTable,
    place: Place,
) -> DbResult<Option<i64>> {
    let sql = format!("SHOW CREATE TABLE {}", table.name_at(place));
    // What servers tell of it in information_schema may be a day old.
    let row = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_one(conn).await?;
    let statement = text(&row, "Create Table")?.unwrap_or_default();
    Ok(next_id_in(&statement))
}

/// The option stands behind the columns, whose list ends in a line that begins with a parenthesis; a
/// column's comment cannot, because servers write its line breaks as `\n`.
fn next_id_in(create_table: &str) -> Option<i64> {
    let (_, options) = create_table.split_once("\n) ")?;
    // A comment of the table comes last, so that the first one is the option.
    let (_, rest) = options.split_once(" AUTO_INCREMENT=")?;
    rest.split_whitespace().next()?.parse().ok()
}

/// Moves tables of the lab's out of the way of ours, all or none, on a connection that is used for
/// nothing else afterwards: waiting for whoever still uses a table is cut short on it.
pub async fn move_lab_tables(conn: &mut MySqlConnection, tables: &[LabTable]) -> DbResult<()> {
    if tables.is_empty() {
        return Ok(());
    }
    let moves = tables
        .iter()
        .map(|table| format!("{} TO {}", table.name(), table.moved_name()));
    let moves: Vec<String> = moves.collect();
    // The default is a day or a year.
    let sql = format!(
        "SET SESSION lock_wait_timeout = 10; RENAME TABLE {}",
        moves.join(", ")
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(conn).await?;
    Ok(())
}

/// Has the server number the rows of our table of that name from `next` on. Commits by itself.
pub async fn number_from(conn: &mut MySqlConnection, table: LabTable, next: i64) -> DbResult<()> {
    let sql = format!("ALTER TABLE {} AUTO_INCREMENT = {next}", table.name());
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(conn).await?;
    Ok(())
}

/// Does on a table of its own what moving and copying takes, so that a right that is missing is
/// missed before anything is moved. Nothing of it stays.
#[expect(clippy::disallowed_methods, reason = "the table is not in our schema")]
pub async fn try_rights(conn: &mut MySqlConnection) -> DbResult<()> {
    const CLEAN_UP: &str = "DROP TABLE IF EXISTS beanstock_tried, beanstock_rights";
    sqlx::query(CLEAN_UP).execute(&mut *conn).await?;
    let mut tried = Ok(());
    for sql in [
        "CREATE TABLE beanstock_rights (id INT PRIMARY KEY, other INT, \
         CONSTRAINT fk_beanstock_rights FOREIGN KEY (other) REFERENCES beanstock_rights (id))",
        "INSERT INTO beanstock_rights (id) VALUES (1)",
        "UPDATE beanstock_rights SET other = NULL",
        "DELETE FROM beanstock_rights",
        "RENAME TABLE beanstock_rights TO beanstock_tried",
    ] {
        if tried.is_ok() {
            tried = sqlx::query(sql).execute(&mut *conn).await.map(|_| ());
        }
    }
    sqlx::query(CLEAN_UP).execute(conn).await?;
    Ok(tried?)
}

/// Lists who else is connected to this database, as `user@host`, as far as we may know: a user
/// without the right PROCESS sees its own connections alone.
pub async fn list_others(conn: &mut MySqlConnection) -> DbResult<Vec<String>> {
    let own = sqlx::raw_sql("SELECT CONNECTION_ID() AS id, DATABASE() AS db");
    let own = own.fetch_one(&mut *conn).await?;
    let (own_id, database) = (text(&own, "id")?, text(&own, "db")?);
    let mut others = Vec::new();
    for row in sqlx::raw_sql("SHOW PROCESSLIST").fetch_all(conn).await? {
        if text(&row, "db")? == database && text(&row, "Id")? != own_id {
            let user = text(&row, "User")?.unwrap_or_default();
            let host = text(&row, "Host")?.unwrap_or_default();
            let host = host.rsplit_once(':').map_or(&*host, |(host, _port)| host);
            others.push(format!("{user}@{host}"));
        }
    }
    Ok(others)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_number_is_read_whatever_comments_and_partitions_say() {
        let column = "CREATE TABLE `beans` (\n  `id` int COMMENT ') AUTO_INCREMENT=3',\n";
        let end = ") ENGINE=InnoDB AUTO_INCREMENT=70 DEFAULT CHARSET=utf8mb4";
        for statement in [
            format!("{column}{end}"),
            format!("{column}{end} COMMENT='Beans (old) AUTO_INCREMENT=9'"),
            format!("{column}{end}\n PARTITION BY HASH (`id`)\nPARTITIONS 4"),
        ] {
            assert_eq!(next_id_in(&statement), Some(70), "{statement}");
        }
        let without = format!("{column}) ENGINE=InnoDB COMMENT='AUTO_INCREMENT=9'");
        assert_eq!(next_id_in(&without), None);
    }
}
