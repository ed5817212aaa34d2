//! Two people who edit the same thing: what does not overlap is put together, and where both changed the same
//! field, the second chooses.

use askama::Template;

use super::layout::Layout;
use crate::catalogue::Version;
use crate::web::paths;

/// How often a change is merged with what others save meanwhile before somebody is asked to look.
pub(crate) const MAX_MERGES: u32 = 3;

/// A field of a form that was being filled in when somebody else saved the same thing.
pub(crate) struct MergedField<'a> {
    pub(crate) name: &'static str,
    pub(crate) label: &'static str,
    /// What is typed in it.
    pub(crate) typed: &'a mut String,
    /// What was saved meanwhile, as the form writes it.
    pub(crate) saved: &'a str,
    /// The same as people read it.
    pub(crate) shown: &'a str,
    /// How the text is compared: two ways to write the same are equal.
    pub(crate) canonical: fn(&str) -> String,
}

/// A field that both have changed, differently.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Conflict {
    pub(crate) name: &'static str,
    pub(crate) label: &'static str,
    /// What was saved meanwhile, as the form writes it and as people read it.
    pub(crate) theirs: String,
    pub(crate) theirs_shown: String,
    /// What is typed.
    pub(crate) yours: String,
}

/// What came of putting two versions together.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Merged {
    pub(crate) conflicts: Vec<Conflict>,
    /// Whether something of theirs was taken over.
    pub(crate) took_over: bool,
}

/// Puts together what was typed and what somebody else saved meanwhile, field by field in the order of
/// the [`Version`] the form was filled in from: what only they changed is taken over, what only we
/// changed stays.
pub(crate) fn merge(seen: Option<&Version>, fields: Vec<MergedField<'_>>) -> Merged {
    let mut merged = Merged::default();
    for (place, field) in fields.into_iter().enumerate() {
        let (typed, saved) = (
            (field.canonical)(field.typed),
            (field.canonical)(field.saved),
        );
        let said = |text: &str| seen.is_some_and(|seen| seen.said(place, text));
        if typed == saved || said(&saved) {
            continue;
        }
        if said(&typed) {
            field.saved.clone_into(field.typed);
            merged.took_over = true;
        } else {
            merged.conflicts.push(Conflict {
                name: field.name,
                label: field.label,
                theirs: field.saved.to_owned(),
                theirs_shown: field.shown.to_owned(),
                yours: field.typed.clone(),
            });
        }
    }
    merged
}

/// A page with both versions, field by field. What is chosen is sent as the form's own fields.
#[derive(Template)]
#[template(path = "staff/conflict.html")]
pub(crate) struct ConflictPage {
    pub(crate) layout: Layout,
    /// What is being edited.
    pub(crate) name: String,
    /// Where the form goes.
    pub(crate) action: String,
    /// All of its fields, as they stand.
    pub(crate) fields: Vec<(&'static str, String)>,
    pub(crate) conflicts: Vec<Conflict>,
}

impl ConflictPage {
    /// The fields about which there is nothing to choose.
    fn settled(&self) -> impl Iterator<Item = &(&'static str, String)> {
        let open = |name: &str| self.conflicts.iter().any(|conflict| conflict.name == name);
        self.fields.iter().filter(move |(name, _)| !open(name))
    }
}
