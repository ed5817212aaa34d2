//! The switch with which people pause a consumer.

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::shutdown::Stopping;

/// Whether a consumer may receive. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Switch {
    is_on: watch::Sender<bool>,
}

impl Default for Switch {
    /// On.
    fn default() -> Self {
        Self {
            is_on: watch::Sender::new(true),
        }
    }
}

impl Switch {
    /// Switches it on or off. No receive begins while it is off; what one brings that has begun is handled.
    pub fn set(&self, is_on: bool) {
        self.is_on.send_if_modified(|was| {
            let differs = *was != is_on;
            *was = is_on;
            differs
        });
    }

    /// Whether receives begin.
    pub fn is_on(&self) -> bool {
        *self.is_on.borrow()
    }

    /// Waits until it is on.
    ///
    /// # Errors
    /// `stop` was cancelled first.
    pub(super) async fn pass(&self, stop: &CancellationToken) -> Result<(), Stopping> {
        let mut is_on = self.is_on.subscribe();
        tokio::select! {
            // The sender lives as long as `self`.
            _ = is_on.wait_for(|is_on| *is_on) => Ok(()),
            () = stop.cancelled() => Err(Stopping),
        }
    }
}
