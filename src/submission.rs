//! Forms that add or move something, and have one effect however often they are sent.

use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest as _, Sha256};

use crate::db::{self, Connection, DbResult, Transaction};

/// A form that adds something, known again if it is sent twice.
#[derive(Debug, Clone, Copy)]
pub struct Submission {
    id: [u8; 32],
    /// Whether the form had a key of its own. Forms of the lab's clients have none, and the same content
    /// is the same form to us only for a while.
    has_key: bool,
}

/// How long the same content without a key is taken for the same form: longer than any double click
/// or repeat of a proxy, shorter than anybody needs to remove a supplier and add it again.
const SAME_CONTENT_FOR: TimeDelta = TimeDelta::minutes(10);

impl Submission {
    /// The form with this key, empty if it has none, and what was typed into it.
    pub fn new(key: &str, content: &[&str]) -> Self {
        Self {
            id: digest(&[&[key], content].concat()),
            has_key: !key.is_empty(),
        }
    }

    /// Makes the form this transaction's own; gives what it has added before.
    pub(crate) async fn claim(
        &self,
        tx: &mut Transaction,
        now: DateTime<Utc>,
    ) -> DbResult<Option<i64>> {
        db::submissions::claim_submission(tx, &self.id, now).await?;
        let earlier = db::submissions::find_submission(tx, &self.id).await?;
        let counts = |at: DateTime<Utc>| self.has_key || now - at < SAME_CONTENT_FOR;
        let earlier = earlier.filter(|earlier| counts(earlier.created_at));
        Ok(earlier.map(|earlier| earlier.result))
    }

    /// What the form has added before, if it has come before.
    pub(crate) async fn find_earlier(&self, conn: &mut Connection) -> DbResult<Option<i64>> {
        let earlier = db::submissions::find_submission(conn, &self.id).await?;
        Ok(earlier.map(|earlier| earlier.result))
    }

    /// Notes what the form has added, in the transaction that has claimed it.
    pub(crate) async fn settle(
        &self,
        tx: &mut Transaction,
        result: i64,
        now: DateTime<Utc>,
    ) -> DbResult<()> {
        db::submissions::set_result(tx, &self.id, result, now).await
    }
}

fn digest(texts: &[&str]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for text in texts {
        hash.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(text);
    }
    hash.finalize().into()
}
