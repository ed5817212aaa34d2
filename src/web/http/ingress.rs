//! What stands in front of the site: its public name, the proxies whose word is taken, and who is
//! visiting.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Redirect, Response};
use ipnet::IpNet;
use url::Url;
use uuid::Uuid;

use super::error::WebError;
use crate::web::paths;

/// The site's public name, and its proxies.
#[derive(Debug, Clone, Default)]
pub struct Ingress {
    /// The address people type, if it is not this machine's.
    pub public_url: Option<Url>,
    /// Proxies whose headers are believed.
    pub trusted_proxies: Arc<[IpNet]>,
}

/// Who asks, for logs and limits.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    /// The address of the visitor's machine, as far as we or a trusted proxy know it.
    pub(crate) address: Option<IpAddr>,
    /// The trusted proxy's name for the request, or ours.
    pub(crate) request_id: String,
    /// Whether a trusted proxy asks for somebody.
    pub(crate) behind_proxy: bool,
}

impl Client {
    /// The network address as the log of activity keeps it; empty if nobody knows it.
    pub(crate) fn origin(&self) -> String {
        self.address
            .map(|address| address.to_string())
            .unwrap_or_default()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Client {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let client = parts.extensions.get::<Self>().cloned();
        Ok(client.expect("every request was identified"))
    }
}

const FORWARDED_FOR: &str = "x-forwarded-for";
const FORWARDED_PROTOCOL: &str = "x-forwarded-proto";
const REQUEST_ID: &str = "x-request-id";

impl Ingress {
    /// Whether people come over https.
    pub(crate) fn is_https(&self) -> bool {
        self.public_url
            .as_ref()
            .is_some_and(|url| url.scheme() == "https")
    }

    /// The origin that browsers send with the site's own forms.
    pub(crate) fn origin(&self) -> Option<String> {
        let url = self.public_url.as_ref()?;
        Some(url.origin().ascii_serialization())
    }

    /// The origin for links that people take along: the site's public one, or else the one they have come to.
    pub(crate) fn origin_for(&self, headers: &HeaderMap) -> String {
        self.origin().unwrap_or_else(|| {
            let host = headers
                .get(header::HOST)
                .and_then(|host| host.to_str().ok());
            format!("http://{}", host.unwrap_or("localhost"))
        })
    }

    pub(crate) fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.trusted_proxies
            .iter()
            .any(|network| network.contains(&address))
    }

    /// Finds out who asks. Headers count only if a trusted proxy sent them.
    fn visitor(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> Client {
        let behind_proxy = peer.is_some_and(|peer| self.trusts(peer));
        let request_id = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok());
        let request_id = request_id.filter(|id| behind_proxy && is_plain(id));
        Client {
            address: if behind_proxy {
                self.forwarded_for(headers).or(peer)
            } else {
                peer
            },
            request_id: request_id
                .map_or_else(|| Uuid::now_v7().simple().to_string(), str::to_owned),
            behind_proxy,
        }
    }

    /// Each proxy adds at the right whom it was asked by, so the first from the right that is no
    /// trusted proxy is the visitor; what stands further left anybody may have written.
    fn forwarded_for(&self, headers: &HeaderMap) -> Option<IpAddr> {
        let mut addresses = Vec::new();
        for value in headers.get_all(FORWARDED_FOR) {
            let listed = value.as_bytes().split(|byte| *byte == b',');
            let read = |address| parse_address(std::str::from_utf8(address).ok()?.trim());
            addresses.extend(listed.map(read));
        }
        let mut nearest = None;
        for address in addresses.into_iter().rev() {
            let Some(address) = address else { break };
            nearest = Some(address.to_canonical());
            if !self.trusts(address) {
                break;
            }
        }
        nearest
    }

    fn knows_host(&self, host: &str) -> bool {
        let port = host.rfind(':').filter(|at| !host[*at..].contains(']'));
        let name = &host[..port.unwrap_or(host.len())];
        let public = self.public_url.as_ref().and_then(Url::host_str);
        matches!(name, "127.0.0.1" | "localhost" | "[::1]")
            || public.is_some_and(|public| public.eq_ignore_ascii_case(name))
    }

    /// Where to go instead, if the proxy was asked without encryption for a site that has it.
    fn encrypted(
        &self,
        trusted: bool,
        headers: &HeaderMap,
        path: Option<&PathAndQuery>,
    ) -> Option<String> {
        // Each of several proxies may add how it was asked; encryption often ends at the first. Who
        // writes `https` in front of that only keeps themselves from being sent there.
        let mut listed = headers
            .get_all(FORWARDED_PROTOCOL)
            .iter()
            .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
            .map(<[u8]>::trim_ascii)
            .peekable();
        let plain = listed.peek().is_some() && listed.all(|one| one.eq_ignore_ascii_case(b"http"));
        let public = self
            .public_url
            .as_ref()
            .filter(|_| trusted && plain && self.is_https())?;
        let origin = public.origin().ascii_serialization();
        Some(format!(
            "{origin}{}",
            path.map_or("/", PathAndQuery::as_str)
        ))
    }
}

/// Some proxies add the port.
fn parse_address(text: &str) -> Option<IpAddr> {
    let address = text.trim_matches(['[', ']']).parse::<IpAddr>().ok();
    address.or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

fn is_plain(id: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:=/+".contains(&byte);
    (1..=128).contains(&id.len()) && id.bytes().all(allowed)
}

/// Notes who asks, and sends those who came unencrypted to the encrypted site.
pub(crate) async fn identify_client(
    State(ingress): State<Ingress>,
    mut request: Request,
    next: Next,
) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let peer = peer.map(|peer| peer.0.ip());
    let visitor = ingress.visitor(peer, request.headers());
    request.extensions_mut().insert(visitor);
    let trusted = peer.is_some_and(|peer| ingress.trusts(peer));
    let uri = request.uri();
    match ingress.encrypted(trusted, request.headers(), uri.path_and_query()) {
        Some(place) if !is_probe(uri.path()) => Redirect::permanent(&place).into_response(),
        _ => next.run(request).await,
    }
}

/// Answers only to names of ours. A page on the internet whose name is made to point here (DNS
/// rebinding) would otherwise be taken for our own, because nobody has to sign in yet.
pub(crate) async fn check_host(
    State(ingress): State<Ingress>,
    request: Request,
    next: Next,
) -> Response {
    let hosts = request.headers().get_all(header::HOST).into_iter();
    let mut hosts = hosts.map(|host| host.to_str().unwrap_or_default());
    let target = request.uri().authority();
    let known = hosts.all(|host| ingress.knows_host(host))
        && target.is_none_or(|target| ingress.knows_host(target.as_str()));
    let path = request.uri().path();
    if known || is_probe(path) || is_asset(path) {
        next.run(request).await
    } else {
        WebError::UnknownHost.into_response()
    }
}

/// The style sheet is everybody's, and the page that refuses a name needs it.
fn is_asset(path: &str) -> bool {
    path == paths::FAVICON || path.starts_with("/static/")
}

/// Load balancers probe by address, and see nothing that is not public.
fn is_probe(path: &str) -> bool {
    path == paths::HEALTHZ || path == paths::READYZ
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn ingress() -> Ingress {
        Ingress {
            public_url: Some(Url::parse("https://beans.example.com").unwrap()),
            trusted_proxies: Arc::new(["10.0.0.0/8".parse().unwrap()]),
        }
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    fn address(peer: [u8; 4], forwarded_for: &[&str]) -> String {
        let pairs: Vec<_> = forwarded_for.iter().map(|v| (FORWARDED_FOR, *v)).collect();
        let visitor = ingress().visitor(Some(IpAddr::from(peer)), &headers(&pairs));
        visitor.address.unwrap().to_string()
    }

    #[test]
    fn a_visitors_address_is_what_trusted_proxies_say() {
        let proxy = [10, 0, 0, 1];
        for (forwarded_for, visitor) in [
            (&["203.0.113.7"][..], "203.0.113.7"),
            (&["6.6.6.6, 203.0.113.7, 10.0.0.9"], "203.0.113.7"),
            (&["6.6.6.6", "203.0.113.7:4711"], "203.0.113.7"),
            (&["[2001:db8::7]:443"], "2001:db8::7"),
            (&["[2001:db8::7]"], "2001:db8::7"),
            (&["10.0.0.5"], "10.0.0.5"),
            (&["6.6.6.6, unknown"], "10.0.0.1"),
            (&[], "10.0.0.1"),
        ] {
            assert_eq!(address(proxy, forwarded_for), visitor, "{forwarded_for:?}");
        }
    }

    /// Whoever writes rubbish in front hides nothing behind it.
    #[test]
    fn what_is_no_text_does_not_hide_what_the_proxy_added() {
        let mut headers = headers(&[]);
        let rubbish = HeaderValue::from_bytes(b"\xff, 203.0.113.7").unwrap();
        headers.append(FORWARDED_FOR, rubbish);

        let visitor = ingress().visitor(Some(IpAddr::from([10, 0, 0, 1])), &headers);

        assert_eq!(visitor.address.unwrap().to_string(), "203.0.113.7");
    }

    #[test]
    fn nobody_else_is_believed() {
        assert_eq!(address([203, 0, 113, 9], &["127.0.0.1"]), "203.0.113.9");
    }

    #[test]
    fn a_request_keeps_the_name_its_proxy_gave_it() {
        let given = headers(&[(REQUEST_ID, "Root=1-67891233-abcdef")]);
        let odd = headers(&[(REQUEST_ID, "a b\tc")]);
        let (proxy, stranger) = (Some([10, 0, 0, 1].into()), Some([1, 2, 3, 4].into()));

        assert_eq!(
            ingress().visitor(proxy, &given).request_id,
            "Root=1-67891233-abcdef"
        );
        assert_ne!(
            ingress().visitor(stranger, &given).request_id,
            "Root=1-67891233-abcdef"
        );
        assert_eq!(ingress().visitor(proxy, &odd).request_id.len(), 32);
    }

    #[test]
    fn the_site_knows_its_names() {
        for host in [
            "localhost:8080",
            "127.0.0.1",
            "[::1]:80",
            "Beans.Example.com",
            "beans.example.com:443",
        ] {
            assert!(ingress().knows_host(host), "{host}");
        }
        for host in [
            "evil.example",
            "",
            "beans.example.com.evil.example",
            "localhost.evil.example",
        ] {
            assert!(!ingress().knows_host(host), "{host}");
        }
    }
}
