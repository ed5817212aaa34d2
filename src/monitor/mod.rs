//! What the program writes down about its own work, so that people can see it: which consumers run, and what
//! happened in each minute.

mod heartbeat;
mod minutes;

pub use self::heartbeat::{Consuming, tell_of_consumers};
pub use self::minutes::write_minutes;
