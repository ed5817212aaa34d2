//! What the container files and the deployment notes say is what the program has.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use beanstock::cli;
use beanstock::config::reference;
use beanstock::operations::status::{Status, StreamStatus};
use beanstock::provision::{AwsAccount, ResourceSettings, Topology, cloudformation, iam};
use serde_json::Value;

/// Variables that are not ours: AWS's, `MySQL`'s, the build's.
const OF_OTHERS: &[&str] = &[
    "AT_TIMESTAMP",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "MYSQL_DATABASE",
    "MYSQL_PASSWORD",
    "MYSQL_PWD",
    "MYSQL_RANDOM_ROOT_PASSWORD",
    "MYSQL_USER",
    "RUNTIME_IMAGE",
    "RUST_IMAGE",
    "SQLX_OFFLINE",
    "THIRD_PARTY",
    "TRIM_HORIZON",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap()
}

fn json(name: &str) -> Value {
    serde_json::from_str(&read(name)).unwrap()
}

fn is(name: &str, extension: &str) -> bool {
    Path::new(name)
        .extension()
        .is_some_and(|found| found == extension)
}

/// The container files and everything below `deploy/`, by name.
fn files() -> Vec<(String, String)> {
    let mut paths: Vec<PathBuf> = ["Dockerfile", "docker-compose.yml", ".env.example"]
        .map(|name| root().join(name))
        .to_vec();
    let mut folders = vec![root().join("deploy")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let place = if path.is_dir() {
                &mut folders
            } else {
                &mut paths
            };
            place.push(path);
        }
    }
    let name = |path: &Path| path.strip_prefix(root()).unwrap().display().to_string();
    let text = |path: &Path| std::fs::read_to_string(path).unwrap();
    paths.iter().map(|path| (name(path), text(path))).collect()
}

fn is_variable(word: &str) -> bool {
    let letters = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    word.starts_with(|c: char| c.is_ascii_uppercase())
        && word.trim_end_matches('_').contains('_')
        && word.chars().all(letters)
}

#[test]
fn every_variable_in_them_is_a_setting() {
    let mut unknown = Vec::new();
    for (name, text) in files() {
        for word in text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
            let prefix = word.ends_with('_');
            let known = reference::find(word).is_some() || OF_OTHERS.contains(&word) || prefix;
            if is_variable(word) && !known {
                unknown.push(format!("{name}: {word}"));
            }
        }
    }

    assert_eq!(unknown, Vec::<String>::new());
}

/// Every list of words that starts the program, and every command in the notes' backticks.
fn commands() -> Vec<(String, Vec<String>)> {
    let mut found = Vec::new();
    for (name, text) in files() {
        if is(&name, "md") {
            let quoted = text.split('`').skip(1).step_by(2);
            let quoted = quoted.filter_map(|span| span.strip_prefix("beanstock "));
            found.extend(quoted.map(|span| (name.clone(), words(span))));
        } else if is(&name, "json") {
            let template = serde_json::from_str(&text).unwrap();
            listed(&template, &mut |list| found.push((name.clone(), list)));
        } else {
            let lines = text
                .lines()
                .filter(|line| line.contains("command: [") || line.contains("CMD"));
            let lists = lines.filter_map(|line| line.find('[').map(|at| &line[at..]));
            let lists = lists.map(|list| serde_json::from_str::<Vec<String>>(list).unwrap());
            found.extend(lists.map(|list| (name.clone(), list)));
        }
    }
    found
        .into_iter()
        .filter_map(|(name, list)| arguments(list).map(|list| (name, list)))
        .collect()
}

fn words(line: &str) -> Vec<String> {
    line.split(' ').map(str::to_owned).collect()
}

/// Finds the `Command` lists of a template.
fn listed(value: &Value, found: &mut impl FnMut(Vec<String>)) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| listed(value, found)),
        Value::Object(fields) => {
            for (name, value) in fields {
                match serde_json::from_value::<Vec<String>>(value.clone()) {
                    Ok(list) if name == "Command" => found(list),
                    _ => listed(value, found),
                }
            }
        }
        _ => {}
    }
}

/// A health check names its shell or the program first; what other programs are asked is not ours.
fn arguments(list: Vec<String>) -> Option<Vec<String>> {
    match list.first()?.as_str() {
        "CMD" if list[1] == "beanstock" => Some(list[2..].to_vec()),
        "CMD" | "CMD-SHELL" => None,
        "beanstock" => Some(list[1..].to_vec()),
        _ => Some(list),
    }
}

#[test]
fn every_command_in_them_is_understood() {
    let commands = commands();

    for (name, arguments) in &commands {
        let line = ["beanstock"].into_iter().map(str::to_owned);
        let line = line.chain(arguments.iter().cloned());
        let read = cli::command().try_get_matches_from(line);
        assert!(read.is_ok(), "{name}: {arguments:?}: {}", read.unwrap_err());
    }
    let used: BTreeSet<&str> = commands.iter().map(|(_, list)| list[0].as_str()).collect();
    for command in [
        "local-aws",
        "migrate",
        "probe",
        "provision",
        "serve",
        "status",
    ] {
        assert!(used.contains(command), "{command} was looked for in vain");
    }
}

#[test]
fn the_image_is_built_with_our_rust_and_exposes_our_port() {
    let dockerfile = read("Dockerfile");
    let port = reference::find("PORT").unwrap().without;

    let rust = format!("=rust:{}-slim-", env!("CARGO_PKG_RUST_VERSION"));
    assert!(dockerfile.contains(&rust), "{rust}");
    assert!(dockerfile.contains(&format!("\nEXPOSE {port}\n")));
    assert!(read("deploy/nginx.conf").contains(&format!("http://$serve:{port};")));
    for name in [
        "deploy/ecs.json",
        "deploy/elastic-beanstalk/Dockerrun.aws.json",
    ] {
        let container_port = format!("\"ContainerPort\": {port}");
        assert!(read(name).contains(&container_port), "{name}");
    }
    assert!(
        !dockerfile.contains("LISTEN_ADDRESS"),
        "whoever runs it decides"
    );
}

#[test]
fn the_build_sees_what_the_dockerfile_copies_and_nothing_else() {
    let dockerfile = read("Dockerfile");
    let copied = dockerfile
        .lines()
        .filter_map(|line| line.strip_prefix("COPY "))
        .filter(|line| !line.starts_with("--from"))
        .flat_map(|line| {
            let mut names = words(line);
            names.pop();
            names
        })
        .collect::<BTreeSet<_>>();
    let ignored = read(".dockerignore");
    let let_in = ignored.lines().filter_map(|line| line.strip_prefix('!'));
    let let_in = let_in.map(str::to_owned).collect::<BTreeSet<_>>();

    assert_eq!(copied, let_in);
}

/// The services of the compose file and their texts.
fn services() -> Vec<String> {
    let compose = read("docker-compose.yml");
    let services = compose.split("\nservices:\n").nth(1).unwrap();
    let services = services.split("\nnetworks:\n").next().unwrap();
    let mut found = Vec::<String>::new();
    for line in services.lines() {
        let begins = line.starts_with("  ") && line.as_bytes()[2].is_ascii_lowercase();
        if begins {
            found.push(String::new());
        }
        if let Some(service) = found.last_mut() {
            service.push_str(line);
            service.push('\n');
        }
    }
    found
}

#[test]
fn every_service_is_confined_and_published_on_this_machine_only() {
    let services = services();
    assert_eq!(services.len(), 6);

    for service in services {
        assert!(service.contains("*confined"), "{service}");
        assert!(
            service.contains("*limits") || service.contains("mem_limit:"),
            "{service}"
        );
        for line in service.lines().filter(|line| line.contains("ports:")) {
            assert!(line.contains("ports: [\"127.0.0.1:"), "{line}");
        }
        let images = service.lines().filter(|line| line.contains(" image: "));
        for image in images.filter(|line| !line.ends_with(" beanstock")) {
            let version = image.rsplit_once(':').unwrap().1;
            assert!(version.contains(|c: char| c.is_ascii_digit()), "{image}");
        }
    }
}

/// Compose builds services side by side, and two builds of one image end in an error.
#[test]
fn our_image_is_built_once() {
    let compose = read("docker-compose.yml");

    assert_eq!(compose.matches("build: .").count(), 1);
    let services = services();
    for service in services.iter().filter(|text| text.contains("beanstock")) {
        let has_image = service.contains("*image") || service.contains("image: ");
        assert!(has_image, "{service}");
    }
}

#[test]
fn secrets_are_in_the_env_file_only_and_proxies_are_those_of_the_network() {
    let compose = read("docker-compose.yml");
    let example = read(".env.example");

    for line in compose.lines().map(str::trim) {
        let Some((name, value)) = line.split_once(": ") else {
            continue;
        };
        let secret = ["_PASSWORD", "_KEY", "_KEY_ID"]
            .iter()
            .any(|end| name.ends_with(end));
        if secret && name != "MYSQL_RANDOM_ROOT_PASSWORD" {
            let variable = value.strip_prefix("${").and_then(|v| v.split(":?").next());
            let variable = variable.unwrap_or_else(|| panic!("{line}"));
            assert!(example.contains(&format!("\n{variable}=")), "{variable}");
        }
    }
    let subnet = compose.split("subnet: ").nth(1).unwrap();
    let subnet = subnet.split('}').next().unwrap();
    assert!(compose.contains(&format!("TRUSTED_PROXIES: {subnet}\n")));
}

#[test]
fn links_lead_somewhere() {
    let readme = ("README.md".to_owned(), read("README.md"));
    for (name, text) in files().into_iter().chain([readme]) {
        let folder = root().join(&name).parent().unwrap().to_owned();
        let links = text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next());
        let elsewhere = |link: &&str| !link.contains("://") && !link.starts_with('#');
        for link in links.filter(|link| is(&name, "md") && elsewhere(link)) {
            assert!(folder.join(link).exists(), "{name}: {link}");
        }
    }
}

#[test]
fn the_template_of_queues_and_topic_is_the_one_that_is_printed() {
    let printed = cloudformation::template(&Topology::new(&ResourceSettings::default()));
    let printed = serde_json::to_string_pretty(&printed).unwrap() + "\n";

    assert_eq!(
        read("deploy/messaging.json"),
        printed,
        "beanstock provision --print cloudformation > deploy/messaging.json"
    );
}

/// What `status --json` prints of a system that has nothing to do.
fn an_idle_status() -> Value {
    let status = serde_json::to_value(Status {
        accepted: 0,
        applied: 0,
        superseded: 0,
        waiting: 0,
        oldest_waiting_seconds: 0,
        oldest_waiting_since: None,
        oldest_unpublished_seconds: 0,
        oldest_unsent_alert_seconds: 0,
        dead_letters: 0,
        stream: Some(StreamStatus {
            unstreamed: 0,
            oldest_unstreamed_seconds: 0,
            behind_seconds: 0,
            unread_shards: 0,
            held_beans: 0,
            parked_records: 0,
        }),
        queue: None,
        dead_letter_queue: None,
    });
    status.unwrap()
}

#[test]
fn alarms_watch_our_queues_and_read_what_status_writes() {
    let resources = ResourceSettings::default();
    for name in ["deploy/alarms.json", "deploy/ecs.json"] {
        let parameters = &json(name)["Parameters"];
        assert_eq!(parameters["QueueName"]["Default"], resources.queue_name);
        assert_eq!(
            parameters["DeadLetterQueueName"]["Default"],
            resources.dead_letter_queue_name
        );
        assert_eq!(
            parameters["UndeliveredQueueName"]["Default"],
            resources.undelivered_queue_name
        );
    }
    let of_tasks = &json("deploy/ecs.json")["Parameters"];
    assert_eq!(
        of_tasks["AlertsQueueName"]["Default"],
        resources.alerts_queue_name
    );
    {}
    let status = an_idle_status();
    let alarms = json("deploy/alarms.json");
    let resources = alarms["Resources"].as_object().unwrap().values();
    let mut measured = BTreeSet::new();
    for resource in resources.clone() {
        if resource["Type"] == "AWS::Logs::MetricFilter" {
            let filter = &resource["Properties"];
            let metric = &filter["MetricTransformations"][0];
            let value = metric["MetricValue"].as_str().unwrap();
            let field = value.trim_start_matches('$').replace('.', "/");
            let found = status.pointer(&field);
            assert!(found.is_some_and(serde_json::Value::is_number), "{field}");
            assert_eq!(filter["FilterPattern"], format!("{{ {value} >= 0 }}"));
            // It would count for every other line of the log, and nobody measuring look like 0.
            assert_eq!(metric.get("DefaultValue"), None, "{field}");
            measured.insert(metric["MetricName"].as_str().unwrap());
        }
    }
    let watched = resources
        .map(|resource| &resource["Properties"])
        .filter(|alarm| alarm["Namespace"] == "Beanstock")
        .map(|alarm| alarm["MetricName"].as_str().unwrap());

    assert_eq!(measured, watched.collect());
}

#[test]
fn tasks_on_ecs_may_do_what_the_application_may_and_read_their_secret() {
    let account = AwsAccount::of("arn:aws:sns:us-east-1:123456789012:x").unwrap();
    let resources = ResourceSettings::default();
    // A stream has no name there until somebody gives it one.
    let topology = Topology::new(&resources).streaming(&resources, Some(""));
    let application = &iam::policies(&topology, &account)["application"];
    let template = json("deploy/ecs.json");
    let role = &template["Resources"]["TaskRole"]["Properties"];
    let mut statements = role["Policies"][0]["PolicyDocument"]["Statement"].clone();
    fill_in(&mut statements, &template["Parameters"]);

    let secret = serde_json::json!({
        "Sid": "ReadSecret",
        "Effect": "Allow",
        "Action": ["secretsmanager:GetSecretValue"],
        "Resource": "DatabaseSecretArn",
    });
    let mut wanted = application["Statement"].clone();
    wanted.as_array_mut().unwrap().push(secret);
    assert_eq!(statements, wanted);
}

/// Does what `CloudFormation` does with references and substitutions, in our test account.
fn fill_in(value: &mut Value, parameters: &Value) {
    if let Some(name) = value.get("Ref").and_then(Value::as_str) {
        let resources = ResourceSettings::default();
        let topic = |name: &str| format!("arn:aws:sns:us-east-1:123456789012:{name}");
        *value = match name {
            "TopicArn" => topic(&resources.topic_name).into(),
            "AlertsTopicArn" => topic(&resources.alerts_topic_name).into(),
            name => name.into(),
        };
    } else if let Some(text) = value.get("Fn::Sub").and_then(Value::as_str) {
        let mut text = text
            .replace("${AWS::Partition}", "aws")
            .replace("${AWS::Region}", "us-east-1")
            .replace("${AWS::AccountId}", "123456789012");
        for (name, parameter) in parameters.as_object().unwrap() {
            if let Some(default) = parameter["Default"].as_str() {
                text = text.replace(&format!("${{{name}}}"), default);
            }
        }
        *value = text.into();
    } else if let Some(values) = value.as_array_mut() {
        for value in values {
            fill_in(value, parameters);
        }
    } else if let Some(fields) = value.as_object_mut() {
        for value in fields.values_mut() {
            fill_in(value, parameters);
        }
    }
}

/// The scaling sets the number of copies; a number here would put it back at each deployment.
#[test]
fn copies_on_ecs_are_counted_by_the_scaling_alone() {
    let template = json("deploy/ecs.json");
    let resources = template["Resources"].as_object().unwrap().values();
    let services: Vec<&Value> = resources
        .filter(|resource| resource["Type"] == "AWS::ECS::Service")
        .collect();

    assert_eq!(services.len(), 2);
    for service in services {
        assert_eq!(service["Properties"].get("DesiredCount"), None);
    }
}

/// Visitors are sent to https, so somebody has to listen there.
#[test]
fn a_public_https_address_has_a_listener_on_elastic_beanstalk() {
    let options = json("deploy/elastic-beanstalk/.ebextensions/beanstock.config");
    let options = &options["option_settings"];
    let variables = &options["aws:elasticbeanstalk:application:environment"];

    let public = variables["PUBLIC_URL"].as_str().unwrap();
    assert!(public.starts_with("https://"), "{public}");
    assert_eq!(options["aws:elbv2:listener:443"]["Protocol"], "HTTPS");
}
