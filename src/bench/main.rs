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
mod form;
mod large;
mod latency;
mod setup;
mod sign_in;
mod stream;
mod website;

use setup::{Groups, Setup};

/// Updates that are queued before anything drains them.
const QUEUED: usize = 20_000;

/// Aim: at least this share of the slower of the two floors.
const AIM_RATIO: f64 = 0.8;

#[tokio::main]
async fn main() {
    // `cargo bench` hands its own flags on. The pages of a large café and the stream can be asked for alone.
    match std::env::var("BENCH_ONLY").as_deref() {
        Ok("large") => return large_cafe().await,
        Ok("stream") => return Box::pin(stream()).await,
        _ => {}
    }
    every_figure().await;
    Box::pin(stream()).await;
    large_cafe().await;
}

async fn every_figure() {
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
    let emails = website::make_accounts(&setup.pool, 500).await;
    let session = website::sign_in(&setup.pool, &emails[0]).await;
    pages(server.port, &session).await;
    form(server.port, &setup).await;
    sign_ins(server.port, &session, &emails).await;
    peak_memory = peak_memory.max(server.peak_megabytes());
    println!("\npeak memory of serve over all of it: {peak_memory:.1} MB (aim 60)\n");
    server.stop().await;
    setup.stop().await;
}

/// The stream of stock movements, with one relay and one reader.
async fn stream() {
    let figures = Box::pin(stream::measure()).await;
    println!("\nthe stream of stock movements, 8 shards");
    line("onto the stream", figures.onto, "movements/s");
    line("off the stream, one consumer", figures.off, "movements/s");
    for (rate, lag) in [
        ("200 updates/s", &figures.lag),
        ("5,000 movements/s", &figures.lag_of_many),
    ] {
        line(&format!("behind the ledger at {rate}, p50"), lag.p50, "ms");
        line(&format!("behind the ledger at {rate}, p99"), lag.p99, "ms");
    }
    for (what, latency) in [("without", &figures.without), ("with", &figures.with)] {
        line(
            &format!("publish to applied, {what} it, p50"),
            latency.p50,
            "ms",
        );
        line(
            &format!("publish to applied, {what} it, p99"),
            latency.p99,
            "ms",
        );
    }
    for (what, speed) in [
        ("without", figures.applied_without),
        ("with", figures.applied_with),
    ] {
        let transactions = format!("transactions of 100 without a queue, {what} it");
        line(&transactions, speed, "updates/s");
    }
}

/// The pages of a café that has much of everything.
async fn large_cafe() {
    let setup = Setup::start(Groups::TwoHundred).await;
    println!(
        "\n10,000 beans, 1,000,000 movements, 1,000,000 updates: each page {} times, alone",
        large::TIMES
    );
    let filled = large::fill(&setup.pool).await;
    line("making them took", filled.as_secs_f64(), "s");
    let server = setup.serve().await;
    let emails = website::make_accounts(&setup.pool, 1).await;
    let session = website::sign_in(&setup.pool, &emails[0]).await;
    for path in large::PAGES {
        let times = large::time(server.port, path, &session).await;
        println!(
            "  {path:42} {:>9.1}  ms (p50), {:.1} ms (p95), {} bytes{}",
            times.p50,
            times.p95,
            times.bytes,
            times.verdict()
        );
    }
    let (letters, lasted) = large::send_again(server.port, &session, &setup.pool).await;
    println!(
        "  {letters} dead letters sent again{:33.1}  s",
        lasted.as_secs_f64()
    );
    line("peak memory of serve", server.peak_megabytes(), "MB");
    server.stop().await;
    setup.stop().await;
}

async fn pages(port: u16, session: &str) {
    println!("\nwebsite, {} connections", website::CONNECTIONS);
    for path in ["/beans.json", "/beans"] {
        let speed = website::requests_per_second(port, path, session).await;
        line(path, speed, "requests/s");
    }
}

async fn form(port: u16, setup: &Setup) {
    let sender = form::Sender::sign_in(&setup.pool).await;
    println!("\nthe form that sends updates");
    let form::Times { p50, p99 } = form::from_send_to_applied(port, &sender).await;
    line("from Send to Applied on its page, p50", p50, "ms");
    line("p99 (aim 300)", p99, "ms");
    let speed = form::accepted_per_second(port, &sender).await;
    println!(
        "  {:42} {speed:>9.0}  updates/s, {} connections (aim 500)",
        "accepted",
        website::CONNECTIONS
    );
}

async fn sign_ins(port: u16, session: &str, emails: &[String]) {
    println!("\nsigning in with a wrong password, one after the other");
    let (known, unknown) = sign_in::wrong_passwords(port, emails).await;
    times("an account that exists", &known);
    times("one that does not", &unknown);
    println!(
        "\n/beans for somebody who is signed in, {} wrong passwords a minute",
        sign_in::PER_MINUTE
    );
    let (quiet, ()) = sign_in::page_times(port, session, async {}).await;
    times("before", &quiet);
    let (attacked, answers) =
        sign_in::page_times(port, session, sign_in::attack(port, emails)).await;
    times("meanwhile", &attacked);
    let sign_in::Answers {
        wrong,
        too_many,
        busy,
    } = answers;
    println!("  {wrong} were compared, {too_many} were too many, {busy} were asked to come back");
}

fn times(name: &str, times: &sign_in::Times) {
    let sign_in::Times { p50, p95 } = times;
    println!("  {name:42} {p50:>9.1}  ms (p50), {p95:.1} ms (p95)");
}

fn line(name: &str, figure: f64, unit: &str) {
    println!("  {name:42} {figure:>9.0}  {unit}");
}
