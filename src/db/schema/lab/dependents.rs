//! What others made on top of the lab's tables, in any database of the server, as far as this user may
//! see it: views, foreign keys, triggers, events and routines.

use std::collections::BTreeSet;

use sqlx::MySqlConnection;

use super::{LabTable, Place};
use crate::db::DbResult;

/// Something that depends on a table of the lab's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dependent {
    /// What it is.
    pub kind: Kind,
    /// Its name, with that of its database if that is another one.
    pub name: String,
}

/// How something depends on a table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A table with a foreign key of this name, which goes with the lab's table.
    ForeignKey(String),
    /// A trigger on the table, which goes with it.
    Trigger,
    /// A view, event, routine, or a trigger on another table, whose text names the table: it means
    /// whatever has the name.
    Text(&'static str),
}

/// Everything of others that was found on a server.
#[derive(Debug, Clone, Default)]
pub struct Dependents {
    /// With the table it is attached to.
    attached: Vec<(String, Dependent)>,
    texts: Vec<StoredText>,
    /// What this user may not see all of.
    pub hidden: Vec<&'static str>,
}

/// A text that the server runs: which tables it names is for us to find.
#[derive(Debug, Clone)]
struct StoredText {
    own_database: bool,
    kind: String,
    name: String,
    text: String,
    database: String,
}

impl Dependents {
    /// Those on a table of the lab's that is at a place, in order.
    pub fn on(&self, table: LabTable, place: Place) -> BTreeSet<Dependent> {
        let is_labs = |name: &str| {
            let mut names = LabTable::ALL.into_iter();
            names.any(|table| [table.name(), table.moved_name()].contains(&name))
        };
        let attached = self.attached.iter().filter(|(on, dependent)| {
            let between_the_two =
                matches!(dependent.kind, Kind::ForeignKey(_)) && is_labs(&dependent.name);
            on == table.name_at(place) && !between_the_two
        });
        let naming = self
            .texts
            .iter()
            .filter(|stored| stored.names(table.name()));
        let naming = naming.map(|stored| Dependent {
            kind: Kind::Text(stored.kind()),
            name: stored.name.clone(),
        });
        attached
            .map(|(_, dependent)| dependent.clone())
            .chain(naming)
            .collect()
    }
}

impl StoredText {
    fn kind(&self) -> &'static str {
        match self.kind.as_str() {
            "VIEW" => "view",
            "TRIGGER" => "trigger",
            "EVENT" => "event",
            "PROCEDURE" => "procedure",
            _ => "function",
        }
    }

    /// Whether it names a table of this database. Outside of it, only with the database's name.
    fn names(&self, table: &str) -> bool {
        let text = self.text.replace('`', "").to_lowercase();
        let database = self.database.to_lowercase();
        let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
        text.match_indices(table).any(|(at, _)| {
            let (before, after) = (&text[..at], &text[at + table.len()..]);
            let is_word = !before.ends_with(is_part) && !after.starts_with(is_part);
            let qualifier = before
                .strip_suffix('.')
                .map(|before| &before[before.rfind(|c| !is_part(c)).map_or(0, |at| at + 1)..]);
            is_word && qualifier.map_or(self.own_database, |qualifier| qualifier == database)
        })
    }
}

/// Finds what there is.
pub async fn find_dependents(conn: &mut MySqlConnection) -> DbResult<Dependents> {
    let mut attached = list_foreign_keys(conn).await?;
    attached.extend(list_triggers(conn).await?);
    let texts = list_texts(conn).await?;
    let mut hidden = list_lacking_rights(conn).await?;
    if texts.iter().any(|stored| stored.text.is_empty()) {
        hidden.push("the texts of some views or routines");
    }
    Ok(Dependents {
        attached,
        texts,
        hidden,
    })
}

async fn list_foreign_keys(conn: &mut MySqlConnection) -> DbResult<Vec<(String, Dependent)>> {
    let rows = sqlx::query!(
        r#"
        SELECT DISTINCT
            CAST(REFERENCED_TABLE_NAME AS CHAR) AS "on_table!: String",
            CAST(IF(
                TABLE_SCHEMA = DATABASE(), TABLE_NAME, CONCAT(TABLE_SCHEMA, '.', TABLE_NAME)
            ) AS CHAR) AS "name!: String",
            CAST(CONSTRAINT_NAME AS CHAR) AS "foreign_key!: String"
        FROM information_schema.KEY_COLUMN_USAGE
        WHERE REFERENCED_TABLE_SCHEMA = DATABASE()
        "#
    )
    .fetch_all(conn)
    .await?;
    let dependent = |name, key| Dependent {
        kind: Kind::ForeignKey(key),
        name,
    };
    Ok(rows
        .into_iter()
        .map(|row| (row.on_table, dependent(row.name, row.foreign_key)))
        .collect())
}

async fn list_triggers(conn: &mut MySqlConnection) -> DbResult<Vec<(String, Dependent)>> {
    let rows = sqlx::query!(
        r#"
        SELECT
            CAST(EVENT_OBJECT_TABLE AS CHAR) AS "on_table!: String",
            CAST(TRIGGER_NAME AS CHAR) AS "name!: String"
        FROM information_schema.TRIGGERS
        WHERE EVENT_OBJECT_SCHEMA = DATABASE()
        "#
    )
    .fetch_all(conn)
    .await?;
    let dependent = |name| Dependent {
        kind: Kind::Trigger,
        name,
    };
    Ok(rows
        .into_iter()
        .map(|row| (row.on_table, dependent(row.name)))
        .collect())
}

/// Lists the texts of all databases but the server's own. Triggers on the lab's tables are attached to
/// them, whatever they name.
async fn list_texts(conn: &mut MySqlConnection) -> DbResult<Vec<StoredText>> {
    let rows = sqlx::query!(
        r#"
        SELECT
            CAST(kind AS CHAR) AS "kind!: String",
            CAST(in_schema AS CHAR) AS "in_schema!: String",
            CAST(name AS CHAR) AS "name!: String",
            CAST(COALESCE(text, '') AS CHAR) AS "text!: String",
            CAST(DATABASE() AS CHAR) AS "own!: String"
        FROM (
            SELECT 'VIEW' AS kind, TABLE_SCHEMA AS in_schema, TABLE_NAME AS name, VIEW_DEFINITION AS text
            FROM information_schema.VIEWS
            UNION ALL
            SELECT 'TRIGGER', TRIGGER_SCHEMA, TRIGGER_NAME, ACTION_STATEMENT
            FROM information_schema.TRIGGERS
            WHERE EVENT_OBJECT_SCHEMA <> DATABASE()
                OR EVENT_OBJECT_TABLE NOT IN ('suppliers', 'beans', 'lab_suppliers', 'lab_beans')
            UNION ALL
            SELECT 'EVENT', EVENT_SCHEMA, EVENT_NAME, EVENT_DEFINITION
            FROM information_schema.EVENTS
            UNION ALL
            SELECT ROUTINE_TYPE, ROUTINE_SCHEMA, ROUTINE_NAME, ROUTINE_DEFINITION
            FROM information_schema.ROUTINES
        ) AS texts
        WHERE in_schema NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema')
        ORDER BY in_schema, name
        "#
    )
    .fetch_all(conn)
    .await?;
    let stored = rows.into_iter().map(|row| {
        let own_database = row.in_schema == row.own;
        StoredText {
            name: if own_database {
                row.name
            } else {
                format!("{}.{}", row.in_schema, row.name)
            },
            own_database,
            kind: row.kind,
            text: row.text,
            database: row.own,
        }
    });
    Ok(stored.collect())
}

/// Names what this user has too few rights to see all of. Rights by way of roles are not known here, so
/// too much may be named, and never too little.
async fn list_lacking_rights(conn: &mut MySqlConnection) -> DbResult<Vec<&'static str>> {
    let granted = sqlx::query!(
        r#"
        SELECT
            CAST(PRIVILEGE_TYPE AS CHAR) AS "privilege!: String",
            MAX(everywhere) AS "everywhere!: bool"
        FROM (
            SELECT PRIVILEGE_TYPE, 1 AS everywhere
            FROM information_schema.USER_PRIVILEGES
            WHERE GRANTEE = CONCAT('''', REPLACE(CURRENT_USER(), '@', '''@'''), '''')
            UNION ALL
            SELECT PRIVILEGE_TYPE, 0
            FROM information_schema.SCHEMA_PRIVILEGES
            WHERE GRANTEE = CONCAT('''', REPLACE(CURRENT_USER(), '@', '''@'''), '''')
                AND DATABASE() LIKE TABLE_SCHEMA
        ) AS granted
        GROUP BY PRIVILEGE_TYPE
        "#
    )
    .fetch_all(conn)
    .await?;
    let has = |privilege: &str, everywhere: bool| {
        let mut granted = granted.iter();
        granted.any(|row| row.privilege == privilege && (row.everywhere || !everywhere))
    };
    let mut hidden = Vec::new();
    for (privilege, what) in [
        ("TRIGGER", "triggers"),
        ("EVENT", "events"),
        ("SHOW VIEW", "views"),
        ("EXECUTE", "routines"),
    ] {
        if !has(privilege, false) {
            hidden.push(what);
        }
    }
    let everywhere = ["SELECT", "TRIGGER", "EVENT", "SHOW VIEW", "EXECUTE"];
    if !everywhere.iter().all(|privilege| has(privilege, true)) {
        hidden.push("what is in other databases of the server");
    }
    Ok(hidden)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str, own_database: bool) -> bool {
        let stored = StoredText {
            own_database,
            kind: "EVENT".to_owned(),
            name: "e".to_owned(),
            text: text.to_owned(),
            database: "COFFEE".to_owned(),
        };
        stored.names("beans")
    }

    #[test]
    fn a_text_names_a_table_as_a_word_of_this_database() {
        for (text, inside, outside) in [
            ("UPDATE beans SET x = 1", true, false),
            ("update `coffee`.`BEANS` set x = 1", true, true),
            ("SELECT * FROM Coffee.beans", true, true),
            ("SELECT * FROM shop.beans", false, false),
            ("SELECT * FROM green_beans, beans2, lab_beans", false, false),
            ("", false, false),
        ] {
            assert_eq!(names(text, true), inside, "{text}");
            assert_eq!(names(text, false), outside, "{text}");
        }
    }
}
