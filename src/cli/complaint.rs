//! Wrong settings, told by the name under which they were set.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command};

use crate::config::reference;

/// Puts a refused value into our words: which variable, what was expected, an example. Other
/// errors, like a misspelt flag, are told by clap.
pub(super) fn about(command: &Command, error: &clap::Error) -> Option<String> {
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

fn is_shown(arg: &Arg, shown: &str) -> bool {
    let flag = shown.split([' ', '=']).next().unwrap_or(shown);
    arg.get_env().is_some()
        && arg
            .get_long()
            .is_some_and(|long| flag.strip_prefix("--") == Some(long))
}
