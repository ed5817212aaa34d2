//! Messages that SNS delivers to us over HTTPS, from topics of other accounts.
//!
//! A delivery is **read** as far as its topic, its **signature is verified** before anything else of it is believed, and
//! then it takes the path of a message from the queue: applied once, or kept as a dead letter with its reason. A
//! subscription to a topic that we know is confirmed. SNS tries again after an answer of 5xx only, so what waiting can
//! mend is answered so.

mod certificate;
mod delivery;
mod endpoint;
mod error;
mod verify;

pub use self::certificate::LocalAnchor;
pub use self::delivery::MAX_BYTES;
pub use self::endpoint::{Request, SnsEndpoint};
pub use self::error::DeliveryError;
