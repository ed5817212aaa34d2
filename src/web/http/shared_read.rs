//! Request collapsing: those who ask for the same thing at the same time share one read.
//!
//! Not a cache. A result is only given to callers who asked before its read started, so nobody
//! sees anything older than their own question.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

/// One thing to read, and those who wait for it.
#[derive(Debug)]
pub(crate) struct SharedRead<T> {
    /// Held by the read that is under way.
    turn: tokio::sync::Mutex<()>,
    /// The read that has not started yet; whoever asks now joins it.
    next: Mutex<Arc<OnceCell<T>>>,
}

impl<T> Default for SharedRead<T> {
    fn default() -> Self {
        Self {
            turn: tokio::sync::Mutex::default(),
            next: Mutex::new(Arc::new(OnceCell::new())),
        }
    }
}

impl<T: Clone> SharedRead<T> {
    /// Gives the result of a read that starts after this call, whoever performs it.
    ///
    /// The first to ask waits for the read under way to end, closes the list of those who share
    /// the new one, and reads. If that caller is dropped, another one of the list reads instead.
    pub(crate) async fn get(&self, read: impl AsyncFnOnce() -> T) -> T {
        let joined = Arc::clone(&self.next.lock().unwrap_or_else(PoisonError::into_inner));
        joined
            .get_or_init(async || {
                let _turn = self.turn.lock().await;
                self.start_a_new_list();
                read().await
            })
            .await
            .clone()
    }

    fn start_a_new_list(&self) {
        *self.next.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(OnceCell::new());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::sync::Notify;
    use tokio::task::yield_now;
    use tokio_util::task::TaskTracker;

    use super::*;

    /// A value that changes, read slowly: each read takes it at its start and answers when told.
    #[derive(Default)]
    struct Slow {
        shared: SharedRead<u32>,
        value: AtomicU32,
        reads: AtomicU32,
        answer: Notify,
    }

    impl Slow {
        async fn ask(self: Arc<Self>) -> u32 {
            self.shared
                .get(async || {
                    self.reads.fetch_add(1, Ordering::SeqCst);
                    let value = self.value.load(Ordering::SeqCst);
                    self.answer.notified().await;
                    value
                })
                .await
        }
    }

    async fn settle() {
        for _ in 0..20 {
            yield_now().await;
        }
    }

    #[tokio::test]
    async fn nobody_gets_a_read_that_started_before_they_asked() {
        let slow = Arc::new(Slow::default());
        let tasks = TaskTracker::new();

        let early = tasks.spawn(Arc::clone(&slow).ask());
        settle().await;
        slow.value.store(1, Ordering::SeqCst);
        let late = tasks.spawn(Arc::clone(&slow).ask());
        settle().await;
        slow.answer.notify_one();
        settle().await;
        slow.answer.notify_one();

        assert_eq!((early.await.unwrap(), late.await.unwrap()), (0, 1));
    }

    #[tokio::test]
    async fn those_who_ask_during_a_read_share_the_next_one() {
        let slow = Arc::new(Slow::default());
        let tasks = TaskTracker::new();
        let first = tasks.spawn(Arc::clone(&slow).ask());
        settle().await;
        let rest: Vec<_> = (0..10)
            .map(|_| tasks.spawn(Arc::clone(&slow).ask()))
            .collect();
        settle().await;

        slow.answer.notify_one();
        settle().await;
        slow.answer.notify_one();

        first.await.unwrap();
        for asker in rest {
            asker.await.unwrap();
        }
        assert_eq!(slow.reads.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn a_reader_who_leaves_is_replaced_by_one_who_waits() {
        let slow = Arc::new(Slow::default());
        let tasks = TaskTracker::new();
        let leaves = tasks.spawn(Arc::clone(&slow).ask());
        let stays = tasks.spawn(Arc::clone(&slow).ask());
        settle().await;

        leaves.abort();
        settle().await;
        slow.answer.notify_one();

        assert_eq!(stays.await.unwrap(), 0);
    }
}
