//! Where webhooks may lead: not into the network that this program runs in.
//!
//! Whoever sets a webhook could otherwise have this machine ask others that only it can reach, such as the metadata
//! service of a cloud (OWASP, "Server Side Request Forgery Prevention Cheat Sheet").

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// Where webhooks may lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Public addresses alone, by HTTPS.
    Public,
    /// This machine alone, which is how local mode tries them out.
    ThisMachine,
}

impl Reach {
    /// Whether a URL may be asked, as far as that shows. A name is looked up only when it is.
    pub(super) fn allows(self, url: &Url) -> bool {
        let is_https = url.scheme() == "https";
        match (self, url.host()) {
            (Self::Public, Some(Host::Domain(_))) => is_https,
            (Self::Public, Some(Host::Ipv4(address))) => is_https && is_public(address.into()),
            (Self::Public, Some(Host::Ipv6(address))) => is_https && is_public(address.into()),
            (Self::ThisMachine, Some(Host::Domain(name))) => name == "localhost",
            (Self::ThisMachine, Some(Host::Ipv4(address))) => address.is_loopback(),
            (Self::ThisMachine, Some(Host::Ipv6(address))) => address.is_loopback(),
            (_, None) => false,
        }
    }
}

/// Looks names up, and forgets addresses that are not public.
#[derive(Debug)]
pub(super) struct PublicAddresses;

impl Resolve for PublicAddresses {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<SocketAddr> = found.filter(|one| is_public(one.ip())).collect();
            if public.is_empty() {
                return Err("it has no public address".into());
            }
            let addresses: Addrs = Box::new(public.into_iter());
            Ok(addresses)
        })
    }
}

/// Whether an address is one of the internet, and not of a network, a link or a machine of its own (IANA registries of
/// special-purpose addresses).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match embedded(address) {
            Some(inner) => is_public_v4(inner),
            None => is_public_v6(address),
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [first, second, third, _] = address.octets();
    let is_shared = first == 100 && (64..128).contains(&second);
    let is_protocols = first == 192 && second == 0 && third == 0;
    let is_relay = first == 192 && second == 88 && third == 99;
    let is_benchmarking = first == 198 && (18..20).contains(&second);
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_broadcast()
        || address.is_documentation()
        || first == 0
        || first >= 224
        || is_shared
        || is_protocols
        || is_relay
        || is_benchmarking)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    let is_special = first == 0x2001 && (second < 0x0200 || second == 0x0db8);
    let is_documentation = first == 0x3fff && second < 0x1000;
    // Global unicast alone.
    (first & 0xe000) == 0x2000 && !is_special && !is_documentation
}

/// An IPv4 address within an IPv6 one: mapped, translated (NAT64) or tunnelled (6to4).
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let segments = address.segments();
    let join = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match segments {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            Some(join(high, low))
        }
        [0x2002, high, low, ..] => Some(join(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_the_internet_are_public() {
        for public in ["8.8.8.8", "172.32.0.1", "2606:4700::1111", "100.128.0.1"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for other in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "192.0.0.8",
            "198.18.0.1",
            "203.0.113.7",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fd00:ec2::254",
            "ff02::1",
            "::ffff:127.0.0.1",
            "64:ff9b::a9fe:a9fe",
            "2002:a9fe:a9fe::1",
            "2001:db8::1",
            "2001::1",
            "2001:20::1",
            "3fff:7::1",
            "192.88.99.1",
        ] {
            assert!(!is_public(other.parse().unwrap()), "{other}");
        }
    }

    #[test]
    fn a_webhook_leads_out_by_https_or_stays_on_this_machine() {
        let url = |text: &str| text.parse::<Url>().unwrap();
        for (text, public, here) in [
            ("https://hooks.example.com/x", true, false),
            ("http://hooks.example.com/x", false, false),
            ("https://169.254.169.254/latest", false, false),
            ("https://[::1]/x", false, true),
            ("http://127.0.0.1:9000/x", false, true),
            ("http://2130706433/x", false, true),
            ("http://localhost/x", false, true),
        ] {
            assert_eq!(Reach::Public.allows(&url(text)), public, "{text}");
            assert_eq!(Reach::ThisMachine.allows(&url(text)), here, "{text}");
        }
    }
}
