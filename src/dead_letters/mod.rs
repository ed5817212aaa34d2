//! Dead letters: what the queue gave up on, kept where people can find out why, and deal with many at once.

mod bulk;
mod carry_out;
mod collect;

pub use self::bulk::{BulkError, Chosen, LOOKED_THROUGH, MOST, Undertaking, choose, start, stop};
pub use self::carry_out::{carry_out, carry_out_once};
pub use self::collect::{Collect, Rules};
