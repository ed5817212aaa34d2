//! What surrounds every page: connections, hosts and proxies, headers, limits and errors.

pub(crate) mod connections;
pub(crate) mod cookies;
pub(crate) mod error;
pub(crate) mod headers;
pub(crate) mod health;
pub(crate) mod ingress;
pub(crate) mod kept_form;
pub(crate) mod layers;
pub(crate) mod server;
pub(crate) mod shared_read;
pub(crate) mod streaming;
