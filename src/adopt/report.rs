//! What the command prints.

use std::fmt;

use super::plan::Plan;
use crate::db::adoptions::Adoption;
use crate::db::schema::lab::{LabTable, Place};

/// What was found or done. Its text is for whoever runs the command.
#[derive(Debug)]
pub struct Report(pub(super) Outcome);

/// What was found or done.
#[derive(Debug)]
pub(super) enum Outcome {
    /// What a real run would do.
    Preview {
        plan: Plan,
        /// Where the lab's suppliers and beans are.
        places: [Place; 2],
    },
    /// What was done.
    Done(Plan),
    /// That there was nothing left to do.
    Finished(Adoption),
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Outcome::Preview { plan, places } => write_preview(f, plan, *places),
            Outcome::Done(plan) => write_done(f, plan),
            Outcome::Finished(adoption) => write!(
                f,
                "This database was taken over on {}, with {} suppliers and {} beans; there is \
                 nothing left to do.",
                adoption.at.format("%Y-%m-%d %H:%M UTC"),
                adoption.suppliers,
                adoption.beans
            ),
        }
    }
}

fn write_preview(f: &mut fmt::Formatter<'_>, plan: &Plan, places: [Place; 2]) -> fmt::Result {
    writeln!(f, "Stop the lab's app before the real run.\n")?;
    write_decisions(f, plan, "A real run keeps")?;
    writeln!(f, "\nA real run would, in this order,")?;
    for (table, place) in LabTable::ALL.into_iter().zip(places) {
        let (name, moved) = (table.name(), table.moved_name());
        match place {
            Place::Own => writeln!(
                f,
                "- rename the lab's table {name} to {moved}, and keep it,"
            )?,
            Place::Moved => writeln!(f, "- find the lab's table {name} renamed to {moved},")?,
        }
    }
    writeln!(f, "- create the tables of beanstock that are missing,")?;
    writeln!(
        f,
        "- copy the rows into them in one transaction, each bean with its bags as its first \
         movement,"
    )?;
    writeln!(f, "which makes {}.", contents(plan))?;
    write!(f, "\nNothing was changed.")
}

fn write_done(f: &mut fmt::Formatter<'_>, plan: &Plan) -> fmt::Result {
    write_decisions(f, plan, "The table `adoptions` keeps")?;
    write!(
        f,
        "\nTook over {}.\nThe lab's tables are kept as lab_suppliers and lab_beans. If the \
         lab's app still runs, stop it: what it changes now\nis explained by no movement. \
         `beanstock audit` checks the stock against its movements; `beanstock serve` goes on from here.",
        contents(plan)
    )
}

/// How many decisions are written; more than anybody reads.
const PRINTED: usize = 200;

fn write_decisions(f: &mut fmt::Formatter<'_>, plan: &Plan, who_keeps: &str) -> fmt::Result {
    if plan.decisions.is_empty() {
        return writeln!(f, "No decision was needed: every row fits as it is.");
    }
    writeln!(f, "Decisions:")?;
    for decision in plan.decisions.iter().take(PRINTED) {
        writeln!(f, "- {decision}")?;
    }
    let (all, kept) = (plan.decisions.len(), plan.kept_decisions().len());
    if all > PRINTED {
        writeln!(f, "- and {} more", all - PRINTED)?;
        writeln!(
            f,
            "{who_keeps} {kept} of the {all}: SELECT decisions FROM adoptions."
        )?;
    }
    Ok(())
}

fn contents(plan: &Plan) -> String {
    let count = |number: i64, one: &str| match number {
        1 => format!("1 {one}"),
        _ => format!("{number} {one}s"),
    };
    let rows = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    format!(
        "{}, {} and {}",
        count(rows(plan.suppliers.len()), "supplier"),
        count(rows(plan.beans.len()), "bean"),
        count(plan.bags(), "bag")
    )
}
