//! What others made on top of the lab's tables in this database, as far as this user may see it.

use sqlx::MySqlConnection;

use super::{LabTable, Place};
use crate::db::DbResult;

/// Something that depends on a table of the lab's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependent {
    /// `foreign key` or `trigger`, which go with the table; `other trigger`, `view`, `event`, `procedure`
    /// or `function`, which mean whatever table has the name.
    pub kind: String,
    /// Its name; a foreign key's after that of its table: `orders.orders_bean`.
    pub name: String,
}

/// Lists what depends on a table, by kind and name.
pub async fn list_dependents(
    conn: &mut MySqlConnection,
    table: LabTable,
    place: Place,
) -> DbResult<Vec<Dependent>> {
    let rows = sqlx::query!(
        r#"
        SELECT
            CAST(kind AS CHAR) AS "kind!: String",
            CAST(name AS CHAR) AS "name!: String",
            CAST(on_table AS CHAR) AS "on_table: String",
            CAST(text AS CHAR) AS "text: String"
        FROM (
            SELECT 'foreign key' AS kind, CONCAT(TABLE_NAME, '.', CONSTRAINT_NAME) AS name,
                REFERENCED_TABLE_NAME AS on_table, NULL AS text
            FROM information_schema.KEY_COLUMN_USAGE
            WHERE TABLE_SCHEMA = DATABASE() AND REFERENCED_TABLE_NAME IS NOT NULL
                AND TABLE_NAME NOT IN ('suppliers', 'beans', 'lab_suppliers', 'lab_beans')
            UNION
            SELECT 'trigger', TRIGGER_NAME, EVENT_OBJECT_TABLE, NULL
            FROM information_schema.TRIGGERS
            WHERE TRIGGER_SCHEMA = DATABASE()
                AND EVENT_OBJECT_TABLE IN ('suppliers', 'beans', 'lab_suppliers', 'lab_beans')
            UNION ALL
            SELECT 'other trigger', CONCAT(TRIGGER_NAME, ' on ', EVENT_OBJECT_TABLE), NULL, ACTION_STATEMENT
            FROM information_schema.TRIGGERS
            WHERE TRIGGER_SCHEMA = DATABASE()
                AND EVENT_OBJECT_TABLE NOT IN ('suppliers', 'beans', 'lab_suppliers', 'lab_beans')
            UNION ALL
            SELECT 'view', TABLE_NAME, NULL, VIEW_DEFINITION
            FROM information_schema.VIEWS WHERE TABLE_SCHEMA = DATABASE()
            UNION ALL
            SELECT 'event', EVENT_NAME, NULL, EVENT_DEFINITION
            FROM information_schema.EVENTS WHERE EVENT_SCHEMA = DATABASE()
            UNION ALL
            SELECT LOWER(ROUTINE_TYPE), ROUTINE_NAME, NULL, ROUTINE_DEFINITION
            FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = DATABASE()
        ) AS others
        ORDER BY 1, 2
        "#
    )
    .fetch_all(conn)
    .await?;
    let dependents = rows.into_iter().filter(|row| match &row.on_table {
        Some(on_table) => on_table == table.name_at(place),
        None => names(row.text.as_deref().unwrap_or_default(), table.name()),
    });
    let dependents = dependents.map(|row| Dependent {
        kind: row.kind,
        name: row.name,
    });
    Ok(dependents.collect())
}

/// Whether a text that the server runs has the name of a table as a word.
fn names(text: &str, table: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    text.to_lowercase()
        .split(|c| !is_part(c))
        .any(|word| word == table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_names_a_table_as_a_word() {
        for (text, expected) in [
            ("UPDATE beans SET x = 1", true),
            ("update `coffee`.`BEANS` set x = 1", true),
            ("SELECT * FROM green_beans, beans2, lab_beans", false),
            ("", false),
        ] {
            assert_eq!(names(text, "beans"), expected, "{text}");
        }
    }
}
