//! Taking over a database of the lab's app: its tables are moved aside and copied into ours.
//!
//! Nothing is dropped, and a step that was done is found done: killed at any point and run again,
//! it comes to the same end. All decisions are [`plan`]'s, so what the preview says will happen.

mod clean;
mod plan;
mod report;

use self::plan::Plan;
use self::report::Outcome;
pub use self::report::Report;
use crate::db::adoptions::{self, Adoption};
use crate::db::movements::insert_movements;
use crate::db::schema::lab::{self, LabTable, Layout, Place};
use crate::db::{
    self, Connection, DbError, DbResult, MigrateError, MigrationLock, Pool, Transaction, Trouble,
    WorkError,
};
use crate::domain::{BeanStock, Cause, Movement, MovementKind};

/// Why a database was not taken over.
#[derive(Debug, thiserror::Error)]
pub enum AdoptError {
    /// What is there is not the lab's, or not as it should be: a sentence that says what to do.
    #[error("{0}")]
    Refused(String),
    /// The schema could not be looked at or brought up to date.
    #[error(transparent)]
    Migrate(#[from] MigrateError),
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

fn refused(sentence: impl Into<String>) -> AdoptError {
    AdoptError::Refused(sentence.into())
}

impl WorkError for AdoptError {
    fn db_error(&self) -> Option<&DbError> {
        match self {
            Self::Db(error) => Some(error),
            _ => None,
        }
    }
}

/// Tells what [`adopt`] would do, and changes nothing.
pub async fn preview(pool: &Pool) -> Result<Report, AdoptError> {
    let mut lock = MigrationLock::take(pool).await?;
    match survey(&mut lock).await? {
        Stage::Finished(adoption) => Ok(Report(Outcome::Finished(adoption))),
        Stage::Open(places) => {
            warn_of_others(&mut lock).await?;
            let plan = read_plan(lock.connection(), places).await?;
            Ok(Report(Outcome::Preview { plan, places }))
        }
    }
}

/// Takes the database over, or finishes what was interrupted.
pub async fn adopt(pool: &Pool) -> Result<Report, AdoptError> {
    let mut lock = MigrationLock::take(pool).await?;
    let places = match survey(&mut lock).await? {
        Stage::Finished(adoption) => return Ok(Report(Outcome::Finished(adoption))),
        Stage::Open(places) => places,
    };
    warn_of_others(&mut lock).await?;
    let found = read_plan(lock.connection(), places).await?;
    move_aside(&mut lock, places).await?;
    lock.migrate().await?;
    for (table, next) in &found.next_ids {
        lab::number_from(lock.connection(), *table, *next).await?;
    }
    db::in_transaction(pool, async |tx| copy(tx, &found).await).await?;
    Ok(Report(Outcome::Done(found)))
}

/// Copies what was found, if it still is what is there.
async fn copy(tx: &mut Transaction, found: &Plan) -> Result<(), AdoptError> {
    refuse_rows(tx).await?;
    if read_plan(tx, [Place::Moved; 2]).await? != *found {
        return Err(refused(
            "the lab's rows changed while its tables were renamed, so nothing was copied: stop \
             whatever still writes to them, see `beanstock adopt --dry-run`, and run this again",
        ));
    }
    Ok(store(tx, found).await?)
}

/// How far the adoption of a database is.
enum Stage {
    /// Where the lab's suppliers and beans are.
    Open([Place; 2]),
    /// It is over.
    Finished(Adoption),
}

/// Finds how far it is, and whether the rest can be done.
async fn survey(lock: &mut MigrationLock) -> Result<Stage, AdoptError> {
    let layout = lab::find_layout(lock.connection()).await?;
    if layout.has_adoptions()
        && let Some(adoption) = adoptions::find_adoption(lock.connection()).await?
    {
        refuse_again(&layout)?;
        return Ok(Stage::Finished(adoption));
    }
    let places = find_places(&layout)?;
    for (table, place) in LabTable::ALL.into_iter().zip(places) {
        refuse_others(&layout, table, place)?;
    }
    lock.check(&layout).await?;
    if LabTable::ALL.iter().all(|table| layout.has_ours(*table)) {
        refuse_rows(lock.connection()).await?;
    }
    Ok(Stage::Open(places))
}

/// Refuses tables of the lab's that came back after they were taken over.
fn refuse_again(layout: &Layout) -> Result<(), AdoptError> {
    let mut tables = LabTable::ALL.into_iter();
    match tables.find(|table| layout.has_labs(*table, Place::Own)) {
        Some(table) => Err(refused(format!(
            "this database was taken over already, but `{}` is a table of the lab's app again; \
             rename it, or take it over in a database of its own",
            table.name()
        ))),
        None => Ok(()),
    }
}

/// Refuses a table that the lab's app could not have made.
fn refuse_others(layout: &Layout, lab_table: LabTable, place: Place) -> Result<(), AdoptError> {
    let table = lab_table.name_at(place);
    if layout.is_view(table) {
        return Err(refused(format!(
            "`{table}` is a view, and only tables can be taken over: rename the view, for example \
             to `{table}_view`, put its rows into a table with CREATE TABLE `{table}` AS SELECT * \
             FROM `{table}_view`, and run this again"
        )));
    }
    let columns = layout.columns_of(table);
    let mut needed = lab_table.columns().iter();
    match needed.find(|needed| !columns.iter().any(|has| has == *needed)) {
        Some(column) => Err(refused(format!(
            "the table `{table}` has no column `{column}`, so it is not the lab's"
        ))),
        None => Ok(()),
    }
}

fn find_places(layout: &Layout) -> Result<[Place; 2], AdoptError> {
    let [suppliers, beans] = LabTable::ALL.map(|table| find_place(layout, table));
    match (suppliers?, beans?) {
        (Some(suppliers), Some(beans)) => Ok([suppliers, beans]),
        (None, None) if layout.has_ours(LabTable::Suppliers) => Err(refused(
            "this database is beanstock's already, and has no tables of the lab's app",
        )),
        (None, None) => Err(refused(
            "this database has no tables `suppliers` and `beans`, so it is not the lab's; \
             DATABASE_URL may name another one",
        )),
        (suppliers, _) => {
            let missing = if suppliers.is_some() {
                "beans"
            } else {
                "suppliers"
            };
            Err(refused(format!(
                "this database has no table `{missing}`, which the lab's app has"
            )))
        }
    }
}

fn find_place(layout: &Layout, table: LabTable) -> Result<Option<Place>, AdoptError> {
    let (name, moved) = (table.name(), table.moved_name());
    let [own, away] = [Place::Own, Place::Moved].map(|place| layout.has_labs(table, place));
    match (own, away, layout.in_another_case(name)) {
        (true, true, _) => Err(refused(format!(
            "both `{name}` and `{moved}` are tables of the lab's app; rename the one that is not \
             to be taken over"
        ))),
        (true, false, _) => Ok(Some(Place::Own)),
        (false, true, _) => Ok(Some(Place::Moved)),
        // To some servers that is another table.
        (false, false, Some(found)) if !layout.has(name) => Err(refused(format!(
            "this database has a table `{found}`, but the lab's app's is called `{name}`, in lower \
             case; if it is the lab's, run RENAME TABLE `{found}` TO `{name}` and this again"
        ))),
        (false, false, _) => Ok(None),
    }
}

async fn move_aside(lock: &mut MigrationLock, places: [Place; 2]) -> Result<(), AdoptError> {
    let tables = LabTable::ALL.into_iter().zip(places);
    let to_move = tables.filter(|(_, place)| *place == Place::Own);
    let to_move: Vec<LabTable> = to_move.map(|(table, _)| table).collect();
    let moved = async {
        lab::try_rights(lock.connection()).await?;
        lab::move_lab_tables(lock.connection(), &to_move).await
    };
    moved.await.map_err(|error| match error.trouble() {
        Trouble::Conflict => refused(
            "somebody is using the lab's tables, so nothing was renamed: stop the lab's app and \
             run this again",
        ),
        _ if error.is_forbidden() => refused(
            "this user may not rename the lab's tables and make ours, so nothing was renamed: \
             sign in as one who has SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP and \
             REFERENCES on this database, and run this again",
        ),
        _ => error.into(),
    })
}

/// The lab's app can still change quantities in our tables, and no movement would say so. It may
/// connect only when it has something to do, so nothing found proves nothing.
async fn warn_of_others(lock: &mut MigrationLock) -> DbResult<()> {
    let others = lab::list_others(lock.connection()).await?;
    if !others.is_empty() {
        tracing::warn!(
            "others are connected to this database: {}; if the lab's app is one of them, stop it",
            others.join(", ")
        );
    }
    Ok(())
}

async fn refuse_rows(conn: &mut Connection) -> Result<(), AdoptError> {
    if adoptions::find_any_row(conn).await? {
        return Err(refused(
            "beanstock's tables have rows already, although the adoption did not finish; somebody \
             added them, and they would mix with the lab's: move them elsewhere and run this again",
        ));
    }
    Ok(())
}

async fn read_plan(conn: &mut Connection, places: [Place; 2]) -> DbResult<Plan> {
    let [suppliers_at, beans_at] = places;
    let suppliers = lab::list_rows(conn, LabTable::Suppliers, suppliers_at).await?;
    let beans = lab::list_rows(conn, LabTable::Beans, beans_at).await?;
    let mut plan = Plan::make(suppliers, beans);
    let layout = lab::find_layout(conn).await?;
    for (table, place) in LabTable::ALL.into_iter().zip(places) {
        plan.leave_columns(table, layout.columns_of(table.name_at(place)));
        plan.leave_dependents(table, &lab::list_dependents(conn, table, place).await?);
        plan.number_after(table, lab::find_next_id(conn, table, place).await?);
    }
    Ok(plan)
}

/// How many movements one statement carries.
const MOVEMENTS_AT_ONCE: usize = 1_000;

async fn store(tx: &mut Transaction, plan: &Plan) -> DbResult<()> {
    let now = db::server::tell_time(tx).await?;
    for (id, details) in &plan.suppliers {
        adoptions::insert_adopted_supplier(tx, *id, details, now).await?;
    }
    for bean in &plan.beans {
        adoptions::insert_adopted_bean(tx, bean.id, &bean.details, bean.quantity, now).await?;
    }
    let movements: Vec<Movement> = plan
        .beans
        .iter()
        .map(|bean| {
            let mut stock = BeanStock::empty(bean.id);
            stock.set_quantity(MovementKind::Opening, bean.quantity, now, Cause::default())
        })
        .collect();
    for some in movements.chunks(MOVEMENTS_AT_ONCE) {
        insert_movements(tx, some, now).await?;
    }
    let count = |rows: usize| i64::try_from(rows).unwrap_or(i64::MAX);
    let adoption = Adoption {
        suppliers: count(plan.suppliers.len()),
        beans: count(plan.beans.len()),
        at: now,
    };
    adoptions::record_adoption(tx, adoption, plan.kept_decisions()).await
}
