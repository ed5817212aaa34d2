//! The dashboard: figures that are read for all who look, and move by themselves.

use std::time::Duration;

use beanstock::domain::{Role, SupplierId};
use beanstock::messaging::UPDATES;
use beanstock::monitor::{Consuming, follow_pauses, tell_of_consumers};

use crate::support::process::until;
use crate::support::{EXCELSA, Kind, Site, TestApp};

const BOARD: &str = "/live?board=yes";

#[tokio::test]
async fn a_tile_changes_by_itself_when_an_update_is_applied() {
    let app = TestApp::start(Kind::Fifo).await;
    let site = Site::of(&app).seen_by(Role::Viewer);
    let page = site.get("/").await;

    let mut board = site.watch(BOARD).await;
    board.says("8,450").await;
    app.publish_line("3:Excelsa:9").await;
    app.drain().await;
    let changed = board.says("8,459").await;

    assert!(
        page.text_of("#tile-stock")
            .contains("8,450 bags across 14 beans")
    );
    assert!(changed.contains("id=\"tile-stock\""));
    assert!(
        !changed.contains("id=\"tile-low\""),
        "only what changed: {changed}"
    );
}

#[tokio::test]
async fn tiles_lead_to_the_beans_and_messages_they_count() {
    let app = TestApp::start(Kind::Fifo).await;
    app.publish_line("3:Excelsia:1").await;
    app.drain().await;
    let site = Site::of(&app);
    let line = site.get("/beans/5/alert").await.form();
    let line = crate::support::site::with(&line, &[("bags", "300")]);
    site.post("/beans/5/alert", &crate::support::site::borrowed(&line))
        .await;

    let page = site.get("/").await;

    let tile = |id: &str| page.text_of(&format!("#tile-{id}"));
    assert!(tile("low").contains("1 House Excelsa"), "{}", tile("low"));
    assert!(
        tile("attention").contains("mostly: Unknown bean"),
        "{}",
        tile("attention")
    );
    assert_eq!(
        page.attributes("#tile-low a.whole", "href"),
        ["/beans?show=low"]
    );
    assert_eq!(
        page.attributes("#tile-attention a.whole", "href"),
        ["/dead-letters"]
    );
}

/// Counted by the database, on the site's only connection.
#[tokio::test]
async fn two_hundred_dashboards_cost_one_set_of_queries_a_second() {
    let app = TestApp::start(Kind::Fifo).await;
    let site = Site::with_connections(&app, 1);
    let mut boards = Vec::new();
    for _ in 0..40 {
        let viewer = site.seen_by(Role::Viewer);
        for _ in 0..5 {
            boards.push(viewer.watch(BOARD).await);
        }
    }
    for board in &mut boards {
        board.says("tile-stock").await;
    }
    let (before, began) = (site.selects().await, std::time::Instant::now());

    app.publish_line("3:Excelsa:9").await;
    app.drain().await;
    for board in &mut boards {
        board.says("8,459").await;
    }

    // Twelve figures a second at most, and what each look asks besides, ten a second at most.
    let seconds = began.elapsed().as_secs() + 2;
    let asked = site.selects().await - before;
    assert!(
        (1..=seconds * 52).contains(&asked),
        "{asked} queries in {seconds} s"
    );
}

#[tokio::test]
async fn consumers_that_are_not_heard_are_a_banner_nobody_misses() {
    let app = TestApp::start(Kind::Fifo).await;
    let site = Site::of(&app);
    let never = site.get("/").await;
    let poller = app.poller();
    let consuming = Consuming {
        queue: UPDATES,
        is_fifo: true,
        pulse: poller.pulse(),
        switch: poller.switch(),
    };
    poller.start();
    let telling = tell_of_consumers(app.pool.clone(), vec![consuming], app.shutdown.clone());
    app.shutdown.tasks.spawn(telling);
    until("it is heard", || async {
        site.rows_of("consumers").await == 1
    })
    .await;
    let fresh = Site::of(&app);
    let heard = fresh.get("/").await;
    let listed = fresh.get("/consumers").await;
    app.shutdown.finish(Duration::from_secs(5)).await;
    let gone = Site::of(&app).get("/").await;

    assert!(
        never
            .text_of("#banner")
            .contains("No poller has ever been heard")
    );
    assert_eq!(heard.text_of("#banner"), "");
    assert!(
        heard
            .text_of("#tile-consumers")
            .contains("Running one instance polls the queue")
    );
    assert_eq!(listed.all("td.first").len(), 1);
    assert!(
        gone.text_of("#banner")
            .contains("Updates are not being applied")
    );
}

const WHY: [(&str, &str); 2] = [("queue", "updates"), ("reason-updates", "Taking stock")];

/// Polls the queue of updates as the program does: not before it is known whether somebody has paused it.
fn consume(app: &TestApp) -> Consuming {
    let poller = app.poller();
    let consuming = Consuming {
        queue: UPDATES,
        is_fifo: true,
        pulse: poller.pulse(),
        switch: poller.switch(),
    };
    consuming.switch.set(false);
    poller.start();
    let (pool, shutdown) = (app.pool.clone(), app.shutdown.clone());
    let telling = tell_of_consumers(pool.clone(), vec![consuming.clone()], shutdown.clone());
    app.shutdown.tasks.spawn(telling);
    let following = follow_pauses(pool, vec![consuming.clone()], shutdown);
    app.shutdown.tasks.spawn(following);
    consuming
}

#[tokio::test]
async fn a_paused_queue_is_not_received_from_until_it_is_resumed() {
    let app = TestApp::start(Kind::Fifo).await;
    let manager = Site::of(&app).seen_by(Role::Manager);
    manager.post("/consumers/pause", &WHY).await;
    let consuming = consume(&app);
    app.publish_line("3:Excelsa:9").await;
    until("it is heard", || async {
        manager.rows_of("consumers").await == 1
    })
    .await;

    let received = consuming.pulse.feel().unwrap().received_ago;
    let before = app.stock_of(EXCELSA).await;

    assert_eq!(received, None, "not one receive has begun");
    assert_eq!(before, 200);
    manager
        .post("/consumers/resume", &[("queue", "updates")])
        .await;
    until("what has waited is applied", || async {
        app.stock_of(EXCELSA).await == 209
    })
    .await;
    manager.post("/consumers/pause", &WHY).await;
    until("it is paused again", || async { !consuming.switch.is_on() }).await;
    app.shutdown.finish(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn everybody_in_the_cafe_reads_who_has_paused_a_queue_and_why() {
    let app = TestApp::start(Kind::Fifo).await;
    let manager = Site::of(&app).seen_by(Role::Manager);
    let staff = Site::of(&app).seen_by(Role::Staff);
    let consuming = consume(&app);
    until("it is heard", || async {
        manager.rows_of("consumers").await == 1
    })
    .await;

    let unsaid = manager
        .post("/consumers/pause", &[("queue", "updates")])
        .await;
    let paused = manager.post("/consumers/pause", &WHY).await;
    let refused = staff
        .post("/consumers/resume", &[("queue", "updates")])
        .await;
    let board = Site::of(&app).seen_by(Role::Viewer).get("/").await;
    let beans = staff.get("/beans").await;
    let listed = manager.get("/consumers").await;
    let supplier = Site::of(&app).seen_by(Role::Supplier(SupplierId(3)));
    let supplier = supplier.get("/").await;

    assert_eq!(unsaid.status(), 422);
    assert_eq!(refused.status(), 403);
    assert!(paused.header("location").ends_with("done=queue-paused"));
    for page in [&board, &beans, &listed] {
        let banner = page.text_of(".banner");
        assert!(banner.contains("Receiving is paused by"), "{banner}");
        assert!(banner.contains("Taking stock"), "{banner}");
    }
    assert_eq!(listed.all("td .tag"), ["Paused"]);
    assert!(supplier.all(".banner").is_empty());
    until("it is off", || async { !consuming.switch.is_on() }).await;
    app.shutdown.finish(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn a_consumer_that_was_killed_is_gone_after_twenty_seconds_and_shows_no_frozen_figures() {
    let app = TestApp::start(Kind::Fifo).await;
    app.execute(
        "INSERT INTO consumers (instance, queue, version, started_at, seen_at, last_receive_at, in_hand) VALUES \
         (UNHEX(REPEAT('11', 16)), 'updates', '0.2.0', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6) - INTERVAL 21 SECOND, \
         UTC_TIMESTAMP(6) - INTERVAL 30 SECOND, 7)",
    )
    .await;
    let site = Site::of(&app);

    let (home, list) = (site.get("/").await, site.get("/consumers").await);

    assert!(
        home.text_of("#banner")
            .contains("No poller has been heard since")
    );
    assert!(list.text_of("tbody").contains("Gone"));
    assert!(
        !list.all("td.number").contains(&"7".to_owned()),
        "nobody knows what is in its hand"
    );
}

#[tokio::test]
async fn the_hours_are_drawn_and_listed_and_what_nobody_wrote_down_is_a_gap() {
    let app = TestApp::start(Kind::Fifo).await;
    app.execute(
        "INSERT INTO update_minutes (minute, applied, failed, waiting, oldest_seconds) VALUES \
         (DATE_FORMAT(UTC_TIMESTAMP() - INTERVAL 5 HOUR, '%Y-%m-%d %H:%i:00'), 30, 2, 4, 12), \
         (DATE_FORMAT(UTC_TIMESTAMP() - INTERVAL 2 MINUTE, '%Y-%m-%d %H:%i:00'), 10, 0, 0, NULL)",
    )
    .await;

    let page = Site::of(&app).get("/").await;

    let chart = page.text_of("#chart-hours");
    assert!(chart.contains("40 applied, 2 failed"), "{chart}");
    assert_eq!(page.all("#chart-hours rect.good").len(), 2);
    assert_eq!(page.all("#chart-hours rect.gap").len(), 22);
    assert_eq!(page.all("#chart-hours tbody tr").len(), 24);
    assert!(page.text_of("#chart-waited").contains("at most 4"));
}

/// Written by whichever process is first, from the rows themselves.
#[tokio::test]
async fn a_minute_that_is_over_is_written_down_once() {
    let app = TestApp::start(Kind::Fifo).await;
    app.publish_line("3:Excelsa:9").await;
    app.drain().await;
    app.execute(
        "UPDATE inventory_updates SET finished_at = \
         DATE_FORMAT(UTC_TIMESTAMP() - INTERVAL 70 SECOND, '%Y-%m-%d %H:%i:30')",
    )
    .await;
    let mut conn = app.pool.acquire().await.unwrap();

    beanstock::db::minutes::write_minute(&mut conn)
        .await
        .unwrap();
    beanstock::db::minutes::write_minute(&mut conn)
        .await
        .unwrap();

    let since = chrono::Utc::now() - chrono::TimeDelta::hours(1);
    let minutes = beanstock::db::minutes::list_minutes(&mut conn, since)
        .await
        .unwrap();
    // The minute may have changed between the two.
    assert!((1..=2).contains(&minutes.len()), "{minutes:?}");
    assert_eq!(minutes[0].applied, 1);
}

#[tokio::test]
async fn a_supplier_has_no_dashboard() {
    let app = TestApp::start(Kind::Fifo).await;
    let supplier = Site::of(&app).seen_by(Role::Supplier(SupplierId(3)));

    let mut live = supplier.watch(BOARD).await;
    let wall = supplier.get("/?screen=wall").await;

    assert!(live.next().await.unwrap().starts_with("event: beat"));
    assert!(wall.all("#tile-stock").is_empty());
}

#[tokio::test]
async fn the_wall_screen_is_for_viewers_and_has_no_navigation() {
    let page = Site::open()
        .await
        .seen_by(Role::Viewer)
        .get("/?screen=wall")
        .await;

    assert_eq!(page.status(), 200);
    assert!(page.all("nav").is_empty());
    assert!(page.text_of("#tile-stock").contains("8,450"));
    assert!(
        page.body.contains("http-equiv=\"refresh\""),
        "without JavaScript it loads itself again"
    );
}
