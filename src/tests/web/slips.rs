//! Sending updates on the website: one slip, and each of its lines until its end.

use beanstock::db;
use beanstock::domain::{Bags, BeanId, InventoryUpdate, Role, StockChange, SupplierId, UpdateId};
use beanstock::web::Rules;
use tokio::task::JoinSet;

use crate::support::app::delivery;
use crate::support::site::{Answer, Fields, borrowed, with};
use crate::support::{EXCELSA, Kind, Site, TestApp};

const NEW: &str = "/updates/new";

/// The supplier of the Excelsa.
const CORDILLERA: Role = Role::Supplier(SupplierId(3));

/// Twelve bags of Excelsa.
fn twelve_bags(key: &str) -> Vec<(&'static str, String)> {
    vec![
        ("form_key", key.to_owned()),
        ("bean-1", EXCELSA.to_string()),
        ("kind-1", "delivery".to_owned()),
        ("bags-1", "12".to_owned()),
    ]
}

async fn post(site: &Site, wish: &str, fields: &[(&'static str, String)]) -> Answer {
    let mut form: Vec<(&str, &str)> = vec![("do", wish)];
    form.extend(fields.iter().map(|(name, value)| (*name, value.as_str())));
    site.post(NEW, &form).await
}

/// Sends a form and gives the address of its slip.
#[track_caller]
fn sent(answer: &Answer) -> String {
    assert_eq!(answer.status(), 303, "{}", answer.body);
    let page = answer.header("location").to_owned();
    assert!(page.starts_with("/updates/BR-"), "{page}");
    page
}

/// The addresses on a page that begin and end like this.
fn links(page: &Answer, end: &str) -> Vec<String> {
    let all = page.attributes("main a", "href").into_iter();
    let forms = page.attributes("main form", "action").into_iter();
    all.chain(forms)
        .filter(|link| link.ends_with(end))
        .collect()
}

#[tokio::test]
async fn what_a_supplier_sends_becomes_stock_under_one_number() {
    let app = TestApp::start(Kind::Fifo).await;
    let site = Site::of(&app).seen_by(CORDILLERA);
    let mut fields = twelve_bags("k1");
    fields.extend([
        ("bean-2", EXCELSA.to_string()),
        ("kind-2", "return".to_owned()),
        ("bags-2", "2".to_owned()),
        ("reference", "DN-4411".to_owned()),
    ]);

    let check = post(&site, "check", &fields).await;
    let slip = sent(&post(&site, "send", &fields).await);
    let waiting = site.get(&slip).await;
    app.drain().await;
    let done = site.get(&slip).await;

    assert_eq!(check.all(".effects dd"), ["12 bags more", "2 bags fewer"]);
    assert_eq!(waiting.all(".standing .tag"), ["Sending", "Sending"]);
    assert_eq!(done.all(".standing .tag"), ["Applied", "Applied"]);
    assert_eq!(done.text_of("h1"), slip.trim_start_matches("/updates/"));
    assert!(done.body.contains("DN-4411"));
    assert_eq!(app.stock_of(EXCELSA).await, 210);
    let as_read_out = slip.to_lowercase().replace("br-", "").replace('-', "");
    assert_eq!(site.get(&as_read_out).await.status(), 200, "{as_read_out}");
    app.assert_audit_is_clean().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_form_that_is_sent_fifty_times_at_once_has_one_effect() {
    let app = TestApp::start(Kind::Fifo).await;
    let site = Site::of(&app).seen_by(CORDILLERA);
    site.cookie().await;
    let mut posts = JoinSet::new();
    for _ in 0..50 {
        let site = site.clone();
        posts.spawn(async move { post(&site, "send", &twelve_bags("k1")).await });
    }

    let answers = posts.join_all().await;
    app.drain().await;

    // Whoever was asked to come back was told so.
    let accepted = answers.iter().filter(|answer| answer.status() == 303);
    let mut slips: Vec<String> = accepted.map(sent).collect();
    assert!(
        answers
            .iter()
            .all(|answer| [303, 429].contains(&answer.status()))
    );
    slips.dedup();
    assert_eq!(slips.len(), 1);
    assert_eq!(app.stock_of(EXCELSA).await, 212);
    app.assert_audit_is_clean().await;
}

/// Whoever has lost the answer sends the form again, however the stock stands by then.
#[tokio::test]
async fn a_form_that_comes_again_leads_to_what_it_has_become() {
    let app = TestApp::start(Kind::Fifo).await;
    let site = Site::of(&app).seen_by(Role::Staff);
    let fields = vec![
        ("form_key", "k1".to_owned()),
        ("supplier", "3".to_owned()),
        ("bean-1", EXCELSA.to_string()),
        ("kind-1", "return".to_owned()),
        ("bags-1", "150".to_owned()),
    ];

    let slip = sent(&post(&site, "send", &fields).await);
    app.drain().await;
    let again = sent(&post(&site, "send", &fields).await);

    assert_eq!(again, slip);
    assert_eq!(app.stock_of(EXCELSA).await, 50);
}

#[tokio::test]
async fn a_form_that_was_sent_and_says_something_else_now_shows_both() {
    let app = TestApp::start(Kind::Fifo).await;
    let site = Site::of(&app).seen_by(CORDILLERA);
    let slip = sent(&post(&site, "send", &twelve_bags("k1")).await);
    let mut fields = twelve_bags("k1");
    fields[3].1 = "13".to_owned();

    let both = post(&site, "send", &fields).await;
    let form: Fields = with(&both.form(), &[]);
    let mut again = borrowed(&form);
    again.push(("do", "send"));
    let second = sent(&site.post(NEW, &again).await);
    app.drain().await;

    assert_eq!(both.status(), 409);
    assert_eq!(
        both.all(".ruled li"),
        ["Excelsa: 12 bags delivered Sending"]
    );
    assert_eq!(both.all(".effects dd"), ["13 bags more"]);
    assert_ne!(second, slip);
    assert_eq!(app.stock_of(EXCELSA).await, 225);
}

#[tokio::test]
async fn all_mistakes_are_told_at_once_and_nothing_typed_is_lost() {
    let site = Site::open().await.seen_by(CORDILLERA);
    let fields = [
        ("form_key", "k".to_owned()),
        ("bean-1", "1".to_owned()),
        ("kind-1", "delivery".to_owned()),
        ("bags-1", "1.5".to_owned()),
        ("note", "left at the door".to_owned()),
        ("reference", "\u{202e}evil".to_owned()),
    ];

    let answer = post(&site, "send", &fields).await;

    let told: Vec<String> = answer
        .mistakes()
        .into_iter()
        .map(|(field, _)| field)
        .collect();
    assert_eq!(answer.status(), 422);
    assert_eq!(told, ["#bean-1", "#bags-1", "#reference"]);
    assert_eq!(answer.value_of("bags-1"), "1.5");
    assert_eq!(answer.value_of("note"), "left at the door");
    assert_eq!(site.rows_of("slips").await, 0);
}

/// It could not be told from the same form sent twice.
#[tokio::test]
async fn a_form_without_a_key_is_not_taken() {
    let site = Site::open().await.seen_by(CORDILLERA);

    let answer = post(&site, "send", &twelve_bags("")).await;

    assert_eq!(answer.status(), 400);
    assert_eq!(site.rows_of("slips").await, 0);
}

#[tokio::test]
async fn lines_are_added_and_removed_without_a_script() {
    let site = Site::open().await.seen_by(CORDILLERA);

    let two = post(&site, "add", &twelve_bags("k")).await;
    let fields = two.form();
    let fields: Fields = fields
        .into_iter()
        .filter(|(name, _)| !name.starts_with("kind"))
        .collect();
    let mut remove = borrowed(&fields);
    remove.push(("do", "remove-2"));
    let one = site.post(NEW, &remove).await;

    assert_eq!(two.all(".line > legend"), ["Bean 1", "Bean 2"]);
    assert_eq!(two.value_of("bags-1"), "12");
    assert_eq!(one.all(".line > legend").len(), 1);
    assert_eq!(one.value_of("bags-1"), "12");
}

#[tokio::test]
async fn a_cancelled_update_changes_nothing_although_its_message_is_on_its_way() {
    let app = TestApp::start(Kind::Fifo).await;
    let site = Site::of(&app).seen_by(CORDILLERA);
    let slip = sent(&post(&site, "send", &twelve_bags("k1")).await);
    app.relay().relay_once().await.unwrap();
    let cancel = links(&site.get(&slip).await, "/cancel").remove(0);

    let cancelled = site.post(&cancel, &[]).await;
    app.drain().await;
    let again = site.post(&cancel, &[]).await;

    assert_eq!(
        cancelled.header("location"),
        format!("{slip}?done=update-cancelled")
    );
    assert_eq!(
        again.header("location"),
        format!("{slip}?done=update-has-ended")
    );
    let page = site.get(&slip).await;
    assert_eq!(page.text_of(".standing .tag"), "Cancelled");
    assert_eq!(app.stock_of(EXCELSA).await, 200);
    app.assert_audit_is_clean().await;
}

#[tokio::test]
async fn a_cancelled_update_that_was_never_sent_is_not_sent() {
    let app = TestApp::start(Kind::Fifo).await;
    let site = Site::of(&app).seen_by(CORDILLERA);
    let slip = sent(&post(&site, "send", &twelve_bags("k1")).await);
    let cancel = links(&site.get(&slip).await, "/cancel").remove(0);

    site.post(&cancel, &[]).await;
    let relayed = app.relay().relay_once().await.unwrap();

    assert_eq!(relayed.published, 0);
    app.assert_audit_is_clean().await;
}

#[tokio::test]
async fn what_could_not_be_applied_is_fixed_and_sent_again() {
    let app = TestApp::start(Kind::Fifo).await;
    app.publish_line("3:Excelza:9").await;
    app.drain().await;
    let site = Site::of(&app).seen_by(CORDILLERA);
    let list = site.get("/updates").await;
    let broken = list.attributes("td.first a", "href").remove(0);

    let page = site.get(&broken).await;
    let form = site.get(&links(&page, "/fix")[0]).await;
    let fields = form.form();
    let mut fix = borrowed(&fields);
    fix.retain(|(name, _)| *name != "kind-1");
    fix.extend([("kind-1", "delivery"), ("do", "send")]);
    let slip = sent(&site.post(NEW, &fix).await);
    let twice = sent(&site.post(NEW, &fix).await);
    app.drain().await;

    assert!(form.text_of(".verdict").contains("Excelza"), "why is told");
    assert_eq!(
        form.value_of("bean-1"),
        EXCELSA.to_string(),
        "what was meant is chosen"
    );
    assert_eq!(form.value_of("bags-1"), "9");
    assert_eq!(slip, twice);
    let old = site.get(&broken).await;
    assert_eq!(old.all(".standing .tag"), ["Replaced"]);
    assert_eq!(
        old.all(".related li"),
        ["Replaced by 9 bags delivered Applied"]
    );
    assert_eq!(app.stock_of(EXCELSA).await, 209);
    assert_eq!(
        app.dead_letters().await,
        [],
        "nobody has to look at it any more"
    );
    app.assert_audit_is_clean().await;
}

/// A fix of a correction would be a correction of nothing, and the difference be booked twice.
#[tokio::test]
async fn a_correction_that_failed_is_not_fixed_but_cancelled() {
    let app = TestApp::start(Kind::Fifo).await;
    let site = Site::of(&app).seen_by(Role::Staff);
    let mut fields = twelve_bags("k1");
    fields.push(("supplier", "3".to_owned()));
    let slip = sent(&post(&site, "send", &fields).await);
    app.drain().await;
    let correct = links(&site.get(&slip).await, "/correct").remove(0);
    let form = site.get(&correct).await.form();
    let form = with(&form, &[("bags", "2")]);
    let mut send = borrowed(&form);
    send.push(("do", "send"));
    let correction = sent(&site.post(&correct, &send).await);
    // Meanwhile nearly all of it was used.
    app.execute("UPDATE beans SET quantity = 1 WHERE id = 5")
        .await;
    app.drain().await;

    let page = site.get(&correction).await;
    let cancel = links(&page, "/cancel").remove(0);
    let id = cancel.split('/').nth(2).unwrap().to_owned();
    let fix = site.get(&format!("/updates/{id}/fix")).await;
    let mut fields = twelve_bags("k2");
    fields.extend([("supplier", "3".to_owned()), ("fixes", id)]);
    let forced = post(&site, "send", &fields).await;
    let cancelled = site.post(&cancel, &[]).await;

    assert_eq!(page.all(".standing .tag"), ["Needs attention"]);
    assert!(links(&page, "/fix").is_empty());
    assert_eq!(fix.status(), 303);
    assert!(forced.header("location").ends_with("?done=nothing-to-fix"));
    assert_eq!(cancelled.status(), 303);
}

#[tokio::test]
async fn one_update_is_fixed_by_one_bean() {
    let app = TestApp::start(Kind::Fifo).await;
    app.publish_line("3:Excelza:9").await;
    app.drain().await;
    let site = Site::of(&app).seen_by(CORDILLERA);
    let home = site.get("/").await;
    let update = home.attributes(".feed a", "href").remove(0);
    let mut fields = twelve_bags("k1");
    fields.extend([
        ("fixes", update.rsplit('/').next().unwrap().to_owned()),
        ("bean-2", EXCELSA.to_string()),
        ("kind-2", "delivery".to_owned()),
        ("bags-2", "1".to_owned()),
    ]);

    let refused = post(&site, "send", &fields).await;

    assert_eq!(refused.status(), 422);
    assert!(
        refused
            .text_of(".mistakes a")
            .starts_with("An update is fixed by one bean")
    );
}

#[tokio::test]
async fn what_was_fixed_meanwhile_is_not_fixed_again() {
    let app = TestApp::start(Kind::Fifo).await;
    app.publish_line("3:Excelza:9").await;
    app.drain().await;
    let site = Site::of(&app).seen_by(CORDILLERA);
    let list = site.get("/updates").await;
    let broken = list.attributes("td.first a", "href").remove(0);
    let fix = format!("{broken}/fix");
    let [one, other] = [site.get(&fix).await.form(), site.get(&fix).await.form()];
    let send = async |fields: &Fields| {
        let mut fields = borrowed(fields);
        fields.push(("do", "send"));
        fields.retain(|(name, value)| *name != "kind-1" || *value == "delivery");
        site.post(NEW, &fields).await
    };

    sent(&send(&one).await);
    let refused = send(&other).await;
    let too_late = site.get(&fix).await;
    app.drain().await;

    let told = format!("{broken}?done=nothing-to-fix");
    assert_eq!(refused.header("location"), told);
    assert_eq!(too_late.header("location"), broken);
    assert_eq!(app.stock_of(EXCELSA).await, 209);
}

#[tokio::test]
async fn a_wrong_number_is_corrected_by_the_difference() {
    let app = TestApp::start(Kind::Fifo).await;
    let site = Site::of(&app).seen_by(CORDILLERA);
    let slip = sent(&post(&site, "send", &twelve_bags("k1")).await);
    app.drain().await;
    let correct = links(&site.get(&slip).await, "/correct").remove(0);

    let form = site.get(&correct).await.form();
    let fields = with(&form, &[("bags", "10")]);
    let check = site.post(&correct, &borrowed(&fields)).await;
    let mut send = borrowed(&fields);
    send.push(("do", "send"));
    let correction = sent(&site.post(&correct, &send).await);
    let twice = sent(&site.post(&correct, &send).await);
    let pending = site.get(&correct).await;
    app.drain().await;

    assert_eq!(check.all(".effects dd"), ["2 bags fewer"]);
    assert_eq!(twice, correction);
    assert!(
        pending
            .header("location")
            .ends_with("?done=cannot-be-corrected")
    );
    assert_eq!(app.stock_of(EXCELSA).await, 210);
    let old = site.get(&slip).await;
    assert_eq!(
        old.all(".related li"),
        ["Corrected by 2 bags sent back Applied"]
    );
    let again = site.get(&correct).await;
    assert_eq!(again.value_of("was"), "10");
    // Its answer was lost, and it comes again when all is done.
    assert_eq!(sent(&site.post(&correct, &send).await), correction);
    app.assert_audit_is_clean().await;
}

#[tokio::test]
async fn two_tabs_do_not_correct_the_same_number_twice() {
    let app = TestApp::start(Kind::Fifo).await;
    let site = Site::of(&app).seen_by(CORDILLERA);
    let slip = sent(&post(&site, "send", &twelve_bags("k1")).await);
    app.drain().await;
    let correct = links(&site.get(&slip).await, "/correct").remove(0);
    let tabs = [
        site.get(&correct).await.form(),
        site.get(&correct).await.form(),
    ];

    let mut answers = Vec::new();
    for tab in tabs {
        let fields = with(&tab, &[("bags", "10")]);
        let mut send = borrowed(&fields);
        send.push(("do", "send"));
        answers.push(site.post(&correct, &send).await);
        app.drain().await;
    }

    assert_eq!(answers[1].status(), 409);
    assert!(answers[1].mistakes()[0].1.contains("in the meantime"));
    assert_eq!(answers[1].value_of("was"), "10");
    assert_eq!(app.stock_of(EXCELSA).await, 210);
}

/// A correction is about the day the bags moved: whoever counted since has counted what was there.
#[tokio::test]
async fn a_correction_of_what_was_counted_since_changes_nothing() {
    let app = TestApp::start(Kind::Fifo).await;
    let site = Site::of(&app).seen_by(CORDILLERA);
    let slip = sent(&post(&site, "send", &twelve_bags("k1")).await);
    app.drain().await;
    let count = InventoryUpdate {
        change: StockChange::Count {
            bags: Bags::counted(210).unwrap(),
            counted_at: app.clock.now(),
        },
        ..delivery(UpdateId::generate(), 1)
    };
    app.accept(&count).await;
    app.drain().await;
    let correct = links(&site.get(&slip).await, "/correct").remove(0);
    let form = site.get(&correct).await.form();

    let fields = with(&form, &[("bags", "10")]);
    let mut send = borrowed(&fields);
    send.push(("do", "send"));
    let correction = sent(&site.post(&correct, &send).await);
    app.drain().await;

    assert_eq!(
        site.get(&correction).await.all(".standing .tag"),
        ["Superseded"]
    );
    assert_eq!(app.stock_of(EXCELSA).await, 210);
    app.assert_audit_is_clean().await;
}

#[tokio::test]
async fn nothing_of_another_supplier_can_be_seen_sent_fixed_corrected_or_cancelled() {
    let app = TestApp::start(Kind::Fifo).await;
    let owner = Site::of(&app).seen_by(CORDILLERA);
    let slip = sent(&post(&owner, "send", &twelve_bags("k1")).await);
    app.publish_line("3:Excelza:9").await;
    app.drain().await;
    let list = owner.get("/updates").await;
    let updates = list.attributes("td.first a", "href");
    let other = Site::of(&app).seen_by(Role::Supplier(SupplierId(1)));

    assert_eq!(other.get(&slip).await.status(), 404);
    for update in &updates {
        for action in ["", "/fix", "/correct"] {
            assert_eq!(other.get(&format!("{update}{action}")).await.status(), 404);
        }
        for action in ["/correct", "/cancel"] {
            let answer = other
                .post(
                    &format!("{update}{action}"),
                    &[("bags", "1"), ("form_key", "k")],
                )
                .await;
            assert_eq!(answer.status(), 404);
        }
    }
    let their_bean = post(&other, "send", &twelve_bags("k2")).await;
    let broken = updates
        .iter()
        .find(|update| !update.contains("BR-"))
        .unwrap();
    let mut fix = vec![
        ("form_key", "k3".to_owned()),
        ("bean-1", "1".to_owned()),
        ("kind-1", "delivery".to_owned()),
        ("bags-1", "1".to_owned()),
        ("fixes", broken.trim_start_matches("/updates/").to_owned()),
    ];
    let their_update = post(&other, "send", &fix).await;
    fix.push(("supplier", "3".to_owned()));
    let in_their_name = post(&other, "check", &fix).await;

    assert_eq!(their_bean.status(), 422);
    assert!(!their_bean.body.contains("Cordillera"));
    assert_eq!(their_update.status(), 404);
    assert!(!in_their_name.body.contains("Cordillera"));
    assert_eq!(owner.rows_of("slips").await, 1);
}

#[tokio::test]
async fn levels_are_told_to_those_alone_who_may_know_them() {
    let site = Site::open().await;
    let supplier = site.seen_by(CORDILLERA);
    let mut too_many = twelve_bags("k");
    too_many[2].1 = "return".to_owned();
    too_many[3].1 = "201".to_owned();
    let mut of_staff = twelve_bags("k");
    of_staff.push(("supplier", "3".to_owned()));
    let mut too_many_of_staff = too_many.clone();
    too_many_of_staff.push(("supplier", "3".to_owned()));

    let hidden = post(&supplier, "check", &twelve_bags("k")).await;
    let untold = post(&supplier, "check", &too_many).await;
    let open = supplier.clone().ruled_by(Rules {
        suppliers_see_stock: true,
        ..Rules::default()
    });
    let shown = post(&open, "check", &twelve_bags("k")).await;
    let staff = post(&site.seen_by(Role::Staff), "check", &of_staff).await;
    let refused = post(&site.seen_by(Role::Staff), "check", &too_many_of_staff).await;

    assert_eq!(hidden.all(".effects dd"), ["12 bags more"]);
    assert_eq!(untold.all(".effects dd"), ["201 bags fewer"]);
    assert_eq!(shown.all(".effects dd"), ["12 bags more (200 → 212 bags)"]);
    assert_eq!(staff.all(".effects dd"), ["12 bags more (200 → 212 bags)"]);
    assert_eq!(refused.status(), 422);
    assert!(refused.mistakes()[0].1.contains("only 200 are in stock"));
}

#[tokio::test]
async fn staff_send_for_a_supplier_and_viewers_send_nothing() {
    let app = TestApp::start(Kind::Fifo).await;
    let staff = Site::of(&app).seen_by(Role::Staff);
    let mut fields = twelve_bags("k1");
    fields.push(("supplier", "3".to_owned()));

    let choice = staff.get(NEW).await;
    let form = staff.get("/updates/new?supplier=3").await;
    let slip = sent(&post(&staff, "send", &fields).await);
    app.drain().await;

    assert_eq!(choice.attributes(".choices a", "href").len(), 8);
    assert!(form.text_of(".lead").contains("Cordillera Direct"));
    assert_eq!(app.stock_of(EXCELSA).await, 212);
    let viewer = Site::of(&app).seen_by(Role::Viewer);
    assert_eq!(viewer.get(NEW).await.status(), 403);
    assert_eq!(post(&viewer, "send", &fields).await.status(), 403);
    let seen = viewer.get(&slip).await;
    assert_eq!(seen.all(".doings > *"), [""; 0]);
    assert_eq!(
        seen.all(".standing")[0],
        "Applied Stock went from 200 to 212 bags."
    );
    assert_eq!(staff.get("/updates/new?supplier=99").await.status(), 404);
}

#[tokio::test]
async fn beans_with_look_alike_names_are_refused_before_anything_is_sent() {
    let site = Site::open().await;
    site.execute(
        "UPDATE beans SET supplier_id = 3, type = 'EXCELSA', type_key = NULL WHERE id = 10",
    )
    .await;

    let answer = post(&site.seen_by(CORDILLERA), "send", &twelve_bags("k")).await;

    assert_eq!(answer.status(), 422);
    assert!(answer.mistakes()[0].1.contains("same name"));
}

/// While somebody types, the lines that are finished are told as the check page would tell them.
#[tokio::test]
async fn lines_of_one_bean_add_up_while_they_are_typed() {
    let site = Site::open().await.seen_by(Role::Staff);
    let mut fields = twelve_bags("k");
    fields.extend([
        ("supplier", "3".to_owned()),
        ("bean-2", String::new()),
        ("bags-2", "7".to_owned()),
        ("bean-3", EXCELSA.to_string()),
        ("kind-3", "return".to_owned()),
        ("bags-3", "210".to_owned()),
        ("bean-4", EXCELSA.to_string()),
        ("kind-4", "return".to_owned()),
        ("bags-4", "3".to_owned()),
    ]);
    let fields: Vec<(&str, &str)> = fields
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();

    let told = site.post("/updates/effect", &fields).await;

    let effects = [
        "Excelsa: 12 bags more (200 → 212 bags)",
        "",
        "Excelsa: 210 bags fewer (212 → 2 bags)",
        "",
    ];
    assert_eq!(told.all("output"), effects);
}

#[tokio::test]
async fn a_script_in_a_field_is_text_on_every_page() {
    let app = TestApp::start(Kind::Fifo).await;
    let site = Site::of(&app).seen_by(CORDILLERA);
    let evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>";
    let mut fields = twelve_bags("k1");
    fields.extend([
        ("note", evil.to_owned()),
        ("reference", "=HYPERLINK(\"x\")".to_owned()),
    ]);

    let check = post(&site, "check", &fields).await;
    let slip = sent(&post(&site, "send", &fields).await);
    app.drain().await;
    let page = site.get(&slip).await;
    let update = links(&page, "/correct").remove(0);
    let update = site.get(update.trim_end_matches("/correct")).await;

    for page in [check, page, update] {
        assert!(
            !page.body.contains("<script>alert") && !page.body.contains("<img src=x"),
            "{}",
            page.body
        );
    }
}

#[tokio::test]
async fn a_number_with_a_wrong_character_leads_nowhere() {
    let site = Site::open().await.seen_by(CORDILLERA);
    let slip = sent(&post(&site, "send", &twelve_bags("k1")).await);
    let mut wrong = slip.clone();
    let last = if wrong.pop() == Some('2') { '3' } else { '2' };
    wrong.push(last);

    let answer = site.get(&wrong).await;

    assert_eq!(answer.status(), 404);
    assert_eq!(answer.text_of("h1"), "Update not found");
}

/// A number whose place in the database is taken is drawn again; nobody notices.
#[tokio::test]
async fn every_slip_has_a_number_of_its_own() {
    let site = Site::open().await.seen_by(CORDILLERA);
    let mut numbers = Vec::new();
    for round in 0..20 {
        numbers.push(sent(
            &post(&site, "send", &twelve_bags(&round.to_string())).await,
        ));
    }
    numbers.sort();
    numbers.dedup();
    assert_eq!(numbers.len(), 20);
    let mut conn = site.pool.acquire().await.unwrap();
    let beans = db::beans::list_offered_beans(&mut conn, SupplierId(3))
        .await
        .unwrap();
    assert_eq!(beans[0].id, BeanId(5));
}
