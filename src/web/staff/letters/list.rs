//! What the queue gave up on, grouped by why, and what a count overtook: it waits for somebody.

use askama::Template;
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use uuid::Uuid;

use super::choice::{Choice, sender};
use crate::db;
use crate::db::Connection;
use crate::db::letter_lists::{DeadLetterLine, LetterFilter, LetterGroup, Range};
use crate::db::letter_notes::LetterNote;
use crate::dead_letters::LOOKED_THROUGH;
use crate::domain::{Reason, SupplierId};
use crate::messaging::wire;
use crate::web::http::error::{Missing, WebError};
use crate::web::paths::{self, Id};
use crate::web::state::AppState;
use crate::web::ui::form::{Mistakes, TextField};
use crate::web::ui::layout::Layout;
use crate::web::ui::page::{Page, filters};
use crate::web::ui::pager::Pager;
use crate::web::ui::query::Query;
use crate::web::ui::updates::UpdateRow;
use crate::web::ui::wording;

/// As many of a group as the overview shows; the rest is a page away.
const PREVIEW: i64 = 3;

/// As many of a group as one page can show without becoming slow to read.
const PER_PAGE: i64 = 40;

/// So many of what a count overtook are counted and can be paged through; deciding about some leads on.
const OVERTAKEN_COUNTED: i64 = 500;

/// A dead letter with the message that the sender wrote, out of its envelope.
struct Letter {
    line: DeadLetterLine,
    message: Option<String>,
}

impl From<DeadLetterLine> for Letter {
    fn from(line: DeadLetterLine) -> Self {
        Self {
            // What programs write says more to people as it was understood.
            message: wire::message_within(&line.body).filter(|message| !message.starts_with('{')),
            line,
        }
    }
}

impl Letter {
    /// Whether the form can be filled in with it: it must be known whose beans it may mean.
    fn is_fixable(&self) -> bool {
        self.line.supplier_name.is_some()
    }

    /// What it does with how many bags; none if that could not be read.
    fn what(&self) -> Option<String> {
        let kind = self.line.kind?;
        Some(wording::what(Some(kind), self.line.quantity))
    }

    /// Where somebody settles which bean the name means that no bean has.
    fn alias(&self) -> Option<String> {
        let known = self.line.supplier_name.as_ref().and(self.line.supplier);
        let name = self.line.bean_type.as_deref()?;
        let is_unknown = self.line.reason == Reason::UnknownBean;
        let supplier = known.filter(|_| is_unknown)?;
        Some(paths::supplier_alias_for(SupplierId(supplier), name))
    }

    /// Whether the body is longer than the page shows.
    fn is_cut(&self) -> bool {
        self.line.body_length > db::letter_lists::LISTED_CHARACTERS
    }
}

/// The letters of a group that claim to come from one supplier.
struct Sender {
    name: String,
    number: i64,
    path: String,
    /// The code of the group, as notes name it.
    scope: String,
    is_chosen: bool,
}

/// Dead letters that share a reason: one page of them.
struct Group {
    title: &'static str,
    choice: Choice,
    pager: Pager,
    senders: Vec<Sender>,
    notes: Vec<LetterNote>,
    letters: Vec<Letter>,
}

impl Group {
    fn path(&self) -> String {
        self.choice.address()
    }
}

/// Updates that a count overtook although nobody said when they happened: one page of them.
struct Overtaken {
    path: String,
    pager: Pager,
    /// Whether there are more than were counted.
    is_more: bool,
    updates: Vec<UpdateRow>,
}

/// Letters that contain words.
struct Found {
    letters: Vec<Letter>,
    /// The address of the older ones, and how many letters were looked through.
    further: Option<String>,
}

#[derive(Template)]
#[template(path = "staff/dead_letters/list.html")]
pub(super) struct DeadLettersPage {
    layout: Layout,
    choice: Choice,
    search: TextField,
    /// Everything that is open.
    open: i64,
    groups: Vec<Group>,
    found: Option<Found>,
    overtaken: Option<Overtaken>,
    /// The note on the group that was asked for.
    note: Option<TextField>,
}

impl DeadLettersPage {
    /// Whether only one reason was asked for.
    fn is_one_group(&self) -> bool {
        !self.choice.reason.is_empty()
    }

    fn is_empty(&self) -> bool {
        let nothing_found = self
            .found
            .as_ref()
            .is_none_or(|found| found.letters.is_empty());
        let nothing_overtaken = self
            .overtaken
            .as_ref()
            .is_none_or(|list| list.updates.is_empty());
        self.groups.is_empty() && nothing_found && nothing_overtaken
    }

    /// Whether letters were chosen that can be dealt with at once.
    fn has_several(&self) -> bool {
        match &self.found {
            Some(found) => !found.letters.is_empty(),
            None => self.is_one_group() && !self.groups.is_empty(),
        }
    }

    /// All letters that share a group's reason.
    #[expect(clippy::unused_self, reason = "how a template calls it")]
    fn all_of(&self, group: &Group) -> String {
        let all = Choice {
            supplier: String::new(),
            ..group.choice.clone()
        };
        all.address()
    }

    /// The name of the supplier that a note is about.
    #[expect(clippy::unused_self, reason = "how a template calls it")]
    fn scope_name(&self, group: &Group, note: &LetterNote) -> String {
        let is_its = |sender: &&Sender| sender.scope == note.scope;
        let sender = group.senders.iter().find(is_its);
        sender.map_or_else(|| "One supplier".to_owned(), |sender| sender.name.clone())
    }
}

/// Lists the open dead letters: the first of each reason, those that the address chooses, or those that contain words.
pub(super) async fn list_dead_letters(
    State(state): State<AppState>,
    layout: Layout,
    Query(choice): Query<Choice>,
) -> Result<Page<DeadLettersPage>, WebError> {
    let mut conn = state.connection().await?;
    let all = db::letter_lists::list_groups(&mut conn).await?;
    let notes = db::letter_notes::list_notes(&mut conn).await?;
    let filter = choice.filter();
    let (mut groups, mut found) = (Vec::new(), None);
    match &filter {
        Some(filter) if choice.searches() => {
            found = Some(find(&mut conn, filter, &choice).await?);
        }
        Some(_) => groups = read_groups(&mut conn, &all, &notes, &choice).await?,
        None => {}
    }
    let mistakes = Mistakes::default();
    let is_noted = |note: &&LetterNote| choice.scope().as_deref() == Some(&note.scope);
    let note = choice.scope().map(|_| {
        let note = notes.iter().find(is_noted);
        let typed = note.map_or("", |note| &note.note);
        TextField {
            kind: "",
            width: "wide",
            hint: "Everybody in the café reads it, for example: waiting for supplier 3, Monday.",
            ..TextField::new("note", "Note on this group", typed, &mistakes)
        }
    });
    Ok(Page::ok(DeadLettersPage {
        search: TextField {
            kind: "search",
            width: "medium",
            ..TextField::new(
                "q",
                "Words in the message, its reference or bean",
                &choice.q,
                &mistakes,
            )
        },
        open: all.iter().map(|group| group.number).sum(),
        overtaken: read_overtaken(&mut conn, &choice).await?,
        layout,
        groups,
        found,
        note,
        choice,
    }))
}

/// One section for each reason among the chosen groups, the one with the newest letter first.
async fn read_groups(
    conn: &mut Connection,
    all: &[LetterGroup],
    notes: &[LetterNote],
    choice: &Choice,
) -> Result<Vec<Group>, WebError> {
    let newest = |reason: Reason| {
        let chosen = all
            .iter()
            .filter(|group| group.reason == reason && choice.takes(group));
        chosen.map(|group| group.newest).max()
    };
    let mut reasons: Vec<(Uuid, Reason)> = Reason::ALL
        .into_iter()
        .filter_map(|reason| Some((newest(reason)?, reason)))
        .collect();
    reasons.sort_unstable_by_key(|(newest, _)| std::cmp::Reverse(*newest));
    let mut groups = Vec::new();
    for (_, reason) in reasons {
        let of_reason = all.iter().filter(|group| group.reason == reason).collect();
        groups.push(read_group(conn, reason, of_reason, notes, choice).await?);
    }
    Ok(groups)
}

async fn read_group(
    conn: &mut Connection,
    reason: Reason,
    of_reason: Vec<&LetterGroup>,
    notes: &[LetterNote],
    choice: &Choice,
) -> Result<Group, WebError> {
    let own = Choice {
        supplier: choice.supplier.clone(),
        ..Choice::of_reason(reason)
    };
    let taken = of_reason.iter().filter(|group| own.takes(group));
    let number = taken.map(|group| group.number).sum();
    let (size, page) = if choice.reason.is_empty() {
        (PREVIEW, "")
    } else {
        (PER_PAGE, choice.page.as_str())
    };
    let pager = Pager::new(own.address(), page, size, number);
    let filter = own.filter().unwrap_or_default();
    let (limit, offset) = (pager.limit(), pager.offset());
    let ids = db::letter_lists::list_ids(conn, &filter, Range::ALL, limit, offset).await?;
    let letters = db::letter_lists::list_letters(conn, &ids).await?;
    let sender = |group: &&LetterGroup| {
        let its = Choice::of(reason, group.supplier);
        Sender {
            name: sender(group.supplier, group.supplier_name.as_deref()),
            number: group.number,
            path: its.address(),
            scope: its.scope().unwrap_or_default(),
            is_chosen: its.supplier == choice.supplier,
        }
    };
    let is_on_it = |note: &&LetterNote| {
        let reason_noted = note.scope.split(':').next();
        reason_noted == Some(reason.code())
    };
    Ok(Group {
        title: reason.title(),
        senders: of_reason.iter().map(sender).collect(),
        notes: notes.iter().filter(is_on_it).cloned().collect(),
        letters: letters.into_iter().map(Letter::from).collect(),
        choice: own,
        pager,
    })
}

/// Finds the letters that contain the words, back to as many as can be looked through at once.
async fn find(
    conn: &mut Connection,
    filter: &LetterFilter,
    choice: &Choice,
) -> Result<Found, WebError> {
    let before = Uuid::parse_str(&choice.before).unwrap_or(Uuid::max());
    let reach = db::letter_lists::find_reach(conn, filter, before, LOOKED_THROUGH).await?;
    let range = Range {
        from: reach.unwrap_or(Uuid::nil()),
        before,
    };
    let mut ids = db::letter_lists::list_ids(conn, filter, range, PER_PAGE + 1, 0).await?;
    let goes_on = i64::try_from(ids.len()).unwrap_or(i64::MAX) > PER_PAGE;
    if goes_on {
        ids.pop();
    }
    let next = if goes_on { ids.last().copied() } else { reach };
    let letters = db::letter_lists::list_letters(conn, &ids).await?;
    Ok(Found {
        letters: letters.into_iter().map(Letter::from).collect(),
        further: next.map(|next| choice.further(next)),
    })
}

/// What a count overtook, unless something else was asked for.
async fn read_overtaken(
    conn: &mut Connection,
    choice: &Choice,
) -> Result<Option<Overtaken>, WebError> {
    let own = Choice::of_reason(Reason::Superseded);
    let is_asked_for = choice.is_any() || choice.address() == own.address();
    if !is_asked_for {
        return Ok(None);
    }
    let (size, page) = if choice.is_any() {
        (PREVIEW, "")
    } else {
        (PER_PAGE, choice.page.as_str())
    };
    let number = db::update_counts::count_overtaken(conn, OVERTAKEN_COUNTED + 1).await?;
    let is_more = number > OVERTAKEN_COUNTED;
    let path = own.address();
    let pager = Pager::new(path.clone(), page, size, number.min(OVERTAKEN_COUNTED));
    let (limit, offset) = (pager.limit(), pager.offset());
    let updates = db::update_lists::list_overtaken(conn, limit, offset).await?;
    Ok(Some(Overtaken {
        path,
        pager,
        is_more,
        updates: updates.into_iter().map(UpdateRow::from).collect(),
    }))
}

/// Shows the whole of a message, as a text that no browser takes for anything else.
pub(super) async fn show_body(
    State(state): State<AppState>,
    Id(id): Id<Uuid>,
) -> Result<Response, WebError> {
    let mut conn = state.connection().await?;
    let body = db::dead_letters::find_body(&mut conn, id).await?;
    let body = body.ok_or(WebError::NotFound(Missing::Letter))?;
    let headers = [
        (CONTENT_TYPE, "text/plain; charset=utf-8".to_owned()),
        (
            CONTENT_DISPOSITION,
            format!("attachment; filename=\"{id}.txt\""),
        ),
    ];
    Ok((headers, body).into_response())
}
