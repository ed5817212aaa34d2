//! A queue that does what no broker can be made to do: fail deletes, expire receipts, and give
//! several messages of one group at once, as SQS does.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use beanstock::messaging::{FailedEntry, Queue, ReceivedMessage, ServiceError};

/// What was asked of the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Call {
    Delete(Vec<String>),
    Visibility(Vec<(String, Duration)>),
}

/// A FIFO queue in memory. A message's id is its body.
#[derive(Debug, Clone, Default)]
pub(crate) struct FakeQueue(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    visible: VecDeque<ReceivedMessage>,
    in_flight: HashMap<String, ReceivedMessage>,
    dead: Vec<String>,
    max_receive_count: u32,
    calls: Vec<Call>,
    /// For each delete to come: the positions that fail, and whether they may be tried again.
    failing_deletes: VecDeque<Vec<FailedEntry>>,
    failing_receives: u32,
    receives: u32,
    /// Messages that were ever sent.
    sent: usize,
    answers_no_deletes: bool,
}

impl FakeQueue {
    pub(crate) fn new(max_receive_count: u32) -> Self {
        let queue = Self::default();
        queue.state().max_receive_count = max_receive_count;
        queue
    }

    pub(crate) fn state_of_dead(&self) -> Vec<String> {
        self.state().dead.clone()
    }

    pub(crate) fn push(&self, group: &str, body: &str) {
        let mut state = self.state();
        state.sent += 1;
        let number = state.sent;
        state.visible.push_back(ReceivedMessage {
            message_id: format!("{group}-{number:05}-{body}"),
            receipt: String::new(),
            body: body.to_owned(),
            group: Some(group.to_owned()),
            receive_count: 0,
            sent_at: None,
            attributes: std::collections::BTreeMap::new(),
            message_attributes: std::collections::BTreeMap::new(),
        });
    }

    /// Counts receives of all messages that others had.
    pub(crate) fn received_before(&self, times: u32) {
        for delivery in &mut self.state().visible {
            delivery.receive_count = times;
        }
    }

    pub(crate) fn fail_next_delete(&self, failed: &[(usize, bool)]) {
        let entries = failed.iter().map(|(position, retryable)| FailedEntry {
            position: *position,
            retryable: *retryable,
        });
        self.state().failing_deletes.push_back(entries.collect());
    }

    pub(crate) fn fail_next_receives(&self, number: u32) {
        self.state().failing_receives = number;
    }

    pub(crate) fn receives(&self) -> u32 {
        self.state().receives
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.state().calls.clone()
    }

    /// Has deletes wait for ever, as a call does whose process is killed.
    pub(crate) fn answers_no_deletes(&self) {
        self.state().answers_no_deletes = true;
    }

    pub(crate) fn answers_deletes(&self) {
        self.state().answers_no_deletes = false;
    }

    /// Messages that were received and are invisible.
    pub(crate) fn in_flight(&self) -> usize {
        self.state().in_flight.len()
    }

    /// Messages that are neither deleted nor dead.
    pub(crate) fn left(&self) -> usize {
        let state = self.state();
        state.visible.len() + state.in_flight.len()
    }

    /// Makes every message in flight visible again, as its timeout would.
    pub(crate) fn expire(&self) {
        let mut state = self.state();
        let mut expired: Vec<ReceivedMessage> = state.in_flight.drain().map(|(_, d)| d).collect();
        expired.sort_by(|a, b| a.message_id.cmp(&b.message_id));
        for delivery in expired.into_iter().rev() {
            state.visible.push_front(delivery);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

impl Queue for FakeQueue {
    async fn receive(
        &self,
        most: usize,
        _wait: Duration,
    ) -> Result<Vec<ReceivedMessage>, ServiceError> {
        tokio::task::yield_now().await;
        let mut state = self.state();
        state.receives += 1;
        if state.failing_receives > 0 {
            state.failing_receives -= 1;
            return Err(ServiceError::Unreachable {
                resource: "the fake queue".to_owned(),
                detail: "told to fail".to_owned(),
            });
        }
        // A group with a message in flight gives nothing.
        let blocked: Vec<Option<String>> =
            state.in_flight.values().map(|d| d.group.clone()).collect();
        let mut batch = Vec::new();
        let mut kept = VecDeque::new();
        while let Some(mut delivery) = state.visible.pop_front() {
            if blocked.contains(&delivery.group) || batch.len() == most {
                kept.push_back(delivery);
            } else if delivery.receive_count >= state.max_receive_count {
                state.dead.push(delivery.body);
            } else {
                delivery.receive_count += 1;
                delivery.receipt = format!("{}#{}", delivery.message_id, delivery.receive_count);
                state
                    .in_flight
                    .insert(delivery.receipt.clone(), delivery.clone());
                batch.push(delivery);
            }
        }
        state.visible = kept;
        Ok(batch)
    }

    async fn delete(&self, receipts: &[&str]) -> Result<Vec<FailedEntry>, ServiceError> {
        if self.state().answers_no_deletes {
            std::future::pending::<()>().await;
        }
        let mut state = self.state();
        state.calls.push(Call::Delete(
            receipts.iter().map(|&r| r.to_owned()).collect(),
        ));
        let failed = state.failing_deletes.pop_front().unwrap_or_default();
        for (position, receipt) in receipts.iter().enumerate() {
            if !failed.iter().any(|entry| entry.position == position) {
                state.in_flight.remove(*receipt);
            }
        }
        Ok(failed)
    }

    async fn change_visibility(
        &self,
        entries: &[(&str, Duration)],
    ) -> Result<Vec<FailedEntry>, ServiceError> {
        let mut state = self.state();
        let call = entries
            .iter()
            .map(|&(receipt, delay)| (receipt.to_owned(), delay));
        state.calls.push(Call::Visibility(call.collect()));
        for (receipt, delay) in entries.iter().rev() {
            if delay.is_zero()
                && let Some(delivery) = state.in_flight.remove(*receipt)
            {
                // Back to its place: before those of its group that came later.
                let later = |other: &ReceivedMessage| {
                    other.group == delivery.group && other.message_id > delivery.message_id
                };
                let place = state.visible.iter().position(later);
                let place = place.unwrap_or(state.visible.len());
                state.visible.insert(place, delivery);
            }
        }
        Ok(Vec::new())
    }
}
