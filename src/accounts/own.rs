//! What people do with their own accounts.

use std::net::IpAddr;

use super::error::{AccountError, SignInError};
use super::log;
use super::password::Passwords;
use super::sign_in::{Opened, Place, open};
use super::throttle::Counter;
use super::token::Token;
use crate::db::accounts::Account;
use crate::db::activity::Actor;
use crate::db::sessions::{SessionLimits, SignedIn};
use crate::db::{self, DbResult, Pool};
use crate::domain::{Action, NewPassword};

/// Finds whose link this is, if it still works.
pub async fn find_invited(pool: &Pool, link: &Token) -> DbResult<Option<Account>> {
    let mut conn = pool.acquire().await?;
    match db::account_links::find_link(&mut conn, &link.hash()).await? {
        Some(id) => db::accounts::find_account(&mut conn, id).await,
        None => Ok(None),
    }
}

/// Sets the password that the owner of a link has chosen, and signs them in. The link is used up, and whoever
/// was signed in with the account is not any more.
pub async fn choose_password(
    pool: &Pool,
    passwords: &Passwords,
    link: &Token,
    password: &NewPassword,
    place: Place<'_>,
    limits: SessionLimits,
) -> Result<Opened, AccountError> {
    let hash = passwords.hash(password).await?;
    db::in_transaction(pool, async |tx| {
        let owner = db::account_links::lock_link(tx, &link.hash()).await?;
        let id = owner.ok_or(AccountError::LinkGone)?;
        db::account_links::delete_link(tx, id).await?;
        db::accounts::set_password_hash(tx, id, &hash).await?;
        db::sessions::delete_sessions_of(tx, id, None).await?;
        let address = place.address();
        let actor = Actor {
            account: Some(id),
            address: &address,
        };
        log(tx, actor, Action::ChosePassword, None, "").await?;
        Ok(open(tx, id, place, limits).await?)
    })
    .await
}

/// Changes the password of somebody who knows the current one. Their other sessions end.
pub async fn change_password(
    pool: &Pool,
    passwords: &Passwords,
    signed_in: &SignedIn,
    current: &str,
    new: &NewPassword,
    address: Option<IpAddr>,
) -> Result<(), SignInError> {
    let id = signed_in.account;
    let (hash, counter) = {
        let mut conn = pool.acquire().await?;
        let hash = db::accounts::find_password_hash(&mut conn, id).await?;
        // Whoever has found an open browser must not guess on.
        let counter = Counter::of_owner(&signed_in.email);
        counter.admit(&mut conn).await?;
        (hash, counter)
    };
    let hash = hash.as_deref();
    if !counter.verify(pool, passwords, current, hash).await? {
        return Err(SignInError::Wrong);
    }
    let hash = passwords.hash(new).await?;
    let address = address.map(|address| address.to_string());
    let actor = Actor {
        account: Some(id),
        address: address.as_deref().unwrap_or_default(),
    };
    let changed = db::in_transaction(pool, async |tx| {
        db::accounts::set_password_hash(tx, id, &hash).await?;
        counter.forgive(tx).await?;
        db::sessions::delete_sessions_of(tx, id, Some(signed_in.session)).await?;
        db::account_links::delete_link(tx, id).await?;
        log(tx, actor, Action::ChangedPassword, None, "").await
    });
    Ok(changed.await?)
}

/// Ends one of somebody's own sessions; says whether there was such a one.
pub async fn end_session(
    pool: &Pool,
    signed_in: &SignedIn,
    session: i64,
    address: &str,
) -> DbResult<bool> {
    db::in_transaction(pool, async |tx| {
        let ended = db::sessions::delete_session(tx, signed_in.account, session).await?;
        if ended {
            let (actor, own) = (Some(signed_in.account), Some(signed_in.account));
            let actor = Actor {
                account: actor,
                address,
            };
            log(tx, actor, Action::EndedSessions, own, "").await?;
        }
        Ok(ended)
    })
    .await
}
