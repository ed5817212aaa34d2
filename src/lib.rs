//! Beanstock.

pub mod catalogue;
pub mod clock;
pub mod db;
pub mod domain;
pub mod web;
