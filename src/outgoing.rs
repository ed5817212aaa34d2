//! What would have left this machine, where nothing does: what the embedded SNS has for people and endpoints.
//!
//! The newest few are kept, in memory, for the page `/local/mailbox`.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};

/// As many are kept.
const KEPT: usize = 100;

/// The list, shared by who fills it and who shows it.
#[derive(Debug, Clone, Default)]
pub struct Outgoing(Arc<Mutex<List>>);

#[derive(Debug, Default)]
struct List {
    next: u64,
    dispatches: VecDeque<Dispatch>,
}

/// A way out of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Email,
    Sms,
    Http,
    Lambda,
}

/// Something that was sent on its way.
#[derive(Debug, Clone)]
pub struct Dispatch {
    /// Its number in the list.
    pub id: u64,
    pub at: DateTime<Utc>,
    pub way: Way,
    /// An address, a telephone number, a URL or a function.
    pub to: String,
    pub subject: String,
    pub body: String,
    /// What its reader would follow to confirm a subscription.
    pub link: Option<String>,
    /// What became of each attempt.
    pub attempts: Vec<Attempt>,
}

/// One attempt to hand it over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    pub at: DateTime<Utc>,
    /// What the other side said, or what happened instead.
    pub outcome: String,
}

impl Outgoing {
    /// Adds another attempt at what is in the list under the same subject, address and text, or adds it; gives its
    /// number.
    pub fn add_again(&self, dispatch: Dispatch) -> u64 {
        let same = |other: &&Dispatch| {
            other.to == dispatch.to
                && other.body == dispatch.body
                && other.subject == dispatch.subject
        };
        let found = self.lock().dispatches.iter().find(same).map(|one| one.id);
        found.unwrap_or_else(|| self.add(dispatch))
    }

    /// Takes away links that have been followed.
    pub fn forget_links(&self, with: &str) {
        let mut list = self.lock();
        let follows = |dispatch: &&mut Dispatch| {
            let link = dispatch.link.as_deref();
            link.is_some_and(|link| link.contains(with))
        };
        for dispatch in list.dispatches.iter_mut().filter(follows) {
            dispatch.link = None;
        }
    }

    /// Adds something, and gives its number.
    pub fn add(&self, dispatch: Dispatch) -> u64 {
        let mut list = self.lock();
        list.next += 1;
        let id = list.next;
        list.dispatches.push_front(Dispatch { id, ..dispatch });
        list.dispatches.truncate(KEPT);
        id
    }

    /// Notes an attempt, if what was attempted is still kept.
    pub fn note(&self, id: u64, attempt: Attempt) {
        let mut list = self.lock();
        let mut dispatches = list.dispatches.iter_mut();
        if let Some(dispatch) = dispatches.find(|dispatch| dispatch.id == id) {
            dispatch.attempts.push(attempt);
        }
    }

    /// What is kept, newest first.
    pub fn list(&self) -> Vec<Dispatch> {
        self.lock().dispatches.iter().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, List> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
