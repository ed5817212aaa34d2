//! What managers do with accounts.

use super::error::AccountError;
use super::token::Token;
use super::{INVITATION_LASTS, RESET_LASTS, log};
use crate::clock::Clock;
use crate::db::accounts::{Account, NewAccount};
use crate::db::activity::Actor;
use crate::db::{self, DbError, Pool, Transaction, Trouble};
use crate::domain::{AccountId, Action, EmailAddress, Role, ShortText};

/// Somebody who is to have an account.
#[derive(Debug, Clone)]
pub struct Person {
    pub email: EmailAddress,
    pub name: ShortText<100>,
    pub role: Role,
}

/// Makes an account and the link with which its owner chooses the first password.
pub async fn invite(
    pool: &Pool,
    clock: &dyn Clock,
    actor: Actor<'_>,
    person: &Person,
) -> Result<(AccountId, Token), AccountError> {
    let token = Token::generate();
    let id = db::in_transaction(pool, async |tx| {
        let id = insert(tx, clock, person, None).await?;
        db::account_links::put_link(tx, id, &token.hash(), INVITATION_LASTS).await?;
        log(tx, actor, Action::Invited, Some(id), person.role.label()).await?;
        Ok::<_, AccountError>(id)
    })
    .await?;
    Ok((id, token))
}

/// Makes an account whose password is known already.
pub async fn create(
    pool: &Pool,
    clock: &dyn Clock,
    actor: Actor<'_>,
    person: &Person,
    password_hash: &str,
) -> Result<AccountId, AccountError> {
    db::in_transaction(pool, async |tx| {
        let id = insert(tx, clock, person, Some(password_hash)).await?;
        let role = person.role.label();
        log(tx, actor, Action::CreatedAccount, Some(id), role).await?;
        Ok(id)
    })
    .await
}

async fn insert(
    tx: &mut Transaction,
    clock: &dyn Clock,
    person: &Person,
    password_hash: Option<&str>,
) -> Result<AccountId, AccountError> {
    check_supplier(tx, person.role).await?;
    if db::accounts::find_login(tx, person.email.as_str())
        .await?
        .is_some()
    {
        return Err(AccountError::Taken);
    }
    let account = NewAccount {
        email: &person.email,
        name: person.name.as_str(),
        role: person.role,
        password_hash,
        demonstration: false,
    };
    Ok(db::accounts::insert_account(tx, &account, clock.now()).await?)
}

/// An account may only be bound to a supplier on the list.
async fn check_supplier(tx: &mut Transaction, role: Role) -> Result<(), AccountError> {
    if let Some(supplier) = role.supplier()
        && db::suppliers::find_supplier(tx, supplier).await?.is_none()
    {
        return Err(AccountError::NoSuchSupplier);
    }
    Ok(())
}

/// Makes a link with which an account's owner chooses a new password. Until then the old one works, so that
/// a link nobody asked for changes nothing. Somebody who has not chosen one yet is invited again.
pub async fn make_reset_link(
    pool: &Pool,
    actor: Actor<'_>,
    id: AccountId,
) -> Result<Token, AccountError> {
    let token = Token::generate();
    db::in_transaction(pool, async |tx| {
        let account = find(tx, id).await?;
        let lasts = if account.has_password {
            RESET_LASTS
        } else {
            INVITATION_LASTS
        };
        db::account_links::put_link(tx, id, &token.hash(), lasts).await?;
        log(tx, actor, Action::MadeResetLink, Some(id), "").await?;
        Ok::<_, AccountError>(())
    })
    .await?;
    Ok(token)
}

/// Keeps somebody from signing in and ends their sessions; nobody can choose a password by a link either.
pub async fn disable(
    pool: &Pool,
    clock: &dyn Clock,
    actor: Actor<'_>,
    id: AccountId,
) -> Result<(), AccountError> {
    db::in_transaction(pool, async |tx| {
        keep_a_manager_beside(tx, id).await?;
        if find(tx, id).await?.disabled_at.is_some() {
            return Ok(());
        }
        db::accounts::set_disabled(tx, id, Some(clock.now())).await?;
        db::sessions::delete_sessions_of(tx, id, None).await?;
        db::account_links::delete_link(tx, id).await?;
        log(tx, actor, Action::DisabledAccount, Some(id), "").await?;
        Ok(())
    })
    .await
}

/// Lets somebody sign in again.
pub async fn enable(pool: &Pool, actor: Actor<'_>, id: AccountId) -> Result<(), AccountError> {
    db::in_transaction(pool, async |tx| {
        if find(tx, id).await?.disabled_at.is_none() {
            return Ok(());
        }
        db::accounts::set_disabled(tx, id, None).await?;
        log(tx, actor, Action::EnabledAccount, Some(id), "").await?;
        Ok(())
    })
    .await
}

/// Gives somebody another role. It holds from their next request on.
pub async fn change_role(
    pool: &Pool,
    actor: Actor<'_>,
    id: AccountId,
    role: Role,
) -> Result<(), AccountError> {
    db::in_transaction(pool, async |tx| {
        if role != Role::Manager {
            keep_a_manager_beside(tx, id).await?;
        }
        check_supplier(tx, role).await?;
        let before = find(tx, id).await?.role;
        if before == role {
            return Ok(());
        }
        db::accounts::set_role(tx, id, role).await?;
        let details = format!("{} → {}", before.label(), role.label());
        log(tx, actor, Action::ChangedRole, Some(id), &details).await?;
        Ok(())
    })
    .await
}

/// Signs somebody out everywhere.
pub async fn end_sessions(
    pool: &Pool,
    actor: Actor<'_>,
    id: AccountId,
) -> Result<(), AccountError> {
    db::in_transaction(pool, async |tx| {
        find(tx, id).await?;
        if db::sessions::delete_sessions_of(tx, id, None).await? > 0 {
            log(tx, actor, Action::EndedSessions, Some(id), "").await?;
        }
        Ok(())
    })
    .await
}

async fn find(tx: &mut Transaction, id: AccountId) -> Result<Account, AccountError> {
    let account = db::accounts::find_account(tx, id).await?;
    account.ok_or(AccountError::NotFound)
}

/// The managers are locked, so that two who disable each other do not both succeed.
async fn keep_a_manager_beside(tx: &mut Transaction, id: AccountId) -> Result<(), AccountError> {
    let managers = db::accounts::lock_managers(tx).await?;
    if managers == [id] {
        return Err(AccountError::LastManager);
    }
    Ok(())
}

impl AccountError {
    /// Two who add the same address at once meet at its unique key; the transaction is done again and then
    /// finds it. This is for what is left after that.
    pub fn is_duplicate(&self) -> bool {
        matches!(self, Self::Taken) || matches!(self, Self::Db(error) if is_duplicate(error))
    }
}

fn is_duplicate(error: &DbError) -> bool {
    error.trouble() == Trouble::Duplicate
}
