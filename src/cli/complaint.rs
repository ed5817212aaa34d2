//! Wrong settings, told by the name under which they were set.

use std::ffi::OsStr;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command};

use crate::config::reference;

/// Puts a refused value into our words: which variable, what was expected, an example. Other
/// errors, like a misspelt flag, are told by clap.
pub(super) fn about(command: &Command, error: &clap::Error) -> Option<String> {
    if error.kind() == ErrorKind::InvalidUtf8 {
        return unreadable(command).map(|variable| reference::wrong(&variable, None));
    }
    if !matches!(
        error.kind(),
        ErrorKind::InvalidValue | ErrorKind::ValueValidation
    ) {
        return None;
    }
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let argument = text(ContextKind::InvalidArg)?;
    let variable = variables(command, argument)?;
    reference::find(&variable)?;
    Some(reference::wrong(&variable, text(ContextKind::InvalidValue)))
}

/// The variable of the argument that clap shows like `--port <PORT>`.
fn variables(command: &Command, shown: &str) -> Option<String> {
    let own = command.get_arguments().find(|arg| is_shown(arg, shown));
    let variable = own.and_then(Arg::get_env);
    match variable {
        Some(variable) => Some(variable.to_string_lossy().into_owned()),
        None => command
            .get_subcommands()
            .find_map(|command| variables(command, shown)),
    }
}

/// The first variable whose value is no text; clap does not tell which it was.
fn unreadable(command: &Command) -> Option<String> {
    let mut variables = command.get_arguments().filter_map(Arg::get_env);
    let is_text =
        |variable: &OsStr| std::env::var_os(variable).is_none_or(|v| v.to_str().is_some());
    let found = variables.find(|variable| !is_text(variable));
    match found {
        Some(variable) => Some(variable.to_string_lossy().into_owned()),
        None => command.get_subcommands().find_map(unreadable),
    }
}

fn is_shown(arg: &Arg, shown: &str) -> bool {
    let flag = shown.split([' ', '=']).next().unwrap_or(shown);
    arg.get_env().is_some()
        && arg
            .get_long()
            .is_some_and(|long| flag.strip_prefix("--") == Some(long))
}
