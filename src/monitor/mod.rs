//! What the program writes down about its own work, so that people can see it: which consumers run, and what
//! happened in each minute. And how people pause the consumers.

mod heartbeat;
mod minutes;
mod pauses;

pub use self::heartbeat::{Consuming, tell_of_consumers};
pub use self::minutes::write_minutes;
pub use self::pauses::follow_pauses;
