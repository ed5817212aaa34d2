//! Files for spreadsheets.

use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};

use crate::web::http::error::WebError;

/// A file that is written row by row, in memory.
pub(crate) struct Csv(csv::Writer<Vec<u8>>);

impl Csv {
    /// A file with its headings.
    pub(crate) fn new<const N: usize>(columns: [&str; N]) -> Result<Self, WebError> {
        let mut file = Self(csv::Writer::from_writer(Vec::new()));
        file.0.write_record(columns).map_err(WebError::internal)?;
        Ok(file)
    }

    pub(crate) fn write<const N: usize>(&mut self, cells: [String; N]) -> Result<(), WebError> {
        self.0.write_record(cells).map_err(WebError::internal)
    }

    /// The file as a download.
    pub(crate) fn into_download(self, name: &str) -> Result<Response, WebError> {
        let file = self.0.into_inner();
        let file = file.map_err(|error| WebError::internal(error.into_error()))?;
        let headers = [
            (CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
            (
                CONTENT_DISPOSITION,
                format!("attachment; filename=\"{name}\""),
            ),
        ];
        Ok((headers, file).into_response())
    }
}

/// A text that no spreadsheet takes for a formula ("CSV Injection", OWASP).
pub(crate) fn inert(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠']) {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_never_a_formula() {
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "＝1"] {
            assert_eq!(inert(formula), format!("'{formula}"));
        }
        assert_eq!(inert("DN-4411"), "DN-4411");
    }
}
