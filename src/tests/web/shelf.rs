//! What staff do at the shelf: using, adjusting, counting, undoing.

use beanstock::domain::{BeanId, MovementKind, Role, UpdateId};
use chrono::{SecondsFormat, TimeDelta, Utc};
use tokio::task::JoinSet;

use crate::support::app::delivery;
use crate::support::site::Answer;
use crate::support::{EXCELSA, Kind, Site, TestApp};

fn at(bean: BeanId, what: &str) -> String {
    format!("/beans/{bean}/{what}")
}

/// Uses bags with a button of the page where bags are used.
async fn tap(site: &Site, bags: &str) -> Answer {
    let page = site.get("/use").await;
    let key = page.value_of("form_key");
    let fields = [("form_key", key.as_str()), ("bags", bags)];
    site.post(&at(EXCELSA, "use"), &fields).await
}

/// Counts bags and books the count after seeing what it does.
async fn count(site: &Site, bags: &str, counted: &str) -> (Answer, Answer) {
    let key = uuid::Uuid::new_v4().to_string();
    let fields = [
        ("do", "check"),
        ("form_key", &key),
        ("bags", bags),
        ("counted", counted),
    ];
    let check = site.post(&at(EXCELSA, "count"), &fields).await;
    let counted_at = check.value_of("at");
    let fields = [
        ("do", "send"),
        ("form_key", &key),
        ("bags", bags),
        ("counted", counted),
        ("at", &counted_at),
    ];
    let booked = site.post(&at(EXCELSA, "count"), &fields).await;
    (check, booked)
}

/// Takes a movement back, and gives the page that asks first.
async fn undo(site: &Site, sequence: i64) -> (Answer, Answer) {
    let address = at(EXCELSA, &format!("movements/{sequence}/undo"));
    let question = site.get(&address).await;
    let key = question.value_of("form_key");
    let fields = [
        ("do", "send"),
        ("form_key", key.as_str()),
        ("why", "A slip"),
    ];
    (question, site.post(&address, &fields).await)
}

/// Nobody looks for a bean again whose page is open.
#[tokio::test]
async fn a_beans_page_leads_to_its_own_buttons() {
    let app = TestApp::start(Kind::Fifo).await;
    let site = Site::of(&app).seen_by(Role::Staff);
    let bean = site.get(&format!("/beans/{EXCELSA}")).await;

    let way = bean.attributes(".doings a", "href").remove(0);
    let shelf = site.get(&way).await;

    let buttons = shelf.attributes(".shelf form", "action");
    assert!(buttons.contains(&at(EXCELSA, "use")), "{buttons:?}");
    assert_eq!(buttons.len(), 2, "of 14: another one has its name, too");
}

#[tokio::test]
async fn one_tap_uses_a_bag_and_can_be_undone() {
    let app = TestApp::start(Kind::Fifo).await;
    let site = Site::of(&app).seen_by(Role::Staff);

    let tapped = tap(&site, "2").await;
    let told = site.get(tapped.header("location")).await;
    let other = site.get("/use?bean=5&movement=1").await;
    assert!(
        other.all(".notice").is_empty(),
        "only what was used is told"
    );
    let undo_link = told.attributes(".notice a", "href").remove(0);
    let used = app.stock_of(EXCELSA).await;
    let question = site.get(&undo_link).await;
    let key = question.value_of("form_key");
    let fields = [("do", "send"), ("form_key", key.as_str())];
    let undone = site.post(&undo_link, &fields).await;

    assert_eq!(tapped.status(), 303);
    assert!(
        told.text_of(".notice").contains("2 bags of"),
        "{}",
        told.body
    );
    assert_eq!((used, app.stock_of(EXCELSA).await), (198, 200));
    assert!(question.text_of(".effects dd").starts_with("+2"));
    assert_eq!(undone.header("location"), "/beans/5?done=movement-undone");
    let page = site.get(undone.header("location")).await;
    let first = &page.all(".cards .first")[0];
    assert!(
        first.contains("by ") && first.contains("of number 2"),
        "{first}"
    );
    app.assert_audit_is_clean().await;
}

#[tokio::test]
async fn a_tap_that_is_sent_twenty_times_uses_bags_once() {
    let app = TestApp::start(Kind::Fifo).await;
    let site = Site::of(&app).seen_by(Role::Staff);

    let mut taps = JoinSet::new();
    for _ in 0..20 {
        let site = site.clone();
        taps.spawn(async move {
            let fields = [("form_key", "one"), ("bags", "1")];
            site.post(&at(EXCELSA, "use"), &fields).await.status()
        });
    }

    assert!(taps.join_all().await.iter().all(|status| *status == 303));
    assert_eq!(app.stock_of(EXCELSA).await, 199);
    let keyless = site.post(&at(EXCELSA, "use"), &[("bags", "1")]).await;
    assert_eq!(keyless.status(), 400);
}

#[tokio::test]
async fn more_than_there_is_cannot_be_used() {
    let app = TestApp::start(Kind::Fifo).await;
    let site = Site::of(&app).seen_by(Role::Staff);

    let refused = tap(&site, "201").await;
    let nonsense = tap(&site, "-1").await;

    assert_eq!((refused.status(), nonsense.status()), (409, 409));
    assert!(
        refused
            .text_of("[role=alert]")
            .contains("There are only 200 bags."),
        "{}",
        refused.text_of("[role=alert]")
    );
    assert_eq!(app.stock_of(EXCELSA).await, 200);
}

#[tokio::test]
async fn stock_is_adjusted_by_a_difference_with_a_reason() {
    let app = TestApp::start(Kind::Fifo).await;
    let site = Site::of(&app).seen_by(Role::Staff);
    let address = at(EXCELSA, "adjust");
    let send = async |wish, reason, bags, why, key| {
        let fields = [
            ("do", wish),
            ("form_key", key),
            ("reason", reason),
            ("bags", bags),
            ("why", why),
        ];
        site.post(&address, &fields).await
    };

    let empty = send("check", "", "", "", "a").await;
    let unsaid = send("check", "other-out", "3", "", "b").await;
    let check = send("check", "damaged", "3", "Wet", "c").await;
    let before = app.stock_of(EXCELSA).await;
    let booked = send("send", "damaged", "3", "Wet", "c").await;

    let mistakes = ["Choose what happened", "Enter how many bags"];
    assert_eq!(empty.all(".mistakes a"), mistakes);
    assert_eq!(unsaid.all(".mistakes a"), ["Enter what happened"]);
    assert!(check.text_of(".effects dd").contains("200 → 197 bags"));
    assert_eq!((before, app.stock_of(EXCELSA).await), (200, 197));
    let page = site.get(booked.header("location")).await;
    assert_eq!(page.all(".cards .why")[0], "Wet");
    let newest = site.movements_of(EXCELSA).await.remove(0);
    assert_eq!((newest.kind, newest.change_by), (MovementKind::Damaged, -3));
}

#[tokio::test]
async fn what_moved_since_bags_were_counted_stays_on_top_of_the_count() {
    let app = TestApp::start(Kind::Fifo).await;
    let site = Site::of(&app).seen_by(Role::Staff);
    // The shelf was counted, then a delivery came and bags were used, and only then the count is booked.
    let counted_at = Utc::now();
    app.publish_line("3:Excelsa:12").await;
    app.drain().await;
    tap(&site, "5").await;

    let at_that_moment = counted_at.to_rfc3339_opts(SecondsFormat::Micros, true);
    let fields = [
        ("do", "send"),
        ("form_key", "k"),
        ("bags", "180"),
        ("at", &at_that_moment),
    ];
    let booked = site.post(&at(EXCELSA, "count"), &fields).await;

    assert_eq!(booked.status(), 303, "{}", booked.body);
    assert_eq!(app.stock_of(EXCELSA).await, 180 + 12 - 5);
    app.assert_audit_is_clean().await;
}

#[tokio::test]
async fn undoing_a_count_restores_the_count_before_it() {
    let app = TestApp::start(Kind::Fifo).await;
    let site = Site::of(&app).seen_by(Role::Staff);

    let (check, _) = count(&site, "190", "").await;
    let (_, second) = count(&site, "150", "").await;
    tap(&site, "1").await;
    let newest = site.movements_of(EXCELSA).await;
    let (covered, _) = undo(&site, newest[2].sequence).await;
    let (question, undone) = undo(&site, newest[1].sequence).await;
    let restored = app.stock_of(EXCELSA).await;
    let (_, first) = undo(&site, newest[2].sequence).await;

    assert!(check.text_of(".effects dd").starts_with("−10"));
    assert_eq!(second.status(), 303);
    assert_eq!(covered.status(), 200);
    assert!(covered.text_of(".mistakes a").contains("counted since"));
    assert!(question.text_of(".effects dd").contains("149 → 189 bags"));
    assert_eq!((undone.status(), restored), (303, 189));
    assert_eq!((first.status(), app.stock_of(EXCELSA).await), (303, 199));
    app.assert_audit_is_clean().await;
}

#[tokio::test]
async fn a_movement_is_undone_once_and_that_of_an_update_on_its_page() {
    let app = TestApp::start(Kind::Fifo).await;
    let site = Site::of(&app).seen_by(Role::Staff);
    app.accept(&delivery(UpdateId::generate(), 12)).await;
    app.drain().await;
    tap(&site, "1").await;
    let movements = site.movements_of(EXCELSA).await;

    let (_, undone) = undo(&site, movements[0].sequence).await;
    let (_, again) = undo(&site, movements[0].sequence).await;
    let (delivered, refused) = undo(&site, movements[1].sequence).await;
    let nothing = site.get(&at(EXCELSA, "movements/4711/undo")).await;

    assert_eq!((undone.status(), again.status()), (303, 409));
    assert_eq!((delivered.status(), refused.status()), (200, 409));
    let links = delivered.attributes(".actions a", "href");
    assert!(links[0].ends_with("/correct"), "{links:?}");
    assert_eq!(nothing.status(), 404);
    assert_eq!(app.stock_of(EXCELSA).await, 212);
}

#[tokio::test]
async fn a_count_cannot_be_older_than_another_or_of_tomorrow() {
    let app = TestApp::start(Kind::Fifo).await;
    let site = Site::of(&app).seen_by(Role::Staff);
    count(&site, "190", "").await;

    let day = |days| {
        let day = Utc::now() + TimeDelta::days(days);
        day.format("%FT%R").to_string()
    };
    let counted = async |key, at_day: &str| {
        let fields = [("form_key", key), ("bags", "180"), ("counted", at_day)];
        site.post(&at(EXCELSA, "count"), &fields).await
    };
    let old = counted("y", &day(-1)).await;
    let tomorrow = counted("t", &day(1)).await;

    assert_eq!(old.status(), 409);
    assert!(old.text_of(".mistakes a").contains("counted again"));
    assert_eq!(tomorrow.status(), 422);
    assert_eq!(app.stock_of(EXCELSA).await, 190);
}

/// The field is hidden and keeps the moment of the first step; whoever forges it gains nothing.
#[tokio::test]
async fn a_count_is_not_dated_to_a_moment_that_could_not_be_typed() {
    let app = TestApp::start(Kind::Fifo).await;
    let site = Site::of(&app).seen_by(Role::Staff);
    for (number, forged) in [
        "-100000-01-01T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "1960-01-01T00:00:00Z",
        "2020-01-01T00:00:00Z",
        "9999-01-01T00:00:00Z",
    ]
    .into_iter()
    .enumerate()
    {
        let (key, bags) = (format!("k{number}"), (50 + number).to_string());
        let fields = [
            ("do", "send"),
            ("form_key", &*key),
            ("bags", &bags),
            ("at", forged),
        ];

        let answer = site.post("/beans/5/count", &fields).await;

        assert_eq!(answer.status(), 303, "{forged}: {}", answer.body);
        assert_eq!(app.stock_of(EXCELSA).await.to_string(), bags, "{forged}");
    }
}
