//! Who watches what, and what each of them has been told.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use chrono::{DateTime, Utc};
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::events;
use crate::db::live::Version;
use crate::domain::{Role, SupplierId, UpdateId};
use crate::web::dashboard::Part;
use crate::web::http::error::WebError;
use crate::web::http::streaming::Source;
use crate::web::updates::Eyes;

/// As many pages may be watched in one process; each costs a descriptor and about 30 KiB.
const MAX_WATCHERS: usize = 2_000;

/// And by one session: a browser opens six connections to a host.
const MAX_PER_SESSION: usize = 5;

/// And as many updates on all of these pages together: a page lists some 50.
const MAX_WATCHED: usize = 100_000;

/// A page that hears nothing for longer than three of these is told to be out of date.
const BEAT_EVERY: Duration = Duration::from_secs(5);

/// What a slow reader may leave unread; then it has to connect again.
const UNREAD: usize = 16;

/// The kind of page somebody looks at, which decides what is sent to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Page {
    Slip,
    Update,
    List,
}

/// What a page wants to know of updates that it does not show yet.
#[derive(Debug, Clone, Copy)]
pub(super) struct News {
    /// Of which supplier; of all if of none.
    pub(super) supplier: Option<SupplierId>,
    pub(super) since: DateTime<Utc>,
}

/// Somebody who looks at a page.
#[derive(Debug)]
pub(super) struct Watcher {
    pub(super) session: i64,
    /// What its owner may do.
    pub(super) role: Role,
    pub(super) page: Page,
    pub(super) eyes: Eyes,
    /// Sorted.
    pub(super) updates: Vec<UpdateId>,
    pub(super) news: Option<News>,
    /// Whether the page is a dashboard.
    pub(super) has_board: bool,
}

/// A watcher, and what was sent to it.
#[derive(Debug)]
pub(super) struct Seated {
    pub(super) watcher: Watcher,
    told: HashMap<UpdateId, Version>,
    pub(super) news_told: usize,
    /// The parts of the dashboard that it shows, by what they say.
    board_told: HashMap<Part, u64>,
    last_beat: Instant,
    /// `None` once it is to leave. It keeps its place until its connection is closed: a reader that does not
    /// read would otherwise stay, and count nowhere.
    out: Option<mpsc::Sender<Bytes>>,
}

impl Seated {
    /// Sends something; whoever does not keep up leaves.
    pub(super) fn send(&mut self, message: Bytes) {
        let sent = self.out.as_ref().map(|out| out.try_send(message));
        if !matches!(sent, Some(Ok(()))) {
            self.out = None;
        }
    }

    /// Whether it watches an update and has not been told of this version, which it is now.
    pub(super) fn learns(&mut self, update: UpdateId, version: &Version) -> bool {
        let watches = self.watcher.updates.binary_search(&update).is_ok();
        if !watches || self.told.get(&update) == Some(version) {
            return false;
        }
        self.told.insert(update, version.clone());
        true
    }

    /// Whether a part of its dashboard says something else than it has been told, which it is now.
    pub(super) fn learns_part(&mut self, part: Part, says: u64) -> bool {
        self.board_told.insert(part, says) != Some(says)
    }

    /// Says that the page is up to date, now and then, and with which files it is made.
    pub(super) fn beat(&mut self, files: &str) {
        if self.last_beat.elapsed() >= BEAT_EVERY {
            self.last_beat = Instant::now();
            self.send(events::beat(files));
        }
    }

    /// Has it connect again, because its owner may see other things now.
    pub(super) fn reconnect(&mut self) {
        self.out = None;
    }

    /// Ends it, because its session has ended.
    pub(super) fn end(&mut self) {
        self.send(events::end());
        self.out = None;
    }
}

/// Everybody who watches a page of this process.
#[derive(Debug, Default)]
pub(crate) struct Live {
    seats: Mutex<HashMap<u64, Seated>>,
    next_seat: AtomicU64,
    pub(super) looks: AtomicU64,
    /// Whether a task looks at the database.
    is_looking: Mutex<bool>,
    /// Told when somebody comes.
    pub(super) newcomer: Notify,
    /// Cancelled when the server stops.
    pub(super) closing: CancellationToken,
}

/// A place among the watchers, until it is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    number: u64,
    live: Arc<Live>,
    messages: mpsc::Receiver<Bytes>,
}

impl Source for Seat {
    fn events(&mut self) -> &mut mpsc::Receiver<Bytes> {
        &mut self.messages
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.live.seats().remove(&self.number);
    }
}

/// What all watchers together want to know.
#[derive(Debug, Default)]
pub(super) struct Asked {
    pub(super) sessions: Vec<i64>,
    pub(super) updates: Vec<UpdateId>,
    /// Since when the page that was made first wants to know of new updates of anybody.
    pub(super) since_of_all: Option<DateTime<Utc>>,
    /// And of those of its own supplier.
    pub(super) since_of_suppliers: Option<DateTime<Utc>>,
    /// The suppliers of which somebody wants to know.
    pub(super) suppliers: Vec<SupplierId>,
    /// Whether somebody looks at a dashboard.
    pub(super) wants_board: bool,
}

impl Live {
    /// Gives a watcher a place.
    ///
    /// # Errors
    /// [`WebError::TooMany`] if its session has too many, [`WebError::Crowded`] if the process has.
    pub(super) fn admit(self: &Arc<Self>, watcher: Watcher) -> Result<Seat, WebError> {
        let mut seats = self.seats();
        let of_session = seats
            .values()
            .filter(|other| other.watcher.session == watcher.session);
        if of_session.count() >= MAX_PER_SESSION {
            return Err(WebError::TooMany);
        }
        let rows: usize = seats
            .values()
            .map(|other| other.watcher.updates.len())
            .sum();
        let is_full = seats.len() >= MAX_WATCHERS || rows + watcher.updates.len() > MAX_WATCHED;
        if is_full || self.closing.is_cancelled() {
            return Err(WebError::Crowded);
        }
        let (out, messages) = mpsc::channel(UNREAD);
        let number = self.next_seat.fetch_add(1, Ordering::Relaxed);
        let seated = Seated {
            watcher,
            told: HashMap::new(),
            news_told: 0,
            board_told: HashMap::new(),
            // The first beat comes with the first look.
            last_beat: Instant::now()
                .checked_sub(BEAT_EVERY)
                .unwrap_or_else(Instant::now),
            out: Some(out),
        };
        seats.insert(number, seated);
        drop(seats);
        Ok(Seat {
            number,
            live: Arc::clone(self),
            messages,
        })
    }

    /// Takes on the work of looking, unless a task has it.
    pub(super) fn take_on_looking(&self) -> bool {
        self.newcomer.notify_one();
        let mut is_looking = self
            .is_looking
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        !std::mem::replace(&mut *is_looking, true)
    }

    /// Ends all streams; no more are taken.
    pub(crate) fn close(&self) {
        self.closing.cancel();
        self.seats().clear();
    }

    /// How often the database was looked at so far.
    pub(crate) fn looks(&self) -> u64 {
        self.looks.load(Ordering::Relaxed)
    }

    pub(super) fn asked(&self) -> Asked {
        let seats = self.seats();
        let staying = || seats.values().filter(|seated| seated.out.is_some());
        let watchers = || staying().map(|seated| &seated.watcher);
        let sessions: BTreeSet<i64> = watchers().map(|watcher| watcher.session).collect();
        let updates: BTreeSet<UpdateId> = watchers()
            .flat_map(|watcher| watcher.updates.iter().copied())
            .collect();
        let suppliers: BTreeSet<SupplierId> = watchers()
            .filter_map(|watcher| watcher.news?.supplier)
            .collect();
        let news = |wanted: &dyn Fn(&News) -> bool| {
            let news = watchers().filter_map(|watcher| watcher.news);
            news.filter(wanted).map(|news| news.since).min()
        };
        Asked {
            sessions: sessions.into_iter().collect(),
            updates: updates.into_iter().collect(),
            since_of_all: news(&|news| news.supplier.is_none()),
            since_of_suppliers: news(&|news| news.supplier.is_some()),
            suppliers: suppliers.into_iter().collect(),
            wants_board: watchers().any(|watcher| watcher.has_board),
        }
    }

    /// The updates of which somebody has been told something else than how they stand.
    pub(super) fn differing(&self, versions: &HashMap<UpdateId, Version>) -> Vec<UpdateId> {
        let seats = self.seats();
        let differing: HashSet<UpdateId> = seats
            .values()
            .filter(|seated| seated.out.is_some())
            .flat_map(|seated| {
                let differs = |id: &&UpdateId| seated.told.get(id) != versions.get(id);
                seated.watcher.updates.iter().filter(differs).copied()
            })
            .collect();
        differing.into_iter().collect()
    }

    /// Does something for each watcher that is not about to leave.
    pub(super) fn for_each(&self, work: impl FnMut(&mut Seated)) {
        let mut seats = self.seats();
        let staying = seats.values_mut().filter(|seated| seated.out.is_some());
        staying.for_each(work);
    }

    fn seats(&self) -> MutexGuard<'_, HashMap<u64, Seated>> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets another task look.
    pub(super) fn stop_looking(&self) {
        let mut is_looking = self
            .is_looking
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *is_looking = false;
    }

    /// Whether nobody watches, so that the task that looks may end.
    pub(super) fn may_rest(&self) -> bool {
        let mut is_looking = self
            .is_looking
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if self.seats().is_empty() {
            *is_looking = false;
        }
        !*is_looking
    }
}

#[cfg(test)]
mod tests {
    use chrono_tz::Tz;

    use super::*;

    fn watcher(session: i64) -> Watcher {
        Watcher {
            session,
            role: Role::Staff,
            page: Page::List,
            eyes: Eyes {
                zone: Tz::UTC,
                sees_levels: true,
                may_act: true,
                is_cafe: true,
            },
            updates: Vec::new(),
            news: None,
            has_board: false,
        }
    }

    #[test]
    fn a_process_has_two_thousand_places_and_gives_them_again() {
        let live = Arc::new(Live::default());
        let mut seats: Vec<Seat> = (0..2_000)
            .map(|n| live.admit(watcher(n)).unwrap())
            .collect();

        assert!(matches!(live.admit(watcher(2_000)), Err(WebError::Crowded)));
        seats.pop();
        assert!(live.admit(watcher(2_000)).is_ok());
    }

    #[test]
    fn a_site_that_stops_lets_everybody_go() {
        let live = Arc::new(Live::default());
        let mut seat = live.admit(watcher(1)).unwrap();

        live.close();

        assert!(
            seat.messages
                .try_recv()
                .is_err_and(|error| error == mpsc::error::TryRecvError::Disconnected)
        );
        assert!(live.admit(watcher(1)).is_err());
    }
}
