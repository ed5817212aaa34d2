//! Accounts: who may sign in, what their seat lets them do, and what a password must be.

use std::fmt;

use super::SupplierId;
use super::text::matching_key;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(pub i64);

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What somebody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Sends updates for one supplier, and sees what is that supplier's.
    Supplier(SupplierId),
    /// Reads what staff read: the screen on the wall.
    Viewer,
    Staff,
    /// Staff who also manage accounts and suppliers.
    Manager,
}

impl Role {
    /// Puts together what a row keeps apart. A supplier's account without a supplier is no role.
    pub fn from_code(code: &str, supplier: Option<SupplierId>) -> Option<Self> {
        match (code, supplier) {
            ("supplier", Some(supplier)) => Some(Self::Supplier(supplier)),
            ("viewer", None) => Some(Self::Viewer),
            ("staff", None) => Some(Self::Staff),
            ("manager", None) => Some(Self::Manager),
            _ => None,
        }
    }

    pub fn code(self) -> &'static str {
        match self {
            Self::Supplier(_) => "supplier",
            Self::Viewer => "viewer",
            Self::Staff => "staff",
            Self::Manager => "manager",
        }
    }

    /// The role as people call it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Supplier(_) => "Supplier",
            Self::Viewer => "Viewer",
            Self::Staff => "Staff",
            Self::Manager => "Manager",
        }
    }

    /// The supplier it is bound to.
    pub fn supplier(self) -> Option<SupplierId> {
        match self {
            Self::Supplier(supplier) => Some(supplier),
            Self::Viewer | Self::Staff | Self::Manager => None,
        }
    }
}

/// The form that two spellings of an e-mail address share when they mean the same account: 255 characters
/// at most, like the column.
pub fn email_key(typed: &str) -> String {
    matching_key(typed).chars().take(255).collect()
}

/// A password that may be set: 12 to 256 characters, kept as typed. It is compared with what many people
/// choose, and nothing else is asked of it (NIST SP 800-63B 3.1.1.2).
#[derive(Clone)]
pub struct NewPassword(String);

/// Why a password was refused. The sentences are shown to people after "Password".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPassword {
    #[error("must be {MIN_PASSWORD} characters or more")]
    TooShort,
    /// Hashing takes longer the longer it is.
    #[error("must be {MAX_PASSWORD} characters or fewer")]
    TooLong,
    #[error("is one that many people use. Choose another, for example four random words")]
    Common,
    #[error("must not be your email address or name, or the name of this site")]
    Personal,
}

/// The fewest characters of a password.
pub const MIN_PASSWORD: usize = 12;

/// The most characters of a password; no password manager makes longer ones.
pub const MAX_PASSWORD: usize = 256;

/// Passwords of 12 characters and more that stand in lists of breached ones, and their like. Compared
/// without regard to case, and without what stands at the end.
const COMMON: &str = include_str!("common_passwords.txt");

impl NewPassword {
    /// Checks what was typed. `personal` are texts that others know of whoever chooses it.
    pub fn parse(typed: &str, personal: &[&str]) -> Result<Self, InvalidPassword> {
        let length = typed.chars().count();
        if length < MIN_PASSWORD {
            return Err(InvalidPassword::TooShort);
        }
        if length > MAX_PASSWORD {
            return Err(InvalidPassword::TooLong);
        }
        let key = bare(typed);
        if COMMON.lines().any(|common| common == key) || is_monotonous(typed) {
            return Err(InvalidPassword::Common);
        }
        let known = personal.iter().copied().chain(["beanstock"]);
        if known
            .map(bare)
            .any(|known| !known.is_empty() && known == key)
        {
            return Err(InvalidPassword::Personal);
        }
        Ok(Self(typed.to_owned()))
    }

    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for NewPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hidden]")
    }
}

/// A text without case, and without the digits and marks that people put at the end of a word to make a
/// password of it.
fn bare(text: &str) -> String {
    let lower = text.to_lowercase();
    let word = lower.trim_end_matches(|c: char| c.is_ascii_digit() || c.is_ascii_punctuation());
    if word.is_empty() {
        lower
    } else {
        word.to_owned()
    }
}

/// One or two characters again and again, or digits in a row.
fn is_monotonous(text: &str) -> bool {
    let mut characters: Vec<char> = text.chars().collect();
    let steps = characters.windows(2).map(|pair| match (pair[0], pair[1]) {
        ('9', '0') => 1,
        ('0', '9') => -1,
        (first, second) => i64::from(u32::from(second)) - i64::from(u32::from(first)),
    });
    let is_row = steps.clone().all(|step| step == 1) || steps.clone().all(|step| step == -1);
    characters.sort_unstable();
    characters.dedup();
    is_row || characters.len() <= 2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(typed: &str) -> Option<InvalidPassword> {
        NewPassword::parse(typed, &["ana@example.com", "Ana Maria Lopes"]).err()
    }

    #[test]
    fn a_password_is_judged_by_its_length_and_by_how_many_people_use_it() {
        for good in [
            "correct horse battery staple",
            "            x1",
            "ÄÖÜ äöü ñ ☕ 1",
            &"pä4 ".repeat(64),
        ] {
            assert_eq!(refused(good), None, "{good}");
        }
        for (bad, why) in [
            ("elevenchars", InvalidPassword::TooShort),
            ("☕☕☕☕☕☕☕☕☕☕☕", InvalidPassword::TooShort),
            (&"ab1".repeat(86), InvalidPassword::TooLong),
            ("Password1234!", InvalidPassword::Common),
            ("passwordpassword", InvalidPassword::Common),
            ("qwertyuiop123", InvalidPassword::Common),
            ("aaaaaaaaaaaa", InvalidPassword::Common),
            ("abababababab", InvalidPassword::Common),
            ("123456789012345", InvalidPassword::Common),
            ("ana@example.com", InvalidPassword::Personal),
            ("ANA MARIA LOPES2026", InvalidPassword::Personal),
            ("Beanstock2026", InvalidPassword::Personal),
        ] {
            assert_eq!(refused(bad), Some(why), "{bad}");
        }
    }

    #[test]
    fn a_password_is_not_shown() {
        let password = NewPassword::parse("correct horse battery", &[]).unwrap();

        assert_eq!(format!("{password:?}"), "[hidden]");
    }

    #[test]
    fn only_a_suppliers_account_is_bound_to_a_supplier() {
        let supplier = Some(SupplierId(3));
        assert_eq!(
            Role::from_code("supplier", supplier),
            Some(Role::Supplier(SupplierId(3)))
        );
        assert_eq!(Role::from_code("staff", None), Some(Role::Staff));
        for (code, supplier) in [("supplier", None), ("staff", supplier), ("owner", None)] {
            assert_eq!(Role::from_code(code, supplier), None, "{code}");
        }
    }
}
