//! How long to wait before trying again.

use std::time::Duration;

/// Full jitter: anything between nothing and `base × 2^attempt`, at most `cap`.
///
/// Spreads the clients that failed together; see the AWS Builders' Library, "Timeouts, retries and
/// backoff with jitter".
pub fn full_jitter(attempt: u32, base: Duration, cap: Duration) -> Duration {
    let most = base.saturating_mul(2_u32.saturating_pow(attempt)).min(cap);
    most.mul_f64(fastrand::f64())
}

/// How long a failed receive waits: up to 0.4 s, 0.8 s, 1.6 s … 30 s.
pub fn after_failed_receive(failures: u32) -> Duration {
    full_jitter(
        failures,
        Duration::from_millis(200),
        Duration::from_secs(30),
    )
}

/// How long a message stays invisible after a transient failure: 1 s and up to 2 s, 4 s … 15 min.
pub fn before_redelivery(receive_count: u32) -> Duration {
    let jitter = full_jitter(
        receive_count,
        Duration::from_secs(1),
        Duration::from_mins(15),
    );
    Duration::from_secs(1) + jitter
}

/// How long a message that a stopping process hands back stays invisible when two receives are left:
/// longer than a deployment takes to replace an instance.
pub const BEFORE_THE_LAST_BUT_ONE: Duration = Duration::from_secs(30);

/// The same when one is left: longer than a deployment takes as a whole.
pub const BEFORE_THE_LAST_RECEIVE: Duration = Duration::from_mins(5);

/// How long to wait before trying again what somebody else has locked: up to 40 ms, 80 ms … 0.5 s.
pub fn before_locked_again(tries: u32) -> Duration {
    let (base, cap) = (Duration::from_millis(20), Duration::from_millis(500));
    full_jitter(tries, base, cap)
}

/// How long a movement waits that a busy stream did not take: up to 0.2 s, 0.4 s … 5 s.
pub fn before_streamed_again(attempts: u32) -> Duration {
    let (base, cap) = (Duration::from_millis(200), Duration::from_secs(5));
    full_jitter(attempts, base, cap)
}

/// How long to wait before asking the database again: up to 0.2 s, 0.4 s … 2 s.
pub fn before_probe(failures: u32) -> Duration {
    full_jitter(failures, Duration::from_millis(100), Duration::from_secs(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_grows_but_never_beyond_its_cap() {
        for attempt in [0, 1, 5, 31, 32, u32::MAX] {
            assert!(after_failed_receive(attempt) <= Duration::from_secs(30));
            assert!(before_probe(attempt) <= Duration::from_secs(2));
            let redelivery = before_redelivery(attempt);
            assert!(redelivery >= Duration::from_secs(1));
            assert!(redelivery <= Duration::from_secs(901));
        }
        let early = (0..200).map(|_| before_probe(0)).max();
        assert!(early <= Some(Duration::from_millis(100)));
    }
}
