//! Beanstock.

pub mod app;
pub mod audit;
pub mod catalogue;
pub mod cli;
pub mod clock;
pub mod config;
pub mod db;
pub mod dead_letters;
pub mod domain;
pub mod inventory;
#[cfg(feature = "local")]
pub mod local;
pub mod messaging;
pub mod outbox;
pub mod poller;
pub mod provision;
pub mod publish;
pub mod shutdown;
pub mod status;
pub mod telemetry;
pub mod web;
