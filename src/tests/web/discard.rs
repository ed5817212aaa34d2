//! Discarding what could not be applied, and restoring it.

use beanstock::domain::{Role, SupplierId};
use tokio::task::JoinSet;

use crate::support::{EXCELSA, Kind, Site, TestApp};

/// A dead letter of supplier 3: `Excelza` for `Excelsa`.
async fn broken(app: &TestApp) -> String {
    app.publish_line("3:Excelza:9").await;
    app.drain().await;
    let list = Site::of(app).seen_by(Role::Staff).get("/updates").await;
    list.attributes("td.first a", "href").remove(0)
}

const WHY: [(&str, &str); 1] = [("why", "The delivery never came.")];

#[tokio::test]
async fn what_is_discarded_is_told_with_why_and_can_be_restored() {
    let app = TestApp::start(Kind::Fifo).await;
    let update = broken(&app).await;
    let staff = Site::of(&app).seen_by(Role::Staff);
    let supplier = Site::of(&app).seen_by(Role::Supplier(SupplierId(3)));

    let asked = staff.get(&format!("{update}/discard")).await;
    let unsaid = staff
        .post(&format!("{update}/discard"), &[("why", " ")])
        .await;
    let discarded = staff.post(&format!("{update}/discard"), &WHY).await;
    let told = supplier.get(&update).await;
    let attention = staff.get("/dead-letters").await;
    app.assert_audit_is_clean().await;

    assert!(asked.text_of(".lead").contains("Excelza"));
    assert_eq!(unsaid.status(), 422);
    assert!(
        discarded
            .header("location")
            .ends_with("done=update-discarded")
    );
    assert!(
        told.text_of(".timeline")
            .contains("The delivery never came.")
    );
    assert!(
        attention
            .text_of("main")
            .contains("Nothing needs attention")
    );

    let restored = staff.post(&format!("{update}/restore"), &[]).await;
    let again = staff.post(&format!("{update}/restore"), &[]).await;
    let attention = staff.get("/dead-letters").await;
    app.assert_audit_is_clean().await;

    assert!(
        restored
            .header("location")
            .ends_with("done=update-restored")
    );
    assert!(again.header("location").ends_with("done=update-moved-on"));
    assert!(
        attention
            .text_of(".letter")
            .contains("Did you mean “Excelsa”?")
    );
    let log = Site::of(&app).seen_by(Role::Manager).get("/activity").await;
    let log = log.text_of("main");
    assert!(
        log.contains("discarded an update") && log.contains("restored an update"),
        "{log}"
    );
    assert!(log.contains("The delivery never came."), "{log}");
}

/// What is final stays so for every message; only a person may take it back, and not after 30 days.
#[tokio::test]
async fn no_message_revives_what_was_discarded_and_no_person_after_thirty_days() {
    let app = TestApp::start(Kind::Fifo).await;
    let staff = Site::of(&app).seen_by(Role::Staff);
    let line = r#"{"version":1,"update_id":"7f1c2c3e-2222-4a4a-8b8b-000000000001","supplier_id":3,"bean_type":"Excelsas","kind":"delivery","quantity":9}"#;
    app.send_raw(line, "a").await;
    app.drain().await;
    let list = staff.get("/updates").await;
    let update = list.attributes("td.first a", "href").remove(0);
    staff.post(&format!("{update}/discard"), &WHY).await;

    app.execute(format!(
        "UPDATE beans SET type = 'Excelsas', type_key = 'excelsas' WHERE id = {EXCELSA}"
    ))
    .await;
    app.send_raw(&format!("{line} "), "b").await;
    app.drain().await;

    assert_eq!(app.stock_of(EXCELSA).await, 200);
    app.assert_audit_is_clean().await;
    app.execute("UPDATE inventory_updates SET finished_at = finished_at - INTERVAL 31 DAY")
        .await;
    let late = staff.post(&format!("{update}/restore"), &[]).await;
    assert!(
        late.header("location")
            .ends_with("done=too-late-to-restore")
    );
}

#[tokio::test]
async fn two_who_discard_and_fix_at_once_do_one_of_both() {
    let app = TestApp::start(Kind::Fifo).await;
    let update = broken(&app).await;
    let staff = Site::of(&app).seen_by(Role::Staff);
    let mut all = JoinSet::new();
    for _ in 0..5 {
        let (staff, path) = (staff.clone(), format!("{update}/discard"));
        all.spawn(async move { staff.post(&path, &WHY).await });
        let (staff, path) = (staff_again(&app), format!("{update}/cancel"));
        all.spawn(async move { staff.post(&path, &[]).await });
    }

    let answers = all.join_all().await;

    let done = |word: &str| {
        let ends =
            |answer: &&crate::support::site::Answer| answer.header("location").ends_with(word);
        answers.iter().filter(ends).count()
    };
    assert_eq!(
        done("done=update-discarded") + done("done=update-cancelled"),
        1
    );
    app.assert_audit_is_clean().await;
}

fn staff_again(app: &TestApp) -> Site {
    Site::of(app).seen_by(Role::Staff)
}
