//! Stocktakes: counting the whole shelf on a phone, by as many people as help.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;

use super::shelf::sentence;
use crate::db;
use crate::db::stocktakes::{CountLine, Stocktake, Uncounted};
use crate::domain::BeanId;
use crate::stocktake::{self, StocktakeError};
use crate::web::acting::Acting;
use crate::web::http::error::{Missing, WebError};
use crate::web::paths::{self, Id, InPath as _};
use crate::web::state::AppState;
use crate::web::ui::form::{Form, Mistakes, TextField};
use crate::web::ui::layout::Layout;
use crate::web::ui::notice::Notice;
use crate::web::ui::page::{Page, filters};
use crate::web::ui::query::Query;
use crate::web::ui::typed::parse_stock;
use crate::web::ui::wording;

/// As many beans that have still to be counted are listed.
const LISTED: i64 = 300;

/// As many stocktakes.
const STOCKTAKES: i64 = 50;

#[derive(Template)]
#[template(path = "staff/stocktakes/list.html")]
pub(super) struct StocktakesPage {
    layout: Layout,
    stocktakes: Vec<Stocktake>,
}

impl StocktakesPage {
    fn is_going(&self) -> bool {
        self.stocktakes.iter().any(|one| one.finished_at.is_none())
    }
}

#[derive(Template)]
#[template(path = "staff/stocktakes/page.html")]
struct StocktakePage {
    layout: Layout,
    stocktake: Stocktake,
    counts: Vec<CountLine>,
    /// The first of those that have still to be counted, and how many there are.
    uncounted: Vec<Uncounted>,
    left: i64,
    /// The bean whose turn it is.
    next: Option<Turn>,
    mistakes: Mistakes,
    /// Whether it is about to be finished.
    asks: bool,
}

/// The bean that is counted now.
struct Turn {
    bean: BeanId,
    product_name: String,
    supplier_name: String,
    /// Who has counted it in this stocktake, if somebody has.
    earlier: Option<CountLine>,
    bags: TextField,
}

impl StocktakePage {
    fn is_going(&self) -> bool {
        self.stocktake.finished_at.is_none()
    }

    fn counted(&self) -> i64 {
        i64::try_from(self.counts.len()).unwrap_or(i64::MAX)
    }

    fn all(&self) -> i64 {
        self.counted() + self.left
    }

    /// Whether somebody began to book it: it is not dropped any more.
    fn is_being_booked(&self) -> bool {
        self.is_going() && self.stocktake.booking_at.is_some()
    }

    /// How many counts differ from the books.
    fn differing(&self) -> usize {
        let differs = |line: &&CountLine| line.bags != line.expected;
        self.counts.iter().filter(differs).count()
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Choice {
    /// The bean that is counted next.
    bean: String,
    /// `finish` to see what would be booked.
    step: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct CountForm {
    bean: String,
    bags: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct FinishForm {
    /// `book` or `drop`.
    #[serde(rename = "do")]
    wish: String,
}

pub(super) async fn list_stocktakes(
    State(state): State<AppState>,
    layout: Layout,
) -> Result<Page<StocktakesPage>, WebError> {
    let mut conn = state.connection().await?;
    Ok(Page::ok(StocktakesPage {
        layout,
        stocktakes: db::stocktakes::list_stocktakes(&mut conn, STOCKTAKES).await?,
    }))
}

pub(super) async fn start(
    State(state): State<AppState>,
    acting: Acting,
) -> Result<Redirect, WebError> {
    let started = stocktake::start(&state.pool, acting.account, &acting.address).await;
    let id = started.map_err(internal)?;
    Ok(Redirect::to(&paths::stocktake(id)))
}

pub(super) async fn show_stocktake(
    State(state): State<AppState>,
    layout: Layout,
    Id(id): Id<i64>,
    Query(choice): Query<Choice>,
) -> Result<Response, WebError> {
    let bean = BeanId::from_segment(&choice.bean);
    let mut page = read(&state, layout, id, bean).await?;
    page.asks = choice.step == "finish" && page.is_going() && !page.counts.is_empty();
    Ok(Page::ok(page).into_response())
}

/// Takes a count, and leads to the next bean.
pub(super) async fn take_count(
    State(state): State<AppState>,
    acting: Acting,
    layout: Layout,
    Id(id): Id<i64>,
    Form(form): Form<CountForm>,
) -> Result<Response, WebError> {
    let bean = BeanId::from_segment(&form.bean).ok_or(WebError::NotFound(Missing::Bean))?;
    super::beans::find_bean(&state, bean).await?;
    let bags = match parse_stock(&form.bags) {
        Ok(bags) => bags,
        Err(sentence) => {
            let mut page = read(&state, layout, id, Some(bean)).await?;
            page.mistakes = Mistakes::one("bags", sentence);
            if let Some(turn) = &mut page.next {
                turn.bags = bags_field(&form.bags, &page.mistakes);
            }
            return Ok(Page(StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
        }
    };
    let (by, address) = (acting.account, &acting.address);
    let counted = stocktake::count(&state.pool, id, bean, bags, by, address).await;
    answer(counted, id, &paths::stocktake(id))
}

/// Books the stocktake, or drops it.
pub(super) async fn finish(
    State(state): State<AppState>,
    acting: Acting,
    layout: Layout,
    Id(id): Id<i64>,
    Form(form): Form<FinishForm>,
) -> Result<Response, WebError> {
    let (by, address, zone) = (acting.account, &acting.address, layout.zone);
    let (finished, notice) = match form.wish.as_str() {
        "book" => {
            let explain = |error: &_| sentence(error, zone);
            let booked = stocktake::finish(&state.pool, id, by, address, explain).await;
            (booked, Notice::StocktakeBooked)
        }
        "drop" => {
            let dropped = stocktake::abandon(&state.pool, id, by, address).await;
            (dropped, Notice::StocktakeDropped)
        }
        _ => return Err(WebError::BadForm),
    };
    answer(finished, id, &notice.on(&paths::stocktake(id)))
}

fn answer(done: Result<(), StocktakeError>, id: i64, page: &str) -> Result<Response, WebError> {
    let page = match done {
        Ok(()) => page.to_owned(),
        Err(StocktakeError::Finished) => Notice::StocktakeIsOver.on(&paths::stocktake(id)),
        Err(StocktakeError::BeingBooked) => {
            Notice::StocktakeIsBeingBooked.on(&paths::stocktake(id))
        }
        Err(error) => return Err(internal(error)),
    };
    Ok(Redirect::to(&page).into_response())
}

fn internal(error: StocktakeError) -> WebError {
    match error {
        StocktakeError::Finished | StocktakeError::BeingBooked => {
            WebError::NotFound(Missing::Stocktake)
        }
        StocktakeError::Db(error) => error.into(),
    }
}

/// Reads a stocktake; the bean's turn is that of the one asked for, or of the first that has not been counted.
async fn read(
    state: &AppState,
    layout: Layout,
    id: i64,
    asked: Option<BeanId>,
) -> Result<StocktakePage, WebError> {
    let mut conn = state.connection().await?;
    let mut conn = db::snapshot(&mut conn).await?;
    let stocktake = db::stocktakes::find_stocktake(&mut conn, id).await?;
    let stocktake = stocktake.ok_or(WebError::NotFound(Missing::Stocktake))?;
    let counts = db::stocktakes::list_counts(&mut conn, id).await?;
    let uncounted = match stocktake.finished_at {
        None => db::stocktakes::list_uncounted(&mut conn, id, LISTED).await?,
        Some(_) => Vec::new(),
    };
    let left = db::stocktakes::count_uncounted(&mut conn, id).await?;
    let again = counts.iter().find(|line| Some(line.bean) == asked);
    let wanted = uncounted.iter().find(|line| Some(line.bean) == asked);
    let none = Mistakes::default();
    let bags = bags_field("", &none);
    let next = match (again, wanted.or(uncounted.first())) {
        (Some(line), _) => Some(Turn {
            bean: line.bean,
            product_name: line.product_name.clone(),
            supplier_name: line.supplier_name.clone(),
            earlier: Some(line.clone()),
            bags,
        }),
        (None, Some(line)) => Some(Turn {
            bean: line.bean,
            product_name: line.product_name.clone(),
            supplier_name: line.supplier_name.clone(),
            earlier: None,
            bags,
        }),
        (None, None) => None,
    };
    Ok(StocktakePage {
        next: next.filter(|_| stocktake.finished_at.is_none()),
        layout,
        stocktake,
        counts,
        uncounted,
        left,
        mistakes: none,
        asks: false,
    })
}

fn bags_field(typed: &str, mistakes: &Mistakes) -> TextField {
    TextField {
        inputmode: "numeric",
        width: "short",
        hint: "Everything on the shelf. 0 if there are none.",
        ..TextField::new("bags", "How many bags are there?", typed, mistakes)
    }
}
