//! How often a password may be guessed. The words and the time are the same for accounts that exist and for
//! those that do not, and whoever guesses does not keep the owner out.

use std::net::IpAddr;

use sha2::{Digest as _, Sha256};

use super::error::SignInError;
use super::password::Passwords;
use super::token::Token;
use crate::db::failed_sign_ins::{self, Failures};
use crate::db::{Connection, DbResult, Pool};
use crate::domain::{AccountId, email_key};

/// Wrong passwords for one account within 15 minutes, wherever they come from, but for the browsers in which
/// its owner has signed in before. Those have as many of their own.
const PER_ACCOUNT: i64 = 10;

/// Wrong passwords from one address within 15 minutes: a café's whole staff behind one router mistypes less.
const PER_ADDRESS: i64 = 50;

/// The place of all browsers in which the owner has signed in before.
const KNOWN: &str = "known";

/// Where attempts to sign in to an account are counted.
#[derive(Debug)]
pub(super) struct Counter {
    account: [u8; 32],
    origin: String,
}

impl Counter {
    /// `owner` is whose account it is, if there is one, and `browser` what an earlier sign-in left behind.
    pub(super) async fn find(
        conn: &mut Connection,
        email: &str,
        address: Option<IpAddr>,
        owner: Option<AccountId>,
        browser: Option<&Token>,
    ) -> DbResult<Self> {
        let known = match (owner, browser) {
            (Some(owner), Some(browser)) => {
                failed_sign_ins::is_known_browser(conn, &browser.hash(), owner).await?
            }
            _ => false,
        };
        Ok(Self {
            account: Sha256::digest(email_key(email)).into(),
            origin: if known {
                KNOWN.to_owned()
            } else {
                network(address)
            },
        })
    }

    /// For somebody who is signed in, and has to show that they know the password.
    pub(super) fn of_owner(email: &str) -> Self {
        Self {
            account: Sha256::digest(email_key(email)).into(),
            origin: KNOWN.to_owned(),
        }
    }

    /// Counts an attempt before it is looked at, so that many at once are not more than one after the other.
    pub(super) async fn admit(&self, conn: &mut Connection) -> Result<(), SignInError> {
        failed_sign_ins::count_attempt(conn, &self.account, &self.origin).await?;
        let Failures { account, origin } =
            failed_sign_ins::count_failures(conn, &self.account, &self.origin, KNOWN).await?;
        let too_many = account > PER_ACCOUNT || (self.origin != KNOWN && origin > PER_ADDRESS);
        if too_many {
            return Err(SignInError::TooMany);
        }
        Ok(())
    }

    /// Compares a password that was let in. An attempt for which there was no time does not count.
    pub(super) async fn verify(
        &self,
        pool: &Pool,
        passwords: &Passwords,
        typed: &str,
        hash: Option<&str>,
    ) -> Result<bool, SignInError> {
        match passwords.verify(typed, hash).await {
            Ok(fits) => Ok(fits),
            Err(busy) => {
                let mut conn = pool.acquire().await?;
                failed_sign_ins::take_back(&mut conn, &self.account, &self.origin).await?;
                Err(busy.into())
            }
        }
    }

    /// Forgets what failed here, since the owner got in.
    pub(super) async fn forgive(&self, conn: &mut Connection) -> DbResult<()> {
        failed_sign_ins::forgive(conn, &self.account, &self.origin).await?;
        failed_sign_ins::forget_old(conn).await
    }
}

/// An address; of IPv6 the network, since whoever has one address there has 2⁶⁴ of them.
fn network(address: Option<IpAddr>) -> String {
    match address {
        Some(IpAddr::V6(address)) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
        Some(address) => address.to_string(),
        None => "unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_a_network_has_one_place() {
        let place = |text: &str| network(Some(text.parse().unwrap()));

        assert_eq!(place("203.0.113.7"), "203.0.113.7");
        assert_eq!(place("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
        assert_eq!(place("2001:db8:1:2::1"), place("2001:db8:1:2:ffff::9"));
    }
}
