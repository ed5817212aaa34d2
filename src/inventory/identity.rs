//! Which update a message is: one that was seen before, a correction of it, or a new one.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::Incoming;
use crate::db::known_updates::Known;
use crate::db::{self, Connection, DbResult};
use crate::domain::{Fingerprint, UpdateId, UpdateKey};

/// Which update a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Identity {
    /// Nobody has seen it before.
    New(UpdateKey),
    /// It says what the update says.
    Same(Known),
    /// It says what the update said before it was corrected.
    Earlier(Known),
    /// The update was refused, and this says something else under its id.
    Correction(Known),
    /// Another update of the same supplier has this id, or this cannot be read and so corrects
    /// nothing. It gets a key of its own, under which it may have been seen before.
    Conflict(UpdateKey, Option<Known>),
}

/// The updates that messages may be: locked, so that nobody changes them meanwhile.
#[derive(Debug, Default)]
pub(crate) struct Updates {
    by_key: HashMap<UpdateKey, Known>,
    earlier: HashSet<(UpdateId, Fingerprint)>,
    /// Those that somebody else has locked.
    out_of_reach: HashSet<UpdateKey>,
}

impl Updates {
    /// Whether somebody else has locked an update that a message may be.
    pub(super) fn is_out_of_reach(&self, message: &Incoming) -> bool {
        if self.out_of_reach.is_empty() {
            return false;
        }
        let key = message.key();
        let otherwise = conflict_key(key, &message.fingerprint());
        self.out_of_reach.contains(&key) || self.out_of_reach.contains(&otherwise)
    }

    /// Finds out which update a message is.
    pub(crate) fn identify(&self, message: &Incoming) -> Identity {
        let (key, fingerprint) = (message.key(), message.fingerprint());
        let Some(known) = self.by_key.get(&key).copied() else {
            return Identity::New(key);
        };
        if known.fingerprint == fingerprint {
            Identity::Same(known)
        } else if self.earlier.contains(&(known.id, fingerprint)) {
            Identity::Earlier(known)
        } else if known.state.is_open_to_correction() && message.content.is_ok() {
            Identity::Correction(known)
        } else {
            let key = conflict_key(key, &fingerprint);
            Identity::Conflict(key, self.by_key.get(&key).copied())
        }
    }

    /// Notes what became of an update, for messages later in the batch.
    pub(crate) fn note(&mut self, key: UpdateKey, known: Known) {
        if let Some(before) = self.by_key.insert(key, known)
            && before.fingerprint != known.fingerprint
        {
            self.earlier.insert((before.id, before.fingerprint));
        }
    }
}

/// Looks up the ids of the updates that messages may be. Locks nothing.
pub(crate) async fn find_ids(
    conn: &mut Connection,
    messages: &[Incoming],
) -> DbResult<HashMap<UpdateKey, UpdateId>> {
    let keys: Vec<UpdateKey> = messages.iter().map(Incoming::key).collect();
    let mut found = db::known_updates::find_ids(conn, &keys).await?;
    let conflicts: Vec<UpdateKey> = messages
        .iter()
        .filter_map(|message| {
            let (_, fingerprint) = found.get(&message.key())?;
            let differs = *fingerprint != message.fingerprint();
            differs.then(|| conflict_key(message.key(), &message.fingerprint()))
        })
        .collect();
    found.extend(db::known_updates::find_ids(conn, &conflicts).await?);
    Ok(found.into_iter().map(|(key, (id, _))| (key, id)).collect())
}

/// What to do about a row that another transaction has locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IfLocked {
    Wait,
    Skip,
}

/// Locks the updates that messages may be and reads where they stand. One that appears only after
/// [`find_ids`] is met at its unique key, and then the whole is done again.
pub(crate) async fn lock(
    conn: &mut Connection,
    messages: &[Incoming],
    ids: HashMap<UpdateKey, UpdateId>,
    if_locked: IfLocked,
) -> DbResult<Updates> {
    let ascending: BTreeSet<UpdateId> = ids.values().copied().collect();
    let ascending: Vec<UpdateId> = ascending.into_iter().collect();
    let locked = match if_locked {
        IfLocked::Wait => db::known_updates::lock_updates(conn, &ascending).await?,
        IfLocked::Skip => db::known_updates::lock_free_updates(conn, &ascending).await?,
    };
    let (mut by_key, mut out_of_reach) = (HashMap::new(), HashSet::new());
    for (key, id) in ids {
        match locked.get(&id) {
            Some(known) => drop(by_key.insert(key, *known)),
            None => drop(out_of_reach.insert(key)),
        }
    }
    let differing: Vec<UpdateId> = messages
        .iter()
        .filter_map(|message| {
            let known: &Known = by_key.get(&message.key())?;
            (known.fingerprint != message.fingerprint()).then_some(known.id)
        })
        .collect();
    Ok(Updates {
        by_key,
        earlier: db::known_updates::find_earlier_contents(conn, &differing).await?,
        out_of_reach,
    })
}

/// The key of a message that uses the id of another update of its supplier.
fn conflict_key(key: UpdateKey, fingerprint: &Fingerprint) -> UpdateKey {
    let meaning = UpdateId::derive("fingerprint", &format!("{fingerprint:?}"));
    UpdateKey {
        id: UpdateId::derive("conflict", &format!("{}:{meaning}", key.id)),
        ..key
    }
}
