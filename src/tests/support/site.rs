//! The website as a browser meets it, without a socket: requests go straight into the router.

use std::fmt::Write as _;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody as _, to_bytes};
use axum::http::header::{CONTENT_TYPE, COOKIE, HeaderMap};
use axum::http::{Request, StatusCode};
use beanstock::accounts::{self, Passwords, Person, Token};
use beanstock::catalogue::demo;
use beanstock::clock::{Clock, SystemClock};
use beanstock::db::accounts::NewAccount;
use beanstock::db::activity::Actor;
use beanstock::db::movements::MovementLine;
use beanstock::db::{self, Pool};
use beanstock::domain::{AccountId, BeanId, EmailAddress, NewPassword, Role, ShortText};
use beanstock::messaging::kinesis::KinesisStream;
use beanstock::provision::subscribe::Subscriptions;
use beanstock::readiness::Readiness;
use beanstock::sns_endpoint::SnsEndpoint;
use beanstock::web::{self, AppState, ConnectionLimits, Ingress, Rules, ServerLimits};
use scraper::{ElementRef, Html, Selector};
use sqlx::AssertSqlSafe;
use tokio::net::TcpListener;
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use super::{TestApp, server};

/// Less than the program's, so that tests need not wait.
const PATIENCE: ServerLimits = ServerLimits {
    headers: Duration::from_secs(2),
    idle: Duration::from_mins(1),
    connections: ConnectionLimits {
        connections: 40,
        per_address: 20,
        reserve: 4,
    },
};

/// Longer than any event takes, so that a failing test ends.
const PATIENCE_WITH_EVENTS: Duration = Duration::from_mins(1);

/// The password of the accounts that tests make.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// A site, and the database behind it.
#[derive(Clone)]
pub(crate) struct Site {
    pub(crate) pool: Pool,
    pub(crate) readiness: Readiness,
    /// What the site still works on.
    pub(crate) tasks: TaskTracker,
    state: AppState,
    router: Router,
    /// Who looks at it; `None` for a stranger.
    role: Option<Role>,
    /// The cookie of their session, once they have asked for something.
    session: Arc<OnceCell<String>>,
}

impl Site {
    /// Opens a site with the lab's data.
    pub(crate) async fn open() -> Self {
        let pool = server::pool(server::migrated_database().await, 12);
        db::migrate(&pool).await.unwrap();
        demo::fill_if_empty(&pool, &SystemClock).await.unwrap();
        Self::on(pool, Arc::new(SystemClock))
    }

    /// The site of an app, whose updates it shows.
    pub(crate) fn of(app: &TestApp) -> Self {
        Self::on(app.pool.clone(), Arc::clone(&app.clock))
    }

    /// The site of an app as another process serves it, with connections of its own.
    pub(crate) fn of_its_own(app: &TestApp) -> Self {
        Self::with_connections(app, 6)
    }

    /// The same with so many connections to the database.
    pub(crate) fn with_connections(app: &TestApp, connections: u32) -> Self {
        Self::on(
            server::pool(app.database.clone(), connections),
            Arc::clone(&app.clock),
        )
    }

    /// The site of an app whose updates all have their final state.
    pub(crate) async fn after_all(app: &TestApp) -> Self {
        app.drain().await;
        Self::of(app)
    }

    pub(crate) fn on(pool: Pool, clock: Arc<dyn Clock>) -> Self {
        let (readiness, tasks) = (Readiness::default(), TaskTracker::new());
        let state = AppState::new(pool.clone(), clock, readiness.clone(), tasks.clone());
        Self {
            pool,
            readiness,
            tasks,
            router: web::router(state.clone()),
            state,
            role: Some(Role::Manager),
            session: Arc::default(),
        }
    }

    /// Makes an account that can sign in with [`PASSWORD`].
    pub(crate) async fn account(&self, email: &str, role: Role) -> AccountId {
        let person = Person {
            email: EmailAddress::parse(email).unwrap(),
            name: ShortText::parse("Bea Cruz").unwrap(),
            role,
        };
        let password = NewPassword::parse(PASSWORD, &[]).unwrap();
        let hash = Passwords::default().hash(&password).await.unwrap();
        accounts::create(&self.pool, &SystemClock, Actor::OPERATOR, &person, &hash)
            .await
            .unwrap()
    }

    /// The same site as somebody else meets it; `None` is a stranger.
    pub(crate) fn seen_by(&self, role: impl Into<Option<Role>>) -> Self {
        Self {
            role: role.into(),
            session: Arc::default(),
            ..self.clone()
        }
    }

    /// The same site, which takes deliveries of SNS.
    pub(crate) fn taking_deliveries(self, endpoint: SnsEndpoint) -> Self {
        let state = self.state.taking_deliveries(Some(Arc::new(endpoint)));
        Self {
            router: web::router(state.clone()),
            state,
            ..self
        }
    }

    /// The same site, which shows who is subscribed to topics.
    pub(crate) fn listing_subscriptions(self, subscriptions: Subscriptions) -> Self {
        let state = self
            .state
            .listing_subscriptions(Some(Arc::new(subscriptions)));
        Self {
            router: web::router(state.clone()),
            state,
            ..self
        }
    }

    /// The same site, which splits and merges the shards of a stream.
    pub(crate) fn resharding(self, stream: KinesisStream) -> Self {
        let state = self.state.resharding(Some(Arc::new(stream)));
        Self {
            router: web::router(state.clone()),
            state,
            ..self
        }
    }

    /// The same site under other rules of the café's.
    pub(crate) fn ruled_by(self, rules: Rules) -> Self {
        let state = self.state.ruled_by(rules);
        Self {
            router: web::router(state.clone()),
            state,
            ..self
        }
    }

    /// How many passwords it has hashed or compared.
    pub(crate) fn hashes(&self) -> u64 {
        self.state.passwords.hashes()
    }

    /// The cookie of whoever looks at it.
    pub(crate) async fn cookie(&self) -> Option<String> {
        let role = self.role?;
        let public = self.state.ingress.public_url.as_ref();
        let is_https = public.is_some_and(|url| url.scheme() == "https");
        let prefix = if is_https { "__Host-" } else { "" };
        let session = self
            .session
            .get_or_init(async || sign_in(&self.pool, role).await);
        Some(format!("{prefix}beanstock-session={}", session.await))
    }

    /// The same site with something in front.
    pub(crate) fn behind(self, ingress: Ingress) -> Self {
        let state = self.state.behind(ingress);
        Self {
            router: web::router(state.clone()),
            state,
            ..self
        }
    }

    /// Serves it on a real socket.
    pub(crate) async fn serve(self, listener: TcpListener, stop: CancellationToken) {
        let stop = stop.cancelled_owned();
        web::serve(listener, self.state, PATIENCE, stop).await;
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap())
            .await
    }

    /// Sends a form.
    pub(crate) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.send(form(path, fields)).await
    }

    /// Sends a body, with headers.
    pub(crate) async fn send_body(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let mut request = Request::post(path).header(CONTENT_TYPE, "text/plain; charset=UTF-8");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Body::from(body.to_owned())).unwrap())
            .await
    }

    /// Sends a request as whoever looks at the site, unless it says itself who that is.
    pub(crate) async fn send(&self, mut request: Request<Body>) -> Answer {
        if !request.headers().contains_key(COOKIE)
            && let Some(cookie) = self.cookie().await
        {
            let cookie = cookie.parse().unwrap();
            request.headers_mut().insert(COOKIE, cookie);
        }
        let asked = format!("{} {}", request.method(), request.uri());
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let is_stream = parts
            .headers
            .get(CONTENT_TYPE)
            .is_some_and(|kind| kind == "text/event-stream");
        // Those that go on for ever are read by `watch`.
        let body = if is_stream {
            Bytes::new()
        } else {
            to_bytes(body, usize::MAX).await.unwrap()
        };
        Answer {
            asked,
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8(body.to_vec()).unwrap(),
        }
    }

    /// Watches what keeps a page up to date.
    pub(crate) async fn watch(&self, path: &str) -> LivePage {
        let cookie = self.cookie().await.unwrap();
        let request = Request::get(path).header(COOKIE, cookie);
        let request = request.body(Body::empty()).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        LivePage {
            status: response.status().as_u16(),
            body: response.into_body(),
        }
    }

    /// How often the database was looked at for pages that are watched.
    pub(crate) fn looks(&self) -> u64 {
        self.state.looks()
    }

    /// How many times a connection of its has read something; all of its reads, if it is the only one.
    pub(crate) async fn selects(&self) -> u64 {
        let (_, asked): (String, String) = sqlx::query_as("SHOW SESSION STATUS LIKE 'Com_select'")
            .fetch_one(&mut *self.pool.acquire().await.unwrap())
            .await
            .unwrap();
        asked.parse().unwrap()
    }

    /// Changes rows behind the program's back.
    pub(crate) async fn execute(&self, statement: impl Into<String>) {
        let statement = sqlx::raw_sql(AssertSqlSafe(statement.into()));
        let mut conn = self.pool.acquire().await.unwrap();
        statement.execute(&mut *conn).await.unwrap();
    }

    /// Rows of a table.
    pub(crate) async fn rows_of(&self, table: &str) -> i64 {
        let count = format!("SELECT COUNT(*) FROM {table}");
        sqlx::query_scalar(AssertSqlSafe(count))
            .fetch_one(&mut *self.pool.acquire().await.unwrap())
            .await
            .unwrap()
    }

    /// A bean's movements, newest first.
    pub(crate) async fn movements_of(&self, bean: BeanId) -> Vec<MovementLine> {
        let mut conn = self.pool.acquire().await.unwrap();
        db::movements::list_movements(&mut conn, bean, 100, 0)
            .await
            .unwrap()
    }

    /// Corrects a bean's stock, as somebody else would in another window.
    pub(crate) async fn somebody_else_corrects(&self, bean: BeanId, bags: i64) {
        let form = self.get(&format!("/bean-update/{bean}")).await.form();
        let bags = bags.to_string();
        let fields = with(
            &form,
            &[
                ("quantity", bags.as_str()),
                ("quantity_reason", "Counted elsewhere"),
            ],
        );
        let answer = self.post("/bean-update", &borrowed(&fields)).await;
        assert_eq!(answer.status(), 303, "{}", answer.body);
    }
}

/// Makes an account for somebody and signs them in; gives the session's token.
async fn sign_in(pool: &Pool, role: Role) -> String {
    let mut conn = pool.acquire().await.unwrap();
    let email = format!("{}@example.com", uuid::Uuid::now_v7().simple());
    let email = EmailAddress::parse(&email).unwrap();
    let account = NewAccount {
        email: &email,
        name: "Ana Lopes",
        role,
        password_hash: Some("none that fits"),
        demonstration: false,
    };
    let id = db::accounts::insert_account(&mut conn, &account, SystemClock.now())
        .await
        .unwrap();
    let session = Token::generate();
    db::sessions::insert_session(&mut conn, &session.hash(), id, "", "")
        .await
        .unwrap();
    session.expose().to_owned()
}

/// A request that carries a form.
pub(crate) fn form(path: &str, fields: &[(&str, &str)]) -> Request<Body> {
    let pairs: Vec<String> = fields
        .iter()
        .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
        .collect();
    Request::post(path)
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(pairs.join("&")))
        .unwrap()
}

fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len() * 3);
    for byte in text.bytes() {
        write!(encoded, "%{byte:02X}").unwrap();
    }
    encoded
}

/// The fields of a form, by name.
pub(crate) type Fields = Vec<(String, String)>;

/// A form with other values in some of its fields.
pub(crate) fn with(fields: &Fields, changes: &[(&str, &str)]) -> Fields {
    let mut filled = fields.clone();
    for (name, value) in changes {
        let slot = filled.iter_mut().find(|(known, _)| known == name);
        let (_, old) = slot.unwrap_or_else(|| panic!("no field {name} in {fields:?}"));
        (*value).clone_into(old);
    }
    filled
}

/// The fields that a browser would send: of two radios the one that is chosen.
pub(crate) fn chosen_on(page: &Answer) -> Fields {
    let pairs = |selector: &str| {
        let names = page.attributes(selector, "name");
        names.into_iter().zip(page.attributes(selector, "value"))
    };
    pairs("main input[type=hidden]")
        .chain(pairs("main input[checked]"))
        .collect()
}

/// A form as it is posted.
pub(crate) fn borrowed(fields: &Fields) -> Vec<(&str, &str)> {
    fields
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect()
}

/// A page that is kept up to date.
pub(crate) struct LivePage {
    pub(crate) status: u16,
    body: Body,
}

impl LivePage {
    /// Waits for the next event; none if the stream has ended.
    pub(crate) async fn next(&mut self) -> Option<String> {
        let frame = poll_fn(|cx| Pin::new(&mut self.body).poll_frame(cx));
        let frame = tokio::time::timeout(PATIENCE_WITH_EVENTS, frame).await;
        let frame = frame.expect("an event arrives in time")?;
        let bytes = frame.unwrap().into_data().unwrap();
        Some(String::from_utf8(bytes.to_vec()).unwrap())
    }

    /// Waits until an event says something.
    pub(crate) async fn says(&mut self, words: &str) -> String {
        loop {
            let event = self.next().await;
            let event = event.unwrap_or_else(|| panic!("it ended without {words}"));
            if event.contains(words) {
                return event;
            }
        }
    }
}

/// What the site answered.
#[derive(Debug)]
pub(crate) struct Answer {
    asked: String,
    status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn status(&self) -> u16 {
        self.status.as_u16()
    }

    /// A header, or nothing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// The text of the one element that a selector finds.
    #[track_caller]
    pub(crate) fn text_of(&self, selector: &str) -> String {
        let mut texts = self.all(selector);
        assert_eq!(
            texts.len(),
            1,
            "{selector} on {}: {}",
            self.asked,
            self.body
        );
        texts.remove(0)
    }

    /// The texts of all elements that a selector finds.
    pub(crate) fn all(&self, selector: &str) -> Vec<String> {
        self.select(selector, |element| {
            let text: String = element.text().collect();
            text.split_whitespace().collect::<Vec<_>>().join(" ")
        })
    }

    /// An attribute of all elements that a selector finds.
    pub(crate) fn attributes(&self, selector: &str, attribute: &str) -> Vec<String> {
        self.select(selector, |element| {
            element.attr(attribute).unwrap_or_default().to_owned()
        })
    }

    /// What the form of the page holds, field by field.
    pub(crate) fn form(&self) -> Fields {
        self.select(
            "form input, form textarea, form select",
            |field| -> (String, String) {
                let name = field.attr("name").unwrap_or_default().to_owned();
                let value = match field.value().name() {
                    "textarea" => field.text().collect(),
                    "select" => chosen(field),
                    _ => field.attr("value").unwrap_or_default().to_owned(),
                };
                (name, value)
            },
        )
    }

    /// What one field holds.
    #[track_caller]
    pub(crate) fn value_of(&self, name: &str) -> String {
        let field = self.form().into_iter().find(|(field, _)| field == name);
        field
            .unwrap_or_else(|| panic!("no field {name} on {}: {}", self.asked, self.body))
            .1
    }

    /// What the field with this id holds, which is not sent.
    #[track_caller]
    pub(crate) fn value_of_id(&self, id: &str) -> String {
        let mut values = self.attributes(&format!("#{id}"), "value");
        assert_eq!(values.len(), 1, "{id} on {}: {}", self.asked, self.body);
        values.remove(0)
    }

    /// The mistakes in the summary: the field each links to, and the sentence.
    pub(crate) fn mistakes(&self) -> Vec<(String, String)> {
        let links = self.attributes(".mistakes a", "href");
        links.into_iter().zip(self.all(".mistakes a")).collect()
    }

    fn select<T>(&self, selector: &str, read: impl Fn(ElementRef<'_>) -> T) -> Vec<T> {
        let page = Html::parse_document(&self.body);
        let selector = Selector::parse(selector).unwrap();
        page.select(&selector).map(read).collect()
    }
}

fn chosen(select: ElementRef<'_>) -> String {
    let selected = Selector::parse("option[selected]").unwrap();
    let option = select.select(&selected).next();
    option
        .and_then(|option| option.attr("value"))
        .unwrap_or_default()
        .to_owned()
}
