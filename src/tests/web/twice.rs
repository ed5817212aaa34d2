//! Forms that are sent twice, from two tabs, or with what nobody typed.

use axum::body::Body;
use axum::http::Request;
use axum::http::header::CONTENT_TYPE;

use super::{NEW_BEAN, NEW_SUPPLIER, changed};
use crate::support::site::{borrowed, chosen_on, with};
use crate::support::{EXCELSA, EXCELSA_FORM, EXCELSA_PAGE, Site};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_double_click_adds_one_supplier_and_one_bean() {
    let site = Site::open().await;
    for (path, fields) in [
        ("/supplier-add", &NEW_SUPPLIER[..]),
        ("/bean-add", &NEW_BEAN[..]),
    ] {
        let form = with(&site.get(path).await.form(), fields);
        let form = borrowed(&form);

        let answers = tokio::join!(
            site.post(path, &form),
            site.post(path, &form),
            site.post(path, &form)
        );

        for answer in [answers.0, answers.1, answers.2] {
            assert_eq!(answer.status(), 303, "{}", answer.body);
        }
    }
    assert_eq!(site.rows_of("suppliers").await, 9);
    assert_eq!(site.rows_of("beans").await, 15);
    assert_eq!(site.rows_of("stock_movements").await, 15);
}

/// As the lab's clients send it, without a key.
#[tokio::test]
async fn the_same_form_without_a_key_adds_one_as_well_and_another_form_another() {
    let site = Site::open().await;

    for form in [
        NEW_SUPPLIER,
        NEW_SUPPLIER,
        changed(NEW_SUPPLIER, "city", "Bath"),
    ] {
        assert_eq!(site.post("/supplier-add", &form).await.status(), 303);
    }

    assert_eq!(site.rows_of("suppliers").await, 10);
}

#[tokio::test]
async fn a_supplier_that_was_removed_can_be_added_again() {
    let site = Site::open().await;
    site.post("/supplier-add", &NEW_SUPPLIER).await;
    site.post("/supplier-remove/9", &[]).await;

    site.post("/supplier-add", &NEW_SUPPLIER).await;

    let suppliers = site.get("/suppliers").await.all("td.first");
    assert_eq!(
        suppliers.iter().filter(|name| *name == "Bean Bros").count(),
        1
    );
}

#[tokio::test]
async fn the_second_of_two_tabs_sees_both_and_keeps_what_the_first_changed() {
    let site = Site::open().await;
    let first = site.get(EXCELSA_FORM).await.form();
    let second = first.clone();
    let mine = with(&first, &[("price", "19.00"), ("product_name", "First")]);
    assert_eq!(
        site.post("/bean-update", &borrowed(&mine)).await.status(),
        303
    );

    let theirs = with(&second, &[("price", "21.00"), ("description", "Second")]);
    let conflict = site.post("/bean-update", &borrowed(&theirs)).await;

    assert_eq!(conflict.status(), 409);
    assert_eq!(
        conflict.all("legend"),
        ["Price"],
        "only where both changed the same"
    );
    assert_eq!(conflict.all("label b"), ["19.00", "21.00"]);
    assert_eq!(
        conflict.attributes("[checked]", "value"),
        ["21.00"],
        "what was typed stays"
    );
    let chosen = chosen_on(&conflict);
    let again = site.post("/bean-update", &borrowed(&chosen)).await;
    assert_eq!(again.status(), 303, "having seen both");
    let saved = site.get(EXCELSA_FORM).await;
    assert_eq!(saved.value_of("price"), "21.00");
    assert_eq!(saved.value_of("product_name"), "First");
    assert_eq!(saved.value_of("description"), "Second");
}

#[tokio::test]
async fn whoever_chooses_theirs_keeps_the_rest_of_their_own() {
    let site = Site::open().await;
    let form = site.get("/supplier-update/3").await.form();
    let first = with(&form, &[("city", "Tampa")]);
    site.post("/supplier-update", &borrowed(&first)).await;

    let second = with(&form, &[("city", "Oslo"), ("phone", "555-555-0199")]);
    let conflict = site.post("/supplier-update", &borrowed(&second)).await;
    let mut chosen = chosen_on(&conflict);
    chosen.retain(|(name, _)| name != "city");
    chosen.push(("city".to_owned(), "Tampa".to_owned()));
    let saved = site.post("/supplier-update", &borrowed(&chosen)).await;

    assert_eq!((conflict.status(), saved.status()), (409, 303));
    let page = site.get("/supplier-update/3").await;
    assert_eq!(
        (
            page.value_of("city").as_str(),
            page.value_of("phone").as_str()
        ),
        ("Tampa", "555-555-0199")
    );
}

#[tokio::test]
async fn the_second_of_two_tabs_on_a_supplier_keeps_what_the_first_changed() {
    let site = Site::open().await;
    let form = site.get("/supplier-update/3").await.form();
    let mine = with(&form, &[("city", "Tampa")]);
    site.post("/supplier-update", &borrowed(&mine)).await;

    let theirs = with(&form, &[("phone", "555-555-0199")]);
    let merged = site.post("/supplier-update", &borrowed(&theirs)).await;

    assert_eq!(merged.status(), 303);
    assert!(merged.header("location").ends_with("done=both-kept"));
    let saved = site.get("/supplier-update/3").await;
    assert_eq!(saved.value_of("city"), "Tampa");
    assert_eq!(saved.value_of("phone"), "555-555-0199");
}

#[tokio::test]
async fn a_correction_of_the_stock_is_not_lost_when_the_texts_were_saved_meanwhile() {
    let site = Site::open().await;
    let form = site.get(EXCELSA_FORM).await.form();
    let mine = with(&form, &[("price", "19.00")]);
    site.post("/bean-update", &borrowed(&mine)).await;

    let counted = [
        ("price", "19.00"),
        ("quantity", "190"),
        ("quantity_reason", "Counted"),
    ];
    let saved = site
        .post("/bean-update", &borrowed(&with(&form, &counted)))
        .await;

    assert_eq!(saved.status(), 303);
    assert_eq!(site.movements_of(EXCELSA).await[0].quantity_after, 190);
}

#[tokio::test]
async fn a_double_click_on_save_is_no_conflict() {
    let site = Site::open().await;
    let form = site.get(EXCELSA_FORM).await.form();
    let form = with(
        &form,
        &[
            ("price", "19.00"),
            ("quantity", "190"),
            ("quantity_reason", "Counted"),
        ],
    );

    for _ in 0..2 {
        let saved = site.post("/bean-update", &borrowed(&form)).await;
        assert_eq!(saved.status(), 303, "{}", saved.body);
    }

    assert_eq!(site.movements_of(EXCELSA).await.len(), 2, "corrected once");
}

#[tokio::test]
async fn stock_is_not_overwritten_by_a_form_that_saw_no_number() {
    let site = Site::open().await;
    let form = site.get(EXCELSA_FORM).await.form();
    for seen in ["abc", "-1", "1e3", "99999999999999999999"] {
        let typed = [
            ("quantity_was", seen),
            ("quantity", "190"),
            ("quantity_reason", "Counted"),
        ];
        let answer = site
            .post("/bean-update", &borrowed(&with(&form, &typed)))
            .await;

        assert_eq!(answer.status(), 409, "{seen}");
    }
    assert_eq!(site.movements_of(EXCELSA).await.len(), 1);
}

/// A row that was taken over with an empty description.
#[tokio::test]
async fn what_nobody_touched_is_saved_as_it_is() {
    let site = Site::open().await;
    site.execute(format!(
        "UPDATE beans SET description = '', type = 'House: Dark' WHERE id = {EXCELSA}"
    ))
    .await;
    let form = site.get(EXCELSA_FORM).await.form();
    let form = with(
        &form,
        &[("quantity", "190"), ("quantity_reason", "Counted")],
    );

    let saved = site.post("/bean-update", &borrowed(&form)).await;

    assert_eq!(saved.status(), 303, "{}", saved.body);
    assert_eq!(site.movements_of(EXCELSA).await[0].quantity_after, 190);
    let page = site.get(EXCELSA_PAGE).await;
    assert!(page.text_of(".warning").contains("colon"), "{}", page.body);
}

#[tokio::test]
async fn a_type_that_looks_like_another_of_the_supplier_is_refused() {
    let site = Site::open().await;

    for typed in ["Excelsa\u{200b}", "EXCELSA", "Ｅxcelsa"] {
        let form = changed(changed(NEW_BEAN, "supplier_id", "3"), "type", typed);
        let answer = site.post("/bean-add", &form).await;

        assert_eq!(answer.status(), 422, "{typed}");
        assert!(
            answer.mistakes()[0]
                .1
                .contains("already has a bean of that type")
        );
    }
    assert_eq!(site.rows_of("beans").await, 14);
}

#[tokio::test]
async fn a_type_or_name_that_could_not_be_used_is_refused_with_the_reason() {
    let site = Site::open().await;
    for (field, typed, words) in [
        ("type", "House: Dark", "colon"),
        ("type", "Exc\u{202e}elsa", "U+202E (right-to-left override)"),
        (
            "product_name",
            "Cup\u{e001}",
            "U+E001 (a private-use character)",
        ),
        ("description", "a\u{7}b", "U+0007 (a control character)"),
    ] {
        let answer = site
            .post("/bean-add", &changed(NEW_BEAN, field, typed))
            .await;

        assert_eq!(answer.status(), 422);
        let (at, sentence) = answer.mistakes().remove(0);
        assert_eq!(at, format!("#{field}"));
        assert!(sentence.contains(words), "{sentence}");
    }
}

/// Latin-1, as an old script sends it.
#[tokio::test]
async fn bytes_that_are_no_utf_8_are_refused_at_their_field_and_not_stored() {
    let site = Site::open().await;
    let body = "name=Caf%E9&address=a&city=b&state=c&email=d%40e.example&phone=555-555-0100";
    let request = Request::post("/supplier-add")
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(body))
        .unwrap();

    let answer = site.send(request).await;

    assert_eq!(answer.status(), 422);
    let (at, sentence) = answer.mistakes().remove(0);
    assert_eq!(at, "#name");
    assert!(sentence.contains("another encoding"), "{sentence}");
    assert_eq!(site.rows_of("suppliers").await, 8);
}
