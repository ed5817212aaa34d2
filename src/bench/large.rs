//! A café with 10,000 beans, 1,000,000 movements, 1,000,000 updates and 50,000 dead letters in 40 groups: how long its
//! pages take, and how large they are.

use std::time::{Duration, Instant};

use beanstock::db::Pool;
use sqlx::AssertSqlSafe;

use crate::website::{ask, page_request};

/// How often each page is asked for.
pub(crate) const TIMES: usize = 40;

/// The aims: milliseconds at p95, more where 50,000 letters are grouped, searched and rehearsed, and bytes.
const MOST_MILLISECONDS: f64 = 100.0;
const MOST_MILLISECONDS_OF_LETTERS: f64 = 200.0;
const MOST_BYTES: usize = 120_000;

/// Fills the database behind the program's back: every bean has about a hundred movements, and one has 61,000, of five years.
pub(crate) async fn fill(pool: &Pool) -> Duration {
    let began = Instant::now();
    for statement in STATEMENTS {
        let mut conn = pool.acquire().await.unwrap();
        let statement = sqlx::raw_sql(AssertSqlSafe(statement));
        statement.execute(&mut *conn).await.unwrap();
    }
    began.elapsed()
}

const STATEMENTS: [&str; 9] = [
    "CREATE TABLE bench_numbers (n INT NOT NULL PRIMARY KEY) \
     SELECT a.d + 10 * b.d + 100 * c.d + 1000 * e.d + 10000 * f.d + 100000 * g.d AS n FROM \
     (SELECT 0 AS d UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION SELECT 6 \
      UNION SELECT 7 UNION SELECT 8 UNION SELECT 9) AS a \
     CROSS JOIN (SELECT 0 AS d UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION \
      SELECT 6 UNION SELECT 7 UNION SELECT 8 UNION SELECT 9) AS b \
     CROSS JOIN (SELECT 0 AS d UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION \
      SELECT 6 UNION SELECT 7 UNION SELECT 8 UNION SELECT 9) AS c \
     CROSS JOIN (SELECT 0 AS d UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION \
      SELECT 6 UNION SELECT 7 UNION SELECT 8 UNION SELECT 9) AS e \
     CROSS JOIN (SELECT 0 AS d UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION \
      SELECT 6 UNION SELECT 7 UNION SELECT 8 UNION SELECT 9) AS f \
     CROSS JOIN (SELECT 0 AS d UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION \
      SELECT 6 UNION SELECT 7 UNION SELECT 8 UNION SELECT 9) AS g",
    "INSERT INTO suppliers (name, address, city, state, email, phone, created_at, updated_at) \
     SELECT CONCAT('Supplier ', n), '1 Mill Road', 'Bristol', 'Avon', 'a@example.com', '555-555-0100', NOW(6), NOW(6) \
     FROM bench_numbers WHERE n < 100",
    "INSERT INTO beans (id, supplier_id, type, type_key, product_name, price, description, quantity, last_movement, \
     moved_at, alert_at, created_at, updated_at) \
     SELECT 1000 + n, 9 + n % 100, CONCAT('Type ', n), CONCAT('type ', n), CONCAT('Bean ', n), 9 + n % 20, \
     REPEAT('Cherry and cocoa. ', 4), IF(n % 97 = 0, 0, 50 + n % 300), 94, NOW(6), IF(n % 3 = 0, 60, NULL), NOW(6), NOW(6) \
     FROM bench_numbers WHERE n < 9986",
    "INSERT INTO stock_movements (bean_id, sequence, kind, change_by, quantity_after, occurred_at, created_at) \
     SELECT 1000 + n DIV 94, 1 + n % 94, IF(n % 94 = 0, 'opening', IF(n % 3 = 0, 'delivery', 'use')), \
     IF(n % 94 = 0, 100, IF(n % 3 = 0, 2, -1)), 100, NOW(6) - INTERVAL (94 - n % 94) HOUR, \
     NOW(6) - INTERVAL (94 - n % 94) HOUR FROM bench_numbers WHERE n < 938684",
    "INSERT INTO stock_movements (bean_id, sequence, kind, change_by, quantity_after, occurred_at, created_at) \
     SELECT 5, 2 + n, IF(n % 2 = 0, 'use', 'delivery'), IF(n % 2 = 0, -1, 1), IF(n % 2 = 0, 199, 200), \
     NOW(6) - INTERVAL 44 * (61400 - n) MINUTE, NOW(6) - INTERVAL 44 * (61400 - n) MINUTE FROM bench_numbers WHERE n < 61316",
    "UPDATE beans SET last_movement = 61317 WHERE id = 5",
    "INSERT INTO inventory_updates (id, sender_id, payload_hash, origin, supplier_id, bean_type, bean_id, kind, quantity, \
     reference, sent_at, state, accepted_at, finished_at, quantity_before, quantity_after) \
     SELECT UNHEX(LPAD(HEX(n + 1), 32, '0')), UNHEX(LPAD(HEX(n + 1), 32, '1')), UNHEX(REPEAT('00', 32)), 'external', \
     9 + n % 100, CONCAT('Type ', n % 9986), 1000 + n % 9986, 'delivery', 1 + n % 40, CONCAT('DN-', n), \
     NOW(6) - INTERVAL (1000000 - n) SECOND, \
     IF(n % 20 = 0, 'dead_lettered', IF(n % 400 = 1, 'superseded', 'applied')), \
     NOW(6) - INTERVAL (1000000 - n) SECOND, NOW(6) - INTERVAL (1000000 - n) SECOND + INTERVAL 80000 MICROSECOND, 50, 60 \
     FROM bench_numbers",
    "INSERT INTO dead_letters (id, message_id, update_id, supplier_id, attributes, receive_count, reason, explanation, \
     collected_at, body) \
     SELECT UNHEX(CONCAT('0192', LPAD(HEX(n + 1), 28, '0'))), n, UNHEX(LPAD(HEX(n + 1), 32, '0')), 9 + n % 100, '{}', 5, \
     ELT(1 + n DIV 100 % 8, 'unknown_bean', 'below_zero', 'bad_quantity', 'malformed', 'ambiguous_bean', 'never_tried', \
     'supplier_inactive', 'unavailable'), 'The supplier has no bean of this type.', NOW(6) - INTERVAL (1000000 - n) SECOND, \
     CONCAT('{\"Type\":\"Notification\",\"MessageId\":\"', n, '\",\"TopicArn\":\"arn:aws:sns:us-east-1:000000000000:\
     updated_beans_sns.fifo\",\"Subject\":\"New bean delivery\",\"Timestamp\":\"2026-11-20T10:42:07.000Z\",\"Message\":', \
     JSON_QUOTE(CONCAT('{\"version\":1,\"update_id\":\"', LPAD(HEX(n + 1), 32, '1'), '\",\"supplier_id\":', 9 + n % 100, \
     ',\"bean_type\":\"Type ', n % 9986, '\",\"kind\":\"delivery\",\"quantity\":', 1 + n % 40, ',\"reference\":\"DN-', n, '\"}')), \
     ',\"SignatureVersion\":\"1\",\"Signature\":\"', REPEAT('x', 344), '\"}') \
     FROM bench_numbers WHERE n % 20 = 0",
    "ANALYZE TABLE inventory_updates, stock_movements, beans, suppliers, dead_letters",
];

/// The pages, with what takes longest on each.
pub(crate) const PAGES: [&str; 30] = [
    "/",
    "/?screen=wall",
    "/beans",
    "/beans?page=150",
    "/beans?show=low&sort=fewest",
    "/beans?show=out",
    "/beans?q=bean+99&sort=name",
    "/beans/5",
    "/beans/5?page=900",
    "/beans/5?at=2026-11-20T10:00",
    "/beans/1500",
    "/alerts",
    "/suppliers",
    "/suppliers/20",
    "/updates",
    "/updates?state=applied",
    "/updates?state=superseded",
    "/updates?supplier=20",
    "/updates?q=DN-99999",
    "/updates?q=nothing+of+the+kind",
    "/updates?supplier=20&q=DN-5000",
    "/dead-letters",
    "/dead-letters?reason=unknown_bean",
    "/dead-letters?reason=unknown_bean&supplier=29&page=20",
    "/dead-letters?q=DN-99980",
    "/dead-letters?q=nothing+of+the+kind",
    "/dead-letters/resend?reason=unknown_bean&supplier=29",
    "/dead-letters/resend?reason=unknown_bean",
    "/consumers",
    "/stocktakes",
];

/// How long a page takes at p50 and p95, in milliseconds, and its size in bytes.
pub(crate) struct PageTimes {
    pub(crate) p50: f64,
    pub(crate) p95: f64,
    pub(crate) bytes: usize,
    aim: f64,
}

impl PageTimes {
    pub(crate) fn verdict(&self) -> String {
        if self.p95 <= self.aim && self.bytes <= MOST_BYTES {
            String::new()
        } else {
            format!("  (MISSED: aim {} ms, 120,000 bytes)", self.aim)
        }
    }
}

/// Asks for a page again and again, one after the other.
pub(crate) async fn time(port: u16, path: &str, session: &str) -> PageTimes {
    let request = page_request(path, session);
    let (mut milliseconds, mut bytes) = (Vec::new(), 0);
    for _ in 0..TIMES {
        let began = Instant::now();
        let answer = ask(port, &request).await;
        milliseconds.push(began.elapsed().as_secs_f64() * 1_000.0);
        assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer:.200}");
        bytes = answer.len();
    }
    milliseconds.sort_by(f64::total_cmp);
    PageTimes {
        p50: milliseconds[TIMES / 2],
        p95: milliseconds[TIMES * 95 / 100],
        bytes,
        aim: if path.starts_with("/dead-letters") {
            MOST_MILLISECONDS_OF_LETTERS
        } else {
            MOST_MILLISECONDS
        },
    }
}

/// The letters that are all sent again: 10,000 of one supplier, of every reason.
const SENT_AGAIN: &str = "/dead-letters/resend?supplier=29";

/// Sends all letters of a group again, as fast as the site offers; gives how many and how long that took.
pub(crate) async fn send_again(port: u16, session: &str, pool: &Pool) -> (usize, Duration) {
    let page = ask(port, &page_request(SENT_AGAIN, session)).await;
    let field = |name: &str| {
        let start = page.split(&format!("name=\"{name}\" value=\"")).nth(1);
        start.unwrap().split('"').next().unwrap().to_owned()
    };
    let number = field("number");
    let hidden = ["form_key", "newest", "number", "digest"];
    let hidden = hidden.map(|name| format!("&{name}={}", field(name)));
    let form = format!("speed=100&typed={number}{}", hidden.concat());
    let request = format!(
        "POST {SENT_AGAIN} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Cookie: beanstock-session={session}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\n\r\n{form}",
        form.len()
    );
    let began = Instant::now();
    let answer = ask(port, &request).await;
    assert!(answer.starts_with("HTTP/1.1 303"), "{answer:.400}");
    let unfinished = "SELECT COUNT(*) FROM bulk_actions WHERE finished_at IS NULL";
    let mut conn = pool.acquire().await.unwrap();
    loop {
        let number = sqlx::query_scalar::<_, i64>(unfinished);
        if number.fetch_one(&mut *conn).await.unwrap() == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    (number.parse().unwrap(), began.elapsed())
}
