//! What a watched page is sent: server-sent events (WHATWG HTML, section 9.2) with ready HTML.

use std::fmt::Write as _;

use axum::body::Bytes;

/// Parts of the page, each of which takes the place of the one with its id.
pub(super) fn parts(html: &str) -> Bytes {
    event("parts", html)
}

/// How many updates have come since the page was made.
pub(super) fn news(number: usize) -> Bytes {
    event("news", &number.to_string())
}

/// Tells that the page is up to date, and which files it should have been made with.
pub(super) fn beat(files: &str) -> Bytes {
    event("beat", files)
}

/// Tells that nobody is signed in any more.
pub(super) fn end() -> Bytes {
    event("end", "")
}

fn event(name: &str, data: &str) -> Bytes {
    let mut text = format!("event: {name}\n");
    for line in data.lines().map(str::trim).filter(|line| !line.is_empty()) {
        // Writing to a string cannot fail.
        let _ok = writeln!(text, "data: {line}");
    }
    if data.trim().is_empty() {
        text.push_str("data:\n");
    }
    text.push('\n');
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_of_several_lines_is_one_event() {
        let event = parts("<p>\n  12 bags\n\n</p>\r\n");

        assert_eq!(
            event,
            "event: parts\ndata: <p>\ndata: 12 bags\ndata: </p>\n\n"
        );
        assert_eq!(end(), "event: end\ndata:\n\n");
    }
}
