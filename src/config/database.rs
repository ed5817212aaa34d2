//! Where the database is, how the connection is protected, and how to authenticate.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};
use url::Url;

use super::{Secret, reference};
use crate::db::{LOCK_WAIT, PoolSettings};

/// Where the database is.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Database")]
pub struct DatabaseSettings {
    /// URL of the database
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    database_url: Option<Secret>,
    /// Host of the database, in place of a URL (the lab's name)
    #[arg(long, env = "APP_DB_HOST")]
    app_db_host: Option<String>,
    /// User of the database (the lab's name)
    #[arg(long, env = "APP_DB_USER")]
    app_db_user: Option<String>,
    /// Password of the database user (the lab's name)
    #[arg(long, env = "APP_DB_PASSWORD", hide_env_values = true)]
    app_db_password: Option<Secret>,
    /// Name of the database (the lab's name)
    #[arg(long, env = "APP_DB_NAME")]
    app_db_name: Option<String>,
    /// Encryption of the database connection and verification of the server
    #[arg(long, env = "DATABASE_TLS", hide_possible_values = true)]
    database_tls: Option<Tls>,
    /// Certificate authorities to trust besides the public ones, such as Amazon RDS's
    #[arg(long, env = "DATABASE_CA")]
    database_ca: Option<PathBuf>,
    /// Database authentication: a password, or a token for the AWS role (RDS IAM authentication)
    #[arg(
        long,
        env = "DATABASE_AUTH",
        default_value = "password",
        hide_possible_values = true
    )]
    database_auth: Auth,
    /// Secrets Manager secret with the database user and password, read again every minute
    #[arg(long, env = "DATABASE_SECRET")]
    database_secret: Option<String>,
    /// Maximum number of database connections
    #[arg(long, env = "DATABASE_POOL_SIZE", default_value_t = 16,
          value_parser = clap::value_parser!(u32).range(2..=1000))]
    database_pool_size: u32,
}

/// How the connection to the database is protected, in the terms of `MySQL`'s `--ssl-mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Tls {
    /// Never encrypted.
    Disabled,
    /// Encrypted if the server can.
    Preferred,
    /// Encrypted, whoever answers.
    Required,
    /// Encrypted, and the server's certificate is for this host and signed by an authority we trust.
    ///
    /// There is no `verify-ca`: sqlx adds `DATABASE_CA` to the public authorities, so without the
    /// host's name anybody's certificate would do.
    VerifyIdentity,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Auth {
    Password,
    Iam,
}

/// How to authenticate to the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabaseLogin {
    /// The user and password in the settings.
    Fixed,
    /// A token signed with the role's AWS credentials, valid for fifteen minutes.
    IamToken,
    /// User and password from this secret.
    Secret(String),
}

/// `MySQL`'s, as registered with IANA.
const DEFAULT_PORT: u16 = 3306;

/// How long to wait for a free connection before saying that the database is busy.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

impl DatabaseSettings {
    /// Reads where the database is.
    ///
    /// # Errors
    /// A setting is missing or cannot be used; the message names it.
    pub fn pool(&self) -> Result<PoolSettings> {
        let options = self.protected(self.location()?)?;
        ensure!(
            options.get_database().is_some_and(|name| !name.is_empty()),
            reference::wrong("DATABASE_URL", None)
        );
        Ok(PoolSettings {
            options,
            max_connections: self.database_pool_size,
            acquire_timeout: ACQUIRE_TIMEOUT,
            lock_wait: LOCK_WAIT,
        })
    }

    /// How to authenticate.
    ///
    /// # Errors
    /// Two ways are set at once.
    pub fn login(&self) -> Result<DatabaseLogin> {
        match (self.database_auth, &self.database_secret) {
            (Auth::Password, None) => Ok(DatabaseLogin::Fixed),
            (Auth::Password, Some(secret)) => Ok(DatabaseLogin::Secret(secret.clone())),
            (Auth::Iam, None) => Ok(DatabaseLogin::IamToken),
            (Auth::Iam, Some(_)) => bail!(
                "DATABASE_AUTH=iam needs no password, and DATABASE_SECRET names one; set only one \
                 of the two"
            ),
        }
    }

    fn location(&self) -> Result<MySqlConnectOptions> {
        if let Some(url) = &self.database_url {
            let url = url.expose().trim();
            let known = url.starts_with("mysql://") || url.starts_with("mariadb://");
            return match MySqlConnectOptions::from_str(url) {
                // `url` keeps the brackets of an IPv6 address, and no resolver wants them.
                Ok(options) if known => {
                    let host = options.get_host().trim_matches(['[', ']']).to_owned();
                    Ok(options.host(&host))
                }
                _ => bail!(reference::wrong("DATABASE_URL", None)),
            };
        }
        let Some(host) = &self.app_db_host else {
            bail!(
                "{}. The lab's APP_DB_HOST works too, and `beanstock local` brings its own database",
                reference::missing("DATABASE_URL", "there is no database to work with")
            );
        };
        let (host, port) = match host.rsplit_once(':') {
            Some((name, port)) if !name.contains(':') || name.ends_with(']') => {
                (name, port.parse().ok())
            }
            _ => (host.as_str(), Some(DEFAULT_PORT)),
        };
        let host = host.trim_matches(['[', ']']);
        let Some(port) = port else {
            bail!(reference::wrong("APP_DB_HOST", self.app_db_host.as_deref()));
        };
        let mut options = MySqlConnectOptions::new()
            .host(host)
            .port(port)
            .username(self.app_db_user.as_deref().unwrap_or("root"))
            .database(self.app_db_name.as_deref().unwrap_or("COFFEE"));
        if let Some(password) = &self.app_db_password {
            options = options.password(password.expose());
        }
        Ok(options)
    }

    /// A connection to another machine is encrypted by default.
    fn protected(&self, options: MySqlConnectOptions) -> Result<MySqlConnectOptions> {
        let local = is_local(&options);
        let mut options = options;
        if let Some(path) = &self.database_ca {
            options = options.ssl_ca_from_pem(read_authorities(path)?);
        }
        let has_authority = self.database_ca.is_some() || self.url_has(&["ssl-ca", "sslca"]);
        let mode = match self.database_tls {
            Some(tls) => tls.into(),
            None if self.url_has(&["ssl-mode", "sslmode"]) => options.get_ssl_mode(),
            // sqlx 0.9 breaks off when it encrypts a Unix socket, and nobody listens there.
            None if options.get_socket().is_some() => MySqlSslMode::Disabled,
            None if has_authority => MySqlSslMode::VerifyIdentity,
            None if local => MySqlSslMode::Preferred,
            None => MySqlSslMode::Required,
        };
        ensure!(
            !matches!(mode, MySqlSslMode::VerifyCa),
            "ssl-mode=VERIFY_CA would take a certificate of any host from any public authority; \
             use ssl-mode=VERIFY_IDENTITY"
        );
        let verified = matches!(mode, MySqlSslMode::VerifyIdentity);
        ensure!(
            verified || self.database_ca.is_none() || options.get_socket().is_some(),
            "DATABASE_CA is set, but the server is not to be verified; unset DATABASE_TLS (and \
             ssl-mode), or set it to verify-identity"
        );
        let in_the_open = matches!(mode, MySqlSslMode::Disabled | MySqlSslMode::Preferred);
        if self.database_auth == Auth::Iam {
            ensure!(
                !in_the_open || local,
                "DATABASE_AUTH=iam sends a token that must not be read on the way; set \
                 DATABASE_TLS=required or stronger"
            );
            options = options.enable_cleartext_plugin(true);
        }
        Ok(options.ssl_mode(mode))
    }

    fn url_has(&self, names: &[&str]) -> bool {
        let url = self.database_url.as_ref();
        let url = url.and_then(|url| Url::parse(url.expose()).ok());
        url.is_some_and(|url| {
            url.query_pairs()
                .any(|(name, _)| names.contains(&name.as_ref()))
        })
    }
}

/// Reads the certificates of a PEM file, and nothing else that may be in it: sqlx would quote a
/// private key that stands before a broken certificate.
fn read_authorities(path: &Path) -> Result<Vec<u8>> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let certificates: Vec<&str> = text
        .split_inclusive(END)
        .filter_map(|block| Some(&block[block.rfind(BEGIN)?..]))
        .filter(|block| block.ends_with(END))
        .collect();
    let readable = |block: &&str| CertificateDer::from_pem_slice(block.as_bytes()).is_ok();
    ensure!(
        !certificates.is_empty() && certificates.iter().all(readable),
        reference::wrong("DATABASE_CA", path.to_str())
    );
    Ok(certificates.join("\n").into_bytes())
}

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

impl From<Tls> for MySqlSslMode {
    fn from(tls: Tls) -> Self {
        match tls {
            Tls::Disabled => Self::Disabled,
            Tls::Preferred => Self::Preferred,
            Tls::Required => Self::Required,
            Tls::VerifyIdentity => Self::VerifyIdentity,
        }
    }
}

/// Whether the connection cannot be intercepted, because it does not leave this machine.
pub fn is_local(options: &MySqlConnectOptions) -> bool {
    let host = options.get_host();
    let address = host.parse::<IpAddr>();
    options.get_socket().is_some()
        || host == "localhost"
        || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, FromArgMatches as _};

    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Settings {
        #[command(flatten)]
        database: DatabaseSettings,
    }

    /// Whatever the environment of the tests names.
    fn parse(args: &[&str]) -> DatabaseSettings {
        let command = Settings::command().mut_args(|arg| arg.env(None));
        let matches = command.get_matches_from([&["test"], args].concat());
        Settings::from_arg_matches(&matches).unwrap().database
    }

    fn mode(args: &[&str]) -> MySqlSslMode {
        parse(args).pool().unwrap().options.get_ssl_mode()
    }

    #[test]
    fn a_secret_is_never_shown() {
        let settings = parse(&["--database-url", "mysql://u:hunter2@h/d"]);

        assert!(!format!("{settings:?}").contains("hunter2"));
    }

    #[test]
    fn a_wrong_url_names_the_variable_and_an_example_and_not_the_secret() {
        for url in ["hunter2", "postgres://u:hunter2@h/d", "mysql://u:hunter2@h"] {
            let error = parse(&["--database-url", url])
                .pool()
                .unwrap_err()
                .to_string();

            assert!(error.contains("DATABASE_URL=mysql://"), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn the_way_to_another_machine_is_encrypted_unless_somebody_says_otherwise() {
        let far = "mysql://u@db.example.com/d";
        let near = "mysql://u@127.0.0.1/d";
        let said = "mysql://u@db.example.com/d?ssl-mode=DISABLED";

        assert!(matches!(
            mode(&["--database-url", far]),
            MySqlSslMode::Required
        ));
        assert!(matches!(
            mode(&["--app-db-host", "db.example.com"]),
            MySqlSslMode::Required
        ));
        assert!(matches!(
            mode(&["--database-url", near]),
            MySqlSslMode::Preferred
        ));
        assert!(matches!(
            mode(&["--database-url", said]),
            MySqlSslMode::Disabled
        ));
        let stronger = ["--database-url", said, "--database-tls", "verify-identity"];
        assert!(matches!(mode(&stronger), MySqlSslMode::VerifyIdentity));
    }

    #[test]
    fn a_server_is_not_verified_by_halves() {
        let half = parse(&["--database-url", "mysql://u@h/d?ssl-mode=VERIFY_CA"]);

        let error = half.pool().unwrap_err().to_string();

        assert!(error.contains("VERIFY_IDENTITY"), "{error}");
    }

    /// A key that stands before a certificate that is cut off must not be quoted.
    #[test]
    fn a_file_of_authorities_must_be_one_and_is_not_quoted() {
        let folder = tempfile::tempdir().unwrap();
        let key = "-----BEGIN PRIVATE KEY-----\nMIIhunter2\n-----END PRIVATE KEY-----\n";
        for (name, content) in [
            ("none", ""),
            ("key", key),
            ("cut", &format!("{key}-----BEGIN CERTIFICATE-----\nMIIB\n")),
            ("odd", &format!("{BEGIN}\n!!!\n{END}")),
        ] {
            let file = folder.path().join(name);
            std::fs::write(&file, content).unwrap();
            let args = [
                "--app-db-host",
                "h",
                "--database-ca",
                file.to_str().unwrap(),
            ];

            let error = parse(&args).pool().unwrap_err().to_string();

            assert!(error.contains("DATABASE_CA is `"), "{name}: {error}");
            assert!(!error.contains("hunter2"), "{name}: {error}");
        }
    }

    #[test]
    fn an_authority_that_would_not_be_used_is_a_contradiction() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        std::fs::write(&file, format!("{BEGIN}\nMIIB\n{END}\n")).unwrap();
        let args = [
            "--app-db-host",
            "h",
            "--database-ca",
            file.to_str().unwrap(),
        ];
        assert!(parse(&args).pool().is_ok());

        let unused = [&args[..], &["--database-tls", "required"]].concat();

        let error = parse(&unused).pool().unwrap_err().to_string();
        assert!(error.contains("DATABASE_CA is set"), "{error}");
    }

    #[test]
    fn an_ipv6_address_is_a_host_like_others() {
        let settings = parse(&["--database-url", "mysql://u@[2001:db8::7]:3307/d"]);

        let options = settings.pool().unwrap().options;

        assert_eq!(
            (options.get_host(), options.get_port()),
            ("2001:db8::7", 3307)
        );
        assert!(matches!(
            mode(&["--database-url", "mysql://u@[::1]/d"]),
            MySqlSslMode::Preferred
        ));
    }

    #[test]
    fn a_token_is_not_sent_in_the_open() {
        let args = ["--app-db-host", "h", "--database-auth", "iam"];
        assert!(parse(&args).pool().is_ok());

        let open = [&args[..], &["--database-tls", "preferred"]].concat();
        let error = parse(&open).pool().unwrap_err().to_string();

        assert!(error.contains("DATABASE_TLS=required"), "{error}");
    }

    #[test]
    fn the_labs_names_mean_the_same() {
        let args = [
            "--app-db-host",
            "localhost",
            "--app-db-user",
            "nodeapp",
            "--app-db-password",
            "coffee",
        ];

        let options = parse(&args).pool().unwrap().options;
        let named = [&args[..], &["--app-db-name", "beans"]].concat();
        let named = parse(&named).pool().unwrap().options;

        assert_eq!(options.get_username(), "nodeapp");
        assert_eq!(options.get_database(), Some("COFFEE"));
        assert_eq!(named.get_database(), Some("beans"));
        let with_port = parse(&["--app-db-host", "db:3307"]).pool().unwrap().options;
        assert_eq!((with_port.get_host(), with_port.get_port()), ("db", 3307));
        let v6 = parse(&["--app-db-host", "::1"]).pool().unwrap().options;
        assert_eq!((v6.get_host(), v6.get_port()), ("::1", 3306));
        for (given, host, port) in [
            ("[::1]", "::1", 3306),
            ("[2001:db8::7]:3307", "2001:db8::7", 3307),
        ] {
            let options = parse(&["--app-db-host", given]).pool().unwrap().options;
            assert_eq!((options.get_host(), options.get_port()), (host, port));
        }
        assert!(parse(&["--app-db-host", "db:x"]).pool().is_err());
    }
}
