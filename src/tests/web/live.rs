//! Pages that stay up to date while somebody looks at them.

use std::time::Duration;

use beanstock::domain::{Role, SupplierId, UpdateId};
use beanstock::web::Rules;

use crate::support::app::delivery;
use crate::support::{Kind, Site, TestApp};

/// The supplier of the Excelsa.
const CORDILLERA: Role = Role::Supplier(SupplierId(3));

/// A delivery that is accepted and goes nowhere until the app is drained, and what watches it.
async fn accepted(app: &TestApp) -> (UpdateId, String) {
    let update = delivery(UpdateId::generate(), 9);
    app.accept(&update).await;
    (update.id, format!("/live?update={}", update.id))
}

#[tokio::test]
async fn a_watched_page_is_told_how_things_stand_and_what_becomes_of_them() {
    let app = TestApp::start(Kind::Fifo).await;
    let (update, live) = accepted(&app).await;
    let site = Site::of(&app).seen_by(Role::Staff);

    let mut page = site.watch(&live).await;
    let first = page.says("event: parts").await;
    app.drain().await;
    // A look in the middle may tell the timeline before the stock; the next one tells both.
    page.says("<b>209</b>").await;

    assert!(
        first.contains(&format!("id=\"standing-{update}\"")),
        "{first}"
    );
    assert!(first.contains("Sending"));
}

#[tokio::test]
async fn levels_are_not_told_to_suppliers_who_may_not_know_them() {
    let app = TestApp::start(Kind::Fifo).await;
    let (_, live) = accepted(&app).await;
    let site = Site::of(&app).seen_by(CORDILLERA);
    let open = site.clone().ruled_by(Rules {
        suppliers_see_stock: true,
        ..Rules::default()
    });

    let (mut hidden, mut shown) = (site.watch(&live).await, open.watch(&live).await);
    app.drain().await;

    let hidden = hidden.says("Applied").await;
    // Ids and times may hold any digits.
    assert!(
        !hidden.contains(">209<") && !hidden.contains(">200<"),
        "{hidden}"
    );
    shown.says("<b>209</b>").await;
}

#[tokio::test]
async fn nothing_of_another_supplier_is_watched() {
    let app = TestApp::start(Kind::Fifo).await;
    let (update, live) = accepted(&app).await;
    let other = Site::of(&app).seen_by(Role::Supplier(SupplierId(1)));

    let mut page = other.watch(&live).await;
    let mut rows = other.watch(&format!("/live?rows={update}")).await;
    let mut news = other.watch("/live?since=2020-01-01T00:00:00Z").await;
    app.drain().await;

    for page in [&mut page, &mut rows, &mut news] {
        let beat = page.next().await.unwrap();
        assert!(beat.starts_with("event: beat\n"), "{beat}");
    }
}

#[tokio::test]
async fn updates_that_came_since_are_counted() {
    let app = TestApp::start(Kind::Fifo).await;
    let site = Site::of(&app).seen_by(CORDILLERA);

    let mut list = site.watch("/live?rows=&since=2020-01-01T00:00:00Z").await;
    accepted(&app).await;
    list.says("event: news\ndata: 1\n").await;
    accepted(&app).await;

    list.says("event: news\ndata: 2\n").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_pages_cost_as_many_looks_as_one() {
    let app = TestApp::start(Kind::Fifo).await;
    let (_, live) = accepted(&app).await;
    let staff = Site::of(&app);
    let mut pages = Vec::new();
    for _ in 0..100 {
        let site = staff.seen_by(Role::Staff);
        for _ in 0..5 {
            pages.push(site.watch(&live).await);
        }
    }
    for page in &mut pages {
        page.says("Sending").await;
    }
    let (looks, began) = (staff.looks(), std::time::Instant::now());

    app.drain().await;
    for page in &mut pages {
        page.says("Applied").await;
    }

    // Ten a second while this process commits, one otherwise.
    let most = began.elapsed().as_millis() / 100 + 2;
    let looked = u128::from(staff.looks() - looks);
    assert!(
        (1..=most).contains(&looked),
        "{looked} looks, at most {most}"
    );
}

/// Counted by the database, on the site's only connection.
#[tokio::test]
async fn a_look_asks_eight_questions_however_many_pages_are_open() {
    let app = TestApp::start(Kind::Fifo).await;
    let (update, live) = accepted(&app).await;
    let staff = Site::with_connections(&app, 1);
    let (mut pages, paths) = (
        Vec::new(),
        [
            live,
            format!("/live?rows={update}&since=2020-01-01T00:00:00Z"),
        ],
    );
    for role in [Role::Staff, CORDILLERA] {
        for _ in 0..25 {
            let site = staff.seen_by(role);
            for path in &paths {
                pages.push(site.watch(path).await);
            }
        }
    }
    for page in &mut pages {
        page.says("Sending").await;
    }
    let (questions, looks) = (staff.selects().await, staff.looks());

    app.drain().await;
    for page in &mut pages {
        page.says("Applied").await;
    }

    let (questions, looks) = (staff.selects().await - questions, staff.looks() - looks);
    // A look may have begun before it was counted.
    let most = 8 * (looks + 1);
    assert!(
        looks > 0 && (4..=most).contains(&questions),
        "{questions} questions in {looks} looks"
    );
}

#[tokio::test]
async fn a_session_watches_five_pages_and_gets_them_back() {
    let site = Site::open().await;
    let mut pages = Vec::new();
    for _ in 0..5 {
        pages.push(site.watch("/live").await);
    }

    let sixth = site.watch("/live").await;
    pages.pop();
    let again = site.watch("/live").await;

    assert_eq!((sixth.status, again.status), (429, 200));
}

#[tokio::test]
async fn a_stream_ends_with_its_session() {
    let site = Site::open().await.seen_by(CORDILLERA);
    let mut page = site.watch("/live").await;
    page.says("beat").await;

    site.post("/sign-out", &[]).await;

    page.says("event: end").await;
    assert_eq!(page.next().await, None);
}

/// What it is sent from then on would be for somebody else.
#[tokio::test]
async fn a_stream_breaks_off_when_its_owner_gets_another_role() {
    let site = Site::open().await.seen_by(Role::Staff);
    let mut page = site.watch("/live").await;
    page.says("beat").await;

    site.execute("UPDATE accounts SET role = 'supplier', supplier_id = 3 WHERE role = 'staff'")
        .await;

    while page.next().await.is_some() {}
}

/// Another process changes things as well: nobody tells this one.
#[tokio::test]
async fn what_another_process_does_is_seen_within_seconds() {
    let app = TestApp::start(Kind::Fifo).await;
    let (_, live) = accepted(&app).await;
    let site = Site::of_its_own(&app).seen_by(Role::Staff);
    let mut page = site.watch(&live).await;
    page.says("Sending").await;

    app.drain().await;

    page.says("Applied").await;
}

#[tokio::test]
async fn while_the_database_is_away_nothing_is_said_to_be_live() {
    let app = TestApp::start(Kind::Fifo).await;
    let site = Site::of_its_own(&app).seen_by(Role::Staff);
    let mut page = site.watch("/live").await;
    page.says("beat").await;

    site.pool.close().await;

    let silence = tokio::time::timeout(Duration::from_secs(6), page.next()).await;
    assert!(silence.is_err(), "a page that knows nothing says nothing");
}

/// A page says itself when it was made; what cannot be must not keep the others from being told.
#[tokio::test]
async fn a_page_from_an_impossible_time_disturbs_nobody() {
    let app = TestApp::start(Kind::Fifo).await;
    let site = Site::of(&app).seen_by(Role::Staff);
    let mut odd = Vec::new();
    for since in ["-0001-01-01T00:00:00Z", "99999-01-01T00:00:00Z", "x"] {
        odd.push(site.watch(&format!("/live?since={since}")).await);
    }
    let now = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
    let mut live = site.watch(&format!("/live?since={now}")).await;

    app.publish_line("3:Excelsa:9").await;
    app.drain().await;

    live.says("event: news\ndata: 1\n").await;
}
