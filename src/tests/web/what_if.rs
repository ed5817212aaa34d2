//! What would happen to a message, told by the rules that decide when it arrives.

use beanstock::domain::Role;

use crate::support::site::Answer;
use crate::support::{EXCELSA, Kind, Site, TestApp};

async fn ask(site: &Site, message: &str) -> Answer {
    site.post("/what-if", &[("message", message)]).await
}

/// The last step: what ends it.
fn end(answer: &Answer) -> String {
    answer.all(".timeline li").pop().unwrap()
}

#[tokio::test]
async fn a_message_is_told_what_would_become_of_it_and_nothing_is_written() {
    let site = Site::open().await.seen_by(Role::Viewer);
    let rows = site.rows_of("inventory_updates").await;

    for (message, expected) in [
        ("3:Excelsa:9", "It would go from 200 to 209 bags."),
        ("3:Excelsa:9\r\n", "It would go from 200 to 209 bags."),
        ("3:Excelsia:9", "Did you mean “Excelsa”?"),
        ("99:Excelsa:9", "There is no supplier 99."),
        ("3:Excelsa:many", "bags"),
        ("not a line", ""),
        (
            r#"{"version":1,"supplier_id":3,"bean_type":"Excelsa","kind":"return","quantity":201}"#,
            "only 200 are in stock",
        ),
        (
            r#"{"version":1,"supplier_id":3,"bean_type":"Excelsa","kind":"out_of_stock"}"#,
            "It would stay at 200",
        ),
        (
            r#"{"Type":"Notification","MessageId":"0b7b8a9e-7a3d-4a3f-9a55-1d2f3c4b5a69","TopicArn":"arn:aws:sns:us-east-1:1:t","Message":"3:Excelsa:9","Timestamp":"2026-11-27T10:00:00Z"}"#,
            "It would go from 200 to 209 bags.",
        ),
    ] {
        let answer = ask(&site, message).await;
        assert_eq!(answer.status(), 200);
        assert!(
            end(&answer).contains(expected),
            "{message}: {}",
            end(&answer)
        );
    }

    assert_eq!(site.rows_of("inventory_updates").await, rows);
    assert_eq!(site.movements_of(EXCELSA).await.len(), 1);
    assert!(!ask(&site, " ").await.text_of("#message-error").is_empty());
}

#[tokio::test]
async fn it_says_so_if_an_update_with_this_id_is_known() {
    let app = TestApp::start(Kind::Fifo).await;
    let message = r#"{"version":1,"update_id":"0198c0de-0000-7000-8000-000000000001","supplier_id":3,"bean_type":"Excelsa","kind":"delivery","quantity":9}"#;
    app.send_raw(message, "g").await;
    app.drain().await;

    let answer = ask(&Site::of(&app), message).await;

    assert!(
        answer
            .text_of(".timeline")
            .contains("has come to its end already")
    );
    assert_eq!(answer.attributes("a[href^='/updates/']", "href").len(), 1);
}
