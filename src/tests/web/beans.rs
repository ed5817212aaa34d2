//! Adding, changing and removing beans.

use super::{NEW_BEAN, changed};
use beanstock::domain::{BeanId, MovementKind};

use crate::support::site::{Answer, borrowed, chosen_on, with};
use crate::support::{EXCELSA, EXCELSA_FORM, EXCELSA_PAGE, Site};

/// The next bean after the demonstration's.
const ADDED: BeanId = BeanId(15);
/// The question whether to remove Excelsa.
const REMOVAL: &str = "/bean-remove/5";

/// What the lab's form sends for Excelsa, which is bean 5 with 200 bags.
const LABS_FORM: [(&str, &str); 7] = [
    ("id", "5"),
    ("supplier_id", "3"),
    ("type", "Excelsa"),
    ("product_name", "Best bean"),
    ("price", "18.00"),
    ("description", "Tart."),
    ("quantity", "200"),
];

#[tokio::test]
async fn a_new_bean_has_one_opening_movement() {
    let site = Site::open().await;

    let answer = site.post("/bean-add", &NEW_BEAN).await;

    assert_eq!(answer.status(), 303);
    let list = site.get(answer.header("location")).await;
    assert_eq!(list.text_of(".notice"), "The bean was added.");
    assert!(list.all("td.first a").contains(&"Sunday Cup".to_owned()));
    let movements = site.movements_of(ADDED).await;
    assert_eq!(movements.len(), 1);
    assert_eq!(movements[0].kind, MovementKind::Opening);
    assert_eq!(movements[0].change_by, 1_200);
    assert_eq!(movements[0].quantity_after, 1_200);
}

async fn a_refused_bean(field: &str, value: &str) -> Answer {
    let site = Site::open().await;

    let answer = site
        .post("/bean-add", &changed(NEW_BEAN, field, value))
        .await;

    assert_eq!(answer.status(), 422);
    assert_eq!(site.rows_of("beans").await, 14, "no bean");
    assert_eq!(site.rows_of("stock_movements").await, 14, "no movement");
    assert!(answer.text_of("title").starts_with("Error: "));
    for (name, typed) in changed(NEW_BEAN, field, value) {
        if name != "supplier_id" {
            assert_eq!(answer.value_of(name), typed, "what was typed stays");
        }
    }
    let [(link, sentence)] = &answer.mistakes()[..] else {
        panic!("not one mistake: {}", answer.body);
    };
    assert_eq!(link, &format!("#{field}"), "the summary leads to the field");
    let described = answer.text_of(&format!("[id='{field}-error']"));
    assert_eq!(described, format!("Error: {sentence}"));
    let marked = answer.attributes("[aria-invalid]", "name");
    assert_eq!(marked, [field], "and the field says so too");
    answer
}

#[tokio::test]
async fn an_unknown_supplier_is_refused() {
    let answer = a_refused_bean("supplier_id", "99").await;

    assert_eq!(answer.mistakes()[0].1, "Choose a supplier");
}

#[tokio::test]
async fn a_type_the_supplier_already_has_is_refused_whatever_its_case() {
    let answer = a_refused_bean("type", "LIBERICA").await;

    assert_eq!(
        answer.mistakes()[0].1,
        "This supplier already has a bean of that type on the list"
    );
    assert_eq!(answer.value_of("supplier_id"), "2");
}

#[tokio::test]
async fn a_price_that_is_none_is_refused() {
    let answer = a_refused_bean("price", "1,2.3").await;

    assert_eq!(
        answer.mistakes()[0].1,
        "Price must be an amount like 18 or 18.00"
    );
}

#[tokio::test]
async fn a_text_that_is_too_long_is_refused() {
    let answer = a_refused_bean("description", &"ß".repeat(1_001)).await;

    assert_eq!(
        answer.mistakes()[0].1,
        "Description must be 1000 characters or fewer"
    );
}

#[tokio::test]
async fn a_number_that_may_mean_one_and_a_half_is_refused() {
    let answer = a_refused_bean("quantity", "1,5").await;

    assert_eq!(
        answer.mistakes()[0].1,
        "Bags must be a whole number, like 12"
    );
}

#[tokio::test]
async fn texts_survive_every_save_as_they_were_typed() {
    const NAME: &str = "O'Malley & \"Söns\" <b>&amp;</b> 🫘 قهوة";
    let site = Site::open().await;
    let form = site.get("/bean-update/1").await.form();
    let fields = with(&form, &[("product_name", NAME), ("description", NAME)]);
    site.post("/bean-update", &borrowed(&fields)).await;

    for _ in 0..3 {
        let form = site.get("/bean-update/1").await.form();
        site.post("/bean-update", &borrowed(&form)).await;
    }

    let form = site.get("/bean-update/1").await;
    assert_eq!(form.value_of("product_name"), NAME);
    assert_eq!(form.value_of("description"), NAME);
    let page = site.get("/beans/1").await;
    assert_eq!(page.text_of("h1"), NAME);
    assert_eq!(page.text_of(".lead"), NAME);
    assert!(!page.body.contains("<b>&"), "nothing typed becomes markup");
    let beans = site.get("/beans.json").await;
    let escaped = "O&#x27;Malley &amp; &quot;Söns&quot; &lt;b&gt;&amp;amp;&lt;&#x2F;b&gt; 🫘 قهوة";
    assert!(beans.body.contains(escaped), "{}", beans.body);
}

#[tokio::test]
async fn a_change_of_texts_leaves_the_stock_alone_even_if_it_moved_meanwhile() {
    let site = Site::open().await;
    let form = site.get(EXCELSA_FORM).await.form();
    site.somebody_else_corrects(EXCELSA, 209).await;

    let fields = with(&form, &[("product_name", "Evening Cup")]);
    let answer = site.post("/bean-update", &borrowed(&fields)).await;

    assert_eq!(answer.status(), 303);
    let page = site.get(EXCELSA_PAGE).await;
    assert_eq!(page.text_of("h1"), "Evening Cup");
    assert_eq!(page.text_of(".tile.main strong"), "209");
    assert_eq!(
        site.movements_of(EXCELSA).await.len(),
        2,
        "opening, and theirs"
    );
}

#[tokio::test]
async fn another_number_needs_a_reason() {
    let site = Site::open().await;
    let form = site.get(EXCELSA_FORM).await.form();

    let fields = with(&form, &[("quantity", "190")]);
    let answer = site.post("/bean-update", &borrowed(&fields)).await;

    assert_eq!(answer.status(), 422);
    let asked = (
        "#quantity_reason".to_owned(),
        "Enter a reason for the correction".to_owned(),
    );
    assert_eq!(answer.mistakes(), [asked]);
    assert_eq!(answer.value_of("quantity"), "190");
    assert_eq!(site.movements_of(EXCELSA).await.len(), 1);
}

#[tokio::test]
async fn a_correction_is_one_movement_that_tells_its_reason() {
    let site = Site::open().await;
    let form = site.get(EXCELSA_FORM).await.form();

    let reason = "Ten bags <wet> & torn";
    let fields = with(&form, &[("quantity", "190"), ("quantity_reason", reason)]);
    let answer = site.post("/bean-update", &borrowed(&fields)).await;

    assert_eq!(answer.status(), 303);
    let movements = site.movements_of(EXCELSA).await;
    assert_eq!(movements.len(), 2);
    assert_eq!(movements[0].kind, MovementKind::Correction);
    assert_eq!(movements[0].change_by, -10);
    let page = site.get(EXCELSA_PAGE).await;
    assert_eq!(page.text_of(".tile.main strong"), "190");
    assert_eq!(page.all(".why"), [reason]);
    assert_eq!(page.all("td[data-label=Change]"), ["−10", "+200"]);
}

#[tokio::test]
async fn stock_that_moved_meanwhile_is_shown_before_it_is_overwritten() {
    let site = Site::open().await;
    let form = site.get(EXCELSA_FORM).await.form();
    let fields = with(&form, &[("quantity", "190"), ("quantity_reason", "Torn")]);
    site.somebody_else_corrects(EXCELSA, 209).await;

    let conflict = site.post("/bean-update", &borrowed(&fields)).await;
    let chosen = chosen_on(&conflict);
    let second = site.post("/bean-update", &borrowed(&chosen)).await;

    assert_eq!(conflict.status(), 409);
    assert_eq!(conflict.all("legend"), ["Bags in stock"]);
    assert_eq!(conflict.all("label b"), ["209", "190"]);
    assert_eq!(conflict.value_of("quantity_was"), "209");
    assert_eq!(second.status(), 303);
    assert_eq!(site.movements_of(EXCELSA).await[0].change_by, -19);
}

#[tokio::test]
async fn the_labs_form_works_while_it_leaves_the_number_alone() {
    let site = Site::open().await;

    let answer = site.post("/bean-update/", &LABS_FORM).await;

    assert_eq!(answer.status(), 303);
    assert!(answer.header("location").starts_with("/beans"));
    assert_eq!(site.get(EXCELSA_PAGE).await.text_of("h1"), "Best bean");
    assert_eq!(site.movements_of(EXCELSA).await.len(), 1);
}

#[tokio::test]
async fn the_labs_form_is_asked_for_a_reason_when_it_changes_the_number() {
    let site = Site::open().await;

    let answer = site
        .post("/bean-update", &changed(LABS_FORM, "quantity", "7"))
        .await;

    assert_eq!(answer.status(), 422);
    assert_eq!(answer.mistakes()[0].0, "#quantity_reason");
    assert_eq!(answer.value_of("quantity_was"), "200");
}

#[tokio::test]
async fn removing_a_bean_asks_first_and_names_it() {
    let site = Site::open().await;

    let question = site.get(REMOVAL).await;

    assert_eq!(question.status(), 200);
    assert_eq!(
        question.text_of("h1"),
        "Remove House Excelsa from the list?"
    );
    assert!(question.all(".consequences li")[0].starts_with("200 bags are taken out of stock"));
    let way = question.attributes("main form[method=post]", "action");
    assert_eq!(way, [REMOVAL], "no JavaScript needed");
    assert_eq!(
        site.get(EXCELSA_PAGE).await.status(),
        200,
        "nothing happened"
    );
}

#[tokio::test]
async fn a_removed_bean_leaves_with_a_movement_and_its_type_can_come_anew() {
    let site = Site::open().await;

    let answer = site.post(REMOVAL, &[]).await;

    assert_eq!(answer.status(), 303);
    let movements = site.movements_of(EXCELSA).await;
    assert_eq!(movements[0].kind, MovementKind::Removal);
    assert_eq!(movements[0].change_by, -200);
    assert_eq!(movements[0].quantity_after, 0);
    assert_eq!(site.get(EXCELSA_PAGE).await.status(), 404);
    assert_eq!(site.post(REMOVAL, &[]).await.status(), 404);
    let anew = changed(NEW_BEAN, "supplier_id", "3");
    assert_eq!(site.post("/bean-add", &anew).await.status(), 303);
    assert_eq!(
        site.get(&format!("/beans/{ADDED}")).await.text_of("h1"),
        "Sunday Cup"
    );
}
