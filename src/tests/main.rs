//! The stories: what users and operators get, on a real database and real sockets.

#![expect(clippy::unwrap_used, reason = "a failing helper is a failing test")]

mod support;

mod audit;
mod duplicates;
mod faults;
mod lab;
mod local_mode;
mod poller;
mod provision;
mod publish;
mod traps;
