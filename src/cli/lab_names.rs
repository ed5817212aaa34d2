//! Settings that have two names, ours and the lab's, and are set under both.

use clap::ArgMatches;
use clap::parser::ValueSource;

use crate::config::reference;

/// Tells which settings are not looked at, because another name of theirs is set as well and says
/// something else.
pub(super) fn overruled(matches: &ArgMatches) -> Vec<String> {
    let Some((_, settings)) = matches.subcommand() else {
        return Vec::new();
    };
    reference::LAB_NAMES
        .into_iter()
        .filter(|(ours, labs)| disagree(settings, ours, labs))
        .map(|(ours, labs)| format!("{ours} and {labs} are both set; only {ours} is used"))
        .collect()
}

fn disagree(settings: &ArgMatches, ours: &str, labs: &str) -> bool {
    let both = value_of(settings, ours).zip(value_of(settings, labs));
    both.is_some_and(|(ours, labs)| ours != labs)
}

fn value_of(settings: &ArgMatches, variable: &str) -> Option<std::ffi::OsString> {
    let id = variable.to_lowercase();
    let raw = settings.try_get_raw(&id).ok()??.next()?;
    let is_set = settings.value_source(&id) != Some(ValueSource::DefaultValue);
    is_set.then(|| raw.to_owned())
}
