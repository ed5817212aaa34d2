//! How long something took, for people and for machines.

use super::page::grouped;

/// How long some work took, in microseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Time(pub(crate) i64);

impl Time {
    /// In words: `12 ms`, `3.4 s`, `5 min`.
    pub(crate) fn words(self) -> String {
        let Self(microseconds) = self;
        match microseconds {
            0 => "0 s".to_owned(),
            ..1_000 => "under 1 ms".to_owned(),
            1_000..1_000_000 => format!("{} ms", microseconds / 1_000),
            1_000_000..60_000_000 => {
                let tenths = microseconds / 100_000;
                format!("{}.{} s", tenths / 10, tenths % 10)
            }
            _ => format!("{} min", grouped(microseconds / 60_000_000)),
        }
    }

    /// As machines read it (ISO 8601).
    pub(crate) fn iso(self) -> String {
        let milliseconds = self.0.max(0) / 1_000;
        format!("PT{}.{:03}S", milliseconds / 1_000, milliseconds % 1_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_work_are_told_in_their_unit() {
        for (microseconds, words) in [
            (0, "0 s"),
            (900, "under 1 ms"),
            (101_000, "101 ms"),
            (3_460_000, "3.4 s"),
            (3_600_000_000, "60 min"),
        ] {
            assert_eq!(Time(microseconds).words(), words);
        }
    }
}
