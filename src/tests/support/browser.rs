//! Chromium, driven as somebody at a keyboard would, on a site behind a real socket.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::Stdio;
use std::time::Duration;

use axum::http::Method;
use beanstock::web::Ingress;
use fantoccini::elements::Element;
use fantoccini::key::Key;
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio_util::sync::{CancellationToken, DropGuard};
use url::{ParseError, Url};

use super::Site;
use super::process::until_looking_every;

/// The rules that pages are held to: WCAG 2.2 AA, and what axe calls best practice.
const AXE: &str = include_str!("../browser/axe.min.js");

/// A site that browsers can reach, until it is dropped.
pub(crate) struct Served {
    pub(crate) origin: String,
    pub(crate) address: SocketAddr,
    _stop: DropGuard,
}

impl Served {
    pub(crate) async fn start(site: &Site) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        Self::start_on(listener, site, origin)
    }

    /// Serves a site that browsers know by the address of something in front of it.
    pub(crate) async fn start_behind(site: &Site, origin: &str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        Self::start_on(listener, site, origin.to_owned())
    }

    fn start_on(listener: TcpListener, site: &Site, origin: String) -> Self {
        let address = listener.local_addr().unwrap();
        let ingress = Ingress {
            public_url: Some(origin.parse().unwrap()),
            ..Ingress::default()
        };
        let stop = CancellationToken::new();
        tokio::spawn(site.clone().behind(ingress).serve(listener, stop.clone()));
        Self {
            origin,
            address,
            _stop: stop.drop_guard(),
        }
    }
}

/// A screen that pages are looked at on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Screen {
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// What the system says: `light` or `dark`.
    pub(crate) scheme: &'static str,
}

pub(crate) const LAPTOP: Screen = Screen {
    width: 1280,
    height: 800,
    scheme: "light",
};

pub(crate) const PHONE: Screen = Screen {
    width: 390,
    height: 844,
    scheme: "light",
};

impl Screen {
    pub(crate) fn dark(self) -> Self {
        Self {
            scheme: "dark",
            ..self
        }
    }
}

/// A browser of its own: what it keeps, nobody else sees.
pub(crate) struct Browser {
    client: Client,
    origin: String,
    _chromedriver: ChromeDriver,
}

impl Browser {
    pub(crate) async fn open(served: &Served) -> Self {
        Self::open_at(&served.origin).await
    }

    pub(crate) async fn open_at(origin: &str) -> Self {
        let chromedriver = ChromeDriver::start().await;
        // Containers give no rights to make a sandbox and little shared memory.
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--disable-gpu",
        ];
        let Value::Object(capabilities) = json!({
            "goog:chromeOptions": {"args": arguments},
            "goog:loggingPrefs": {"browser": "ALL"},
        }) else {
            unreachable!("it is one")
        };
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(&format!("http://127.0.0.1:{}", chromedriver.port))
            .await
            .unwrap();
        let browser = Self {
            client,
            origin: origin.to_owned(),
            _chromedriver: chromedriver,
        };
        browser.look_at(LAPTOP).await;
        browser
    }

    /// Switches JavaScript off, as some people do.
    pub(crate) async fn without_javascript(self) -> Self {
        self.tell(
            "Emulation.setScriptExecutionDisabled",
            json!({"value": true}),
        )
        .await;
        self
    }

    /// Brings a session along, as if somebody had signed in.
    pub(crate) async fn signed_in_with(self, cookie: &str) -> Self {
        let (name, value) = cookie.split_once('=').unwrap();
        let cookie = json!({"url": self.origin, "name": name, "value": value, "httpOnly": true});
        self.tell("Network.setCookie", cookie).await;
        self
    }

    pub(crate) async fn look_at(&self, screen: Screen) {
        let Screen {
            width,
            height,
            scheme,
        } = screen;
        let metrics = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600});
        self.tell("Emulation.setDeviceMetricsOverride", metrics)
            .await;
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        let features = json!({ "features": features });
        self.tell("Emulation.setEmulatedMedia", features).await;
    }

    /// Gives Chromium a command of its own protocol.
    async fn tell(&self, method: &str, parameters: Value) {
        let body = json!({"cmd": method, "params": parameters});
        self.ask("goog/cdp/execute", body).await;
    }

    /// Gives `ChromeDriver` one of the commands that only it has.
    async fn ask(&self, path: &'static str, body: Value) -> Value {
        let answer = self.client.issue_cmd(OwnCommand { path, body }).await;
        answer.unwrap()
    }

    /// Opens an address of the site.
    pub(crate) async fn visit(&self, path: &str) {
        let url = format!("{}{path}", self.origin);
        self.client.goto(&url).await.unwrap();
    }

    /// Opens an address of the site in a tab of its own.
    pub(crate) async fn visit_in_new_tab(&self, path: &str) {
        let tab = self.client.new_window(true).await.unwrap();
        self.client.switch_to_window(tab.handle).await.unwrap();
        self.visit(path).await;
    }

    /// Goes back to the tab that was opened first.
    pub(crate) async fn first_tab(&self) {
        let tabs = self.client.windows().await.unwrap();
        let first = tabs.into_iter().next().unwrap();
        self.client.switch_to_window(first).await.unwrap();
    }

    /// The address of the page, without the site's own.
    pub(crate) async fn path(&self) -> String {
        let url = self.client.current_url().await.unwrap();
        let path = url.as_str().strip_prefix(&self.origin);
        path.unwrap_or_else(|| panic!("{url} is elsewhere"))
            .to_owned()
    }

    /// Types into the field with this label, in place of what it holds.
    pub(crate) async fn fill(&self, label: &str, text: &str) {
        let field = self.field(label).await;
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// Chooses among what the field with this label offers.
    pub(crate) async fn choose(&self, label: &str, option: &str) {
        let field = self.field(label).await;
        field.select_by_label(option).await.unwrap();
    }

    /// Chooses a value in one of several fields.
    pub(crate) async fn choose_in(&self, selector: &str, value: &str) {
        let field = self.find(Locator::Css(selector), selector).await;
        field.select_by_value(value).await.unwrap();
    }

    /// Types into one of several fields, in place of what it holds.
    pub(crate) async fn type_into(&self, selector: &str, text: &str) {
        let field = self.find(Locator::Css(selector), selector).await;
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// Clicks on one of several things.
    pub(crate) async fn click(&self, selector: &str) {
        self.click_on(Locator::Css(selector), selector).await;
    }

    /// Clicks on what is there: live pages put new things in the place of those just found.
    async fn click_on(&self, by: Locator<'_>, what: &str) {
        until_looking_every(Duration::from_millis(20), what, async || {
            match self.find(by, what).await.click().await {
                Err(error) if error.is_stale_element_reference() => false,
                clicked => {
                    clicked.unwrap();
                    true
                }
            }
        })
        .await;
    }

    /// What all things that a selector finds say; nothing while the page is changing.
    pub(crate) async fn all(&self, selector: &str) -> Vec<String> {
        let mut texts = Vec::new();
        for thing in self.client.find_all(Locator::Css(selector)).await.unwrap() {
            match thing.text().await {
                Ok(text) => texts.push(text),
                Err(_) => return Vec::new(),
            }
        }
        texts
    }

    pub(crate) async fn reload(&self) {
        self.client.refresh().await.unwrap();
    }

    /// What the field with this label holds.
    pub(crate) async fn value(&self, label: &str) -> String {
        let field = self.field(label).await;
        field.prop("value").await.unwrap().unwrap_or_default()
    }

    async fn field(&self, label: &str) -> Element {
        let labelled = format!("//*[@id = //label[normalize-space()='{label}']/@for]");
        self.find(Locator::XPath(&labelled), label).await
    }

    /// Presses a button, or follows a link, with these words, and waits for the page it leads to.
    pub(crate) async fn press(&self, words: &str) {
        self.going_on(async || self.jump(words).await).await;
    }

    /// Follows a link that a selector finds, and waits for the page it leads to.
    pub(crate) async fn follow(&self, selector: &str) {
        self.going_on(async || self.click(selector).await).await;
    }

    /// Follows a link with these words that leads to a place on the same page.
    pub(crate) async fn jump(&self, words: &str) {
        let named = format!("(//button | //a)[normalize-space()='{words}' and not(@aria-hidden)]");
        self.click_on(Locator::XPath(&named), words).await;
    }

    /// Does what leads to another page, and waits until this one is gone.
    async fn going_on(&self, work: impl AsyncFn()) {
        let page = self.client.find(Locator::Css("html")).await.unwrap();
        work().await;
        let gone = async || page.tag_name().await.is_err();
        until_looking_every(Duration::from_millis(20), "the next page", gone).await;
    }

    async fn find(&self, by: Locator<'_>, what: &str) -> Element {
        match self.client.find(by).await {
            Ok(found) => found,
            Err(error) => panic!(
                "no {what} on {} ({error}): {}",
                self.path().await,
                self.text().await
            ),
        }
    }

    pub(crate) async fn heading(&self) -> String {
        let heading = self.find(Locator::Css("h1"), "heading").await;
        heading.text().await.unwrap()
    }

    /// What the page says between its header and its footer.
    pub(crate) async fn text(&self) -> String {
        let main = self.client.find(Locator::Css("main")).await.unwrap();
        main.text().await.unwrap()
    }

    /// Presses a key wherever the keyboard is.
    pub(crate) async fn press_key(&self, key: Key) {
        self.type_text(&char::from(key).to_string()).await;
    }

    /// Types wherever the keyboard is.
    pub(crate) async fn type_text(&self, text: &str) {
        let focused = self.client.active_element().await.unwrap();
        focused.send_keys(text).await.unwrap();
    }

    /// Presses Enter in a form, and waits for the page it leads to.
    pub(crate) async fn press_enter(&self) {
        self.going_on(async || self.press_key(Key::Enter).await)
            .await;
    }

    /// The words of what the keyboard is on.
    pub(crate) async fn focused(&self) -> String {
        let script = "const e = document.activeElement; \
                      return e.labels?.[0]?.textContent.trim() ?? e.textContent.trim()";
        self.run(script).await.as_str().unwrap().to_owned()
    }

    async fn run(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.unwrap()
    }

    /// Loads the checks of [`Self::faults_on`] into the page.
    pub(crate) async fn load_checks(&self) {
        self.run(AXE).await;
    }

    /// Does to the page what must not happen to one: it says no language, is 1,000 px wide and asks for a
    /// style sheet that does not exist.
    pub(crate) async fn break_page(&self) {
        let script = "document.documentElement.removeAttribute('lang'); \
            document.querySelector('main').style.minWidth = '1000px'; \
            const sheet = document.createElement('link'); \
            sheet.rel = 'stylesheet'; sheet.href = '/static/no-such-style.css'; \
            document.head.append(sheet); \
            const done = arguments[0]; sheet.onerror = () => done(null);";
        let loaded = self.client.execute_async(script, Vec::new()).await;
        loaded.unwrap();
    }

    /// What is wrong with the page on a screen: for whom it cannot be used, and what sticks out.
    pub(crate) async fn faults_on(&self, screen: Screen) -> Vec<String> {
        self.look_at(screen).await;
        let script = "const [width, done] = arguments; \
            const rules = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']; \
            axe.run(document, {runOnly: rules, rules: {'target-size': {enabled: true}}}).then(result => { \
                const faults = result.violations.map( \
                    fault => fault.id + ': ' + fault.nodes.map(node => node.html).join(' ')); \
                const out = document.documentElement.scrollWidth - width; \
                if (out > 0) faults.push(out + ' px are out of sight'); \
                done(faults); \
            }, error => done([String(error)]))";
        let answer = self
            .client
            .execute_async(script, vec![screen.width.into()])
            .await;
        serde_json::from_value(answer.unwrap()).unwrap()
    }

    /// What the browser complained about since it was asked last: scripts, styles and addresses that it
    /// could not or would not load. That the page itself tells of a mistake is none.
    pub(crate) async fn complaints(&self) -> Vec<String> {
        let own = self.client.current_url().await.unwrap();
        let own = format!("{own} - Failed to load resource");
        let log = self.ask("se/log", json!({"type": "browser"})).await;
        let entries = log.as_array().unwrap().iter();
        let messages = entries.map(|entry| entry["message"].as_str().unwrap().to_owned());
        messages.filter(|said| !said.starts_with(&own)).collect()
    }
}

/// A command of `ChromeDriver`'s own.
#[derive(Debug)]
struct OwnCommand {
    /// Below the session's address.
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for OwnCommand {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, ParseError> {
        let session = session.unwrap_or_default();
        base.join(&format!("session/{session}/{}", self.path))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.body.to_string()))
    }
}

/// A driver with a port and a folder of its own.
struct ChromeDriver {
    port: u16,
    _process: Child,
    /// Where its Chromium keeps what it needs.
    _folder: TempDir,
}

impl ChromeDriver {
    /// Starts one.
    ///
    /// It asks for a free port and then takes it on IPv6 as well: another that starts in the same moment may
    /// have been quicker.
    async fn start() -> Self {
        let mut said = String::new();
        for _ in 0..10 {
            match Self::try_to_start().await {
                Ok(started) => return started,
                Err(last) => said += &last,
            }
        }
        panic!("ten times chromedriver ended without a word of its port: {said}");
    }

    /// Gives what it said if it ended.
    async fn try_to_start() -> Result<Self, String> {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let mut process = Command::new("chromedriver")
            .arg("--port=0")
            .env("TMPDIR", folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("chromedriver is on the PATH: `make test-browser` installs it");
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut said = String::new();
        while let Some(line) = lines.next_line().await.unwrap() {
            if let Some((_, port)) = line.split_once("successfully on port ") {
                let port = port.trim_end_matches('.').parse().unwrap();
                // Whoever has nobody to listen stops when it speaks.
                tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
                return Ok(Self {
                    port,
                    _process: process,
                    _folder: folder,
                });
            }
            said += &line;
        }
        Err(said)
    }

    fn shut_down(&self) -> io::Result<()> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        stream
            .write_all(b"GET /shutdown HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")?;
        stream.read_to_end(&mut Vec::new())?;
        Ok(())
    }
}

impl Drop for ChromeDriver {
    /// Killed, or told to stop by a signal, it would leave its Chromium running.
    fn drop(&mut self) {
        // Whatever is in the way of that: the test is over.
        self.shut_down().ok();
    }
}
