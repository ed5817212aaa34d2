//! Long lists, a page at a time.

use serde::Deserialize;

/// An address that chooses nothing but a page.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct PageChoice {
    pub(crate) page: String,
}

/// One page of a list of `total` entries.
#[derive(Debug)]
pub(crate) struct Pager {
    /// Which page, from 1.
    pub(crate) page: i64,
    /// How many entries there are on all pages.
    pub(crate) total: i64,
    size: i64,
    /// The address of the first page.
    path: String,
}

impl Pager {
    /// The page that was asked for, or the nearest there is.
    pub(crate) fn new(path: String, asked: &str, size: i64, total: i64) -> Self {
        let pages = (total.max(1) + size - 1) / size;
        Self {
            page: asked.parse().unwrap_or(1).clamp(1, pages),
            total,
            size,
            path,
        }
    }

    /// How many entries come before this page.
    pub(crate) fn offset(&self) -> i64 {
        (self.page - 1) * self.size
    }

    /// How many entries a page has at most.
    pub(crate) fn limit(&self) -> i64 {
        self.size
    }

    /// Whether there is more than one page.
    pub(crate) fn is_needed(&self) -> bool {
        self.total > self.size
    }

    /// The number of the first entry here.
    pub(crate) fn first(&self) -> i64 {
        self.offset() + 1
    }

    /// The number of the last entry here.
    pub(crate) fn last(&self) -> i64 {
        (self.offset() + self.size).min(self.total)
    }

    /// The address of the page before this one.
    pub(crate) fn previous(&self) -> Option<String> {
        (self.page > 1).then(|| self.address(self.page - 1))
    }

    /// The address of the page after this one.
    pub(crate) fn next(&self) -> Option<String> {
        (self.last() < self.total).then(|| self.address(self.page + 1))
    }

    fn address(&self, page: i64) -> String {
        let sign = if self.path.contains('?') { '&' } else { '?' };
        match page {
            1 => self.path.clone(),
            page => format!("{}{sign}page={page}", self.path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_cover_all_entries_and_no_more() {
        let first = Pager::new("/x?state=a".to_owned(), "", 50, 101);
        let last = Pager::new("/x?state=a".to_owned(), "3", 50, 101);

        assert_eq!((first.first(), first.last(), first.offset()), (1, 50, 0));
        assert_eq!(first.next().unwrap(), "/x?state=a&page=2");
        assert_eq!(first.previous(), None);
        assert_eq!((last.first(), last.last(), last.next()), (101, 101, None));
        let second = Pager::new("/x".to_owned(), "2", 50, 101);
        assert_eq!(second.previous().unwrap(), "/x");
        assert_eq!(second.next().unwrap(), "/x?page=3");
    }

    #[test]
    fn a_page_that_cannot_be_is_the_nearest_that_can() {
        for (asked, page) in [("0", 1), ("-4", 1), ("99", 3), ("x", 1), ("", 1)] {
            let pager = Pager::new("/x".to_owned(), asked, 50, 101);
            assert_eq!(pager.page, page, "{asked}");
        }
        assert!(!Pager::new("/x".to_owned(), "", 50, 50).is_needed());
        assert_eq!(Pager::new("/x".to_owned(), "2", 50, 0).page, 1);
    }
}
