//! What the stories are told with.

pub(crate) mod app;
pub(crate) mod fake_queue;
pub(crate) mod fake_topic;
pub(crate) mod process;
pub(crate) mod recorder;
pub(crate) mod server;
pub(crate) mod site;

use std::net::{Ipv4Addr, TcpListener};

pub(crate) use app::{Kind, TestApp};
pub(crate) use site::Site;

/// A port to listen on later. It is below those that the system gives to whoever connects, so
/// nobody gets it by chance in the meantime.
pub(crate) fn free_port() -> u16 {
    loop {
        let port = fastrand::u16(15_000..32_000);
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}
