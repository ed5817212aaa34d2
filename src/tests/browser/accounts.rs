//! How people get in, stay in and get out.

use beanstock::domain::Role;
use fantoccini::key::Key;

use crate::support::Site;
use crate::support::browser::{Browser, PHONE, Served};
use crate::support::site::PASSWORD;

/// The field of a bean's price.
const PRICE: &str = "Price per bag, in dollars";

const BEA: &str = "bea@example.com";

async fn sign_in(browser: &Browser, email: &str) {
    browser.fill("Email address", email).await;
    browser.fill("Password", PASSWORD).await;
    browser.press("Sign in").await;
}

/// A manager invites somebody, who chooses a password, comes back with it, and is shown what is theirs.
async fn invitation(site: Site, open: impl AsyncFn(&Served) -> Browser) {
    site.account("mira@example.com", Role::Manager).await;
    let served = Served::start(&site).await;
    let (mira, bea) = (open(&served).await, open(&served).await);

    mira.visit("/accounts/invite").await;
    assert_eq!(mira.heading().await, "Sign in");
    sign_in(&mira, "mira@example.com").await;
    assert_eq!(mira.path().await, "/accounts/invite");
    mira.fill("Name", "Bea Cruz").await;
    mira.fill("Email address", BEA).await;
    mira.press("Make the link").await;
    assert!(mira.text().await.contains("There is a problem"));
    assert_eq!(mira.value("Name").await, "Bea Cruz");
    mira.choose("Role", "Staff").await;
    mira.press("Make the link").await;
    let link = mira.value("Link").await;

    let link = link.strip_prefix(&served.origin).unwrap();
    bea.look_at(PHONE).await;
    bea.visit(link).await;
    assert_eq!(bea.heading().await, "Welcome, Bea Cruz");
    bea.fill("New password", "too short").await;
    bea.press("Save and sign in").await;
    assert!(bea.text().await.contains("There is a problem"));
    bea.fill("New password", PASSWORD).await;
    bea.press("Save and sign in").await;
    assert_eq!(bea.path().await, "/");
    bea.press("Sign out").await;
    assert!(bea.text().await.contains("You are signed out."));
    sign_in(&bea, BEA).await;
    assert_eq!(bea.path().await, "/");
    bea.visit("/accounts").await;
    assert_eq!(bea.heading().await, "Your account cannot do this");
}

#[tokio::test]
#[ignore = "needs a browser"]
async fn somebody_is_invited_and_signs_in() {
    invitation(Site::open().await, Browser::open).await;
}

#[tokio::test]
#[ignore = "needs a browser"]
async fn somebody_is_invited_and_signs_in_without_javascript() {
    let open = async |served: &Served| Browser::open(served).await.without_javascript().await;
    invitation(Site::open().await, open).await;
}

#[tokio::test]
#[ignore = "needs a browser"]
async fn signing_out_in_one_tab_signs_out_the_others() {
    let site = Site::open().await;
    site.account(BEA, Role::Staff).await;
    let served = Served::start(&site).await;
    let bea = Browser::open(&served).await;
    bea.visit("/suppliers").await;
    sign_in(&bea, BEA).await;
    assert_eq!(bea.path().await, "/suppliers");

    bea.visit_in_new_tab("/").await;
    bea.press("Sign out").await;
    bea.first_tab().await;
    bea.press("Updates").await;

    assert_eq!(bea.path().await, "/sign-in?next=%2Fupdates");
    sign_in(&bea, BEA).await;
    assert_eq!(bea.heading().await, "Updates");
}

#[tokio::test]
#[ignore = "needs a browser"]
async fn a_session_that_a_manager_ends_loses_nothing_that_was_typed() {
    let site = Site::open().await;
    site.account("mira@example.com", Role::Manager).await;
    let id = site.account(BEA, Role::Staff).await;
    let served = Served::start(&site).await;
    let (mira, bea) = (Browser::open(&served).await, Browser::open(&served).await);
    bea.visit("/bean-update/5").await;
    sign_in(&bea, BEA).await;
    bea.fill(PRICE, "21.70").await;

    mira.visit(&format!("/accounts/{id}")).await;
    sign_in(&mira, "mira@example.com").await;
    mira.press("End all sessions").await;
    assert!(
        mira.text()
            .await
            .contains("All sessions of this account have ended.")
    );
    bea.press("Save changes").await;

    assert!(bea.text().await.contains("What you typed is kept"));
    sign_in(&bea, BEA).await;
    assert_eq!(bea.heading().await, "Welcome back");
    bea.press("Save it now").await;
    assert!(
        bea.text()
            .await
            .contains("Your changes to the bean were saved.")
    );
    bea.visit("/bean-update/5").await;
    assert_eq!(bea.value(PRICE).await, "21.70");
}

#[tokio::test]
#[ignore = "needs a browser"]
async fn somebody_who_only_has_a_keyboard_signs_in() {
    let site = Site::open().await;
    site.account(BEA, Role::Staff).await;
    let served = Served::start(&site).await;
    let bea = Browser::open(&served).await;
    bea.visit("/sign-in").await;

    bea.press_key(Key::Tab).await;
    assert_eq!(bea.focused().await, "Skip to main content");
    bea.press_key(Key::Enter).await;
    bea.press_key(Key::Tab).await;
    assert_eq!(bea.focused().await, "Email address");
    bea.type_text(BEA).await;
    bea.press_key(Key::Tab).await;
    bea.type_text("not the password").await;
    bea.press_enter().await;
    assert!(bea.focused().await.starts_with("There is a problem"));
    bea.jump("The email address or the password is wrong. Check both and try again")
        .await;
    bea.press_key(Key::Tab).await;
    bea.type_text(PASSWORD).await;
    bea.press_enter().await;

    assert_eq!(bea.path().await, "/");
}
