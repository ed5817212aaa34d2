//! Beanstock keeps a café's coffee-bean inventory right through messaging.
//!
//! # The path of an update
//!
//! An update is typed into a form with others and **accepted** with its outbox row ([`inventory::accept_slip`]), the **relay**
//! publishes it to the topic ([`outbox`]), the topic puts it into the queue, a **poller** receives
//! it ([`consumer`]), it is **decoded** ([`messaging::wire`]) and **applied** in one transaction with
//! its inbox row, its stock movement and its timeline ([`inventory::apply_batch`]) and with whatever else
//! is in hand, and only then is its message **deleted**. What can never be applied is released until the queue gives it up;
//! the **collector** then moves it into a table where people can work on it ([`dead_letters`]). Sent
//! again, unchanged or corrected, it takes the same path and closes its letter; its sender can also fix it, or
//! cancel it while it has had no effect.
//! Messages that others publish straight to the topic take the same path from there on.
//!
//! # Around it
//!
//! [`config`] names every setting and [`operations`] checks them, tells how things stand and checks the
//! stock against its movements; [`aws`] makes the clients and gets the database's login; [`provision`] makes queues and topics,
//! and prints the policies for them; [`adopt`] takes over a database of the lab's app.
//!
//! At its shelf the café uses bags, adjusts their number, counts them and undoes what was a slip ([`shelf`]), by the
//! same rule that every change of stock is explained by a movement; several people count the whole of it together
//! ([`stocktake`]).
//!
//! Consumers say every few seconds that they run, and each minute is written down once it is over ([`monitor`]): the
//! dashboard tells of both.
//!
//! Whoever looks at the website has an account ([`accounts`]), and one table says who may use which page
//! (`web/access.rs`). Pages about updates stay up to date while somebody looks at them (`web/live/`).
//!
//! Alerts begin and end in the transaction that crosses a bean's line; who wants to know is told by mail or in a feed
//! ([`notifications`]).
//!
//! Every movement of stock is put on a Kinesis stream and read from there ([`stream`]): its consumer is a second witness of
//! the stock, and learns how fast beans are used.
//!
//! # Who may use whom
//!
//! The table in `src/tests/architecture.rs` is the only statement of the rule, and every file is held to
//! it.

pub mod accounts;
pub mod adopt;
pub mod app;
pub mod aws;
pub mod backoff;
pub mod catalogue;
pub mod cli;
pub mod clock;
pub mod config;
pub mod consumer;
pub mod db;
pub mod dead_letters;
pub mod domain;
pub mod inventory;
pub mod local;
pub mod messaging;
pub mod monitor;
pub mod notifications;
pub mod operations;
pub mod outbox;
pub mod outgoing;
pub mod provision;
pub mod readiness;
pub mod shelf;
pub mod shutdown;
pub mod sns_endpoint;
pub mod stocktake;
pub mod stream;
mod submission;
pub mod telemetry;
pub mod web;
pub mod webhooks;
