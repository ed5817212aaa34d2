//! The parts of the dashboard that change by themselves, each under its id.

use askama::Template;

use super::board::Board;
use crate::web::paths;
use crate::web::ui::consumption::Consumption;
use crate::web::ui::page::filters;

/// A part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Part {
    Banner,
    Stock,
    Out,
    Low,
    OutAtSupplier,
    Attention,
    Waiting,
    Applied,
    Speed,
    Consumers,
    Stream,
    Calm,
    Levels,
    Hours,
    Waited,
    Letters,
}

impl Part {
    pub(crate) const ALL: [Self; 16] = [
        Self::Banner,
        Self::Stock,
        Self::Out,
        Self::Low,
        Self::OutAtSupplier,
        Self::Attention,
        Self::Waiting,
        Self::Applied,
        Self::Speed,
        Self::Consumers,
        Self::Stream,
        Self::Calm,
        Self::Levels,
        Self::Hours,
        Self::Waited,
        Self::Letters,
    ];
}

/// One part by itself.
#[derive(Template)]
#[template(path = "staff/dashboard_part.html")]
pub(crate) struct PartPage<'a> {
    pub(crate) part: Part,
    pub(crate) board: &'a Board,
}
