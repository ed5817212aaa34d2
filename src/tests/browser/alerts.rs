//! An alert on its way: from the update that crosses the line to the mail about its end.

use std::sync::Arc;

use beanstock::domain::Role;
use beanstock::notifications::{Announces, Mailer, Notifier};
use beanstock::web::{MailDelivery, Rules};
use chrono_tz::Tz;
use serde_json::json;

use crate::support::browser::{Browser, LAPTOP, Served};
use crate::support::{Kind, Site, TestApp};

async fn tell(app: &TestApp) {
    let notifier = Notifier {
        pool: app.pool.clone(),
        clock: Arc::clone(&app.clock),
        mailer: Some(Mailer::Captured),
        announces: Announces::default(),
        site: "http://localhost".to_owned(),
        zone: Tz::UTC,
    };
    Box::pin(notifier.notify_once()).await.unwrap();
}

async fn publish(app: &TestApp, line: &str) {
    app.publish_line(line).await;
    Box::pin(app.drain()).await;
    tell(app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a browser"]
async fn a_bean_that_runs_low_is_on_the_page_and_in_a_mail_and_so_is_its_recovery() {
    let app = TestApp::start(Kind::Fifo).await;
    let site = Site::of(&app).seen_by(Role::Staff).ruled_by(Rules {
        mail: MailDelivery::Captured,
        ..Rules::default()
    });
    let served = Served::start(&site).await;
    let browser = Browser::open(&served).await;
    let browser = browser.signed_in_with(&site.cookie().await.unwrap()).await;
    browser.look_at(LAPTOP).await;
    browser.visit("/account/alerts").await;
    browser.press("Save").await;
    browser.visit("/beans/5/alert").await;
    browser
        .fill("Alert at this many bags or fewer", "190")
        .await;
    browser.press("Save").await;

    let taken_back = json!({
        "version": 1, "supplier_id": 3, "bean_type": "Excelsa", "kind": "return", "quantity": 15,
    });
    publish(&app, &taken_back.to_string()).await;
    browser.visit("/alerts").await;
    assert!(browser.text().await.contains("185 bags left"));
    browser.press("I’m on it: House Excelsa").await;
    assert!(browser.text().await.contains("looks after it"));
    browser.visit("/local/mailbox").await;
    let low =
        "House Excelsa from Cordillera Direct is low: 185 bags left, and the line is at 190 bags.";
    assert_eq!(browser.all(".mail h3").await, [low]);
    browser.follow(".mail a").await;
    assert_eq!(browser.all("td a").await, [low]);

    publish(&app, "3:Excelsa:20").await;
    browser.visit("/local/mailbox").await;
    assert_eq!(
        browser.all(".mail h3").await,
        [
            "House Excelsa from Cordillera Direct is not low any more: you have 205 bags.",
            low
        ]
    );
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}
