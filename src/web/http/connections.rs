//! Who is connected, and who has to make room when there are too many.
//!
//! A connection costs a descriptor and is open to anybody, so no address may take all of them. One
//! that rests between requests, or has not finished its first, is closed for a newcomer; one that is
//! being answered is not.

use std::collections::HashMap;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};
use tokio_util::sync::CancellationToken;

/// How many may be connected.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionLimits {
    /// In all. Each takes a descriptor, of which a process often has 1,024.
    pub connections: usize,
    /// From one address. An office behind one address has some hundred browsers' worth.
    pub per_address: usize,
    /// Beyond both, for load balancers that ask whether we are alive, and nothing else.
    pub reserve: usize,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            connections: 512,
            per_address: 256,
            reserve: 16,
        }
    }
}

/// The connections that are open.
#[derive(Debug)]
pub(crate) struct Slots {
    room: ConnectionLimits,
    here: Mutex<Here>,
}

/// By address.
type Here = HashMap<IpAddr, Vec<Arc<Slot>>>;

/// A connection that is open.
#[derive(Debug)]
pub(crate) struct Slot {
    address: IpAddr,
    /// Whether it may only ask for probes.
    pub(crate) probes_only: bool,
    /// Cancelled to close it.
    pub(crate) leave: CancellationToken,
    busy: AtomicBool,
    /// How many requests it has made.
    requests: AtomicU64,
    resting_since: Mutex<Instant>,
}

impl Slot {
    fn new(address: IpAddr, probes_only: bool) -> Self {
        Self {
            address,
            probes_only,
            leave: CancellationToken::new(),
            busy: AtomicBool::new(false),
            requests: AtomicU64::new(0),
            resting_since: Mutex::new(Instant::now()),
        }
    }

    /// How many requests it has made.
    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Acquire)
    }

    /// Whether a request of its is being answered.
    pub(crate) fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Acquire)
    }

    /// Since when it rests, if it may be asked to leave: a probe has just connected to ask.
    fn rests_since(&self) -> Option<Instant> {
        const TIME_TO_ASK: Duration = Duration::from_secs(2);
        let since = *self
            .resting_since
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let about_to_ask =
            self.probes_only && self.requests() == 0 && since.elapsed() < TIME_TO_ASK;
        (!self.is_busy() && !about_to_ask).then_some(since)
    }
}

impl Slots {
    pub(crate) fn new(room: ConnectionLimits) -> Arc<Self> {
        Arc::new(Self {
            room,
            here: Mutex::default(),
        })
    }

    /// Lets somebody in, for whom one that rests may have to leave; `None` if there is no room at all.
    /// Proxies speak for many, so no limit holds for the address of one that is `trusted`.
    pub(crate) fn admit(&self, address: IpAddr, trusted: bool) -> Option<Arc<Slot>> {
        let mut here = self.here();
        let of_address = |here: &Here| here.get(&address).map_or(0, Vec::len);
        let all = |here: &Here| here.values().map(Vec::len).sum::<usize>();
        let is_crowded = |here: &Here| !trusted && of_address(here) >= self.room.per_address;
        while is_crowded(&here) && close_one(&mut here, address) {}
        while all(&here) >= self.room.connections && close_one_of_the_many(&mut here) {}
        let has_place = !is_crowded(&here) && all(&here) < self.room.connections;
        if !has_place && all(&here) >= self.room.connections + self.room.reserve {
            return None;
        }
        let slot = Arc::new(Slot::new(address, !has_place));
        here.entry(address).or_default().push(Arc::clone(&slot));
        Some(slot)
    }

    /// Forgets somebody whose connection has ended.
    pub(crate) fn release(&self, slot: &Arc<Slot>) {
        let mut here = self.here();
        if let Some(slots) = here.get_mut(&slot.address) {
            slots.retain(|other| !Arc::ptr_eq(other, slot));
            if slots.is_empty() {
                here.remove(&slot.address);
            }
        }
    }

    fn here(&self) -> MutexGuard<'_, Here> {
        self.here.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes the connection of an address that has rested longest; says whether one rested.
fn close_one(here: &mut Here, address: IpAddr) -> bool {
    let Some(slots) = here.get_mut(&address) else {
        return false;
    };
    let resting = slots.iter().enumerate();
    let resting = resting.filter_map(|(place, slot)| Some((slot.rests_since()?, place)));
    let Some((_, place)) = resting.min() else {
        return false;
    };
    slots.swap_remove(place).leave.cancel();
    true
}

/// Closes a connection of the address that has most of them and lets one go.
fn close_one_of_the_many(here: &mut Here) -> bool {
    let mut addresses: Vec<(usize, IpAddr)> = here
        .iter()
        .map(|(address, slots)| (slots.len(), *address))
        .collect();
    addresses.sort_unstable();
    let mut most_first = addresses.into_iter().rev();
    most_first.any(|(_, address)| close_one(here, address))
}

/// A request that is being answered, until its answer has been sent.
#[derive(Debug)]
pub(crate) struct InProgress(Arc<Slot>);

impl InProgress {
    pub(crate) fn begin(slot: &Arc<Slot>) -> Self {
        slot.requests.fetch_add(1, Ordering::AcqRel);
        slot.busy.store(true, Ordering::Release);
        Self(Arc::clone(slot))
    }

    /// Lasts until this body has been sent.
    pub(crate) fn until_sent(self, body: Body) -> Body {
        Body::new(Sent { body, _visit: self })
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        *self
            .0
            .resting_since
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Instant::now();
        self.0.busy.store(false, Ordering::Release);
    }
}

struct Sent {
    body: Body,
    _visit: InProgress,
}

impl HttpBody for Sent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Requests of visitors behind trusted proxies, whose connections are not theirs: by address.
#[derive(Debug, Clone, Default)]
pub(crate) struct RequestLimits(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// As many requests of one visitor are answered at once; a browser opens six connections.
const REQUESTS_AT_ONCE: usize = 128;

/// A visitor's place among the requests that are answered.
#[derive(Debug)]
pub(crate) struct Place {
    visitors: RequestLimits,
    address: IpAddr,
}

impl RequestLimits {
    /// Gives a request its place; `None` if its visitor has too many already.
    pub(crate) fn admit(&self, address: IpAddr) -> Option<Place> {
        let mut requests = self.requests();
        let number = requests.entry(address).or_default();
        if *number >= REQUESTS_AT_ONCE {
            return None;
        }
        *number += 1;
        Some(Place {
            visitors: self.clone(),
            address,
        })
    }

    fn requests(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut requests = self.visitors.requests();
        if let Some(number) = requests.get_mut(&self.address) {
            *number -= 1;
            if *number == 0 {
                requests.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: ConnectionLimits = ConnectionLimits {
        connections: 4,
        per_address: 3,
        reserve: 1,
    };

    fn address(last: u8) -> IpAddr {
        [192, 0, 2, last].into()
    }

    #[test]
    fn whoever_rests_longest_leaves_for_a_newcomer_of_the_same_address() {
        let slots = Slots::new(ROOM);
        let three = [(); 3].map(|()| slots.admit(address(1), false).unwrap());
        let _busy = InProgress::begin(&three[0]);

        let fourth = slots.admit(address(1), false).unwrap();

        let left = three.map(|slot| slot.leave.is_cancelled());
        assert_eq!(left, [false, true, false]);
        assert!(!fourth.probes_only);
    }

    #[test]
    fn one_address_that_fills_the_house_makes_room_for_others() {
        let slots = Slots::new(ROOM);
        let crowd = [(); 3].map(|()| slots.admit(address(1), false).unwrap());
        let other = slots.admit(address(2), false).unwrap();

        let newcomer = slots.admit(address(3), false).unwrap();

        assert!(!newcomer.probes_only && !other.leave.is_cancelled());
        assert_eq!(crowd.iter().filter(|g| g.leave.is_cancelled()).count(), 1);
    }

    #[test]
    fn probes_have_a_place_when_everybody_is_being_answered() {
        let slots = Slots::new(ROOM);
        let crowd: Vec<_> = (1..=4)
            .map(|last| slots.admit(address(last), false).unwrap())
            .collect();
        let _visits: Vec<_> = crowd.iter().map(InProgress::begin).collect();

        let probe = slots.admit(address(9), false).unwrap();

        assert!(probe.probes_only);
        assert!(slots.admit(address(9), false).is_none());
        assert!(!probe.leave.is_cancelled(), "it has not asked yet");
        let asking = InProgress::begin(&probe);
        assert!(slots.admit(address(9), false).is_none());
        drop(asking);
        let next = slots.admit(address(9), false).unwrap();
        assert!(next.probes_only && probe.leave.is_cancelled());
    }

    #[test]
    fn a_proxy_is_not_one_visitor() {
        let slots = Slots::new(ROOM);
        let all: Vec<_> = (0..4).map(|_| slots.admit(address(1), true)).collect();

        assert!(all.iter().flatten().all(|slot| !slot.leave.is_cancelled()));
    }

    #[test]
    fn a_visitor_behind_a_proxy_has_so_many_requests_and_gets_them_back() {
        let visitors = RequestLimits::default();
        let mut places: Vec<_> = (0..REQUESTS_AT_ONCE)
            .map(|_| visitors.admit(address(1)).unwrap())
            .collect();

        assert!(visitors.admit(address(1)).is_none());
        assert!(visitors.admit(address(2)).is_some());
        places.pop();
        assert!(visitors.admit(address(1)).is_some());
    }
}
