//! `make bench`: how fast updates become stock, beside the fastest they could on this machine.
//!
//! Everything runs at once on the same machine: the database server, the embedded SNS and SQS, one
//! `beanstock serve`, each a process of its own, and this program, which fills the queue and looks.
//! Nothing is asserted: figures are for reading, and depend on the machine.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on ends")]
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(
    clippy::cast_precision_loss,
    clippy::as_conversions,
    reason = "figures are rounded"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "it looks from outside, with SQL and tasks of its own"
)]

mod drain;
mod floors;
mod latency;
mod setup;
mod website;

use setup::{Groups, Setup};

/// Updates that are queued before anything drains them.
const QUEUED: usize = 20_000;

/// Aim: at least this share of the slower of the two floors.
const AIM_RATIO: f64 = 0.8;

#[tokio::main]
async fn main() {
    // `cargo bench` hands its own flags on; there is nothing to choose here.
    println!("\nBeanstock, measured on {}\n", setup::machine());
    let mut peak_memory = 0.0_f64;
    for groups in [Groups::Fourteen, Groups::TwoHundred, Groups::Standard] {
        let setup = Setup::start(groups).await;
        println!("{QUEUED} queued updates of 14 beans, {groups}");
        let without_database = floors::drain_without_database(&setup).await;
        let without_queue = floors::apply_without_queue(&setup).await;
        let drained = drain::drain(&setup).await;
        let floor = without_database.min(without_queue);
        line("applied", drained.updates_per_second, "updates/s");
        line(
            "floor: the queue without a database",
            without_database,
            "updates/s",
        );
        line(
            "floor: the transactions without a queue",
            without_queue,
            "updates/s",
        );
        let ratio = drained.updates_per_second / floor;
        println!(
            "  {:42} {ratio:>9.2}  (aim {AIM_RATIO})",
            "of the slower floor"
        );
        println!(
            "  {:42} {:>9.3}  (aim 0.25)",
            "SQS calls per update", drained.calls_per_update
        );
        println!(
            "  {:42} {:>9.1}  MB\n",
            "peak memory of serve", drained.peak_megabytes
        );
        peak_memory = peak_memory.max(drained.peak_megabytes);
        setup.stop().await;
    }
    let setup = Setup::start(Groups::TwoHundred).await;
    let server = setup.serve().await;
    let latency = latency::measure(&setup).await;
    println!("from publish to applied, {} updates/s", latency::PER_SECOND);
    for (name, milliseconds) in [
        ("p50", latency.p50),
        ("p95", latency.p95),
        ("p99", latency.p99),
    ] {
        line(name, milliseconds, "ms");
    }
    println!("\nwebsite, {} connections", website::CONNECTIONS);
    let session = website::sign_in(&setup.pool).await;
    for path in ["/beans.json", "/beans"] {
        line(
            path,
            website::requests_per_second(server.port, path, &session).await,
            "requests/s",
        );
    }
    peak_memory = peak_memory.max(server.peak_megabytes());
    println!("\npeak memory of serve over all of it: {peak_memory:.1} MB (aim 60)\n");
    server.stop().await;
    setup.stop().await;
}

fn line(name: &str, figure: f64, unit: &str) {
    println!("  {name:42} {figure:>9.0}  {unit}");
}
