//! What is in a database, whoever made it: names alone, no rows.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::MySqlConnection;

use super::{LabTable, Place};
use crate::db::DbResult;

/// The tables of a database, views included, with their columns and constraints.
#[derive(Debug, Clone, Default)]
pub struct Layout {
    columns: BTreeMap<String, Vec<String>>,
    views: BTreeSet<String>,
    constraints: Vec<Constraint>,
}

/// A constraint whose name no other table of the database can use.
#[derive(Debug, Clone)]
pub struct Constraint {
    /// The table it belongs to.
    pub table: String,
    /// Its name.
    pub name: String,
    /// `FOREIGN KEY` or `CHECK`.
    pub kind: String,
}

/// A column that our `suppliers` and `beans` have and the lab's have not.
const OURS_ALONE: &str = "removed_at";

impl Layout {
    /// Whether there is such a table or view.
    pub fn has(&self, table: &str) -> bool {
        self.columns.contains_key(table) || self.is_view(table)
    }

    /// Whether that is a view.
    pub fn is_view(&self, table: &str) -> bool {
        self.views.contains(table)
    }

    /// A table's columns; none if there is no such table.
    pub fn columns_of(&self, table: &str) -> &[String] {
        self.columns.get(table).map_or(&[], Vec::as_slice)
    }

    /// A table that has this name but for upper case.
    pub fn in_another_case(&self, table: &str) -> Option<&str> {
        let mut names = self.columns.keys().chain(&self.views);
        let found = names.find(|name| *name != table && name.eq_ignore_ascii_case(table));
        found.map(String::as_str)
    }

    /// The constraint that has this name, which the servers compare without regard to case.
    pub fn find_constraint(&self, name: &str) -> Option<&Constraint> {
        let mut constraints = self.constraints.iter();
        constraints.find(|constraint| constraint.name.eq_ignore_ascii_case(name))
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

/// Finds what there is.
pub async fn find_layout(conn: &mut MySqlConnection) -> DbResult<Layout> {
    Ok(Layout {
        columns: list_columns(conn).await?,
        views: list_views(conn).await?,
        constraints: list_constraints(conn).await?,
    })
}

async fn list_columns(conn: &mut MySqlConnection) -> DbResult<BTreeMap<String, Vec<String>>> {
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
    let mut tables: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in rows {
        let columns = tables.entry(row.table_name).or_default();
        columns.push(row.column_name.to_lowercase());
    }
    Ok(tables)
}

/// Lists views apart, because one that is broken has no columns.
async fn list_views(conn: &mut MySqlConnection) -> DbResult<BTreeSet<String>> {
    let names = sqlx::query_scalar!(
        r#"
        SELECT CAST(TABLE_NAME AS CHAR) AS "name!: String"
        FROM information_schema.TABLES
        WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE = 'VIEW'
        "#
    )
    .fetch_all(conn)
    .await?;
    Ok(names.into_iter().collect())
}

/// Lists the constraints whose names are taken for the whole database: foreign keys and, on `MySQL`
/// alone, checks. `TABLE_CONSTRAINTS` hides foreign keys from who may only read; this does not.
async fn list_constraints(conn: &mut MySqlConnection) -> DbResult<Vec<Constraint>> {
    let constraints = sqlx::query_as!(
        Constraint,
        r#"
        SELECT
            CAST(TABLE_NAME AS CHAR) AS "table!: String",
            CAST(CONSTRAINT_NAME AS CHAR) AS "name!: String",
            'FOREIGN KEY' AS "kind!: String"
        FROM information_schema.KEY_COLUMN_USAGE
        WHERE TABLE_SCHEMA = DATABASE() AND REFERENCED_TABLE_NAME IS NOT NULL
        UNION
        SELECT CAST(TABLE_NAME AS CHAR), CAST(CONSTRAINT_NAME AS CHAR), 'CHECK'
        FROM information_schema.TABLE_CONSTRAINTS
        WHERE
            TABLE_SCHEMA = DATABASE()
            AND CONSTRAINT_TYPE = 'CHECK'
            AND VERSION() NOT LIKE '%MariaDB%'
        "#
    )
    .fetch_all(conn)
    .await?;
    Ok(constraints)
}
