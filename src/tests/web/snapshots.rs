//! Every page once, as it is sent. What changes from run to run is left out.

use scraper::{Html, Selector};

use crate::support::{EXCELSA_FORM, EXCELSA_PAGE, Kind, Site, TestApp};

/// Pages with the demonstration data, a delivery that was applied and a line that nobody could apply.
#[tokio::test]
async fn every_page_is_as_it_was_last_looked_at() {
    let app = TestApp::start(Kind::Fifo).await;
    app.publish_line("3:Excelsa:9").await;
    app.publish_line("2:Excelza:40").await;
    app.publish_line("5:Liberica:0").await;
    let site = Site::after_all(&app).await;
    let updates = site.get("/updates").await;
    let applied = updates.attributes("td.first a", "href").pop().unwrap();

    for (name, path) in [
        ("home", "/"),
        ("beans", "/beans"),
        ("bean", EXCELSA_PAGE),
        ("bean_add", "/bean-add"),
        ("bean_change", EXCELSA_FORM),
        ("bean_remove", "/bean-remove/5"),
        ("suppliers", "/suppliers?done=supplier-added"),
        ("supplier_add", "/supplier-add"),
        ("supplier_change", "/supplier-update/3"),
        ("supplier_remove", "/supplier-remove/3"),
        ("updates", "/updates?state=applied"),
        ("update", &applied),
        ("dead_letters", "/dead-letters"),
        ("own_alerts", "/account/alerts"),
        ("not_found", "/nowhere"),
    ] {
        let page = site.get(path).await;
        insta::assert_snapshot!(name, stable(&page.body));
    }
}

/// The page, one element a line, without moments, ids, keys and the shapes drawn from moments.
fn stable(html: &str) -> String {
    let document = Html::parse_document(html);
    let body = Selector::parse("title, body").unwrap();
    let mut lines = Vec::new();
    for element in document.select(&body) {
        write(element, 0, &mut lines);
    }
    lines.join("\n")
}

fn write(element: scraper::ElementRef<'_>, depth: usize, lines: &mut Vec<String>) {
    let indent = "  ".repeat(depth);
    let value = element.value();
    let attributes: Vec<String> = value
        .attrs()
        .map(|(name, text)| match name {
            "datetime" | "d" | "data-live" => format!(" {name}"),
            _ => format!(" {name}={:?}", without_ids(text)),
        })
        .collect();
    lines.push(format!("{indent}<{}{}>", value.name(), attributes.concat()));
    for child in element.children() {
        if let Some(child) = scraper::ElementRef::wrap(child) {
            write(child, depth + 1, lines);
        } else if let Some(text) = child.value().as_text()
            && !["pre", "time"].contains(&value.name())
        {
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            if !text.is_empty() {
                lines.push(format!("{indent}  {}", without_ids(&text)));
            }
        }
    }
}

/// Ids and keys have 32 hexadecimal digits, in one piece or as a UUID, and those of instances are cut to 12; versions
/// of files have 8.
fn without_ids(text: &str) -> String {
    let is_part = |c: char| c.is_ascii_hexdigit() || c == '-';
    let mut stable = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(is_part) {
        let (before, from) = rest.split_at(start);
        let length = from.find(|c| !is_part(c)).unwrap_or(from.len());
        let (run, after) = from.split_at(length);
        let digits = run.chars().filter(char::is_ascii_hexdigit).count();
        stable.push_str(before);
        let is_id = [12, 32].contains(&digits) || before.ends_with("?v=");
        stable.push_str(if is_id { "…" } else { run });
        rest = after;
    }
    stable + rest
}
