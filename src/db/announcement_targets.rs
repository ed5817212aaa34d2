//! SQL for where alerts are announced, and whether that works.

use chrono::{DateTime, Utc};
use sqlx::MySqlConnection;

use super::DbResult;
use super::outbox::Destination;
use super::rows::json;

/// Where alerts are announced.
#[derive(Debug, Clone)]
pub struct Target {
    /// The code of its destination.
    pub destination: String,
    /// Which webhook; empty for the topic.
    pub name: String,
    /// When it last took one.
    pub sent_at: Option<DateTime<Utc>>,
    /// Since when it takes none.
    pub failing_since: Option<DateTime<Utc>>,
    /// How many it has never taken, since somebody last looked.
    pub given_up: i32,
    /// When somebody saw that it fails.
    pub seen_at: Option<DateTime<Utc>>,
}

impl Target {
    /// Whether it is the topic of alerts.
    pub fn is_topic(&self) -> bool {
        self.destination == Destination::Alerts.code()
    }

    /// Whether somebody has still to hear that it fails.
    pub fn is_unseen(&self) -> bool {
        (self.failing_since.is_some() || self.given_up > 0) && self.seen_at.is_none()
    }
}

/// What a message came to at a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    Taken,
    /// It is tried again.
    Failed,
    /// It is not tried any more.
    GivenUp,
}

/// Notes what a message came to at a target.
pub async fn note_arrival(
    conn: &mut MySqlConnection,
    destination: Destination,
    name: &str,
    arrival: Arrival,
    now: DateTime<Utc>,
) -> DbResult<()> {
    let (sent_at, failing_since) = match arrival {
        Arrival::Taken => (Some(now), None),
        Arrival::Failed | Arrival::GivenUp => (None, Some(now)),
    };
    let given_up = i32::from(arrival == Arrival::GivenUp);
    // Assignments are made from left to right: what looks at `failing_since` comes before what changes it.
    sqlx::query!(
        r#"
        INSERT INTO announcement_targets (destination, name, sent_at, failing_since, given_up)
        VALUES (?, ?, ?, ?, ?)
        ON DUPLICATE KEY UPDATE
            seen_at = IF(
                (failing_since IS NULL AND VALUES(failing_since) IS NOT NULL) OR VALUES(given_up) > 0,
                NULL,
                seen_at
            ),
            failing_since = IF(VALUES(failing_since) IS NULL, NULL, COALESCE(failing_since, VALUES(failing_since))),
            sent_at = COALESCE(VALUES(sent_at), sent_at),
            given_up = given_up + VALUES(given_up)
        "#,
        destination.code(),
        name,
        sent_at,
        failing_since,
        given_up
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Lists them all, the topic first.
pub async fn list_targets(conn: &mut MySqlConnection) -> DbResult<Vec<Target>> {
    let rows = sqlx::query_as!(
        Target,
        r#"
        SELECT
            destination,
            name,
            sent_at AS "sent_at: DateTime<Utc>",
            failing_since AS "failing_since: DateTime<Utc>",
            given_up,
            seen_at AS "seen_at: DateTime<Utc>"
        FROM announcement_targets
        ORDER BY destination, name
        "#
    );
    Ok(rows.fetch_all(conn).await?)
}

/// Notes that somebody has seen which of them fail. What was given up is counted anew.
pub async fn acknowledge_failures(conn: &mut MySqlConnection, now: DateTime<Utc>) -> DbResult<()> {
    sqlx::query!(
        r#"
        UPDATE announcement_targets
        SET seen_at = ?, given_up = 0
        WHERE failing_since IS NOT NULL OR given_up > 0
        "#,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Forgets webhooks that are not among these, once they have neither taken nor failed to take anything since a moment.
pub async fn forget_webhooks_but(
    conn: &mut MySqlConnection,
    known: &[String],
    before: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query!(
        r#"
        DELETE t
        FROM announcement_targets AS t
        LEFT JOIN JSON_TABLE(?, '$[*]' COLUMNS (name VARCHAR(128) PATH '$')) AS known
            ON known.name COLLATE utf8mb4_bin = t.name
        WHERE t.destination = 'webhooks'
            AND known.name IS NULL
            AND COALESCE(t.failing_since, t.sent_at) < ?
        "#,
        json(&known),
        before
    )
    .execute(conn)
    .await?;
    Ok(())
}
