//! The mail server: whether it answers and lets us in.

use std::time::Duration;

use super::{Line, Report};
use crate::config::MailSettings;
use crate::notifications::Mailer;

const SUBJECT: &str = "mail server";

/// How long the mail server may take.
const ANSWERS_WITHIN: Duration = Duration::from_secs(15);

/// Checks the mail server by signing in; nothing is sent.
pub async fn check_mail(settings: &MailSettings) -> Vec<Line> {
    let mut report = Report::default();
    let Some(server) = settings.server() else {
        report.note(
            SUBJECT,
            "SMTP_URL is not set, so alerts are not emailed",
            "",
        );
        return report.0;
    };
    let Some(from) = settings.mail_from.clone() else {
        report.broken(
            SUBJECT,
            "SMTP_URL is set without MAIL_FROM",
            "Set the sender's address",
        );
        return report.0;
    };
    let host = server.host_str().unwrap_or_default().to_owned();
    let tried = match Mailer::smtp(&server, from) {
        Ok(mailer) => tokio::time::timeout(ANSWERS_WITHIN, mailer.try_out()).await,
        Err(error) => Ok(Err(crate::telemetry::chain(&error))),
    };
    match tried {
        Ok(Ok(())) => report.fine(SUBJECT, format!("{host} lets us in")),
        Ok(Err(error)) => report.broken(SUBJECT, format!("{host}: {error}"), "Look at SMTP_URL"),
        Err(_) => report.broken(
            SUBJECT,
            format!("{host} has not answered within 15 s"),
            "Look at SMTP_URL and at firewalls",
        ),
    }
    report.0
}
