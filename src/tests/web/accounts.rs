//! Accounts as people meet them: invited, signed in, signed out, forgotten, disabled and attacked.

use std::fmt::Write as _;

use axum::body::Body;
use axum::http::Request;
use axum::http::header::{COOKIE, HeaderValue};
use beanstock::accounts::{self, Passwords, Token};
use beanstock::clock::{Clock as _, SystemClock};
use beanstock::db;
use beanstock::db::activity::Actor;
use beanstock::domain::{NewPassword, Role, SupplierId};
use beanstock::web::Ingress;

use super::{NEW_BEAN, changed};
use crate::support::site::{Answer, PASSWORD, form};
use crate::support::{OtherClient, Site, server};

async fn sign_in(site: &Site, email: &str, password: &str) -> Answer {
    let stranger = site.seen_by(None);
    stranger
        .post("/sign-in", &[("email", email), ("password", password)])
        .await
}

/// The cookies an answer sets, as the browser sends them back.
fn cookies(answer: &Answer) -> HeaderValue {
    let pairs: Vec<&str> = answer
        .headers
        .get_all("set-cookie")
        .iter()
        .map(|cookie| cookie.to_str().unwrap().split(';').next().unwrap())
        .collect();
    pairs.join("; ").parse().unwrap()
}

/// Sends a request with these cookies.
async fn with(site: &Site, cookies: &HeaderValue, mut request: Request<Body>) -> Answer {
    request.headers_mut().insert(COOKIE, cookies.clone());
    site.send(request).await
}

fn get(path: &str) -> Request<Body> {
    Request::get(path).body(Body::empty()).unwrap()
}

#[tokio::test]
async fn somebody_is_invited_chooses_a_password_and_signs_in_with_it() {
    let site = Site::open().await;
    let fields = [
        ("name", "Bea Cruz"),
        ("email", "bea@example.com"),
        ("role", "staff"),
    ];
    let invited = site.post("/accounts/invite", &fields).await;
    let link = invited.value_of_id("link");
    let path = link.strip_prefix("http://localhost").unwrap().to_owned();
    let stranger = site.seen_by(None);
    assert!(
        stranger
            .get(&path)
            .await
            .text_of("h1")
            .contains("Welcome, Bea Cruz")
    );

    let short = stranger.post(&path, &[("password", "too short")]).await;
    let chosen = stranger.post(&path, &[("password", PASSWORD)]).await;

    assert_eq!(short.status(), 422);
    assert_eq!((chosen.status(), chosen.header("location")), (303, "/"));
    let home = with(&site, &cookies(&chosen), get("/")).await;
    assert!(
        home.text_of(".who").contains("Bea Cruz Staff"),
        "{}",
        home.body
    );
    let again = stranger
        .post(&path, &[("password", "another password")])
        .await;
    assert_eq!(again.status(), 404, "a link works once");
    let signed_in = sign_in(&site, "BEA@example.com", PASSWORD).await;
    assert_eq!(signed_in.status(), 303);
}

#[tokio::test]
async fn a_link_that_has_expired_does_not_work() {
    let site = Site::open().await;
    let id = site.account("bea@example.com", Role::Staff).await;
    let link = accounts::make_reset_link(&site.pool, Actor::OPERATOR, id)
        .await
        .unwrap();
    site.execute("UPDATE account_links SET expires_at = UTC_TIMESTAMP(6) - INTERVAL 1 SECOND")
        .await;

    let answer = site
        .seen_by(None)
        .get(&beanstock::web::welcome(&link))
        .await;

    assert_eq!(answer.status(), 404);
    assert!(answer.body.contains("Ask a manager"), "{}", answer.body);
}

/// The same words, status and headers, and one hash each.
#[tokio::test]
async fn nobody_learns_which_accounts_exist() {
    let site = Site::open().await;
    site.account("bea@example.com", Role::Staff).await;
    let gone = site.account("gone@example.com", Role::Staff).await;
    accounts::disable(&site.pool, &SystemClock, Actor::OPERATOR, gone)
        .await
        .unwrap();
    let mut answers = Vec::new();
    let before = site.hashes();
    for (email, password) in [
        ("bea@example.com", "not the password"),
        ("nobody@example.com", "not the password"),
        ("gone@example.com", PASSWORD),
        ("", ""),
    ] {
        let answer = sign_in(&site, email, password).await;
        answers.push((
            answer.status(),
            answer.text_of(".mistakes"),
            answer.headers.len(),
        ));
    }

    assert_eq!(site.hashes() - before, 4, "one hash for each");
    assert_eq!(answers[0].0, 422);
    assert!(
        answers.iter().all(|answer| *answer == answers[0]),
        "{answers:?}"
    );
}

#[tokio::test]
async fn the_eleventh_wrong_password_is_not_looked_at_and_the_owner_still_gets_in() {
    let site = Site::open().await;
    site.account("bea@example.com", Role::Staff).await;
    let known = cookies(&sign_in(&site, "bea@example.com", PASSWORD).await);
    for email in ["bea@example.com", "nobody@example.com"] {
        for _ in 0..10 {
            assert_eq!(sign_in(&site, email, "a wild guess").await.status(), 422);
        }
        let before = site.hashes();
        let eleventh = sign_in(&site, email, PASSWORD).await;
        assert_eq!(
            (eleventh.status(), eleventh.header("retry-after")),
            (429, "900")
        );
        assert_eq!(site.hashes(), before, "it was not looked at");
    }

    let fields = [("email", "bea@example.com"), ("password", PASSWORD)];
    let owner = with(&site, &known, form("/sign-in", &fields)).await;

    assert_eq!(
        owner.status(),
        303,
        "in a browser where she has signed in before"
    );
    let rows = site.rows_of("failed_sign_ins").await;
    assert!((2..=4).contains(&rows), "one row a minute, not {rows}");
}

#[tokio::test]
async fn guesses_at_once_are_no_more_than_guesses_in_a_row() {
    let site = Site::open().await;
    site.account("bea@example.com", Role::Staff).await;
    let mut guesses = tokio::task::JoinSet::new();
    for _ in 0..30 {
        let site = site.clone();
        guesses.spawn(async move {
            sign_in(&site, "bea@example.com", "a wild guess")
                .await
                .status()
        });
    }

    let statuses = guesses.join_all().await;

    assert!(site.hashes() <= 10, "{} were looked at", site.hashes());
    assert!(
        statuses.iter().filter(|status| **status == 429).count() >= 20,
        "{statuses:?}"
    );
}

#[tokio::test]
async fn a_session_is_new_at_sign_in_and_its_row_is_useless_to_whoever_reads_it() {
    let site = Site::open().await;
    site.account("bea@example.com", Role::Staff).await;
    let planted: HeaderValue = format!("beanstock-session={}", Token::generate().expose())
        .parse()
        .unwrap();
    let fields = [("email", "bea@example.com"), ("password", PASSWORD)];

    let answer = with(&site, &planted, form("/sign-in", &fields)).await;

    let own = cookies(&answer);
    assert_ne!(own, planted);
    assert_eq!(
        with(&site, &planted, get("/")).await.status(),
        303,
        "it is nobody's"
    );
    assert_eq!(with(&site, &own, get("/")).await.status(), 200);
    let hash: Vec<u8> =
        sqlx::query_scalar("SELECT token_hash FROM sessions ORDER BY id DESC LIMIT 1")
            .fetch_one(&mut *site.pool.acquire().await.unwrap())
            .await
            .unwrap();
    let mut hex = String::new();
    for byte in hash {
        write!(hex, "{byte:02x}").unwrap();
    }
    let stolen = format!("beanstock-session={hex}").parse().unwrap();
    assert_eq!(with(&site, &stolen, get("/")).await.status(), 303);
    let attributes = answer.header("set-cookie");
    assert!(
        attributes.contains("HttpOnly") && attributes.contains("SameSite=Lax"),
        "{attributes}"
    );
    assert!(
        attributes.contains("Path=/") && !attributes.contains("Domain"),
        "{attributes}"
    );
}

#[tokio::test]
async fn over_https_cookies_are_bound_to_the_host() {
    let ingress = Ingress {
        public_url: Some("https://beans.example.com".parse().unwrap()),
        trusted_proxies: ["127.0.0.1/32".parse().unwrap()].into(),
    };
    let site = Site::open().await.behind(ingress);
    site.account("bea@example.com", Role::Staff).await;

    let answer = sign_in(&site, "bea@example.com", PASSWORD).await;

    for cookie in answer.headers.get_all("set-cookie") {
        let cookie = cookie.to_str().unwrap();
        assert!(cookie.starts_with("__Host-beanstock-"), "{cookie}");
        assert!(cookie.contains("; Secure"), "{cookie}");
    }
    let without_prefix = cookies(&answer).to_str().unwrap().replace("__Host-", "");
    let answer = with(&site, &without_prefix.parse().unwrap(), get("/")).await;
    assert_eq!(answer.status(), 303, "anybody could have planted that");
}

#[tokio::test]
async fn a_session_ends_when_its_time_is_over() {
    let site = Site::open().await;
    assert_eq!(site.get("/").await.status(), 200);

    site.execute("UPDATE sessions SET last_seen_at = UTC_TIMESTAMP(6) - INTERVAL 12 HOUR")
        .await;
    assert_eq!(site.get("/").await.status(), 303, "idle for twelve hours");

    let site = site.seen_by(Role::Staff);
    assert_eq!(site.get("/").await.status(), 200);
    site.execute("UPDATE sessions SET created_at = UTC_TIMESTAMP(6) - INTERVAL 14 DAY")
        .await;
    assert_eq!(
        site.get("/").await.status(),
        303,
        "signed in for fourteen days"
    );
}

#[tokio::test]
async fn signing_out_ends_the_session_on_the_server() {
    let site = Site::open().await;
    site.account("bea@example.com", Role::Staff).await;
    let own = cookies(&sign_in(&site, "bea@example.com", PASSWORD).await);

    let by_link = with(&site, &own, get("/sign-out")).await;
    let out = with(&site, &own, form("/sign-out", &[])).await;

    assert_eq!(by_link.status(), 405);
    assert_eq!(
        (out.status(), out.header("location")),
        (303, "/sign-in?done=signed-out")
    );
    assert!(out.headers.contains_key("clear-site-data"));
    assert_eq!(
        with(&site, &own, get("/")).await.status(),
        303,
        "the cookie is useless now"
    );
}

#[tokio::test]
async fn a_new_password_ends_the_other_sessions_and_keeps_this_one() {
    let site = Site::open().await;
    site.account("bea@example.com", Role::Staff).await;
    let phone = cookies(&sign_in(&site, "bea@example.com", PASSWORD).await);
    let laptop = cookies(&sign_in(&site, "bea@example.com", PASSWORD).await);
    let fields = |current| {
        [
            ("current_password", current),
            ("new_password", "a better password"),
        ]
    };

    let wrong = with(
        &site,
        &laptop,
        form("/account/password", &fields("not it at all")),
    )
    .await;
    let right = with(&site, &laptop, form("/account/password", &fields(PASSWORD))).await;

    assert_eq!((wrong.status(), right.status()), (422, 303));
    assert_eq!(with(&site, &laptop, get("/")).await.status(), 200);
    assert_eq!(with(&site, &phone, get("/")).await.status(), 303);
    assert_eq!(
        sign_in(&site, "bea@example.com", PASSWORD).await.status(),
        422
    );
    assert_eq!(
        sign_in(&site, "bea@example.com", "a better password")
            .await
            .status(),
        303
    );
}

#[tokio::test]
async fn people_end_their_own_sessions_and_nobody_elses() {
    let site = Site::open().await;
    site.account("bea@example.com", Role::Staff).await;
    site.account("cy@example.com", Role::Staff).await;
    let phone = cookies(&sign_in(&site, "bea@example.com", PASSWORD).await);
    let laptop = cookies(&sign_in(&site, "bea@example.com", PASSWORD).await);
    let other = cookies(&sign_in(&site, "cy@example.com", PASSWORD).await);
    let page = with(&site, &laptop, get("/account")).await;
    let ends = page.attributes(".sessions form", "action");
    assert_eq!(ends.len(), 1, "all but the own one");

    let by_other = with(&site, &other, form(&ends[0], &[])).await;
    assert_eq!(by_other.status(), 404);
    assert_eq!(with(&site, &phone, get("/")).await.status(), 200);
    let by_owner = with(&site, &laptop, form(&ends[0], &[])).await;

    assert_eq!(by_owner.status(), 303);
    assert_eq!(with(&site, &phone, get("/")).await.status(), 303);
}

#[tokio::test]
async fn a_role_that_is_taken_away_is_gone_at_the_next_click() {
    let site = Site::open().await;
    let id = site.account("bea@example.com", Role::Manager).await;
    let own = cookies(&sign_in(&site, "bea@example.com", PASSWORD).await);
    assert_eq!(with(&site, &own, get("/accounts")).await.status(), 200);

    let path = format!("/accounts/{id}/role");
    let changed = site.post(&path, &[("role", "viewer")]).await;

    assert_eq!(changed.status(), 303, "{}", changed.body);
    assert_eq!(with(&site, &own, get("/accounts")).await.status(), 403);
    assert_eq!(with(&site, &own, get("/beans")).await.status(), 200);
    site.post(&format!("/accounts/{id}/disable"), &[]).await;
    assert_eq!(with(&site, &own, get("/beans")).await.status(), 303);
    let log = site.get("/activity").await.text_of("main ol");
    assert!(
        log.contains("Ana Lopes changed the role of Bea Cruz (Manager → Viewer)"),
        "{log}"
    );
    assert!(
        log.contains("Ana Lopes disabled the account of Bea Cruz"),
        "{log}"
    );
}

#[tokio::test]
async fn the_last_manager_stays() {
    let site = Site::open().await;
    let accounts = site.get("/accounts").await;
    let own = accounts.attributes("td.first a", "href").remove(0);

    let disabled = site.post(&format!("{own}/disable"), &[]).await;
    let demoted = site
        .post(&format!("{own}/role"), &[("role", "staff")])
        .await;

    assert_eq!((disabled.status(), demoted.status()), (409, 422));
    for answer in [disabled, demoted] {
        assert!(
            answer.text_of(".mistakes").contains("last manager"),
            "{}",
            answer.body
        );
    }
    assert_eq!(site.get("/accounts").await.status(), 200);
}

/// Two managers who disable each other at the same moment do not both succeed.
#[tokio::test]
async fn two_managers_cannot_lock_everybody_out() {
    let site = Site::open().await;
    let one = site.account("one@example.com", Role::Manager).await;
    let two = site.account("two@example.com", Role::Manager).await;

    let (pool, clock, actor) = (&site.pool, &SystemClock, Actor::OPERATOR);
    let (first, second) = tokio::join!(
        accounts::disable(pool, clock, actor, one),
        accounts::disable(pool, clock, actor, two),
    );

    assert!(first.is_ok() != second.is_ok(), "{first:?} {second:?}");
}

#[tokio::test]
async fn an_address_has_one_account() {
    let site = Site::open().await;
    site.account("bea@example.com", Role::Staff).await;
    let fields = [
        ("name", "B"),
        ("email", "BEA@Example.com"),
        ("role", "viewer"),
    ];

    let again = site.post("/accounts/invite", &fields).await;
    let wrong = site
        .post(
            "/accounts/invite",
            &[("name", " "), ("email", "x"), ("role", "owner")],
        )
        .await;
    let unknown = [
        ("name", "B"),
        ("email", "b@example.com"),
        ("role", "supplier-99"),
    ];
    let unknown = site.post("/accounts/invite", &unknown).await;

    assert_eq!(again.mistakes()[0].0, "#email");
    assert_eq!(wrong.mistakes().len(), 3, "{:?}", wrong.mistakes());
    assert_eq!(unknown.mistakes()[0].0, "#role");
}

#[tokio::test]
async fn a_form_sent_after_the_session_has_ended_is_kept_and_sent_after_signing_in() {
    let site = Site::open().await;
    site.account("bea@example.com", Role::Staff).await;
    let bean = changed(NEW_BEAN, "description", "Cherry & <cocoa> \"100 %\"");

    let asked = site.seen_by(None).post("/bean-add", &bean).await;
    assert_eq!(asked.status(), 401);
    assert!(asked.body.contains("What you typed is kept"));
    let kept = asked.value_of("kept");
    let fields = [
        ("email", "bea@example.com"),
        ("password", PASSWORD),
        ("next", "/bean-add"),
        ("kept", &kept),
    ];
    let back = site.seen_by(None).post("/sign-in", &fields).await;
    assert_eq!(
        (back.status(), back.text_of("h1")),
        (200, "Welcome back".to_owned())
    );
    let form_fields = back.form();
    let own = cookies(&back);
    let fields: Vec<(&str, &str)> = form_fields
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let saved = with(&site, &own, form("/bean-add", &fields)).await;

    assert_eq!(saved.status(), 303, "{}", saved.body);
    let beans = site.get("/beans").await;
    assert!(beans.text_of("main").contains("Cherry & <cocoa> \"100 %\""));
}

/// A password is never shown again, and another site's form is not kept either.
#[tokio::test]
async fn what_must_not_be_kept_is_not() {
    let site = Site::open().await;
    let stranger = site.seen_by(None);
    let secret = [
        ("current_password", "hunter2 hunter2"),
        ("new_password", "x"),
    ];

    let asked = stranger.post("/account/password", &secret).await;
    let mut foreign = form("/bean-add", &NEW_BEAN);
    let cross = "cross-site".parse().unwrap();
    foreign.headers_mut().insert("sec-fetch-site", cross);
    let foreign = stranger.send(foreign).await;

    assert_eq!(asked.status(), 401);
    assert!(!asked.body.contains("hunter2"), "{}", asked.body);
    assert_eq!(foreign.status(), 403);
    assert!(!foreign.body.contains("Sunday Cup"));
}

#[tokio::test]
async fn signing_in_leads_back_and_never_to_another_site() {
    let site = Site::open().await;
    site.account("bea@example.com", Role::Staff).await;
    let asked = site.seen_by(None).get("/updates?state=applied").await;
    assert_eq!(
        asked.header("location"),
        "/sign-in?next=%2Fupdates%3Fstate%3Dapplied"
    );
    for (next, lands) in [
        ("/updates?state=applied", "/updates?state=applied"),
        ("https://evil.example", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/\t/evil.example", "/"),
        ("javascript:alert(1)", "/"),
    ] {
        let fields = [
            ("email", "bea@example.com"),
            ("password", PASSWORD),
            ("next", next),
        ];
        let answer = site.seen_by(None).post("/sign-in", &fields).await;
        assert_eq!(answer.header("location"), lands, "{next:?}");
    }
}

#[tokio::test]
async fn junk_in_cookies_and_forms_is_nobody() {
    let site = Site::open().await.seen_by(None);
    for junk in [
        "beanstock-session=",
        "beanstock-session=abc",
        "beanstock-session=\"; x=y",
        "beanstock-session=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        ";;;===,,,",
    ] {
        let answer = with(&site, &junk.parse().unwrap(), get("/")).await;
        assert_eq!(answer.status(), 303, "{junk}");
    }
    let raw = HeaderValue::from_bytes(b"beanstock-session=\xff\xfe").unwrap();
    assert_eq!(with(&site, &raw, get("/")).await.status(), 303);
    let long = "x".repeat(10_000);
    let answer = site
        .post("/sign-in", &[("email", &long), ("password", &long)])
        .await;
    assert_eq!(answer.status(), 422);
}

#[tokio::test]
async fn times_and_colours_are_as_somebody_chooses() {
    let site = Site::open().await;
    assert!(
        site.get("/")
            .await
            .text_of("footer")
            .contains("Times are in UTC")
    );

    let fields = [("time_zone", "America/New_York"), ("color_scheme", "dark")];
    let saved = site.post("/account/display", &fields).await;

    assert_eq!(saved.status(), 303);
    let bean = site.get("/beans/5").await;
    assert!(
        bean.text_of("footer")
            .contains("Times are in America/New_York")
    );
    assert_eq!(bean.attributes("html", "data-scheme"), ["dark"]);
    assert!(bean.body.contains("When (America/New_York)"));
    let opening = bean.attributes("tbody time", "datetime").remove(0);
    assert!(opening.ends_with('Z'), "{opening}");
    let nonsense = [
        ("time_zone", "Mars/Olympus"),
        ("color_scheme", "pink\"><b>"),
    ];
    site.post("/account/display", &nonsense).await;
    let home = site.get("/").await;
    assert!(home.text_of("footer").contains("Times are in UTC"));
    assert!(!home.body.contains("pink"));
}

#[tokio::test]
async fn demonstration_accounts_are_offered_where_that_is_meant_and_nowhere_else() {
    let site = Site::open().await;
    let password = NewPassword::parse(PASSWORD, &[]).unwrap();
    let passwords = Passwords::default();
    for _ in 0..2 {
        accounts::demo::provide(&site.pool, &SystemClock, &passwords, &password)
            .await
            .unwrap();
    }
    assert_eq!(
        site.rows_of("accounts").await,
        11,
        "three for the café and eight suppliers"
    );
    let closed = site.seen_by(None);
    let rules = beanstock::web::Rules {
        demonstration: true,
        ..Default::default()
    };
    let open = closed.clone().ruled_by(rules);
    let offered = open.get("/sign-in").await;
    let accounts = offered.attributes(".seats input[name=account]", "value");
    assert_eq!(accounts.len(), 11);
    assert!(closed.get("/sign-in").await.all(".seats").is_empty());

    let chosen = [("account", accounts[3].as_str())];
    let refused = closed.post("/sign-in/demonstration", &chosen).await;
    let taken = open.post("/sign-in/demonstration", &chosen).await;

    assert_eq!((refused.status(), taken.status()), (404, 303));
    let home = with(&open, &cookies(&taken), get("/")).await;
    assert!(home.text_of(".who").contains("Supplier"), "{}", home.body);
    let own = site
        .account("own@example.com", Role::Staff)
        .await
        .to_string();
    let others = open
        .post("/sign-in/demonstration", &[("account", &own)])
        .await;
    assert_eq!(others.status(), 404, "an account of somebody's own");
    assert_eq!(
        sign_in(&site, "supplier1@example.com", PASSWORD)
            .await
            .status(),
        303
    );
}

#[tokio::test]
async fn a_site_without_a_manager_says_how_to_make_one() {
    let site = Site::open().await.seen_by(None);

    let page = site.get("/sign-in").await;

    assert!(
        page.text_of("main pre")
            .contains("beanstock account create --role manager")
    );
}

#[tokio::test]
async fn nobody_signs_in_for_a_supplier_that_was_removed() {
    let site = Site::open().await;
    let role = Role::Supplier(SupplierId(3));
    let id = site.account("sam@example.com", role).await;
    let own = cookies(&sign_in(&site, "sam@example.com", PASSWORD).await);
    let link = accounts::make_reset_link(&site.pool, Actor::OPERATOR, id).await;
    assert_eq!(
        with(&site, &own, get("/")).await.text_of("h1"),
        "Your beans"
    );

    site.execute("UPDATE suppliers SET removed_at = NOW(6) WHERE id = 3")
        .await;

    assert_eq!(with(&site, &own, get("/")).await.status(), 303);
    let again = sign_in(&site, "sam@example.com", PASSWORD).await;
    assert_eq!(again.status(), 422);
    let welcome = beanstock::web::welcome(&link.unwrap());
    assert_eq!(site.seen_by(None).get(&welcome).await.status(), 404);
    let standing = site.get("/accounts").await.all("td .tag");
    assert!(
        standing.contains(&"Supplier removed".to_owned()),
        "{standing:?}"
    );
}

/// The password is compared before the session begins; what changes in between counts.
#[tokio::test]
async fn whoever_is_disabled_while_they_sign_in_does_not_get_in() {
    let site = Site::open().await;
    let id = site.account("bea@example.com", Role::Staff).await;
    let mut manager = OtherClient::begin(&site.pool).await;
    let now = SystemClock.now();
    db::accounts::set_disabled(&mut manager, id, Some(now))
        .await
        .unwrap();
    let disable = async {
        server::until_transactions(&site.pool, "LOCK WAIT", 1).await;
        manager.commit().await;
    };

    let (attempt, ()) = tokio::join!(sign_in(&site, "bea@example.com", PASSWORD), disable);

    assert_eq!(attempt.status(), 422);
    site.execute("UPDATE accounts SET disabled_at = NULL").await;
    let left = site
        .rows_of(&format!("sessions WHERE account_id = {id}"))
        .await;
    assert_eq!(left, 0, "enabling the account revives nothing");
}
