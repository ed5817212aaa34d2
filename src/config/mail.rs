//! The mail server that tells people of alerts.

use lettre::Address;
use url::Url;

use super::parse;
use super::secret::Secret;

/// Mail.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Mail")]
pub struct MailSettings {
    /// SMTP server for alert emails; pages tell of it and the relay uses it, so set it for all processes
    #[arg(long, env = "SMTP_URL", hide_env_values = true, value_parser = parse::mail_server)]
    smtp_url: Option<Secret>,
    /// Sender address of alert emails, needed with `SMTP_URL`
    #[arg(long, env = "MAIL_FROM", value_parser = parse::mail_address)]
    pub mail_from: Option<Address>,
}

impl MailSettings {
    /// The mail server, if there is one.
    pub fn server(&self) -> Option<Url> {
        self.smtp_url.as_ref()?.expose().parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Settings {
        #[command(flatten)]
        mail: MailSettings,
    }

    fn parse(args: &[&str]) -> Result<Settings, clap::Error> {
        Settings::try_parse_from([&["test"], args].concat())
    }

    #[test]
    fn a_mail_server_is_named_by_a_url_whose_password_is_not_shown() {
        let url = "smtps://user:hunter2hunter2@smtp.example.com";
        let settings = parse(&["--smtp-url", url, "--mail-from", "beans@example.com"]).unwrap();

        assert_eq!(settings.mail.server().unwrap().as_str(), url);
        let from = settings.mail.mail_from.as_ref();
        assert_eq!(from.unwrap().to_string(), "beans@example.com");
        assert!(!format!("{settings:?}").contains("hunter2"));
        let in_the_clear = "smtp://user:hunter2hunter2@smtp.example.com";
        for wrong in [
            "smtp.example.com",
            "https://smtp.example.com",
            "smtp://",
            in_the_clear,
        ] {
            assert!(parse(&["--smtp-url", wrong]).is_err(), "{wrong}");
        }
        for right in [
            "smtp://localhost:1025",
            "smtp://user:secret@127.0.0.1",
            "smtp://user:secret@smtp.example.com?tls=required",
        ] {
            assert!(parse(&["--smtp-url", right]).is_ok(), "{right}");
        }
        assert!(parse(&["--mail-from", "nobody"]).is_err());
        assert!(parse(&[]).unwrap().mail.server().is_none());
    }
}
