//! Reads a shard for as long as it is this instance's: step by step, while its lease is renewed.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::apply::LEASE;
use super::reader::{CATCH_UP_INTERVAL, POLL_INTERVAL, ShardReader, Step, StepError};
use crate::backoff;
use crate::db::stream_leases::Lease;
use crate::db::{self, Pool};
use crate::messaging::ServiceError;
use crate::messaging::kinesis::{DataStream, ReadError};
use crate::telemetry::Streak;

/// How often a lease is renewed.
const RENEW_EVERY: Duration = Duration::from_secs(5);

/// After so many failures in a row the shard is given up. Whoever takes it next, perhaps this instance again, looks first
/// what there is.
const FAILURES: u32 = 10;

/// Reads a shard and keeps its lease until the shard ends, is another's, or is to be given up.
pub(super) async fn read_shard<S: DataStream>(reader: ShardReader<S>, stop: &CancellationToken) {
    let (pool, lease) = (reader.pool().clone(), reader.lease().clone());
    let span = tracing::info_span!("shard", id = lease.shard);
    let done = CancellationToken::new();
    let reading = async {
        read_until(reader, stop).await;
        done.cancel();
    };
    let both = async { tokio::join!(reading, renew(&pool, &lease, &done)) };
    both.instrument(span).await;
}

/// Reads a shard until it ends, is another's, or is to be given up.
async fn read_until<S: DataStream>(mut reader: ShardReader<S>, stop: &CancellationToken) {
    const WHAT: &str = "reading the stream";
    let mut streak = Streak::default();
    // How often in a row the stream gave no page and did not fail.
    let mut pageless = 0_u32;
    while !stop.is_cancelled() {
        let pause = match reader.step().await {
            Ok(Step::Ended | Step::Fenced) => return,
            Ok(Step::Read { has_more, .. }) => {
                streak.succeeded(WHAT);
                pageless = 0;
                if has_more {
                    CATCH_UP_INTERVAL
                } else {
                    POLL_INTERVAL
                }
            }
            // Not failures: others read as well, and what is kept is kept so long.
            Ok(none @ (Step::Throttled | Step::IteratorExpired | Step::Trimmed)) => {
                pageless = pageless.saturating_add(1);
                if pageless == FAILURES {
                    tracing::warn!(
                        what = ?none,
                        "the stream has given no records for a while; trying on"
                    );
                }
                POLL_INTERVAL.mul_f64(1.0 + fastrand::f64())
            }
            Err(error) => {
                let failures = streak.failed(WHAT, &error);
                if failures >= FAILURES || is_refused(&error) {
                    // Whoever takes it next is not to be refused at once again.
                    tokio::time::sleep(POLL_INTERVAL * 2).await;
                    return;
                }
                backoff::after_failed_receive(failures)
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// Renews a lease until the reading is done.
async fn renew(pool: &Pool, lease: &Lease, done: &CancellationToken) {
    const WHAT: &str = "renewing a lease";
    let mut streak = Streak::default();
    loop {
        tokio::select! {
            () = done.cancelled() => return,
            () = tokio::time::sleep(RENEW_EVERY) => {}
        }
        let renewed = async {
            let mut conn = pool.acquire().await?;
            db::stream_leases::renew_lease(&mut conn, lease, LEASE).await
        };
        match renewed.await {
            Ok(()) => streak.succeeded(WHAT),
            Err(error) => drop(streak.failed(WHAT, &error)),
        }
    }
}

/// Whether the stream says no: it may be another one by now.
fn is_refused(error: &StepError) -> bool {
    matches!(
        error,
        StepError::Read(ReadError::Service(ServiceError::Refused { .. }))
    )
}
