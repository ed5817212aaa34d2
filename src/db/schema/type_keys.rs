//! Brings the keys by which bean types are compared up to date with the program's rule.
//!
//! Version 0.1 compared lower-case texts. A rule of Unicode's cannot be written in SQL that both
//! servers share, so this is a migration in Rust: it looks at every start, and mostly finds nothing.

use std::collections::BTreeMap;

use sqlx::MySqlConnection;

use crate::db::{DbResult, Trouble};
use crate::domain::BeanType;

struct KeyedBean {
    id: i64,
    supplier_id: i64,
    bean_type: String,
    type_key: Option<String>,
}

/// Gives every bean on the list the key of its type. Of beans whose types mean the same, one gets it
/// and the others keep keys of their own, so that no stock is lost or merged.
///
/// Copies of the program that run meanwhile may change beans: a bean that is no longer as it was read
/// is left to them, and a key that they took first is looked at again.
pub(crate) async fn refresh(conn: &mut MySqlConnection) -> DbResult<()> {
    const MAX_TRIES: u32 = 5;
    for _ in 1..MAX_TRIES {
        match refresh_once(conn).await {
            Err(error) if error.trouble() == Trouble::Duplicate => {}
            refreshed => return refreshed,
        }
    }
    refresh_once(conn).await
}

async fn refresh_once(conn: &mut MySqlConnection) -> DbResult<()> {
    let beans = sqlx::query_as!(
        KeyedBean,
        r#"
        SELECT id, supplier_id, type AS bean_type, type_key
        FROM beans
        WHERE removed_at IS NULL
        ORDER BY id
        "#
    )
    .fetch_all(&mut *conn)
    .await?;
    for (bean, key) in outdated(&beans) {
        sqlx::query!(
            r#"
            UPDATE beans
            SET type_key = ?
            WHERE id = ? AND removed_at IS NULL AND type_key <=> ? AND BINARY type = BINARY ?
            "#,
            key,
            bean.id,
            bean.type_key,
            bean.bean_type
        )
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

fn outdated(beans: &[KeyedBean]) -> Vec<(&KeyedBean, String)> {
    let mut alike: BTreeMap<(i64, String), Vec<&KeyedBean>> = BTreeMap::new();
    for bean in beans {
        let key = BeanType::stored(bean.bean_type.clone()).key();
        alike.entry((bean.supplier_id, key)).or_default().push(bean);
    }
    let unkeyed = alike.into_iter().filter_map(|((_, key), beans)| {
        let has_it = |bean: &&KeyedBean| bean.type_key.as_deref() == Some(&key);
        let is_done = beans.iter().any(has_it);
        (!is_done).then(|| (beans[0], key))
    });
    unkeyed.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bean(id: i64, supplier_id: i64, bean_type: &str) -> KeyedBean {
        KeyedBean {
            id,
            supplier_id,
            bean_type: bean_type.to_owned(),
            type_key: Some(bean_type.to_lowercase()),
        }
    }

    #[test]
    fn a_bean_gets_the_key_of_its_type_and_twins_share_none() {
        let beans = [
            bean(1, 1, "Excelsa"),
            bean(2, 1, "Excelsa\u{200b}"),
            bean(3, 1, "Cafe\u{301}"),
            bean(4, 2, "Ex\u{ad}celsa"),
            bean(5, 2, "Excelsa\u{200b}"),
        ];

        let outdated = outdated(&beans).into_iter();
        assert_eq!(
            outdated
                .map(|(bean, key)| (bean.id, key))
                .collect::<Vec<_>>(),
            [(3, "café".to_owned()), (4, "excelsa".to_owned())]
        );
    }
}
