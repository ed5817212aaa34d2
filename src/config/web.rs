//! Where the website listens, and what stands in front of it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Result, ensure};
use ipnet::IpNet;
use url::Url;

use super::parse;

/// Where a server listens. Connections from other machines are refused by default, because there is no sign-in yet.
#[derive(Debug, Clone, clap::Args)]
pub struct ListenSettings {
    /// Address to listen on
    #[arg(long, env = "LISTEN_ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    listen_address: IpAddr,
    /// Accept connections from other machines without sign-in
    #[arg(long, env = "ALLOW_UNAUTHENTICATED", default_value_t = false,
          action = clap::ArgAction::Set, value_parser = clap::builder::BoolishValueParser::new())]
    allow_unauthenticated: bool,
}

impl ListenSettings {
    /// The address, if it may be listened on.
    ///
    /// # Errors
    /// It is open to others, and nobody said that this is meant.
    pub fn address(&self, port: u16) -> Result<SocketAddr> {
        ensure!(
            self.listen_address.is_loopback() || self.allow_unauthenticated,
            "LISTEN_ADDRESS={} accepts connections from other machines, and there is no sign-in yet. If \
             only people you trust can reach it (a private network, a proxy that asks for a \
             password), set ALLOW_UNAUTHENTICATED=true",
            self.listen_address
        );
        Ok(SocketAddr::new(self.listen_address, port))
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
    fn listening_beyond_this_machine_has_to_be_meant() {
        let open = ["--listen-address", "0.0.0.0"];
        let error = parse(&open).listen.address(80).unwrap_err().to_string();
        assert!(error.contains("ALLOW_UNAUTHENTICATED=true"), "{error}");

        let meant = [&open[..], &["--allow-unauthenticated", "true"]].concat();
        assert_eq!(
            parse(&meant).listen.address(80).unwrap().to_string(),
            "0.0.0.0:80"
        );
        assert!(parse(&[]).listen.address(80).is_ok());
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
