//! Where the website listens, and what stands in front of it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use chrono_tz::Tz;
use ipnet::IpNet;
use url::Url;

use super::{MailSettings, WebhookSettings, parse};

/// Where a server listens: on this machine alone, unless it is told otherwise.
#[derive(Debug, Clone, clap::Args)]
pub struct ListenSettings {
    /// Address to listen on
    #[arg(long, env = "LISTEN_ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    listen_address: IpAddr,
}

impl ListenSettings {
    pub fn address(&self, port: u16) -> SocketAddr {
        SocketAddr::new(self.listen_address, port)
    }

    /// Whether nobody but this machine's users gets there.
    pub fn is_loopback(&self) -> bool {
        self.listen_address.is_loopback()
    }

    /// Where somebody on this machine reaches what listens there.
    pub fn reached_at(&self, port: u16) -> SocketAddr {
        let address = match self.listen_address {
            IpAddr::V4(address) if address.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(address) if address.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            address => address,
        };
        SocketAddr::new(address, port)
    }
}

/// The website.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Website")]
pub struct WebSettings {
    /// Port of the website
    #[arg(long, env = "PORT")]
    port: Option<u16>,
    /// Port of the website (the lab's name)
    #[arg(long, env = "APP_PORT")]
    app_port: Option<u16>,
    /// Public URL of the website. Requests for other hosts except localhost are refused; with https,
    /// HSTS is sent
    #[arg(long, env = "PUBLIC_URL", value_parser = parse::site)]
    public_url: Option<Url>,
    /// Trusted reverse proxies, whose forwarding headers are used
    #[arg(long, env = "TRUSTED_PROXIES", value_delimiter = ',', value_parser = parse::network)]
    trusted_proxies: Vec<IpNet>,
    /// Time without a click after which somebody is signed out, in hours
    #[arg(long, env = "SESSION_IDLE_IN_HOURS", default_value_t = 12,
          value_parser = clap::value_parser!(u64).range(1..=720))]
    session_idle_in_hours: u64,
    /// Time after which somebody has to sign in again in any case, in days
    #[arg(long, env = "SESSION_MAX_IN_DAYS", default_value_t = 14,
          value_parser = clap::value_parser!(u64).range(1..=90))]
    session_max_in_days: u64,
    /// Show suppliers how many bags of their beans the café has
    #[arg(long, env = "SUPPLIERS_SEE_STOCK", default_value_t = false,
          action = clap::ArgAction::Set, value_parser = clap::builder::BoolishValueParser::new())]
    pub suppliers_see_stock: bool,
    /// Let strangers read `/beans.json`
    #[arg(long, env = "PUBLIC_BEANS_JSON", default_value_t = true,
          action = clap::ArgAction::Set, value_parser = clap::builder::BoolishValueParser::new())]
    pub public_beans_json: bool,
    /// Time zone of the times on pages, for whoever has not chosen another
    #[arg(long, env = "TIME_ZONE", default_value_t = Tz::UTC, value_parser = parse::time_zone)]
    pub time_zone: Tz,
    #[command(flatten)]
    pub mail: MailSettings,
    #[command(flatten)]
    pub webhooks: WebhookSettings,
    /// Time that the database or the queue may be unavailable before `/readyz` fails, in seconds
    #[arg(long, env = "UNREADY_AFTER_IN_SEC", default_value_t = 60,
          value_parser = clap::value_parser!(u64).range(0..=3600))]
    unready_after_in_sec: u64,
}

impl WebSettings {
    /// The port, under either name.
    pub fn port(&self) -> u16 {
        self.port.or(self.app_port).unwrap_or(8080)
    }

    /// How long the database or the queue may be away before the program is not ready.
    pub fn unready_after(&self) -> Duration {
        Duration::from_secs(self.unready_after_in_sec)
    }

    /// The address people type, if it is not this machine's.
    pub fn public_url(&self) -> Option<&Url> {
        self.public_url.as_ref()
    }

    /// Whether the address people type, if it was named, leads to this machine alone.
    pub fn is_private(&self) -> bool {
        self.public_url.as_ref().is_none_or(|url| match url.host() {
            Some(url::Host::Domain(name)) => name == "localhost",
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        })
    }

    /// How long somebody stays signed in without a click, and in all.
    pub fn session_lasts(&self) -> (Duration, Duration) {
        (
            Duration::from_hours(self.session_idle_in_hours),
            Duration::from_hours(self.session_max_in_days * 24),
        )
    }

    /// Proxies whose headers are believed.
    pub fn trusted_proxies(&self) -> &[IpNet] {
        &self.trusted_proxies
    }
}

/// Says why an address cannot be listened on.
pub fn cannot_listen(address: SocketAddr, port_variable: &str) -> String {
    format!(
        "cannot listen on {address}. Another program may be using the port; set {port_variable} to one \
         that is free"
    )
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Settings {
        #[command(flatten)]
        listen: ListenSettings,
        #[command(flatten)]
        web: WebSettings,
    }

    fn parse(args: &[&str]) -> Settings {
        Settings::parse_from([&["test"], args].concat())
    }

    #[test]
    fn who_can_get_there_is_known() {
        assert!(parse(&[]).listen.is_loopback());
        assert!(!parse(&["--listen-address", "0.0.0.0"]).listen.is_loopback());
        for (url, private) in [
            ("http://localhost:8080", true),
            ("http://127.0.0.1", true),
            ("http://[::1]:80", true),
            ("https://beans.example.com", false),
            ("http://10.0.0.7", false),
        ] {
            assert_eq!(
                parse(&["--public-url", url]).web.is_private(),
                private,
                "{url}"
            );
        }
    }

    #[test]
    fn the_café_decides_how_long_sessions_last_and_who_sees_what() {
        let hours = |hours| Duration::from_hours(hours);
        let without = parse(&[]).web;
        assert_eq!(without.session_lasts(), (hours(12), hours(14 * 24)));
        assert!(!without.suppliers_see_stock && without.public_beans_json);

        let chosen = [
            ["--session-idle-in-hours", "1"],
            ["--session-max-in-days", "2"],
            ["--suppliers-see-stock", "true"],
            ["--public-beans-json", "false"],
            ["--time-zone", "Europe/Berlin"],
        ];
        let chosen = parse(&chosen.concat()).web;

        assert_eq!(chosen.session_lasts(), (hours(1), hours(48)));
        assert!(chosen.suppliers_see_stock && !chosen.public_beans_json);
        assert_eq!(chosen.time_zone, Tz::Europe__Berlin);
    }

    #[test]
    fn what_listens_everywhere_is_reached_on_this_machine() {
        for (listens, reached) in [
            ("0.0.0.0", "127.0.0.1:80"),
            ("::", "[::1]:80"),
            ("10.0.0.7", "10.0.0.7:80"),
        ] {
            let settings = parse(&["--listen-address", listens]);

            assert_eq!(settings.listen.reached_at(80).to_string(), reached);
        }
    }

    #[test]
    fn the_labs_port_means_the_same() {
        assert_eq!(parse(&["--app-port", "3000"]).web.port(), 3000);
        assert_eq!(parse(&[]).web.port(), 8080);
    }
}
