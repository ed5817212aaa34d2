//! Keeps web pages of other sites away from the embedded services.
//!
//! They ask for no password, so any page that a developer opens could publish to them: browsers send
//! forms to every address. AWS's clients name no origin; browsers always do.

use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderName};

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Why a request is not answered; `None` if it may be. `on_loopback`: only this machine can reach the
/// endpoint, so it has no other names than this machine's. A page whose name is made to point here (DNS
/// rebinding) asks for another one.
pub(crate) fn refuse(headers: &HeaderMap, on_loopback: bool) -> Option<&'static str> {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let host = text(&HOST).unwrap_or_default();
    if on_loopback
        && !headers
            .get_all(HOST)
            .iter()
            .all(|host| is_this_machine(host.to_str().ok()))
    {
        return Some("this endpoint is asked for as localhost or 127.0.0.1 only");
    }
    let own = |origin: &str| {
        let authority = origin.split_once("://").map(|(_, authority)| authority);
        authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host))
    };
    let foreign_origin = text(&ORIGIN).is_some_and(|origin| !own(origin));
    let foreign_site =
        text(&FETCH_SITE).is_some_and(|site| site != "same-origin" && site != "none");
    (foreign_origin || foreign_site).then_some("web pages of other sites are not answered")
}

fn is_this_machine(host: Option<&str>) -> bool {
    let host = host.unwrap_or("?");
    let port = host.rfind(':').filter(|at| !host[*at..].contains(']'));
    let name = &host[..port.unwrap_or(host.len())];
    matches!(name, "127.0.0.1" | "[::1]") || name.eq_ignore_ascii_case("localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter().map(|(name, value)| (*name, *value));
        pairs
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn only_this_machines_own_programs_are_answered() {
        for good in [
            &[("host", "127.0.0.1:4566")][..],
            &[("host", "LOCALHOST:4566")],
            &[("host", "[::1]:4566")],
            &[
                ("host", "localhost:4566"),
                ("origin", "http://localhost:4566"),
            ],
            &[("host", "localhost"), ("sec-fetch-site", "none")],
            &[],
        ] {
            assert_eq!(refuse(&headers(good), true), None, "{good:?}");
        }
        for bad in [
            &[
                ("host", "localhost:4566"),
                ("origin", "http://evil.example"),
            ][..],
            &[("host", "localhost:4566"), ("origin", "null")],
            &[
                ("host", "localhost:4566"),
                ("origin", "http://localhost:8080"),
            ],
            &[("host", "localhost:4566"), ("sec-fetch-site", "cross-site")],
            &[("host", "localhost:4566"), ("sec-fetch-site", "same-site")],
            &[("host", "rebound.evil.example:4566")],
            &[("host", "localhost.evil.example")],
        ] {
            assert!(refuse(&headers(bad), true).is_some(), "{bad:?}");
        }
    }

    #[test]
    fn containers_ask_for_each_other_by_name() {
        assert_eq!(refuse(&headers(&[("host", "local-aws:4566")]), false), None);
        let page = headers(&[
            ("host", "local-aws:4566"),
            ("origin", "http://evil.example"),
        ]);
        assert!(refuse(&page, false).is_some());
    }
}
