//! Hands mails to a mail server over SMTP, or keeps them for the page that shows what would have left this machine.

use std::fmt;

use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use url::Url;

use crate::db::mails::DueMail;
use crate::telemetry::chain;

/// What sends mail.
#[derive(Clone)]
pub enum Mailer {
    /// A mail server, and who the mails come from.
    Smtp {
        server: AsyncSmtpTransport<Tokio1Executor>,
        from: Box<Mailbox>,
    },
    /// Nothing: they stay where they can be looked at.
    Captured,
}

impl fmt::Debug for Mailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Smtp { .. } => "Smtp",
            Self::Captured => "Captured",
        })
    }
}

/// Why no mails can be sent.
#[derive(Debug, thiserror::Error)]
#[error("SMTP_URL cannot be used")]
pub struct MailerError(#[from] lettre::transport::smtp::Error);

/// Why a mail was not taken.
#[derive(Debug)]
pub(super) struct Rejection {
    /// Whether it never will be.
    pub(super) is_final: bool,
    pub(super) words: String,
}

impl Rejection {
    pub(super) fn for_now(words: &str) -> Self {
        Self {
            is_final: false,
            words: words.to_owned(),
        }
    }

    fn for_good(error: &(dyn std::error::Error + 'static)) -> Self {
        Self {
            is_final: true,
            words: chain(error),
        }
    }
}

impl Mailer {
    /// A mail server: `smtps://user:password@host` speaks TLS from the start, `smtp://host?tls=required` begins it
    /// (STARTTLS), and `smtp://host` speaks in the clear.
    ///
    /// # Errors
    /// The URL is none of these.
    pub fn smtp(server: &Url, from: Address) -> Result<Self, MailerError> {
        let server = AsyncSmtpTransport::<Tokio1Executor>::from_url(server.as_str())?.build();
        let from = Mailbox::new(Some("Beanstock".to_owned()), from);
        Ok(Self::Smtp {
            server,
            from: Box::new(from),
        })
    }

    /// Signs in to the mail server and sends nothing.
    ///
    /// # Errors
    /// Why that was not possible.
    pub async fn try_out(&self) -> Result<(), String> {
        match self {
            Self::Smtp { server, .. } => match server.test_connection().await {
                Ok(true) => Ok(()),
                Ok(false) => Err("the mail server hung up".to_owned()),
                Err(error) => Err(chain(&error)),
            },
            Self::Captured => Ok(()),
        }
    }

    pub(super) async fn send(&self, mail: &DueMail) -> Result<(), Rejection> {
        let Self::Smtp { server, from } = self else {
            return Ok(());
        };
        let message = message(from, mail)?;
        let sent = server.send(message).await;
        sent.map(|_taken| ()).map_err(|error| Rejection {
            is_final: is_about_the_reader(&error),
            words: chain(&error),
        })
    }
}

/// Whether the server refuses the mailbox, now and later ([RFC 5321, 4.2.3](https://www.rfc-editor.org/rfc/rfc5321)).
/// Whatever else it refuses, like our password, somebody can mend.
fn is_about_the_reader(error: &lettre::transport::smtp::Error) -> bool {
    let code = error.status().map(u16::from);
    code.is_some_and(|code| [550, 551, 553].contains(&code))
}

/// The mail with its headers. Answering it leads nowhere, so programs that answer for people on holiday are told not to
/// ([RFC 3834](https://www.rfc-editor.org/rfc/rfc3834)).
fn message(from: &Mailbox, mail: &DueMail) -> Result<Message, Rejection> {
    let to: Address = mail
        .to
        .parse()
        .map_err(|error: lettre::address::AddressError| Rejection::for_good(&error))?;
    // The moment tells mails of two databases apart.
    let (number, moment) = (mail.id, mail.created_at.timestamp_micros());
    let id = format!("<{number}.{moment}@{}>", from.email.domain());
    let automatic = HeaderName::new_from_ascii_str("Auto-Submitted");
    let message = Message::builder()
        .from(from.clone())
        .to(Mailbox::new(Some(mail.name.clone()), to))
        .subject(mail.subject.as_str())
        .message_id(Some(id))
        .date(mail.created_at.into())
        .raw_header(HeaderValue::new(automatic, "auto-generated".to_owned()))
        .multipart(MultiPart::alternative_plain_html(
            mail.text.clone(),
            mail.html.clone(),
        ));
    message.map_err(|error| Rejection::for_good(&error))
}
