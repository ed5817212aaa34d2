//! Adding, changing and removing suppliers.

use super::{NEW_SUPPLIER, changed};
use crate::support::Site;
use crate::support::site::{borrowed, with};

#[tokio::test]
async fn a_supplier_is_added_and_changed_without_loss() {
    const NAME: &str = "Ahmad & \"Fils\" <مطحنة>";
    let site = Site::open().await;
    let new = changed(NEW_SUPPLIER, "name", NAME);
    site.post("/supplier-add", &new).await;

    let form = site.get("/supplier-update/9").await.form();
    let moved = with(&form, &[("city", "Łódź")]);
    let answer = site.post("/supplier-update", &borrowed(&moved)).await;

    assert_eq!(answer.status(), 303);
    let list = site.get(answer.header("location")).await;
    assert_eq!(
        list.text_of(".notice"),
        "Your changes to the supplier were saved."
    );
    let names = list.all("td.first");
    let row = names.iter().position(|name| name == NAME).unwrap();
    let address = &list.all("td[data-label=Address]")[row];
    assert_eq!(address, "1 Mill Road, Łódź, Avon");
}

#[tokio::test]
async fn a_supplier_with_mistakes_is_not_stored() {
    let site = Site::open().await;

    let new = changed(NEW_SUPPLIER, "email", "nobody");
    let answer = site.post("/supplier-add", &new).await;

    assert_eq!(answer.status(), 422);
    assert_eq!(answer.mistakes()[0].0, "#email");
    assert_eq!(answer.value_of("city"), "Bristol");
    assert_eq!(site.rows_of("suppliers").await, 8);
}

#[tokio::test]
async fn a_supplier_with_beans_stays_and_the_page_says_which() {
    let site = Site::open().await;

    let answer = site.post("/supplier-remove/1", &[]).await;

    assert_eq!(answer.status(), 409);
    assert_eq!(
        answer.text_of("h1"),
        "Juniper Hill Roasters still has beans on the list"
    );
    assert_eq!(answer.all(".ruled a"), ["House Arabica", "House Robusta"]);
    assert!(answer.all("main form").is_empty(), "nothing to press");
    assert_eq!(site.get("/suppliers").await.all("td.first").len(), 8);
    assert_eq!(site.get("/beans").await.all("td.first").len(), 14);
}

#[tokio::test]
async fn a_supplier_without_beans_can_be_removed_at_once() {
    let site = Site::open().await;
    site.post("/supplier-add", &NEW_SUPPLIER).await;

    let answer = site.post("/supplier-remove/9", &[]).await;

    assert_eq!(answer.status(), 303);
    assert_eq!(site.get("/suppliers").await.all("td.first").len(), 8);
    assert_eq!(site.get("/supplier-update/9").await.status(), 404);
    assert_eq!(site.post("/supplier-remove/9", &[]).await.status(), 404);
}
