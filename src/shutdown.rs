//! Stopping in two steps: first no new work, then no more waiting.

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Tells every part of the program when to stop, and waits until it has.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    /// Cancelled first: begin nothing new, finish what was begun.
    pub soft: CancellationToken,
    /// Cancelled when the grace period is over: stop waiting for others.
    pub hard: CancellationToken,
    /// Counts the tasks that are to be waited for.
    pub tasks: TaskTracker,
}

/// The program is asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("stopped")]
pub struct Stopping;

impl Shutdown {
    /// Stops softly at SIGTERM and Ctrl-C, from now on: with a listener for each wait, a signal
    /// between two of them would be lost.
    pub fn at_signals() -> std::io::Result<Self> {
        let shutdown = Self::default();
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let soft = shutdown.soft.clone();
        shutdown.tasks.spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
                () = soft.cancelled() => {}
            }
            soft.cancel();
        });
        Ok(shutdown)
    }

    /// Waits until a signal or a part of the program asks for the end.
    pub async fn requested(&self) {
        self.soft.cancelled().await;
    }

    /// Stops everything: softly for `grace`, then hard. Returns when all tasks have ended, or a
    /// second after the hard stop. Doing it again waits no more.
    pub async fn finish(&self, grace: Duration) {
        if self.hard.is_cancelled() {
            return;
        }
        self.soft.cancel();
        self.tasks.close();
        if tokio::time::timeout(grace, self.tasks.wait()).await.is_ok() {
            return;
        }
        self.hard.cancel();
        if tokio::time::timeout(Duration::from_secs(1), self.tasks.wait())
            .await
            .is_err()
        {
            tracing::warn!("some work did not stop in time; it will be done again after a restart");
        }
    }

    /// Runs a part of the program on the tasks until it ends by itself. A panic is a bug in the
    /// handling of one message: that comes again, and the part goes on.
    pub fn supervise<F>(&self, part: &'static str, run: impl Fn() -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let shutdown = self.clone();
        self.tasks.spawn(async move {
            let mut rested = Ok(());
            while rested.is_ok() && shutdown.tasks.spawn(run()).await.is_err() {
                tracing::error!(part, "a part panicked and starts again");
                rested = shutdown.sleep(Duration::from_secs(1)).await;
            }
        });
    }

    /// Sleeps.
    ///
    /// # Errors
    /// Stopping began. Whoever sleeps in a loop has to end it then, or would go round without a pause.
    pub async fn sleep(&self, duration: Duration) -> Result<(), Stopping> {
        tokio::select! {
            () = tokio::time::sleep(duration) => Ok(()),
            () = self.soft.cancelled() => Err(Stopping),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    async fn panic_the_first_time(start: u32) {
        tokio::task::yield_now().await;
        assert!(start > 0, "a bug");
    }

    /// The second it rests is virtual.
    #[tokio::test(start_paused = true)]
    async fn a_part_that_panics_starts_again() {
        let shutdown = Shutdown::default();
        let starts = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&starts);

        let run = move || panic_the_first_time(counted.fetch_add(1, Ordering::SeqCst));
        shutdown.supervise("test", run);
        shutdown.tasks.close();
        shutdown.tasks.wait().await;

        assert_eq!(starts.load(Ordering::SeqCst), 2);
    }
}
