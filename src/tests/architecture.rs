//! The architecture, read from the imports: who may use whom, and which crate belongs where.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The rooms of the house from the ground up, and what each may use. A room that is not named here
/// does not exist; a room may always use itself.
///
/// This table is the only statement of the rule. What it does not show by itself has its reason beside
/// it.
const MAY_USE: &[(&str, &[&str])] = &[
    ("domain", &[]),
    // Small things that every room above them may use.
    ("clock", &[]),
    ("telemetry", &[]),
    ("backoff", &[]),
    ("readiness", &[]),
    ("shutdown", &[]),
    // The floor of machinery.
    ("db", &["domain"]),
    ("messaging", &["domain", "telemetry"]),
    (
        "consumer",
        &[
            "backoff",
            "db",
            "messaging",
            "readiness",
            "shutdown",
            "telemetry",
        ],
    ),
    // What the café does.
    (
        "inventory",
        &[
            "clock",
            "consumer",
            "db",
            "domain",
            "messaging",
            "telemetry",
        ],
    ),
    // A letter is found by the identity of its update, and explained by the same rule.
    (
        "dead_letters",
        &[
            "clock",
            "consumer",
            "db",
            "domain",
            "inventory",
            "messaging",
            "shutdown",
            "submission",
            "telemetry",
        ],
    ),
    ("outgoing", &[]),
    ("submission", &["db"]),
    ("catalogue", &["clock", "db", "domain", "submission"]),
    ("shelf", &["db", "domain", "submission"]),
    ("stocktake", &["db", "domain", "shelf", "submission"]),
    ("accounts", &["clock", "db", "domain"]),
    (
        "outbox",
        &[
            "backoff",
            "clock",
            "db",
            "domain",
            "messaging",
            "shutdown",
            "telemetry",
        ],
    ),
    (
        "monitor",
        &[
            "consumer",
            "db",
            "domain",
            "messaging",
            "shutdown",
            "telemetry",
        ],
    ),
    (
        "notifications",
        &[
            "clock",
            "consumer",
            "db",
            "domain",
            "inventory",
            "messaging",
            "shutdown",
            "telemetry",
        ],
    ),
    (
        "sns_endpoint",
        &[
            "backoff",
            "clock",
            "consumer",
            "db",
            "dead_letters",
            "inventory",
            "messaging",
        ],
    ),
    ("webhooks", &["clock", "messaging", "outgoing"]),
    (
        "stream",
        &[
            "backoff",
            "clock",
            "db",
            "domain",
            "messaging",
            "shutdown",
            "telemetry",
        ],
    ),
    ("adopt", &["db", "domain"]),
    // For whoever runs it.
    ("provision", &["config", "messaging"]),
    ("config", &["db", "domain", "messaging", "telemetry"]),
    ("aws", &["config", "db", "shutdown", "telemetry"]),
    (
        "operations",
        &[
            "aws",
            "config",
            "db",
            "messaging",
            "notifications",
            "telemetry",
        ],
    ),
    // What people and programs see.
    (
        "web/http",
        &[
            "accounts",
            "catalogue",
            "db",
            "readiness",
            "telemetry",
            "web",
        ],
    ),
    (
        "web/ui",
        &["catalogue", "db", "domain", "messaging", "web", "web/http"],
    ),
    (
        "web/api",
        &["db", "sns_endpoint", "telemetry", "web", "web/http"],
    ),
    (
        "web/account",
        &[
            "accounts",
            "db",
            "domain",
            "notifications",
            "web",
            "web/http",
            "web/ui",
        ],
    ),
    // Sent by suppliers, and by the café for them.
    (
        "web/updates",
        &["db", "domain", "inventory", "web", "web/http", "web/ui"],
    ),
    (
        "web/dashboard",
        &["db", "domain", "telemetry", "web", "web/ui"],
    ),
    (
        "web/live",
        &[
            "db",
            "domain",
            "telemetry",
            "web",
            "web/dashboard",
            "web/http",
            "web/ui",
            "web/updates",
        ],
    ),
    (
        "web/supplier",
        &["db", "domain", "web", "web/http", "web/ui"],
    ),
    (
        "web/staff",
        &[
            "accounts",
            "catalogue",
            "db",
            "dead_letters",
            "domain",
            "inventory",
            "messaging",
            "outgoing",
            "provision",
            "shelf",
            "stocktake",
            "submission",
            "telemetry",
            "web",
            "web/dashboard",
            "web/http",
            "web/ui",
        ],
    ),
    (
        "web",
        &[
            "accounts",
            "clock",
            "db",
            "domain",
            "messaging",
            "outgoing",
            "provision",
            "readiness",
            "sns_endpoint",
            "web/account",
            "web/api",
            "web/dashboard",
            "web/http",
            "web/live",
            "web/staff",
            "web/supplier",
            "web/ui",
            "web/updates",
        ],
    ),
    // Putting it together.
    (
        "app",
        &[
            "aws",
            "backoff",
            "clock",
            "config",
            "consumer",
            "db",
            "dead_letters",
            "inventory",
            "messaging",
            "monitor",
            "notifications",
            "outbox",
            "outgoing",
            "provision",
            "readiness",
            "shutdown",
            "sns_endpoint",
            "stream",
            "web",
            "webhooks",
        ],
    ),
    (
        "local",
        &[
            "accounts",
            "app",
            "aws",
            "catalogue",
            "clock",
            "config",
            "db",
            "domain",
            "messaging",
            "outgoing",
            "provision",
            "shutdown",
            "sns_endpoint",
        ],
    ),
    (
        "cli",
        &[
            "accounts",
            "adopt",
            "app",
            "aws",
            "backoff",
            "catalogue",
            "clock",
            "config",
            "db",
            "domain",
            "local",
            "messaging",
            "operations",
            "provision",
            "shutdown",
            "telemetry",
            "web",
        ],
    ),
    ("main", &["cli", "telemetry"]),
];

/// Crates that belong into certain rooms.
const CRATES: &[(&str, &[&str])] = &[
    ("askama", &["notifications", "web"]),
    ("lettre", &["config", "notifications"]),
    ("axum", &["local/aws", "web"]),
    ("reqwest", &["local/aws/sns", "sns_endpoint", "webhooks"]),
    ("rcgen", &["local/aws/sns"]),
    ("x509_parser", &["sns_endpoint"]),
    ("aws_lc_rs", &["local/aws/sns", "sns_endpoint", "webhooks"]),
    ("hyper", &["web/http"]),
    ("tower", &["local/aws", "web"]),
    // Settings and the private server describe a connection in the driver's words.
    ("sqlx", &["config/database.rs", "db", "local/database.rs"]),
    (
        "aws_sdk_sns",
        &[
            "aws",
            "local",
            "messaging/sns.rs",
            "operations/check",
            "provision",
        ],
    ),
    (
        "aws_sdk_sqs",
        &[
            "app.rs",
            "aws",
            "local",
            "messaging/sqs.rs",
            "operations/check",
            "provision",
        ],
    ),
    ("aws_sdk_secretsmanager", &["aws"]),
    (
        "aws_sdk_kinesis",
        &["aws", "messaging/kinesis.rs", "provision"],
    ),
    ("ferrokinesis", &["local/aws"]),
    ("rustack_sns_core", &["local/aws"]),
    ("rustack_sqs_core", &["local/aws"]),
];

#[test]
fn every_room_uses_only_what_it_may() {
    let house = House::read();
    let table: BTreeMap<&str, &[&str]> = MAY_USE.iter().copied().collect();
    let mut wrong = Vec::new();
    for (from, to) in house.arrows() {
        let (room, used) = (room(from), room(to));
        let allowed = table.get(room.as_str());
        if room != used && !allowed.is_some_and(|allowed| allowed.contains(&used.as_str())) {
            wrong.push(format!("{from} uses {to}"));
        }
    }

    assert_eq!(wrong, Vec::<String>::new());
}

/// An edge that nobody needs any more invites a wrong one.
#[test]
fn every_edge_of_the_table_is_used() {
    let house = House::read();
    let used: BTreeSet<(String, String)> = house
        .arrows()
        .map(|(from, to)| (room(from), room(to)))
        .collect();
    let unused: Vec<String> = MAY_USE
        .iter()
        .flat_map(|(room, all)| all.iter().map(move |other| (*room, *other)))
        .filter(|(room, other)| !used.contains(&((*room).to_owned(), (*other).to_owned())))
        .map(|(room, other)| format!("{room} does not use {other}"))
        .collect();

    assert_eq!(unused, Vec::<String>::new());
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let house = House::read();
    let mut uses: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (from, to) in house.arrows() {
        uses.entry(from).or_default().insert(to);
    }
    let in_circle = |file: &&str| all_used_by(file, &uses).contains(*file);
    let circles: Vec<&str> = uses.keys().copied().filter(in_circle).collect();

    assert_eq!(circles, Vec::<&str>::new());
}

/// What a file uses, and what that uses, and so on.
fn all_used_by<'a>(
    file: &'a str,
    uses: &BTreeMap<&'a str, BTreeSet<&'a str>>,
) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let mut next = vec![file];
    while let Some(file) = next.pop() {
        let imports = uses.get(file).into_iter().flatten();
        next.extend(imports.filter(|import| found.insert(**import)));
    }
    found
}

#[test]
fn crates_stay_where_they_belong() {
    let house = House::read();
    let mut wrong = Vec::new();
    for (file, source) in &house.files {
        for (name, rooms) in CRATES {
            let named = source.shipped.contains(&format!("{name}::"));
            if named && !rooms.iter().any(|room| file.starts_with(room)) {
                wrong.push(format!("{file} uses {name}"));
            }
        }
    }

    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn only_the_database_layer_writes_sql() {
    let house = House::read();
    let outside = house.that_name(&["sqlx::query"]);
    let outside: Vec<&str> = outside
        .into_iter()
        .filter(|f| !f.starts_with("db/"))
        .collect();

    assert_eq!(outside, Vec::<&str>::new());
}

#[test]
fn transactions_begin_in_one_place() {
    let house = House::read();

    assert_eq!(
        house.that_name(&["Transaction::begin"]),
        ["db/connection/transaction.rs"]
    );
}

/// `INSERT IGNORE` hides truncation; the no-op `ON DUPLICATE KEY UPDATE` cannot tell new from old;
/// an unchecked string could be anything.
#[test]
fn no_sql_is_used_that_was_measured_to_mislead() {
    let house = House::read();
    let words = ["INSERT IGNORE", "RETURNING", "FOR SHARE"];

    assert_eq!(house.that_name(&words), Vec::<&str>::new());
    assert_eq!(
        house.that_name(&["AssertSqlSafe"]),
        ["db/schema/lab/mod.rs"],
        "joins names of its own constants and a number"
    );
    assert_eq!(
        house.that_name(&["rows_affected()"]),
        [
            "db/dead_letters.rs",
            "db/sessions.rs",
            "db/stream_leases.rs"
        ],
        "counts matched rows, there as meant; of a DELETE it is exact"
    );
}

#[test]
fn every_module_says_its_job() {
    let house = House::read();
    let silent = house
        .files
        .iter()
        .filter(|(_, s)| !s.shipped.starts_with("//!"));
    let silent: Vec<&String> = silent.map(|(name, _)| name).collect();

    assert_eq!(silent, Vec::<&String>::new());
}

/// The room of a file: its folder below `src/`, or the file itself; in `web/` the audience's.
fn room(file: &str) -> String {
    let path = file.trim_end_matches(".rs");
    let mut parts = path.split('/');
    let first = parts.next().unwrap_or_default();
    match (first, parts.next(), parts.next()) {
        ("web", Some(audience), Some(_)) => format!("web/{audience}"),
        _ => first.to_owned(),
    }
}

/// A file without its tests, and the paths it imports, from the crate's root.
struct Source {
    shipped: String,
    uses: Vec<Vec<String>>,
    /// What it hands on: the name, and where that comes from.
    hands_on: BTreeMap<String, Vec<String>>,
}

/// All files that are shipped, by their path below `src/`.
struct House {
    files: BTreeMap<String, Source>,
}

impl House {
    fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut paths = Vec::new();
        find_sources(&root, &mut paths);
        let files = paths.into_iter().filter_map(|path| {
            let name = path.strip_prefix(&root).unwrap().display().to_string();
            let is_test =
                name.starts_with("tests/") || name.starts_with("bench/") || name == "web/tests.rs";
            (!is_test).then(|| {
                let source = Source::parse(&name, &std::fs::read_to_string(&path).unwrap());
                (name, source)
            })
        });
        Self {
            files: files.collect(),
        }
    }

    /// Pairs of files of which the first uses something that the second defines.
    fn arrows(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().flat_map(move |(from, source)| {
            let used = source.uses.iter().filter_map(|path| self.defines(path));
            used.filter(move |to| to != from)
                .map(move |to| (from.as_str(), to))
        })
    }

    /// The file that defines what a path names, through all that only hand it on.
    fn defines(&self, path: &[String]) -> Option<&str> {
        for length in (0..=path.len()).rev() {
            let (folder, rest) = path.split_at(length);
            let folder = folder.join("/");
            let names = [format!("{folder}.rs"), format!("{folder}/mod.rs")];
            let Some((file, source)) = names.iter().find_map(|name| self.files.get_key_value(name))
            else {
                continue;
            };
            let from = rest.first().and_then(|name| source.hands_on.get(name));
            return from.map_or(Some(file.as_str()), |from| self.defines(from));
        }
        None
    }

    fn that_name(&self, words: &[&str]) -> Vec<&str> {
        let named = self.files.iter().filter(|(_, source)| {
            let code = source
                .shipped
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"));
            code.into_iter()
                .any(|line| words.iter().any(|word| line.contains(word)))
        });
        named.map(|(name, _)| name.as_str()).collect()
    }
}

fn find_sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            find_sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

impl Source {
    #[expect(clippy::too_many_lines, reason = "one pass over the file")]
    fn parse(name: &str, text: &str) -> Self {
        let shipped = text
            .split("#[cfg(test)]\nmod tests {")
            .next()
            .unwrap()
            .to_owned();
        let code: String = shipped
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .flat_map(|line| [line, "\n"])
            .collect();
        let code = code.replace("(in crate::", "(");
        let mut module: Vec<String> = name
            .trim_end_matches(".rs")
            .split('/')
            .map(str::to_owned)
            .collect();
        if module
            .last()
            .is_some_and(|last| ["mod", "lib"].contains(&last.as_str()))
        {
            module.pop();
        }
        let mut source = Self {
            shipped,
            uses: Vec::new(),
            hands_on: BTreeMap::new(),
        };
        let mut other_code = String::new();
        for statement in code.split_inclusive(';') {
            let split = statement.trim_end_matches(';').rsplit_once("use ");
            let line =
                split.map(|(before, _)| before.rsplit('\n').next().unwrap_or_default().trim());
            let import = split
                .zip(line)
                .filter(|(_, line)| line.is_empty() || line.starts_with("pub"));
            let Some(((before, tree), line)) = import else {
                other_code.push_str(statement);
                continue;
            };
            other_code.push_str(before);
            for path in flatten(tree) {
                let (path, alias) = path.split_once(" as ").unwrap_or((&path, ""));
                let Some(path) = absolute(path, &module) else {
                    continue;
                };
                let name = if alias.is_empty() {
                    path.last().cloned().unwrap_or_default()
                } else {
                    alias.to_owned()
                };
                if line.starts_with("pub") {
                    source.hands_on.insert(name, path);
                } else {
                    source.uses.push(path);
                }
            }
        }
        let children = other_code
            .split("mod ")
            .skip(1)
            .filter_map(|rest| rest.split_once(';'));
        let children: Vec<&str> = children.map(|(name, _)| name).collect();
        for child in children {
            if other_code.contains(&format!(" {child}::"))
                || other_code.contains(&format!("({child}::"))
            {
                source
                    .uses
                    .push([&module[..], &[child.to_owned()]].concat());
            }
        }
        for part in other_code.split("crate::").skip(1) {
            let path: String = part
                .chars()
                .take_while(|c| c.is_alphanumeric() || "_:".contains(*c))
                .collect();
            let path = path.trim_end_matches(':');
            source
                .uses
                .push(path.split("::").map(str::to_owned).collect());
        }
        source
    }
}

/// `a::{b, c::{self, d}}` as `a::b`, `a::c` and `a::c::d`.
fn flatten(tree: &str) -> Vec<String> {
    let tree = tree.trim();
    let Some((before, rest)) = tree.split_once('{') else {
        return vec![tree.trim_end_matches("::self").to_owned()];
    };
    let inner = rest.rsplit_once('}').map_or(rest, |(inner, _)| inner);
    let mut depth = 0;
    let branches = inner.split(|c| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        c == ',' && depth == 0
    });
    branches
        .filter(|branch| !branch.trim().is_empty())
        .flat_map(|branch| flatten(&format!("{before}{}", branch.trim())))
        .collect()
}

/// A path from the crate's root; `None` for one into another crate.
fn absolute(path: &str, module: &[String]) -> Option<Vec<String>> {
    let mut parts = path
        .split("::")
        .map(|part| part.trim().to_owned())
        .peekable();
    let mut base = match parts.next()?.as_str() {
        "crate" | "beanstock" => Vec::new(),
        "self" => module.to_vec(),
        "super" => module[..module.len() - 1].to_vec(),
        _ => return None,
    };
    while parts.next_if(|part| part == "super").is_some() {
        base.pop();
    }
    base.extend(parts);
    Some(base)
}
