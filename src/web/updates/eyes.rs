//! Through whose eyes pages are seen.

use chrono_tz::Tz;

/// Through whose eyes an update is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Eyes {
    pub(crate) zone: Tz,
    /// Whether they may know how many bags the café has.
    pub(crate) sees_levels: bool,
    /// Whether they may cancel, fix and correct.
    pub(crate) may_act: bool,
    /// Whether they belong to the café.
    pub(crate) is_cafe: bool,
}
