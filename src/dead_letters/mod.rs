//! Dead letters: what the queue gave up on, kept where people can find out why.

mod collect;

pub use self::collect::{Collect, Rules};
