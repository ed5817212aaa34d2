//! The stories: what users and operators get, on a real database and real sockets.

#![expect(clippy::unwrap_used, reason = "a failing helper is a failing test")]
#![expect(clippy::large_futures, reason = "a test's future lives once")]
#![expect(
    clippy::excessive_nesting,
    reason = "conditions that are waited for nest by nature"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "tests look and tamper from outside: with SQL, tasks and an environment of their own"
)]

mod support;

mod accounts;
mod adopt;
mod architecture;
mod audit;
mod batches;
mod browser;
mod check;
mod consumer;
mod containers;
mod course;
mod database;
mod deploy;
mod duplicates;
mod faults;
mod fleet;
mod lab;
mod local_mode;
mod migrations;
mod notifications;
mod outbox;
mod policies;
mod provision;
mod publish;
mod revival;
mod serve;
mod settings;
mod sns_endpoint;
mod stream;
mod subscriptions;
mod supplier_topics;
mod traps;
mod web;
mod webhooks;
