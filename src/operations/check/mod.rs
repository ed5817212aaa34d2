//! `beanstock check`: tries everything the program will need and changes nothing.

mod database;
mod mail;
mod messaging;
mod stream;

use std::fmt;

pub use self::database::check_database;
pub use self::mail::check_mail;
pub use self::messaging::check_messaging;
pub use self::stream::check_stream;

/// How one thing stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Fine,
    /// It works, but not as well as it could.
    Note,
    /// It does not work.
    Broken,
}

/// One line of the report.
#[derive(Debug, Clone)]
pub struct Line {
    pub verdict: Verdict,
    pub subject: &'static str,
    pub found: String,
    /// What to do about it; empty if nothing.
    pub remedy: String,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.verdict {
            Verdict::Fine => "ok    ",
            Verdict::Note => "note  ",
            Verdict::Broken => "BROKEN",
        };
        // What SDKs say may have several lines; this is one.
        let found = self.found.split_whitespace().collect::<Vec<_>>().join(" ");
        write!(f, "{mark} {:<18} {found}", self.subject)?;
        if !self.remedy.is_empty() {
            write!(f, ". {}", self.remedy)?;
        }
        Ok(())
    }
}

/// The report so far.
#[derive(Debug, Default)]
struct Report(Vec<Line>);

impl Report {
    fn add(&mut self, verdict: Verdict, subject: &'static str, found: String, remedy: &str) {
        self.0.push(Line {
            verdict,
            subject,
            found,
            remedy: remedy.to_owned(),
        });
    }

    fn fine(&mut self, subject: &'static str, found: impl Into<String>) {
        self.add(Verdict::Fine, subject, found.into(), "");
    }

    fn note(&mut self, subject: &'static str, found: impl Into<String>, remedy: &str) {
        self.add(Verdict::Note, subject, found.into(), remedy);
    }

    fn broken(&mut self, subject: &'static str, found: impl Into<String>, remedy: &str) {
        self.add(Verdict::Broken, subject, found.into(), remedy);
    }
}
