//! Counting the whole shelf, by several people, while bags come and go.

use beanstock::domain::{BeanId, Role};
use beanstock::stocktake;
use tokio::task::JoinSet;

use crate::support::{EXCELSA, Kind, Site, TestApp};

async fn start(site: &Site) -> String {
    let answer = site.post("/stocktakes", &[]).await;
    assert_eq!(answer.status(), 303);
    answer.header("location").to_owned()
}

async fn count(site: &Site, stocktake: &str, bean: BeanId, bags: &str) {
    let bean = bean.to_string();
    let fields = [("bean", bean.as_str()), ("bags", bags)];
    let answer = site.post(&format!("{stocktake}/count"), &fields).await;
    assert_eq!(answer.status(), 303, "{}", answer.body);
}

async fn finish(site: &Site, stocktake: &str, wish: &str) -> String {
    let answer = site
        .post(&format!("{stocktake}/finish"), &[("do", wish)])
        .await;
    answer.header("location").to_owned()
}

#[tokio::test]
async fn two_people_count_one_shelf_while_a_delivery_arrives_and_bags_are_used() {
    let app = TestApp::start(Kind::Fifo).await;
    let (sam, ana) = (
        Site::of(&app).seen_by(Role::Staff),
        Site::of(&app).seen_by(Role::Staff),
    );
    let stocktake = start(&sam).await;
    assert_eq!(start(&ana).await, stocktake, "there is one shelf");

    count(&sam, &stocktake, EXCELSA, "190").await;
    app.publish_line("3:Excelsa:9").await;
    app.drain().await;
    let used = [("form_key", "k"), ("bags", "2")];
    assert_eq!(ana.post("/beans/5/use", &used).await.status(), 303);
    count(&ana, &stocktake, BeanId(1), "1000").await;
    let asked = sam.get(&format!("{stocktake}?step=finish")).await;
    let booked = finish(&ana, &stocktake, "book").await;
    let page = sam.get(&booked).await;

    let row = |page: &crate::support::site::Answer, name: &str| {
        let rows = page.all("tbody tr");
        rows.into_iter().find(|row| row.contains(name)).unwrap()
    };
    let before = row(&asked, "Excelsa");
    assert!(
        before.contains("200") && before.contains("190") && before.contains("−10"),
        "{before}"
    );
    assert!(
        asked
            .text_of("form.sheet")
            .contains("2 beans were counted, 1 differs from the books")
    );
    // 190 counted, 9 delivered and 2 used since.
    assert_eq!(app.stock_of(EXCELSA).await, 197);
    assert!(row(&page, "Excelsa").contains("−10"));
    assert!(page.text_of(".notice").contains("The counts are booked"));
    assert_eq!(
        sam.movements_of(EXCELSA).await[0].reason.as_deref(),
        Some("Stocktake 1")
    );
    app.assert_audit_is_clean().await;
}

#[tokio::test]
async fn a_stocktake_is_gone_on_with_where_it_was_left() {
    let site = Site::open().await.seen_by(Role::Staff);
    let stocktake = start(&site).await;
    count(&site, &stocktake, EXCELSA, "190").await;

    let list = site.get("/stocktakes").await;
    let page = site.get(&stocktake).await;
    let again = site.get(&format!("{stocktake}?bean=5")).await;

    assert!(list.text_of(".head").contains("Help counting"));
    assert!(page.text_of(".lead").contains("1 of 14 beans counted"));
    assert_eq!(page.all("#uncounted ~ ul li").len(), 13);
    assert!(again.text_of(".turn").contains("counted 190 bags at"));
    count(&site, &stocktake, EXCELSA, "191").await;
    assert!(site.get(&stocktake).await.text_of("tbody").contains("191"));
}

#[tokio::test]
async fn two_who_finish_at_once_book_each_count_once() {
    let app = TestApp::start(Kind::Fifo).await;
    let site = Site::of(&app).seen_by(Role::Staff);
    let stocktake = start(&site).await;
    for bean in 1..=14 {
        count(&site, &stocktake, BeanId(bean), "7").await;
    }

    let mut finishing = JoinSet::new();
    for _ in 0..6 {
        let (site, stocktake) = (site.clone(), stocktake.clone());
        finishing.spawn(async move { finish(&site, &stocktake, "book").await });
    }
    finishing.join_all().await;

    for bean in 1..=14 {
        assert_eq!(app.stock_of(BeanId(bean)).await, 7);
        assert_eq!(site.movements_of(BeanId(bean)).await.len(), 2);
    }
    app.assert_audit_is_clean().await;
}

/// The program was killed after some of the counts were booked.
#[tokio::test]
async fn a_booking_that_was_cut_short_is_finished_by_doing_it_again() {
    let app = TestApp::start(Kind::Fifo).await;
    let site = Site::of(&app).seen_by(Role::Staff);
    let path = start(&site).await;
    count(&site, &path, EXCELSA, "190").await;
    count(&site, &path, BeanId(1), "900").await;
    // It was booked, and nobody wrote that down any more.
    let by = beanstock::domain::AccountId(1);
    stocktake::finish(&app.pool, 1, by, "", ToString::to_string)
        .await
        .unwrap();
    app.execute("UPDATE stocktake_counts SET movement = NULL")
        .await;
    app.execute("UPDATE stocktakes SET going = 1, finished_at = NULL")
        .await;

    finish(&site, &path, "book").await;

    assert_eq!(site.movements_of(EXCELSA).await.len(), 2);
    assert_eq!(app.stock_of(EXCELSA).await, 190);
    app.assert_audit_is_clean().await;
}

#[tokio::test]
async fn a_dropped_stocktake_changes_nothing_and_takes_no_more_counts() {
    let site = Site::open().await.seen_by(Role::Staff);
    let stocktake = start(&site).await;
    count(&site, &stocktake, EXCELSA, "190").await;

    finish(&site, &stocktake, "drop").await;
    let late = [("bean", "5"), ("bags", "3")];
    let late = site.post(&format!("{stocktake}/count"), &late).await;

    assert!(late.header("location").ends_with("done=stocktake-is-over"));
    assert_eq!(site.movements_of(EXCELSA).await.len(), 1);
    assert_eq!(start(&site).await, "/stocktakes/2");
}

/// The program was killed while it booked: what is in the stock cannot be dropped any more.
#[tokio::test]
async fn a_stocktake_that_is_being_booked_is_not_dropped_but_booked_to_its_end() {
    let app = TestApp::start(Kind::Fifo).await;
    let site = Site::of(&app).seen_by(Role::Staff);
    let stocktake = start(&site).await;
    count(&site, &stocktake, EXCELSA, "190").await;
    count(&site, &stocktake, BeanId(1), "7").await;
    app.execute("UPDATE stocktakes SET booking_at = NOW(6)".to_owned())
        .await;

    let asked = site.get(&format!("{stocktake}?step=finish")).await;
    let dropped = finish(&site, &stocktake, "drop").await;
    let booked = finish(&site, &stocktake, "book").await;

    assert_eq!(asked.all("button[value=drop]").len(), 0);
    assert!(dropped.ends_with("done=stocktake-is-being-booked"));
    assert!(booked.ends_with("done=stocktake-booked"));
    assert_eq!(app.stock_of(EXCELSA).await, 190);
    app.assert_audit_is_clean().await;
}

#[tokio::test]
async fn booking_and_dropping_at_once_ends_as_one_of_both() {
    let app = TestApp::start(Kind::Fifo).await;
    for bags in ["190", "180", "170", "160", "150"] {
        let site = Site::of(&app).seen_by(Role::Staff);
        let before = app.stock_of(EXCELSA).await;
        let stocktake = start(&site).await;
        count(&site, &stocktake, EXCELSA, bags).await;

        let (booked, dropped) = tokio::join!(
            finish(&site, &stocktake, "book"),
            finish(&site, &stocktake, "drop")
        );

        let is_dropped = dropped.ends_with("done=stocktake-dropped");
        assert_ne!(is_dropped, booked.ends_with("done=stocktake-booked"));
        let after = app.stock_of(EXCELSA).await;
        assert_eq!(is_dropped, after == before, "{booked} {dropped}");
    }
    app.assert_audit_is_clean().await;
}

#[tokio::test]
async fn a_count_that_something_newer_contradicts_is_told_and_not_booked() {
    let site = Site::open().await.seen_by(Role::Staff);
    let stocktake = start(&site).await;
    count(&site, &stocktake, EXCELSA, "190").await;
    let newer = [("do", "send"), ("form_key", "k"), ("bags", "180")];
    assert_eq!(site.post("/beans/5/count", &newer).await.status(), 303);

    let page = finish(&site, &stocktake, "book").await;
    let page = site.get(&page).await;

    assert!(
        page.text_of("tbody .why")
            .contains("Not booked: This bean was counted again")
    );
    assert_eq!(site.movements_of(EXCELSA).await[0].quantity_after, 180);
}

#[tokio::test]
async fn what_is_no_number_of_bags_is_asked_for_again() {
    let site = Site::open().await.seen_by(Role::Staff);
    let stocktake = start(&site).await;
    for wrong in ["", "many", "-1", "1.5", "99999999999"] {
        let fields = [("bean", "5"), ("bags", wrong)];
        let answer = site.post(&format!("{stocktake}/count"), &fields).await;
        assert_eq!(answer.status(), 422, "{wrong}");
        assert_eq!(answer.mistakes().len(), 1);
        assert!(answer.text_of(".turn h2").contains("House Excelsa"));
    }
    let viewer = site.seen_by(Role::Viewer);
    let fields = [("bean", "5"), ("bags", "1")];
    let answer = viewer.post(&format!("{stocktake}/count"), &fields).await;
    assert_eq!(answer.status(), 403);
    assert_eq!(viewer.get(&stocktake).await.status(), 200);
}
