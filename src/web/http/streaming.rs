//! Answers that go on until their reader leaves.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::http::HeaderName;
use axum::http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use hyper::body::Frame;
use tokio::sync::mpsc;

/// Left on such an answer: its connection gives up its place, because these have a budget of their own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Streaming;

/// Has nginx and its like pass on what they get at once.
const BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Where the events of an answer come from. Dropping it tells that the reader has left.
pub(crate) trait Source: Send + Unpin + 'static {
    fn events(&mut self) -> &mut mpsc::Receiver<Bytes>;
}

/// Answers with server-sent events, for as long as both their source and their reader stay.
pub(crate) fn stream(source: impl Source) -> Response {
    let headers = [
        (CONTENT_TYPE, "text/event-stream"),
        (CACHE_CONTROL, "no-store"),
        (CONNECTION, "close"),
        (BUFFERING, "no"),
    ];
    let mut response = (headers, Body::new(Events(source))).into_response();
    response.extensions_mut().insert(Streaming);
    response
}

struct Events<S>(S);

impl<S: Source> HttpBody for Events<S> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let event = self.0.events().poll_recv(cx);
        event.map(|event| event.map(|bytes| Ok(Frame::data(bytes))))
    }
}
