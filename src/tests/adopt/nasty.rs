//! A database in which everything is wrong that can be.

use beanstock::clock::SystemClock;

use super::{Found, LAB, NASTY};
use crate::support::site::{borrowed, with};
use crate::support::{EXCELSA, Site};

#[tokio::test]
async fn nasty_data_is_taken_over_with_a_sentence_for_every_decision() {
    let found = Found::with(NASTY).await;

    let said = found.run(&["adopt"]).await;

    assert!(said.status.success(), "{}", said.err);
    insta::assert_snapshot!(said.out, @r"
    Decisions:
    - supplier 1: name was HTML-escaped 2 times; as typed it is “O'Malley & Sons”
    - supplier 1: address has line breaks or other control characters, which become spaces
    - supplier 2: has no name, so it is called “Supplier 2”
    - supplier 2: address is NULL, so it is empty
    - supplier 9: is added as “Unknown supplier 9”, for beans whose supplier is not there
    - supplier 10: gets this id, because it had none
    - supplier 11: gets this id, because its id “0” cannot be kept
    - supplier 12: gets this id, because its id “five” cannot be kept
    - supplier 12: name has 300 characters, of which the first 255 are taken
    - supplier 13: gets this id, because another row has its id 2 too
    - supplier 14: is added as “Unknown supplier”, for beans whose supplier is not there
    - bean 2: type loses the white space around it
    - bean 2: supplier 1 has “arabica” already (bean 1), so this one becomes “arabica (3)”
    - bean 3: supplier 1 has “ARABICA” already (bean 1), so this one becomes “ARABICA (4)”
    - bean 4: has no price, so it is 0.00 until somebody corrects it
    - bean 4: quantity “12.5” is rounded down to 12
    - bean 5: its supplier 9 is not there, so it belongs to “Unknown supplier 9”
    - bean 5: price “18.005” is rounded to 18.01
    - bean 5: quantity “-4” cannot be used, so it is 0 until somebody counts the bags
    - bean 6: its supplier 9 is not there, so it belongs to “Unknown supplier 9”
    - bean 6: price “-3” cannot be used, so it is 0.00 until somebody corrects it
    - bean 6: has no quantity, so it is 0 until somebody counts the bags
    - bean 7: names no supplier, so it belongs to “Unknown supplier” (14)
    - bean 7: price “twelve” cannot be used, so it is 0.00 until somebody corrects it
    - bean 7: quantity “many” cannot be used, so it is 0 until somebody counts the bags
    - bean 8: names “nobody” as its supplier, so it belongs to “Unknown supplier” (14)
    - bean 8: price “18,50” cannot be used, so it is 0.00 until somebody corrects it
    - bean 8: has no quantity, so it is 0 until somebody counts the bags
    - bean 9: has no type, so it becomes “Unnamed”
    - bean 9: price “100000” cannot be used, so it is 0.00 until somebody corrects it
    - bean 9: quantity “99999999999” cannot be used, so it is 0 until somebody counts the bags
    - bean 10: gets this id, because it had none
    - bean 10: has no type, so it becomes “Unnamed”
    - bean 10: product_name is NULL, so it is empty
    - bean 10: has no price, so it is 0.00 until somebody corrects it
    - bean 10: description is NULL, so it is empty
    - bean 11: gets this id, because its id “-1” cannot be kept
    - bean 11: type was HTML-escaped 2 times; as typed it is “Liberica & more”
    - bean 11: price “US$ 1,200.5” cannot be used, so it is 0.00 until somebody corrects it
    - bean 11: description has 1001 characters, of which the first 1000 are taken
    - bean 12: gets this id, because another row has its id 9 too
    - bean 12: description has line breaks or other control characters, which become spaces
    - texts that were stored HTML-escaped: 3; they are stored as typed now, and /beans.json escapes them once
    - columns of suppliers that the lab's app does not know: notes; what they hold stays in lab_suppliers

    Took over 8 suppliers, 12 beans and 2039 bags.
    The lab's tables are kept as lab_suppliers and lab_beans. If the lab's app still runs, stop it: what it changes now
    is explained by no movement. `beanstock audit` checks the stock against its movements; `beanstock serve` goes on from here.
    ");
    found.app().await.assert_audit_is_clean().await;
}

#[tokio::test]
async fn nasty_data_is_shown_to_the_public_site_in_the_shape_it_knows() {
    let found = Found::with(NASTY).await;
    found.run(&["adopt"]).await;

    let json = Site::of(&found.app().await).get("/beans.json").await.body;

    let beans: Vec<serde_json::Value> = serde_json::from_str(&json).unwrap();
    let lines: Vec<String> = beans.iter().map(serde_json::Value::to_string).collect();
    let text = lines.join("\n").replace(&"☕".repeat(1_000), "[1,000 ☕]");
    insta::assert_snapshot!(text, @r#"
    {"description":"Sweet","id":1,"price":"18.00","product_name":"First","quantity":1000,"supplier_id":1,"type":"Arabica"}
    {"description":"Sweet","id":2,"price":"18.00","product_name":"Second","quantity":1000,"supplier_id":1,"type":"arabica (3)"}
    {"description":"Sweet","id":3,"price":"18.00","product_name":"Third","quantity":12,"supplier_id":1,"type":"ARABICA (4)"}
    {"description":"Sweet","id":4,"price":"0.00","product_name":"Fourth","quantity":12,"supplier_id":1,"type":"Arabica (2)"}
    {"description":"Sweet","id":5,"price":"18.01","product_name":"Orphan","quantity":0,"supplier_id":9,"type":"Arabica"}
    {"description":"Sweet","id":6,"price":"0.00","product_name":"Orphan too","quantity":0,"supplier_id":9,"type":"Robusta"}
    {"description":"Sweet","id":7,"price":"0.00","product_name":"Nobody&#x27;s","quantity":0,"supplier_id":14,"type":"Arabica"}
    {"description":"Sweet","id":8,"price":"0.00","product_name":"Nobody&#x27;s too","quantity":0,"supplier_id":14,"type":"Robusta"}
    {"description":"a &lt; b &amp; c","id":9,"price":"0.00","product_name":"Zero&#x27;s","quantity":0,"supplier_id":11,"type":"Unnamed"}
    {"description":"","id":10,"price":"0.00","product_name":"","quantity":3,"supplier_id":12,"type":"Unnamed"}
    {"description":"[1,000 ☕]","id":11,"price":"0.00","product_name":"&lt;b&gt;Bold&lt;&#x2F;b&gt;","quantity":5,"supplier_id":2,"type":"Liberica &amp; more"}
    {"description":"Line one Line two","id":12,"price":"10.00","product_name":"Twice nine","quantity":7,"supplier_id":2,"type":"Robusta"}
    "#);
}

#[tokio::test]
async fn the_dry_run_decides_like_the_real_run_which_keeps_its_decisions() {
    let mut found = Found::with(NASTY).await;

    let dry = found.run(&["adopt", "--dry-run"]).await;
    let real = found.run(&["adopt"]).await;

    let decisions = |out: &str| -> Vec<String> {
        let lines = out.lines().skip_while(|line| *line != "Decisions:");
        let lines = lines.skip(1).take_while(|line| !line.is_empty());
        lines.map(|line| line[2..].to_owned()).collect()
    };
    let kept: String = sqlx::query_scalar("SELECT decisions FROM adoptions")
        .fetch_one(&mut found.conn)
        .await
        .unwrap();
    let kept: Vec<String> = serde_json::from_str(&kept).unwrap();
    assert!(kept.len() > 35, "{kept:?}");
    assert_eq!(decisions(&dry.out), kept);
    assert_eq!(decisions(&real.out), kept);
}

#[tokio::test]
async fn nothing_of_the_labs_is_dropped() {
    let mut found = Found::with(NASTY).await;
    let before = found.contents().await;

    found.run(&["adopt"]).await;

    let after = found.contents().await;
    for (table, moved) in [
        ("suppliers", "lab_suppliers"),
        ("beans", "lab_beans"),
        ("notes", "notes"),
    ] {
        let renamed = before[table].replace(&format!("FROM {table}"), &format!("FROM {moved}"));
        assert_eq!(after[moved], renamed);
    }
}

#[tokio::test]
async fn columns_of_any_type_are_read_as_what_they_mean() {
    let mut found = Found::with(LAB).await;
    for step in [
        "DELETE FROM beans WHERE id > 1",
        "ALTER TABLE beans MODIFY product_name BLOB, MODIFY price DOUBLE,          MODIFY type VARBINARY(50), MODIFY description VARCHAR(255) CHARACTER SET latin1",
        "UPDATE beans SET product_name = x'436166E92021', price = 12.5,          description = 'Süß'",
    ] {
        found.execute(step).await;
    }

    let dry = found.run(&["adopt", "--dry-run"]).await;
    let said = found.run(&["adopt"]).await;

    let decision = "- bean 1: product_name has bytes that are not UTF-8 text, shown as �";
    assert!(dry.out.contains(decision), "{}{}", dry.out, dry.err);
    assert!(said.out.contains(decision), "{}{}", said.out, said.err);
    let json = Site::of(&found.app().await).get("/beans.json").await.body;
    let beans: Vec<serde_json::Value> = serde_json::from_str(&json).unwrap();
    insta::assert_snapshot!(beans[0].to_string(), @r#"{"description":"Süß","id":1,"price":"12.50","product_name":"Caf� !","quantity":1000,"supplier_id":1,"type":"Arabica"}"#);
}

#[tokio::test]
async fn of_very_many_decisions_some_are_printed_and_more_are_kept() {
    let mut found = Found::with(LAB).await;
    for step in [
        "CREATE TABLE ten AS SELECT id FROM beans WHERE id <= 10",
        "INSERT INTO beans SELECT 100 * a.id + 10 * b.id + c.id + 100, 1, CONCAT(' “', a.id, '”', \
         b.id, c.id), '', -a.id, '', 0 FROM ten a, ten b, ten c WHERE b.id < 10 OR c.id = 10",
        &format!("UPDATE beans SET price = 18.005, quantity = -1 WHERE id = {EXCELSA}"),
    ] {
        found.execute(step).await;
    }

    let dry = found.run(&["adopt", "--dry-run"]).await;
    let real = found.run(&["adopt"]).await;

    let kept: String = sqlx::query_scalar("SELECT decisions FROM adoptions")
        .fetch_one(&mut found.conn)
        .await
        .unwrap();
    let kept: Vec<String> = serde_json::from_str(&kept).unwrap();
    assert_eq!(kept.len(), 1_000);
    for (said, where_all) in [
        (
            dry,
            "A real run keeps 1000 of the 1822: SELECT decisions FROM adoptions.",
        ),
        (
            real,
            "The table `adoptions` keeps 1000 of the 1822: SELECT decisions FROM adoptions.",
        ),
    ] {
        for line in [
            "- bean 5: quantity “-1” cannot be used, so it is 0 until somebody counts the bags",
            "- and 1622 more",
            where_all,
        ] {
            assert!(said.out.lines().any(|has| has == line), "{line}");
        }
    }
}

/// What others made on top of the lab's tables is not lost on whoever takes them over.
#[tokio::test]
async fn views_and_foreign_keys_of_others_are_told() {
    let mut found = Found::with(LAB).await;
    found
        .execute(
            "CREATE TABLE orders (id INT PRIMARY KEY, bean INT NOT NULL, \
             CONSTRAINT orders_bean FOREIGN KEY (bean) REFERENCES beans (id))",
        )
        .await;
    found
        .execute("CREATE VIEW cheap AS SELECT id FROM beans WHERE price < 5")
        .await;
    // The renaming must not change the order of the sentences, or the plan would seem changed.
    found
        .execute(
            "CREATE TABLE visits (supplier INT, FOREIGN KEY (supplier) REFERENCES suppliers (id))",
        )
        .await;
    found
        .execute("CREATE VIEW active AS SELECT id FROM suppliers")
        .await;

    let preview = found.run(&["adopt", "--dry-run"]).await;
    let said = found.run(&["adopt"]).await;

    assert!(said.status.success(), "{}", said.err);
    for line in [
        "- foreign key orders.orders_bean refers to beans and goes on referring to lab_beans",
        "- view cheap names beans and works on beanstock's table of that name from now on",
    ] {
        assert!(preview.out.contains(line), "{}", preview.out);
        assert!(said.out.contains(line), "{}", said.out);
    }
}

#[tokio::test]
async fn whatever_names_the_tables_is_told() {
    let mut found = Found::with(LAB).await;
    for statement in [
        "CREATE TABLE orders (bean INT)",
        "CREATE TRIGGER watch BEFORE UPDATE ON beans FOR EACH ROW SET NEW.price = NEW.price",
        "CREATE TRIGGER sell AFTER INSERT ON orders FOR EACH ROW \
         UPDATE beans SET quantity = quantity - 1 WHERE id = NEW.bean",
        "CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY DO UPDATE beans SET quantity = 0",
        "CREATE PROCEDURE tidy() DELETE FROM suppliers WHERE id = 0",
        "CREATE FUNCTION unrelated() RETURNS INT DETERMINISTIC RETURN 1",
    ] {
        found.execute(statement).await;
    }

    let preview = found.run(&["adopt", "--dry-run"]).await;
    let said = found.run(&["adopt"]).await;

    assert!(said.status.success(), "{}", said.err);
    for line in [
        "- trigger watch on beans goes with the table to lab_beans",
        "- other trigger sell on orders names beans",
        "- event nightly names beans",
        "- procedure tidy names suppliers",
    ] {
        assert!(preview.out.contains(line), "{line}: {}", preview.out);
        assert!(said.out.contains(line), "{line}: {}", said.out);
    }
    assert!(!said.out.contains("unrelated"), "{}", said.out);
}

/// Old scripts still send old numbers; a new supplier must never get one.
#[tokio::test]
async fn numbers_that_were_given_once_are_not_given_again() {
    let mut found = Found::with(LAB).await;
    for statement in [
        "INSERT INTO suppliers (id, name, address, city, state, email, phone) \
         VALUES (40, 'Gone', 'a', 'b', 'c', 'd@e', '555-555-0100')",
        "DELETE FROM suppliers WHERE id = 40",
        "ALTER TABLE beans AUTO_INCREMENT = 70",
    ] {
        found.execute(statement).await;
    }

    let said = found.run(&["adopt"]).await;
    let site = Site::on(found.pool(), std::sync::Arc::new(SystemClock));
    let form = site.get("/supplier-add").await.form();
    let new = with(
        &form,
        &[
            ("name", "New"),
            ("address", "1 Street"),
            ("city", "City"),
            ("state", "State"),
            ("email", "a@b.example"),
            ("phone", "555-555-0100"),
        ],
    );
    assert_eq!(
        site.post("/supplier-add", &borrowed(&new)).await.status(),
        303
    );

    assert!(said.status.success(), "{}", said.err);
    assert!(
        said.out.contains("new suppliers get numbers from 41 on"),
        "{}",
        said.out
    );
    let suppliers = site.get("/suppliers").await;
    let numbers = suppliers.all("td[data-label=Number]");
    assert!(numbers.contains(&"41".to_owned()), "{numbers:?}");
    let next: i64 = sqlx::query_scalar(
        "SELECT CAST(AUTO_INCREMENT AS SIGNED) FROM information_schema.TABLES \
         WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'beans'",
    )
    .fetch_one(&mut found.conn)
    .await
    .unwrap();
    assert_eq!(next, 70);
}
