//! Who may use what: every route as every role meets it, and nobody else's things.

use axum::body::Body;
use axum::http::{Method, Request};
use beanstock::domain::{Role, SupplierId, UpdateId};
use beanstock::web::{Rules, TABLE, Who};

use crate::support::app::delivery;
use crate::support::site::{Answer, form};
use crate::support::{Kind, Site, TestApp};

/// The supplier of bean 5, Excelsa.
const THREE: Role = Role::Supplier(SupplierId(3));
/// Another one.
const SIX: Role = Role::Supplier(SupplierId(6));

const ROLES: [Role; 4] = [THREE, Role::Viewer, Role::Staff, Role::Manager];

/// An address of a route: each parameter is something that exists or, where it must be a secret, cannot.
fn address(pattern: &str, update: UpdateId) -> String {
    let id = match pattern {
        "/updates/{id}" => update.to_string(),
        "/dead-letters/{id}/message" => uuid::Uuid::nil().to_string(),
        _ => "5".to_owned(),
    };
    pattern
        .replace("{id}", &id)
        .replace("{sequence}", "1")
        .replace("{token}", "none")
        .replace("{file}", "beanstock.css")
}

async fn ask(site: &Site, method: &Method, path: &str) -> Answer {
    let request = if *method == Method::POST {
        form(path, &[])
    } else {
        Request::get(path).body(Body::empty()).unwrap()
    };
    site.send(request).await
}

/// What the table says, held against what the site does: no route is reached by somebody it does not name,
/// and everyone it names gets there.
#[tokio::test]
async fn every_route_lets_in_those_the_table_names_and_nobody_else() {
    let app = TestApp::start(Kind::Fifo).await;
    let update = delivery(UpdateId::generate(), 9);
    app.accept(&update).await;
    let id = first_update(&app).await;
    let site = Site::of(&app);
    let mut wrong = Vec::new();
    for (method, pattern, who) in TABLE {
        let path = address(pattern, id);
        let stranger = ask(&site.seen_by(None), method, &path).await;
        let sent_away = is_asked_to_sign_in(&stranger);
        let open = matches!(who, Who::Everyone | Who::PublicIfAllowed);
        if sent_away == open {
            wrong.push(format!("nobody: {method} {path} {}", stranger.status()));
        }
        for role in ROLES {
            let answer = ask(&site.seen_by(role), method, &path).await;
            let refusal = if role.supplier().is_some() { 404 } else { 403 };
            // What exists nowhere is not found either, and says so in the same words.
            let refused = answer.status() == refusal
                && !is_about_a_thing(&answer)
                && !NEEDS_MORE.contains(pattern);
            if is_asked_to_sign_in(&answer) || refused == who.includes(role) {
                wrong.push(format!("{role:?}: {method} {path} {}", answer.status()));
            }
        }
    }
    // What is not in the table is nowhere.
    for path in ["/admin", "/accounts/5/delete", "/stock.xml"] {
        assert_eq!(site.get(path).await.status(), 404, "{path}");
    }

    assert_eq!(wrong, Vec::<String>::new());
}

fn is_asked_to_sign_in(answer: &Answer) -> bool {
    answer.status() == 401
        || (answer.status() == 303 && answer.header("location").starts_with("/sign-in?next="))
        || (answer.status() == 303 && answer.header("location") == "/sign-in")
}

/// Not the page that says that there is no such page.
fn is_about_a_thing(answer: &Answer) -> bool {
    answer.status() == 404 && !answer.body.contains("<h1>Page not found</h1>")
}

/// Routes on which the thing itself has to exist.
const NEEDS_MORE: [&str; 2] = ["/sign-in/demonstration", "/account/sessions/{id}/end"];

/// Pages that nobody could find in the table would answer all the same if the guard let them.
#[tokio::test]
async fn no_route_is_missing_in_the_table() {
    let site = Site::open().await;
    for (method, pattern, _) in TABLE {
        let answer = ask(&site, method, &address(pattern, UpdateId::generate())).await;
        assert_ne!(answer.status(), 405, "{method} {pattern}");
        assert!(
            answer.status() != 404 || is_about_a_thing(&answer) || NEEDS_MORE.contains(pattern),
            "{method} {pattern} is in the table and on no router"
        );
    }
}

async fn first_update(app: &TestApp) -> UpdateId {
    let mut conn = app.pool.acquire().await.unwrap();
    let updates = beanstock::db::update_lists::list_updates(&mut conn, 1, 0).await;
    updates.unwrap()[0].id
}

#[tokio::test]
async fn a_supplier_sees_its_own_updates_and_nobody_elses() {
    let app = TestApp::start(Kind::Fifo).await;
    app.publish_line("3:Excelsa:9").await;
    app.drain().await;
    let id = first_update(&app).await;
    let site = Site::of(&app);
    let path = format!("/updates/{id}");

    let own = site.seen_by(THREE).get(&path).await;
    let others = site.seen_by(SIX).get(&path).await;
    let none = site
        .seen_by(SIX)
        .get(&format!("/updates/{}", UpdateId::generate()))
        .await;

    assert_eq!((own.status(), others.status()), (200, 404));
    // The same page as for one that does not exist.
    let without_id = |answer: &Answer| answer.text_of("main");
    assert_eq!(without_id(&others), without_id(&none));
    let list = site.seen_by(SIX).get("/updates").await;
    assert!(list.body.contains("You have not sent an update yet"));
    assert_eq!(
        site.seen_by(THREE)
            .get("/updates")
            .await
            .all("tbody tr")
            .len(),
        1
    );
}

/// With the ids of things that exist, in every address that takes one and in the queries and forms of the others.
#[tokio::test]
async fn no_id_of_another_supplier_opens_anything() {
    let app = TestApp::start(Kind::Fifo).await;
    for line in ["3:Excelsa:9", "3:Excelsia:1"] {
        app.publish_line(line).await;
    }
    app.drain().await;
    let site = Site::of(&app);
    let three = site.seen_by(THREE);
    three.get("/").await;
    let ids = ids_of_things(&app).await;
    let six = site.seen_by(SIX);
    let mut asked = 0;
    for (method, pattern, _) in TABLE {
        for id in ids.iter().filter(|_| pattern.contains("{id}")) {
            let answer = ask(&six, method, &pattern.replace("{id}", id)).await;
            assert_eq!(answer.status(), 404, "{method} {pattern} {id}");
            assert_tells_nothing_of_three(&answer);
            asked += 1;
        }
        if *method == Method::GET && !pattern.contains('{') {
            for query in [
                "supplier=3",
                "supplier_id=3&bean=5",
                "state=dead_lettered&supplier=3",
            ] {
                let answer = six.get(&format!("{pattern}?{query}")).await;
                if *pattern != "/beans.json" {
                    assert_tells_nothing_of_three(&answer);
                }
            }
        }
    }

    assert!(asked > 30, "{asked}");
    assert_eq!(three.get("/").await.status(), 200, "its session goes on");
    let preferences = [
        ("account", "1"),
        ("id", "1"),
        ("supplier_id", "3"),
        ("role", "manager"),
    ];
    let changed = six.post("/account/display", &preferences).await;
    assert_eq!(changed.status(), 303);
    assert_eq!(
        six.get("/accounts").await.status(),
        404,
        "nobody makes themselves a manager"
    );
}

/// The ids of a bean, a supplier, updates, dead letters, accounts and sessions that are not supplier 6's.
async fn ids_of_things(app: &TestApp) -> Vec<String> {
    let ids = "SELECT '5' UNION SELECT '3' UNION SELECT CAST(id AS CHAR) FROM accounts \
               UNION SELECT CAST(id AS CHAR) FROM sessions \
               UNION SELECT LOWER(HEX(id)) FROM inventory_updates \
               UNION SELECT LOWER(HEX(id)) FROM dead_letters";
    let ids: Vec<String> = sqlx::query_scalar(ids)
        .fetch_all(&mut *app.pool.acquire().await.unwrap())
        .await
        .unwrap();
    assert!(ids.len() >= 5, "{ids:?}");
    ids
}

#[track_caller]
fn assert_tells_nothing_of_three(answer: &Answer) {
    for secret in ["Excels", "Cordillera"] {
        assert!(!answer.body.contains(secret), "{secret}: {}", answer.body);
    }
}

/// The sender's own id leads to the update as well, and never to another supplier's.
#[tokio::test]
async fn an_id_that_two_suppliers_use_leads_each_to_its_own_update() {
    let app = TestApp::start(Kind::Fifo).await;
    let id = UpdateId::generate();
    for supplier in ["3", "6"] {
        let bean = if supplier == "3" {
            "Excelsa"
        } else {
            "Arabica"
        };
        let body = format!(
            r#"{{"version":1,"update_id":"{id}","supplier_id":{supplier},"bean_type":"{bean}","kind":"delivery","quantity":7}}"#
        );
        app.send_raw(&body, supplier).await;
    }
    app.drain().await;
    let site = Site::of(&app);
    let path = format!("/updates/{id}");

    let three = site.seen_by(THREE).get(&path).await;
    let six = site.seen_by(SIX).get(&path).await;

    assert_eq!(three.text_of("h1"), "Excelsa: 7 bags delivered");
    assert_eq!(six.text_of("h1"), "Arabica: 7 bags delivered");
    assert_eq!(site.get(&path).await.status(), 404, "it is ambiguous");
}

/// Texts that tell how much there is, or who else sends.
const SECRETS: [&str; 4] = ["200", "209", "Monsoon", "18.00"];

#[tokio::test]
async fn a_supplier_learns_neither_levels_nor_other_suppliers() {
    let app = TestApp::start(Kind::Fifo).await;
    app.publish_line("3:Excelsa:9").await;
    app.publish_line("6:Arabica:6").await;
    app.publish_line("3:Excelsia:1").await;
    let back =
        r#"{"version":1,"supplier_id":3,"bean_type":"Excelsa","kind":"return","quantity":5000}"#;
    app.send_raw(back, "back").await;
    app.drain().await;
    let site = Site::of(&app).seen_by(THREE);
    let mut paths = vec!["/".to_owned(), "/updates".to_owned(), "/account".to_owned()];
    let list = site.get("/updates").await;
    paths.extend(list.attributes("td.first a", "href"));
    assert_eq!(paths.len(), 6, "{paths:?}");

    for path in &paths {
        let main = site.get(path).await.text_of("main");
        for secret in SECRETS {
            let told = main.split(|c: char| !c.is_alphanumeric() && c != '.');
            assert!(
                !told.clone().any(|word| word == secret),
                "{secret} on {path}: {main}"
            );
        }
    }
    let told = list.text_of("main");
    assert!(told.contains("more bags than the café has"), "{told}");
    assert!(site.get("/").await.text_of("main").contains("In stock"));
}

#[tokio::test]
async fn the_café_may_show_suppliers_its_stock() {
    let app = TestApp::start(Kind::Fifo).await;
    app.publish_line("3:Excelsa:9").await;
    app.drain().await;
    let rules = Rules {
        suppliers_see_stock: true,
        ..Rules::default()
    };
    let site = Site::of(&app).ruled_by(rules).seen_by(THREE);

    assert!(site.get("/").await.text_of("main").contains("209 bags"));
    let update = site.get("/updates").await.attributes("td.first a", "href");
    let page = site.get(&update[0]).await.text_of("main");
    assert!(page.contains("Stock went from 200 to 209 bags"), "{page}");
}

#[tokio::test]
async fn the_beans_are_public_unless_the_café_says_otherwise() {
    let site = Site::open().await;
    let rules = Rules {
        public_beans_json: false,
        ..Rules::default()
    };
    let closed = site.clone().ruled_by(rules);

    assert_eq!(site.seen_by(None).get("/beans.json").await.status(), 200);
    let stranger = closed.seen_by(None).get("/beans.json").await;
    assert_eq!(stranger.status(), 404);
    assert!(stranger.body.starts_with("{\"error\""), "{}", stranger.body);
    assert_eq!(
        closed
            .seen_by(Role::Viewer)
            .get("/beans.json")
            .await
            .status(),
        200
    );
}

/// What somebody may not do is not offered either.
#[tokio::test]
async fn nobody_is_shown_buttons_that_do_not_work_for_them() {
    let site = Site::open().await;
    for role in ROLES {
        let seen = site.seen_by(role);
        for page in [
            "/",
            "/beans",
            "/beans/5",
            "/suppliers",
            "/updates",
            "/account",
        ] {
            let page = seen.get(page).await;
            if page.status() != 200 {
                continue;
            }
            for path in page.attributes("a[href^='/']", "href") {
                let status = seen.get(&path).await.status();
                assert_eq!(status, 200, "{role:?} is shown {path}");
            }
        }
    }
}
