//! What every page is made of: layout, forms, wording, charts and the style sheet.

pub(crate) mod assets;
pub(crate) mod chart;
pub(crate) mod consumption;
pub(crate) mod csv;
pub(crate) mod days;
pub(crate) mod error_page;
pub(crate) mod form;
pub(crate) mod lasting;
pub(crate) mod layout;
pub(crate) mod merge;
pub(crate) mod notice;
pub(crate) mod page;
pub(crate) mod pager;
pub(crate) mod query;
pub(crate) mod series;
pub(crate) mod shard_map;
pub(crate) mod spark;
pub(crate) mod time_span;
pub(crate) mod typed;
pub(crate) mod updates;
pub(crate) mod weekdays;
pub(crate) mod wording;
