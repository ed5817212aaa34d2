//! What a page of records means for one bean: the rule of the second witness, without I/O.
//!
//! Movements count in their order, once each. A record that comes again counts nothing; one that comes too early
//! waits for what is missing before it.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;

use super::record::{Content, Snapshot, StreamRecord, StreamedMovement};
use crate::db::bean_days::{DayChange, NewUnusual};
use crate::db::stream_beans::WitnessedBean;
use crate::db::stream_held::HeldRecord;
use crate::db::stream_runs::Run;
use crate::domain::{BeanDay, UsualSizes, day_in};

/// A record with its place on the stream.
#[derive(Debug, Clone)]
pub(super) struct Placed {
    /// The stream's name, `@` and when it was made.
    pub(super) stream: String,
    pub(super) shard: String,
    pub(super) sequence_number: String,
    pub(super) record: StreamRecord,
    /// Whether it has waited before.
    pub(super) was_held: bool,
}

/// A bean with what happens to it.
#[derive(Debug)]
pub(super) struct Fold {
    zone: Tz,
    bean: i64,
    state: Option<State>,
    changes: Changes,
}

#[derive(Debug)]
struct State {
    known: WitnessedBean,
    usual: UsualSizes,
}

/// What is to be written for a bean.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// How it stands now, if that changed, and whether nothing was known of it before.
    pub(super) witnessed: Option<WitnessedBean>,
    pub(super) is_new: bool,
    pub(super) runs: Vec<Run>,
    pub(super) repeats: Vec<Run>,
    pub(super) hold: Vec<HeldRecord>,
    /// Records that wait no more.
    pub(super) held_no_more: Vec<(i64, String)>,
    pub(super) days: Vec<DayChange>,
    pub(super) unusual: Vec<NewUnusual>,
    /// Movements that were taken back.
    pub(super) undone: Vec<(i64, i64)>,
}

/// What can be done with a record now.
enum Turn {
    Counts,
    /// An earlier movement is missing.
    Early,
}

impl Fold {
    /// Begins with what is known of a bean; days are those of a time zone.
    pub(super) fn new(bean: i64, known: Option<WitnessedBean>, zone: Tz) -> Self {
        let state = known.map(|known| State {
            // What nobody can read any more is learned anew.
            usual: serde_json::from_str(&known.usual).unwrap_or_default(),
            known,
        });
        Self {
            zone,
            bean,
            state,
            changes: Changes::default(),
        }
    }

    /// Takes records: those of one shard in their order, and those that have waited.
    pub(super) fn take(mut self, mut records: Vec<Placed>) -> Changes {
        // The story begins with its snapshot. Stable: records that begin alike stay in their order.
        records.sort_by_key(|placed| (!placed.record.is_snapshot(), placed.record.first()));
        for placed in records {
            match self.turn(&placed.record) {
                Turn::Counts => self.count(&placed),
                Turn::Early if placed.was_held => {}
                Turn::Early => self.hold(&placed),
            }
        }
        let state = self.state;
        let has_changed = |changes: &Changes| !changes.runs.is_empty() || changes.is_new;
        if let Some(state) = state.filter(|_| has_changed(&self.changes)) {
            let usual = serde_json::to_string(&state.usual).unwrap_or_default();
            self.changes.witnessed = Some(WitnessedBean {
                usual,
                ..state.known
            });
        }
        self.changes
    }

    fn turn(&self, record: &StreamRecord) -> Turn {
        let seen = self.state.as_ref().map(|state| state.known.seen);
        match (&record.content, seen) {
            (Content::Snapshot(_), _) => Turn::Counts,
            (Content::Movements(_), Some(seen)) if record.first() - 1 <= seen => Turn::Counts,
            (Content::Movements(_), _) => Turn::Early,
        }
    }

    fn hold(&mut self, placed: &Placed) {
        self.changes.hold.push(HeldRecord {
            bean: self.bean,
            sequence_number: placed.sequence_number.clone(),
            stream: placed.stream.clone(),
            shard: placed.shard.clone(),
            first: placed.record.first(),
            record: String::from_utf8_lossy(&placed.record.to_json()).into_owned(),
        });
    }

    fn count(&mut self, placed: &Placed) {
        if placed.was_held {
            let number = placed.sequence_number.clone();
            self.changes.held_no_more.push((self.bean, number));
        }
        match &placed.record.content {
            Content::Snapshot(snapshot) => self.begin(snapshot),
            Content::Movements(movements) => self.count_movements(placed, movements),
        }
    }

    /// The story begins; one that is further on goes on as it is.
    fn begin(&mut self, snapshot: &Snapshot) {
        if self.state.is_some() {
            return;
        }
        let known = WitnessedBean {
            bean: self.bean,
            base_sequence: snapshot.sequence,
            base_quantity: snapshot.quantity,
            seen: snapshot.sequence,
            quantity: snapshot.quantity,
            since: Some(snapshot.as_of),
            usual: String::new(),
        };
        self.changes.is_new = true;
        self.state = Some(State {
            known,
            usual: UsualSizes::default(),
        });
    }

    fn count_movements(&mut self, placed: &Placed, movements: &[StreamedMovement]) {
        let Some(state) = &mut self.state else {
            return;
        };
        let (seen, base) = (state.known.seen, state.known.base_sequence);
        let (again, new): (Vec<_>, Vec<_>) = movements
            .iter()
            .filter(|movement| movement.sequence > base)
            .partition(|movement| movement.sequence <= seen);
        self.changes.repeats.extend(run(self.bean, placed, &again));
        self.changes.runs.extend(run(self.bean, placed, &new));
        for movement in &new {
            state.known.seen = movement.sequence;
            let quantity = state.known.quantity;
            state.known.quantity = quantity.saturating_add(movement.change_by);
            let unusual = state.usual.note(movement.kind, movement.change_by);
            self.changes.unusual.extend(unusual.map(|usual| NewUnusual {
                bean: self.bean,
                sequence: movement.sequence,
                kind: movement.kind.code(),
                change_by: movement.change_by,
                usual,
                at: Some(movement.occurred_at),
            }));
        }
        self.add_days(&new);
    }

    fn add_days(&mut self, movements: &[&StreamedMovement]) {
        let mut days: BTreeMap<NaiveDate, BeanDay> = BTreeMap::new();
        let zone = self.zone;
        let mut add = |kind, change_by, at: DateTime<Utc>, sign| {
            let day = day_in(zone, at);
            let entry = days.entry(day).or_insert_with(|| BeanDay::quiet(day));
            entry.add(kind, change_by, sign);
        };
        for movement in movements {
            match &movement.undoes {
                None => add(movement.kind, movement.change_by, movement.occurred_at, 1),
                // It changed the stock the other way.
                Some(undone) => {
                    add(
                        undone.kind,
                        movement.change_by.saturating_neg(),
                        undone.occurred_at,
                        -1,
                    );
                    self.changes.undone.push((self.bean, undone.sequence));
                }
            }
        }
        let days = days
            .into_values()
            .filter(|day| *day != BeanDay::quiet(day.day));
        let bean = self.bean;
        self.changes
            .days
            .extend(days.map(|day| DayChange { bean, day }));
    }
}

/// Movements of a record as one run; none if there are none.
fn run(bean: i64, placed: &Placed, movements: &[&StreamedMovement]) -> Option<Run> {
    let (first, last) = (movements.first()?, movements.last()?);
    let changes: Vec<i64> = movements
        .iter()
        .map(|movement| movement.change_by)
        .collect();
    Some(Run {
        bean,
        first: first.sequence,
        last: last.sequence,
        changes: serde_json::to_string(&changes).unwrap_or_default(),
        shard: placed.shard.clone(),
        sequence_number: placed.sequence_number.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{BeanId, MovementKind, SupplierId};
    use crate::stream::record::Undone;

    fn at(day: u32, hour: u32) -> DateTime<Utc> {
        let day = NaiveDate::from_ymd_opt(2026, 11, day).unwrap();
        day.and_hms_opt(hour, 0, 0).unwrap().and_utc()
    }

    fn placed(number: u32, content: Content) -> Placed {
        Placed {
            stream: "stock_movements@1".to_owned(),
            shard: "shardId-000000000000".to_owned(),
            sequence_number: number.to_string(),
            record: StreamRecord {
                bean: BeanId(3),
                supplier: SupplierId(1),
                content,
            },
            was_held: false,
        }
    }

    fn begins(sequence: i64, quantity: i64) -> Placed {
        let snapshot = Snapshot {
            sequence,
            quantity,
            as_of: at(1, 8),
        };
        placed(1, Content::Snapshot(snapshot))
    }

    fn used(number: u32, sequence: i64, bags: &[i64]) -> Placed {
        let movements = bags
            .iter()
            .zip(sequence..)
            .map(|(bags, sequence)| StreamedMovement {
                sequence,
                kind: MovementKind::Use,
                change_by: -bags,
                quantity_after: 100,
                occurred_at: at(3, 9),
                booked_at: at(3, 9),
                update_id: None,
                undoes: None,
            });
        placed(number, Content::Movements(movements.collect()))
    }

    fn fold(records: Vec<Placed>) -> Changes {
        Fold::new(3, None, Tz::UTC).take(records)
    }

    fn stand(changes: &Changes) -> (i64, i64) {
        let known = changes.witnessed.as_ref().unwrap();
        (known.seen, known.quantity)
    }

    #[test]
    fn movements_count_from_the_snapshot_on() {
        let changes = fold(vec![begins(4, 100), used(2, 5, &[1, 2]), used(3, 7, &[3])]);

        assert_eq!(stand(&changes), (7, 94));
        assert_eq!(changes.runs.len(), 2);
        assert_eq!(changes.runs[0].changes, "[-1,-2]");
        let day = changes.days[0].day;
        assert_eq!((day.uses, day.used), (2, 3));
        assert_eq!(
            (day.day.to_string(), changes.days.len()),
            ("2026-11-03".to_owned(), 2)
        );
    }

    #[test]
    fn what_comes_again_counts_once() {
        let changes = fold(vec![
            begins(4, 100),
            used(2, 5, &[1, 2]),
            used(3, 5, &[1, 2]),
            used(4, 6, &[2, 3]),
            begins(4, 100),
        ]);

        assert_eq!(stand(&changes), (7, 94));
        let repeats: Vec<_> = changes
            .repeats
            .iter()
            .map(|run| (run.first, run.last))
            .collect();
        assert_eq!(repeats, [(5, 6), (6, 6)]);
    }

    #[test]
    fn what_is_older_than_the_snapshot_is_in_it() {
        let changes = fold(vec![begins(4, 100), used(2, 3, &[9, 9, 1])]);

        assert_eq!(stand(&changes), (5, 99));
        assert_eq!(changes.repeats, []);
    }

    #[test]
    fn what_comes_too_early_waits_and_then_counts() {
        let early = fold(vec![begins(4, 100), used(3, 7, &[3]), used(4, 8, &[4])]);
        let held: Vec<_> = early.hold.iter().map(|held| held.first).collect();
        assert_eq!((stand(&early), held), ((4, 100), vec![7, 8]));

        let mut waited = [used(3, 7, &[3]), used(4, 8, &[4])];
        for placed in &mut waited {
            placed.was_held = true;
        }
        let [one, other] = waited;
        let known = early.witnessed.unwrap();
        let changes =
            Fold::new(3, Some(known), Tz::UTC).take(vec![used(9, 5, &[1, 2]), other, one]);

        assert_eq!(stand(&changes), (8, 90));
        assert_eq!(changes.held_no_more.len(), 2);
        assert_eq!(changes.hold, []);
    }

    #[test]
    fn nothing_counts_before_the_story_begins() {
        let changes = fold(vec![used(2, 5, &[1])]);

        assert!(changes.witnessed.is_none());
        assert_eq!(changes.hold.len(), 1);
    }

    #[test]
    fn what_is_taken_back_is_taken_from_the_day_it_was_on() {
        let mut back = used(3, 6, &[-2]);
        let Content::Movements(movements) = &mut back.record.content else {
            unreachable!("it has movements")
        };
        movements[0].kind = MovementKind::Undo;
        movements[0].occurred_at = at(5, 9);
        movements[0].undoes = Some(Undone {
            sequence: 5,
            kind: MovementKind::Use,
            occurred_at: at(3, 9),
        });

        let changes = fold(vec![begins(4, 100), used(2, 5, &[2]), back]);

        assert_eq!(stand(&changes), (6, 100));
        let sum: (i64, i64) = changes.days.iter().fold((0, 0), |(uses, used), change| {
            (uses + change.day.uses, used + change.day.used)
        });
        assert_eq!(sum, (0, 0));
        assert_eq!(changes.undone, [(3, 5)]);
        assert!(
            changes
                .days
                .iter()
                .all(|change| change.day.day == at(3, 9).date_naive())
        );
    }

    #[test]
    fn a_use_that_is_far_larger_than_usual_is_noted() {
        let usual: Vec<i64> = (0..12).map(|turn| 1 + turn % 2).collect();

        let changes = fold(vec![
            begins(0, 1_000),
            used(2, 1, &usual),
            used(3, 13, &[40]),
        ]);

        let unusual = &changes.unusual;
        assert_eq!(unusual.len(), 1, "{unusual:?}");
        assert_eq!((unusual[0].sequence, unusual[0].change_by), (13, -40));
    }
}
