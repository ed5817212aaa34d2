//! A topic that does what no broker can be made to do: take one message of a call and refuse another.

use std::sync::{Arc, Mutex};

use beanstock::messaging::{FailedEntry, Publication, Publisher, ServiceError};

/// A FIFO topic that refuses the first message it is given.
#[derive(Debug, Clone, Default)]
pub(crate) struct FakeTopic {
    refused_one: Arc<Mutex<bool>>,
    taken: Arc<Mutex<Vec<String>>>,
}

impl FakeTopic {
    /// The bodies of the messages it has taken, in their order.
    pub(crate) fn taken(&self) -> Vec<String> {
        self.taken.lock().unwrap().clone()
    }
}

impl Publisher for FakeTopic {
    fn keeps_order(&self) -> bool {
        true
    }

    async fn publish(&self, batch: &[Publication]) -> Result<Vec<FailedEntry>, ServiceError> {
        tokio::task::yield_now().await;
        let refuse = !std::mem::replace(&mut *self.refused_one.lock().unwrap(), true);
        let taken = batch.iter().skip(usize::from(refuse));
        let taken = taken.map(|publication| publication.body.clone());
        self.taken.lock().unwrap().extend(taken);
        Ok(Vec::from_iter(refuse.then_some(FailedEntry {
            position: 0,
            retryable: true,
        })))
    }
}
