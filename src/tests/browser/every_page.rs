//! Every page of the site, on a laptop and on a phone, in both colour schemes: whether everybody can use it,
//! whether all of it is in sight, and whether the browser could load what it asks for.

use axum::http::Method;
use beanstock::accounts;
use beanstock::clock::SystemClock;
use beanstock::db;
use beanstock::db::activity::Actor;
use beanstock::db::update_lists::UpdateLine;
use beanstock::domain::{AccountId, NewPassword, Role, SupplierId, UpdateId, UpdateState};
use beanstock::web::{self, MailDelivery, Rules, TABLE, Who};

use crate::support::browser::{Browser, LAPTOP, PHONE, Screen, Served};
use crate::support::site::{PASSWORD, borrowed, with};
use crate::support::{Kind, Site, TestApp};

/// What answers with something that is no page.
const NO_PAGES: [&str; 13] = [
    "/feed/{token}",
    "/local/mailbox/{id}",
    "/activity.csv",
    "/live",
    "/stock.csv",
    "/stock.json",
    "/updates.csv",
    "/dead-letters/{id}/message",
    "/beans.json",
    "/healthz",
    "/readyz",
    "/favicon.ico",
    "/static/{file}",
];

/// The narrowest phone that pages are made for (WCAG 2.2, 1.4.10).
const NARROW: Screen = Screen {
    width: 320,
    height: 640,
    scheme: "light",
};

/// A site on which everything has happened that pages can show.
struct Busy {
    site: Site,
    update: UpdateId,
    /// One that could not be applied, and can be fixed.
    broken: UpdateId,
    account: AccountId,
    link: String,
}

/// Changes a bean's line together with others', so that there is an edit to look at.
async fn edit_beans(site: &Site) {
    let page = site.get("/beans/edit?supplier=3").await;
    let mut fields = with(&page.form(), &[("line-5", "20")]);
    fields.push(("do".to_owned(), "save".to_owned()));
    let edited = site.post("/beans/edit", &borrowed(&fields)).await;
    assert_eq!(edited.status(), 303);
}

/// Begins to send dead letters again, so that there is something under way to look at.
async fn resend_letters(site: &Site) {
    let chosen = "/dead-letters/resend?reason=malformed";
    let mut fields = site.get(chosen).await.form();
    fields.retain(|(name, value)| name != "speed" || value == "1");
    let begun = site.post(chosen, &borrowed(&fields)).await;
    assert_eq!(begun.header("location"), "/bulk-actions/1");
    let note = [("note", "Waiting for supplier 3, Monday.")];
    site.post("/dead-letters/note?reason=unknown_bean", &note)
        .await;
}

impl Busy {
    async fn open() -> Self {
        let app = TestApp::start(Kind::Fifo).await;
        for line in ["3:Excelsia:1", "3:Excelsa:9", "6:Arabica:0", "not a line"] {
            app.publish_line(line).await;
        }
        let site = Site::after_all(&app).await.ruled_by(Rules {
            mail: MailDelivery::Captured,
            ..Rules::default()
        });
        site.post("/account/alerts", &[("low", "on")]).await;
        site.post("/account/alerts/test", &[]).await;
        site.post("/stocktakes", &[]).await;
        let counted = [("bean", "5"), ("bags", "190")];
        site.post("/stocktakes/1/count", &counted).await;
        edit_beans(&site).await;
        resend_letters(&site).await;
        let account = site.account("bea@example.com", Role::Staff).await;
        let link = accounts::make_reset_link(&site.pool, Actor::OPERATOR, account).await;
        let mut conn = site.pool.acquire().await.unwrap();
        let updates = db::update_lists::list_updates(&mut conn, 100, 0).await;
        let updates = updates.unwrap();
        let of_three = |state: UpdateState| {
            let found = |update: &&UpdateLine| update.supplier == Some(3) && update.state == state;
            updates.iter().find(found).unwrap().id
        };
        let (update, broken) = (
            of_three(UpdateState::Applied),
            of_three(UpdateState::DeadLettered),
        );
        Self {
            site,
            update,
            broken,
            account,
            link: web::welcome(&link.unwrap()),
        }
    }

    /// The pages that somebody can open.
    fn pages(&self, reach: impl Fn(Who) -> bool) -> Vec<String> {
        let routes = TABLE.iter().filter(|(method, pattern, who)| {
            *method == Method::GET && !NO_PAGES.contains(pattern) && reach(*who)
        });
        routes
            .map(|(_, pattern, _)| self.address(pattern))
            .collect()
    }

    fn address(&self, pattern: &str) -> String {
        match pattern {
            "/welcome/{token}" => self.link.clone(),
            "/updates/{id}/fix" | "/updates/{id}/discard" | "/updates/{id}/resend" => {
                pattern.replace("{id}", &self.broken.to_string())
            }
            _ if pattern.starts_with("/updates/{id}") => {
                pattern.replace("{id}", &self.update.to_string())
            }
            "/dead-letters/resend" | "/dead-letters/discard" => {
                format!("{pattern}?reason=unknown_bean")
            }
            "/bulk-actions/{id}" => "/bulk-actions/1".to_owned(),
            "/bean-edits/{id}" => "/bean-edits/1".to_owned(),
            "/stocktakes/{id}" => "/stocktakes/1".to_owned(),
            "/accounts/{id}" => format!("/accounts/{}", self.account),
            _ => pattern.replace("{id}", "5").replace("{sequence}", "1"),
        }
    }
}

/// Looks at the page that is open.
async fn look(browser: &Browser, at: &str) -> Vec<String> {
    let mut faults = browser.complaints().await;
    browser.load_checks().await;
    for screen in [LAPTOP, LAPTOP.dark(), PHONE, PHONE.dark(), NARROW] {
        let here = browser.faults_on(screen).await.into_iter();
        faults.extend(here.map(|fault| format!("{} px, {}: {fault}", screen.width, screen.scheme)));
    }
    browser.look_at(LAPTOP).await;
    faults
        .into_iter()
        .map(|fault| format!("{at}: {fault}"))
        .collect()
}

/// Looks at pages, and at forms that were sent with mistakes: each is an address and a button.
async fn look_at_all(browser: &Browser, pages: &[String], forms: &[(&str, &str)]) {
    let mut faults = Vec::new();
    for page in pages {
        browser.visit(page).await;
        let path = browser.path().await;
        assert_eq!(path, *page, "one is led elsewhere");
        faults.extend(look(browser, page).await);
    }
    for (page, button) in forms {
        browser.visit(page).await;
        browser.press(button).await;
        assert!(
            browser.text().await.contains("There is a problem"),
            "{page}"
        );
        faults.extend(look(browser, &format!("{page} with mistakes")).await);
    }

    assert_eq!(faults, Vec::<String>::new());
}

async fn browser(site: &Site) -> (Served, Browser) {
    let served = Served::start(site).await;
    let browser = Browser::open(&served).await;
    let browser = match site.cookie().await {
        Some(cookie) => browser.signed_in_with(&cookie).await,
        None => browser,
    };
    (served, browser)
}

#[tokio::test]
#[ignore = "needs a browser"]
async fn the_checks_find_what_is_wrong() {
    let site = Site::open().await;
    let (_served, browser) = browser(&site).await;
    browser.visit("/").await;
    assert_eq!(look(&browser, "as it is").await, Vec::<String>::new());

    browser.break_page().await;

    let faults = look(&browser, "broken").await.join("\n");
    assert!(faults.contains("1280 px, dark: html-has-lang"), "{faults}");
    let phone = faults
        .lines()
        .filter(|fault| fault.contains("390 px, light"));
    assert!(
        { phone }.any(|fault| fault.ends_with("px are out of sight")),
        "{faults}"
    );
    assert!(faults.contains("no-such-style.css"), "{faults}");
}

#[tokio::test]
#[ignore = "needs a browser"]
async fn a_manager_can_use_every_page() {
    let busy = Busy::open().await;
    let (_served, browser) = browser(&busy.site).await;
    let mut pages = busy.pages(|who| who != Who::Everyone);
    for page in [
        "/dead-letters?reason=unknown_bean",
        "/dead-letters?q=excelsia",
        "/no-such-page",
    ] {
        pages.push(page.to_owned());
    }
    assert!(pages.len() > 15, "{pages:?}");
    let forms = [
        ("/bean-add", "Add bean"),
        ("/dead-letters/discard?reason=unknown_bean", "Discard: 1"),
        ("/supplier-add", "Add supplier"),
        ("/accounts/invite", "Make the link"),
        ("/account", "Change password"),
    ];

    look_at_all(&browser, &pages, &forms).await;
}

#[tokio::test]
#[ignore = "needs a browser"]
async fn a_supplier_can_use_every_page() {
    let busy = Busy::open().await;
    let site = busy.site.seen_by(Role::Supplier(SupplierId(3)));
    let (_served, browser) = browser(&site).await;
    let mut pages = busy.pages(|who| who == Who::SignedIn);
    pages.push("/beans".to_owned());

    look_at_all(&browser, &pages, &[("/account", "Change password")]).await;
}

#[tokio::test]
#[ignore = "needs a browser"]
async fn a_viewer_can_use_every_page() {
    let busy = Busy::open().await;
    let (_served, browser) = browser(&busy.site.seen_by(Role::Viewer)).await;
    let mut pages = busy.pages(|who| matches!(who, Who::SignedIn | Who::Cafe));
    pages.push("/accounts".to_owned());

    look_at_all(&browser, &pages, &[]).await;
}

#[tokio::test]
#[ignore = "needs a browser"]
async fn whoever_is_not_signed_in_can_use_every_page() {
    let busy = Busy::open().await;
    let password = NewPassword::parse(PASSWORD, &[]).unwrap();
    let (pool, passwords) = (&busy.site.pool, accounts::Passwords::default());
    accounts::demo::provide(pool, &SystemClock, &passwords, &password)
        .await
        .unwrap();
    let rules = Rules {
        demonstration: true,
        ..Rules::default()
    };
    let (_served, browser) = browser(&busy.site.clone().ruled_by(rules).seen_by(None)).await;
    let pages = busy.pages(|who| who == Who::Everyone);
    let welcome = busy.link.as_str();

    let forms = [("/sign-in", "Sign in"), (welcome, "Save and sign in")];
    look_at_all(&browser, &pages, &forms).await;
}
