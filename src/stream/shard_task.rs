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

/// After so many failures in a row the shard is given up, for another instance to read if it can. This one leaves it alone
/// for a while, and first looks for shards again.
const FAILURES: u32 = 10;

/// Reads a shard and keeps its lease until the shard ends, is another's, or is to be given up. The streak goes on where
/// the last reading of the shard left it, so that a failure that lasts is logged once.
pub(super) async fn read_shard<S: DataStream>(
    reader: ShardReader<S>,
    streak: &mut Streak,
    stop: &CancellationToken,
) {
    let (pool, lease) = (reader.pool().clone(), reader.lease().clone());
    let span = tracing::info_span!("shard", id = lease.shard);
    let done = CancellationToken::new();
    let reading = async {
        read_until(reader, streak, stop).await;
        done.cancel();
    };
    let both = async { tokio::join!(reading, renew(&pool, &lease, &done)) };
    both.instrument(span).await;
}

/// Reads a shard until it ends, is another's, or is to be given up.
async fn read_until<S: DataStream>(
    mut reader: ShardReader<S>,
    streak: &mut Streak,
    stop: &CancellationToken,
) {
    const WHAT: &str = "reading the stream";
    let mut failures = 0_u32;
    // How often in a row the stream gave no page and did not fail.
    let mut pageless = 0_u32;
    while !stop.is_cancelled() {
        let pause = match reader.step().await {
            Ok(Step::Ended) => {
                streak.succeeded(WHAT);
                return;
            }
            Ok(Step::Fenced) => return,
            Ok(Step::Read { has_more, .. }) => {
                streak.succeeded(WHAT);
                (failures, pageless) = (0, 0);
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
                streak.failed(WHAT, &error);
                failures += 1;
                if failures >= FAILURES || is_refused(&error) {
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
