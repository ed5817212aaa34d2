//! All that is told of updates, read for several at once.

use std::collections::HashMap;

use super::card::Card;
use super::eyes::Eyes;
use crate::db::timeline::EventLine;
use crate::db::update_lists::UpdateLine;
use crate::db::{self, Connection, DbResult};
use crate::domain::UpdateId;

/// Updates with their steps and with what fixed or corrected them.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) lines: Vec<UpdateLine>,
    steps: HashMap<UpdateId, Vec<EventLine>>,
    followers: HashMap<UpdateId, Vec<UpdateLine>>,
}

impl Told {
    /// Reads what there is about updates, with two queries however many they are.
    pub(crate) async fn read(conn: &mut Connection, lines: Vec<UpdateLine>) -> DbResult<Self> {
        let ids: Vec<UpdateId> = lines.iter().map(|line| line.id).collect();
        let mut steps: HashMap<UpdateId, Vec<EventLine>> = HashMap::new();
        for (id, event) in db::timeline::list_events_of(conn, &ids).await? {
            steps.entry(id).or_default().push(event);
        }
        let mut followers: HashMap<UpdateId, Vec<UpdateLine>> = HashMap::new();
        for follower in db::update_lists::list_followers(conn, &ids).await? {
            if let Some(follows) = follower.follows {
                followers.entry(follows.update).or_default().push(follower);
            }
        }
        Ok(Self {
            lines,
            steps,
            followers,
        })
    }

    /// The card of an update as somebody sees it.
    pub(crate) fn card(&self, line: &UpdateLine, eyes: Eyes) -> Card {
        let steps = self.steps.get(&line.id).cloned().unwrap_or_default();
        let followers = self.followers.get(&line.id).map_or(&[][..], Vec::as_slice);
        Card::new(line.clone(), steps, followers, eyes)
    }

    /// The cards of all of them, with attempts that ended the same way told as one.
    pub(crate) fn cards(&self, eyes: Eyes) -> Vec<Card> {
        let card = |line| self.card(line, eyes).in_short();
        self.lines.iter().map(card).collect()
    }
}
