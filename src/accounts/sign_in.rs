//! Signing in and out.

use std::net::IpAddr;

use super::error::SignInError;
use super::log;
use super::password::Passwords;
use super::throttle::Counter;
use super::token::Token;
use crate::db::activity::Actor;
use crate::db::sessions::{SessionLimits, SignedIn};
use crate::db::{self, DbResult, Pool, Transaction};
use crate::domain::{AccountId, Action};

/// What somebody brings who wants to sign in.
#[derive(Debug, Clone, Copy)]
pub struct Attempt<'a> {
    pub email: &'a str,
    pub password: &'a str,
    pub place: Place<'a>,
}

/// Where somebody signs in.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    pub address: Option<IpAddr>,
    /// How the browser calls itself.
    pub browser: &'a str,
    /// What an earlier sign-in left in the browser.
    pub known: Option<&'a Token>,
}

impl Place<'_> {
    /// The address as text; empty if it is unknown.
    pub(super) fn address(&self) -> String {
        let address = self.address.map(|address| address.to_string());
        address.unwrap_or_default()
    }
}

/// A session that has just begun.
#[derive(Debug)]
pub struct Opened {
    pub session: Token,
    /// By this the browser is known again after the session has ended.
    pub browser: Token,
}

/// Signs somebody in. Whatever is wrong, as much is done and the same is said.
pub async fn sign_in(
    pool: &Pool,
    passwords: &Passwords,
    attempt: Attempt<'_>,
    limits: SessionLimits,
) -> Result<Opened, SignInError> {
    let Attempt {
        email,
        password,
        place,
    } = attempt;
    let (login, counter) = {
        let mut conn = pool.acquire().await?;
        let login = db::accounts::find_login(&mut conn, email).await?;
        let owner = login.as_ref().map(|login| login.id);
        let counter = Counter::find(&mut conn, email, place.address, owner, place.known).await?;
        counter.admit(&mut conn).await?;
        (login, counter)
    };
    let hash = login
        .as_ref()
        .and_then(|login| login.password_hash.as_deref());
    let fits = counter.verify(pool, passwords, password, hash).await?;
    let login = login.filter(|login| fits && !login.is_disabled);
    let login = login.ok_or(SignInError::Wrong)?;
    let opened = db::in_transaction(pool, async |tx| {
        // Whoever was disabled or has another password since it was compared does not get in.
        if db::accounts::lock_login(tx, login.id).await?.as_ref() != Some(&login) {
            return Ok(None);
        }
        counter.forgive(tx).await?;
        open(tx, login.id, place, limits).await.map(Some)
    });
    opened.await?.ok_or(SignInError::Wrong)
}

/// Begins a session for the owner of an account, which the caller has locked.
pub(super) async fn open(
    tx: &mut Transaction,
    account: AccountId,
    place: Place<'_>,
    limits: SessionLimits,
) -> DbResult<Opened> {
    let opened = Opened {
        session: Token::generate(),
        browser: place.known.cloned().unwrap_or_else(Token::generate),
    };
    let address = place.address();
    let browser: String = place.browser.chars().take(200).collect();
    let (session, known) = (opened.session.hash(), opened.browser.hash());
    db::sessions::insert_session(tx, &session, account, &address, &browser).await?;
    db::sessions::forget_ended(tx, limits).await?;
    db::failed_sign_ins::remember_browser(tx, &known, account).await?;
    let actor = Actor {
        account: Some(account),
        address: &address,
    };
    log(tx, actor, Action::SignedIn, None, "").await?;
    Ok(opened)
}

/// Finds who is signed in with a session's token, and notes that it is in use.
pub async fn find_signed_in(
    pool: &Pool,
    session: &Token,
    limits: SessionLimits,
) -> DbResult<Option<SignedIn>> {
    let mut conn = pool.acquire().await?;
    let signed_in = db::sessions::find_session(&mut conn, &session.hash(), limits).await?;
    if let Some(signed_in) = &signed_in
        && signed_in.is_stale
    {
        db::sessions::touch_session(&mut conn, signed_in.session).await?;
    }
    Ok(signed_in)
}

/// Ends a session.
pub async fn sign_out(pool: &Pool, signed_in: &SignedIn, address: &str) -> DbResult<()> {
    db::in_transaction(pool, async |tx| {
        let ended = db::sessions::delete_session(tx, signed_in.account, signed_in.session).await?;
        if ended {
            let actor = Actor {
                account: Some(signed_in.account),
                address,
            };
            log(tx, actor, Action::SignedOut, None, "").await?;
        }
        Ok(())
    })
    .await
}
