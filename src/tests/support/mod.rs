//! What the stories are told with.

pub(crate) mod app;
pub(crate) mod fake_queue;
pub(crate) mod process;
pub(crate) mod recorder;
pub(crate) mod server;
pub(crate) mod site;

pub(crate) use app::{Kind, TestApp};
pub(crate) use site::Site;
