//! SQL for accounts: who may sign in.

use chrono::{DateTime, Utc};
use sqlx::MySqlConnection;

use super::rows::code;
use super::{DbError, DbResult};
use crate::domain::{AccountId, EmailAddress, Role, SupplierId, email_key};

/// An account as managers see it.
#[derive(Debug, Clone)]
pub struct Account {
    pub id: AccountId,
    /// As typed.
    pub email: String,
    pub name: String,
    pub role: Role,
    /// The supplier it is bound to, by name.
    pub supplier_name: Option<String>,
    /// Whether its owner has chosen a password.
    pub has_password: bool,
    /// Since when nobody can sign in with it.
    pub disabled_at: Option<DateTime<Utc>>,
    /// Whether nobody can because the supplier it is bound to is not on the list any more.
    pub supplier_removed: bool,
    pub created_at: DateTime<Utc>,
    /// When its owner was last here, as far as a session tells.
    pub last_seen_at: Option<DateTime<Utc>>,
}

/// What is compared at sign-in.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    pub id: AccountId,
    /// Argon2id in PHC form; `None` until its owner has chosen a password.
    pub password_hash: Option<String>,
    /// Whether it was disabled, or its supplier removed.
    pub is_disabled: bool,
}

/// What a person has chosen about how pages look.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Preferences {
    /// An IANA name; `None` for the café's zone.
    pub time_zone: Option<String>,
    /// `light` or `dark`; `None` for the system's.
    pub color_scheme: Option<String>,
}

/// An account to be added.
#[derive(Debug, Clone)]
pub struct NewAccount<'a> {
    pub email: &'a EmailAddress,
    pub name: &'a str,
    pub role: Role,
    /// Argon2id in PHC form.
    pub password_hash: Option<&'a str>,
    /// Whether local mode makes it, with a password that others may know.
    pub demonstration: bool,
}

struct AccountRow {
    id: i64,
    email: String,
    name: String,
    role: String,
    supplier_id: Option<i64>,
    supplier_name: Option<String>,
    has_password: bool,
    disabled_at: Option<DateTime<Utc>>,
    supplier_removed: bool,
    created_at: DateTime<Utc>,
    last_seen_at: Option<DateTime<Utc>>,
}

impl TryFrom<AccountRow> for Account {
    type Error = DbError;

    fn try_from(row: AccountRow) -> DbResult<Self> {
        Ok(Self {
            id: AccountId(row.id),
            role: role(&row.role, row.supplier_id)?,
            email: row.email,
            name: row.name,
            supplier_name: row.supplier_name,
            has_password: row.has_password,
            disabled_at: row.disabled_at,
            supplier_removed: row.supplier_removed,
            created_at: row.created_at,
            last_seen_at: row.last_seen_at,
        })
    }
}

/// Puts a role together from its two columns.
pub(super) fn role(stored: &str, supplier: Option<i64>) -> DbResult<Role> {
    code("accounts", "role", stored, |stored| {
        Role::from_code(stored, supplier.map(SupplierId))
    })
}

/// Lists all accounts: those that can sign in first, then by name.
pub async fn list_accounts(conn: &mut MySqlConnection) -> DbResult<Vec<Account>> {
    select_accounts(conn, None).await
}

pub async fn find_account(conn: &mut MySqlConnection, id: AccountId) -> DbResult<Option<Account>> {
    Ok(select_accounts(conn, Some(id)).await?.pop())
}

async fn select_accounts(
    conn: &mut MySqlConnection,
    only: Option<AccountId>,
) -> DbResult<Vec<Account>> {
    let (first, last) = only.map_or((0, i64::MAX), |id| (id.0, id.0));
    let rows = sqlx::query_as!(
        AccountRow,
        r#"
        SELECT
            a.id,
            a.email,
            a.name,
            a.role,
            a.supplier_id,
            s.name AS "supplier_name?",
            a.password_hash IS NOT NULL AS "has_password!: bool",
            a.disabled_at AS "disabled_at: DateTime<Utc>",
            s.removed_at IS NOT NULL AS "supplier_removed!: bool",
            a.created_at AS "created_at: DateTime<Utc>",
            (SELECT MAX(last_seen_at) FROM sessions WHERE account_id = a.id)
                AS "last_seen_at: DateTime<Utc>"
        FROM accounts AS a
        LEFT JOIN suppliers AS s ON s.id = a.supplier_id
        WHERE a.id BETWEEN ? AND ?
        ORDER BY a.disabled_at IS NOT NULL, a.name, a.id
        "#,
        first,
        last
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(Account::try_from).collect()
}

/// The one query behind [`find_login`] and [`lock_login`]. The supplier is looked up and not joined, so that
/// only the account is locked.
macro_rules! select_login {
    ($conn:expr, $condition:tt, $value:expr) => {{
        let login = sqlx::query_as!(
            LoginRow,
            r#"
            SELECT
                a.id,
                a.password_hash,
                a.disabled_at IS NOT NULL OR EXISTS (
                    SELECT 1 FROM suppliers
                    WHERE id = a.supplier_id AND removed_at IS NOT NULL
                ) AS "is_disabled!: bool"
            FROM accounts AS a
            "# + $condition,
            $value
        );
        let login = login.fetch_optional($conn).await?;
        Ok(login.map(Login::from))
    }};
}

struct LoginRow {
    id: i64,
    password_hash: Option<String>,
    is_disabled: bool,
}

impl From<LoginRow> for Login {
    fn from(row: LoginRow) -> Self {
        Self {
            id: AccountId(row.id),
            password_hash: row.password_hash,
            is_disabled: row.is_disabled,
        }
    }
}

/// Finds the account of somebody who signs in.
pub async fn find_login(conn: &mut MySqlConnection, email: &str) -> DbResult<Option<Login>> {
    select_login!(conn, "WHERE a.email_key = ?", email_key(email))
}

/// Locks an account, so that it stays as it is while a session begins.
pub async fn lock_login(conn: &mut MySqlConnection, id: AccountId) -> DbResult<Option<Login>> {
    select_login!(conn, "WHERE a.id = ? FOR UPDATE", id.0)
}

/// Reads the hash of an account's password.
pub async fn find_password_hash(
    conn: &mut MySqlConnection,
    id: AccountId,
) -> DbResult<Option<String>> {
    let hash = sqlx::query_scalar!("SELECT password_hash FROM accounts WHERE id = ?", id.0);
    Ok(hash.fetch_optional(conn).await?.flatten())
}

/// Adds an account. A unique violation means that its address has one already.
pub async fn insert_account(
    conn: &mut MySqlConnection,
    account: &NewAccount<'_>,
    now: DateTime<Utc>,
) -> DbResult<AccountId> {
    let result = sqlx::query!(
        r#"
        INSERT INTO accounts (
            email, email_key, name, role, supplier_id, password_hash, demonstration, created_at
        )
        VALUES (?, ?, ?, ?, ?, ?, ?, ?)
        "#,
        account.email.as_str(),
        email_key(account.email.as_str()),
        account.name,
        account.role.code(),
        account.role.supplier().map(|supplier| supplier.0),
        account.password_hash,
        account.demonstration,
        now
    )
    .execute(conn)
    .await?;
    let id = i64::try_from(result.last_insert_id());
    Ok(AccountId(id.unwrap_or(i64::MAX)))
}

/// Locks all managers who can sign in, in id order, and gives them.
pub async fn lock_managers(conn: &mut MySqlConnection) -> DbResult<Vec<AccountId>> {
    let ids = sqlx::query_scalar!(
        r#"
        SELECT id
        FROM accounts
        WHERE role = 'manager' AND disabled_at IS NULL AND password_hash IS NOT NULL
        ORDER BY id
        FOR UPDATE
        "#
    );
    let ids = ids.fetch_all(conn).await?;
    Ok(ids.into_iter().map(AccountId).collect())
}

/// Says whether somebody can sign in who may make accounts.
pub async fn has_manager(conn: &mut MySqlConnection) -> DbResult<bool> {
    let found = sqlx::query_scalar!(
        r#"
        SELECT EXISTS (
            SELECT 1 FROM accounts
            WHERE role = 'manager' AND disabled_at IS NULL AND password_hash IS NOT NULL
        ) AS "found!: bool"
        "#
    );
    Ok(found.fetch_one(conn).await?)
}

/// Lists the accounts of local mode that can sign in.
pub async fn list_demonstration(conn: &mut MySqlConnection) -> DbResult<Vec<Account>> {
    let ids = sqlx::query_scalar!(
        "SELECT id FROM accounts WHERE demonstration AND disabled_at IS NULL ORDER BY id"
    );
    let ids = ids.fetch_all(&mut *conn).await?;
    let mut accounts = list_accounts(conn).await?;
    accounts.retain(|account| ids.contains(&account.id.0) && !account.supplier_removed);
    accounts.sort_by_key(|account| account.id);
    Ok(accounts)
}

/// Sets the hash of an account's password.
pub async fn set_password_hash(
    conn: &mut MySqlConnection,
    id: AccountId,
    hash: &str,
) -> DbResult<()> {
    sqlx::query!(
        "UPDATE accounts SET password_hash = ? WHERE id = ?",
        hash,
        id.0
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Disables an account, or enables it again.
pub async fn set_disabled(
    conn: &mut MySqlConnection,
    id: AccountId,
    since: Option<DateTime<Utc>>,
) -> DbResult<()> {
    sqlx::query!(
        "UPDATE accounts SET disabled_at = ? WHERE id = ?",
        since,
        id.0
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Gives an account another role.
pub async fn set_role(conn: &mut MySqlConnection, id: AccountId, role: Role) -> DbResult<()> {
    sqlx::query!(
        "UPDATE accounts SET role = ?, supplier_id = ? WHERE id = ?",
        role.code(),
        role.supplier().map(|supplier| supplier.0),
        id.0
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Stores what a person has chosen.
pub async fn set_preferences(
    conn: &mut MySqlConnection,
    id: AccountId,
    preferences: &Preferences,
) -> DbResult<()> {
    sqlx::query!(
        "UPDATE accounts SET time_zone = ?, color_scheme = ? WHERE id = ?",
        preferences.time_zone,
        preferences.color_scheme,
        id.0
    )
    .execute(conn)
    .await?;
    Ok(())
}
