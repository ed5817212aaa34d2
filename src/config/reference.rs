//! Every setting in one table: what is expected, and an example. Error texts and
//! `deploy/settings.md` are written from it.

/// What a setting takes.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// The environment variable; the flag is the same in lower case with dashes.
    pub variable: &'static str,
    /// What is expected, to be read after "expected".
    pub expected: &'static str,
    /// A value that is accepted.
    pub example: &'static str,
    /// What holds without it, if that is no fixed value.
    pub without: &'static str,
}

const fn setting(
    variable: &'static str,
    expected: &'static str,
    example: &'static str,
    without: &'static str,
) -> Setting {
    Setting {
        variable,
        expected,
        example,
        without,
    }
}

const REQUIRED: &str = "–";
const NONE: &str = "–";
const DATABASE_EXAMPLE: &str = "mysql://user:password@host:3306/beanstock";
const QUEUE_EXAMPLE: &str = "https://sqs.us-east-1.amazonaws.com/123456789012/updated_beans.fifo";
const QUEUE: &str = "the URL of a queue";
const NAME: &str = "up to 75 letters, digits, - and _, and .fifo for FIFO";
const PORT: &str = "a port number from 0 to 65535 (0: any that is free)";
const YES_OR_NO: &str = "true or false";

/// Settings with a name of ours and one of the lab's, which counts only where ours is not set.
pub const LAB_NAMES: [(&str, &str); 6] = [
    ("DATABASE_URL", "APP_DB_HOST"),
    ("DATABASE_URL", "APP_DB_USER"),
    ("DATABASE_URL", "APP_DB_PASSWORD"),
    ("DATABASE_URL", "APP_DB_NAME"),
    ("QUEUE_URL", "SQS_ENDPOINT"),
    ("PORT", "APP_PORT"),
];

/// All settings, in the order of `deploy/settings.md`.
pub const SETTINGS: &[Setting] = &[
    setting(
        "DATABASE_URL",
        "a URL with a database",
        DATABASE_EXAMPLE,
        REQUIRED,
    ),
    setting(
        "APP_DB_HOST",
        "a host name, with a port if it is not 3306",
        "mydb.cluster-abc.us-east-1.rds.amazonaws.com",
        NONE,
    ),
    setting("APP_DB_USER", "a user name", "nodeapp", "root"),
    setting("APP_DB_PASSWORD", "a password", "coffee", NONE),
    setting("APP_DB_NAME", "a database's name", "COFFEE", "COFFEE"),
    setting(
        "DATABASE_TLS",
        "disabled, preferred, required or verify-identity",
        "verify-identity",
        "preferred for a local server, verify-identity with DATABASE_CA, else required",
    ),
    setting(
        "DATABASE_CA",
        "the path of a PEM file",
        "/etc/ssl/rds-global-bundle.pem",
        "the public authorities alone",
    ),
    setting("DATABASE_AUTH", "password or iam", "iam", ""),
    setting(
        "DATABASE_SECRET",
        "the ARN or name of a secret",
        "arn:aws:secretsmanager:us-east-1:123456789012:secret:beanstock-AbCdEf",
        NONE,
    ),
    setting("DATABASE_POOL_SIZE", "a number from 2 to 1000", "16", ""),
    setting("AWS_REGION", "a region", "us-east-1", "the SDK's"),
    setting("SQS_REGION", "a region", "us-east-1", "AWS_REGION"),
    setting(
        "AWS_ENDPOINT_URL",
        "an http or https URL",
        "http://127.0.0.1:4566",
        "AWS",
    ),
    setting(
        "AWS_ENDPOINT_URL_SQS",
        "an http or https URL",
        "https://vpce-0abc.sqs.us-east-1.vpce.amazonaws.com",
        "AWS_ENDPOINT_URL",
    ),
    setting(
        "AWS_ENDPOINT_URL_SNS",
        "an http or https URL",
        "https://vpce-0abc.sns.us-east-1.vpce.amazonaws.com",
        "AWS_ENDPOINT_URL",
    ),
    setting(
        "AWS_ENDPOINT_URL_KINESIS",
        "an http or https URL",
        "https://vpce-0abc.kinesis.us-east-1.vpce.amazonaws.com",
        "AWS_ENDPOINT_URL",
    ),
    setting(
        "AWS_ENDPOINT_URL_SECRETS_MANAGER",
        "an http or https URL",
        "https://vpce-0abc.secretsmanager.us-east-1.vpce.amazonaws.com",
        "AWS_ENDPOINT_URL",
    ),
    setting("QUEUE_URL", QUEUE, QUEUE_EXAMPLE, "nothing is polled"),
    setting("SQS_ENDPOINT", QUEUE, QUEUE_EXAMPLE, "QUEUE_URL"),
    setting(
        "DEAD_LETTER_QUEUE_URL",
        QUEUE,
        "https://sqs.us-east-1.amazonaws.com/123456789012/DeadLetterQueue.fifo",
        "by the queue's redrive policy",
    ),
    setting(
        "UNDELIVERED_QUEUE_URL",
        QUEUE,
        "https://sqs.us-east-1.amazonaws.com/123456789012/undelivered_beans.fifo",
        "it is not polled",
    ),
    setting(
        "ALERTS_QUEUE_URL",
        QUEUE,
        "https://sqs.us-east-1.amazonaws.com/123456789012/inventory_alerts",
        "people hear of it some seconds later",
    ),
    setting(
        "ALERTS_TOPIC_ARN",
        "the ARN of a topic",
        "arn:aws:sns:us-east-1:123456789012:beanstock_alerts",
        "nobody is told by SNS",
    ),
    setting(
        "TOPIC_ARN",
        "ARNs of topics with commas between them",
        "arn:aws:sns:us-east-1:123456789012:updated_beans_sns.fifo",
        "nothing is published, and messages of any topic are taken",
    ),
    setting(
        "SUPPLIER_TOPICS",
        "suppliers' numbers, each with = and the ARN of a topic, with commas between them",
        "3=arn:aws:sns:us-east-1:123456789012:beans_of_3.fifo",
        "no topic speaks for one supplier alone",
    ),
    setting(
        "SNS_TOPICS",
        "ARNs of topics with commas between them",
        "arn:aws:sns:eu-west-1:210987654321:beans_for_cafes",
        "`/sns` is not there",
    ),
    setting(
        "STREAM_NAME",
        "up to 128 letters, digits, -, _ and .",
        "stock_movements",
        "no movement is put on a stream; `local` uses `stock_movements`",
    ),
    setting(
        "VISIBILITY_TIMEOUT_IN_SEC",
        "seconds from 5 to 43200",
        "30",
        "",
    ),
    setting("LONG_POLL_WAIT_IN_SEC", "seconds from 0 to 20", "20", ""),
    setting("POLLERS", "a number from 1 to 64", "4", ""),
    setting("BATCH_SIZE", "a number from 1 to 1000", "50", ""),
    setting("COLLECT_DEAD_LETTERS", YES_OR_NO, "false", ""),
    setting("PORT", PORT, "8080", "8080"),
    setting("APP_PORT", PORT, "3000", "PORT"),
    setting("LISTEN_ADDRESS", "an IP address", "0.0.0.0", ""),
    setting(
        "PUBLIC_URL",
        "an http or https URL without a path",
        "https://beans.example.com",
        NONE,
    ),
    setting(
        "TRUSTED_PROXIES",
        "IP addresses or networks with commas between them",
        "10.0.0.0/16,192.168.1.7",
        "none",
    ),
    setting("SESSION_IDLE_IN_HOURS", "hours from 1 to 720", "12", ""),
    setting("SESSION_MAX_IN_DAYS", "days from 1 to 90", "14", ""),
    setting("SUPPLIERS_SEE_STOCK", YES_OR_NO, "true", ""),
    setting("PUBLIC_BEANS_JSON", YES_OR_NO, "false", ""),
    setting(
        "TIME_ZONE",
        "the IANA name of a time zone",
        "Europe/Berlin",
        "",
    ),
    setting(
        "SMTP_URL",
        "the URL of a mail server, smtps:// or smtp://",
        "smtps://user:password@smtp.example.com",
        "no mail is sent",
    ),
    setting(
        "MAIL_FROM",
        "an e-mail address",
        "beanstock@example.com",
        NONE,
    ),
    setting(
        "WEBHOOK_URLS",
        "https URLs with commas between them",
        "https://hooks.example.com/services/T000/B000",
        "no webhook is told",
    ),
    setting(
        "WEBHOOK_SECRET",
        "whsec_ and 24 to 64 bytes in Base64",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        NONE,
    ),
    setting("UNREADY_AFTER_IN_SEC", "seconds from 0 to 3600", "60", ""),
    setting(
        "DEMO_DATA",
        YES_OR_NO,
        "true",
        "true for `local`, else false",
    ),
    setting(
        "DEMO_PASSWORD",
        "a password of 12 characters or more",
        "four random words here",
        "made and kept in the data folder",
    ),
    setting("PROVISION", YES_OR_NO, "true", ""),
    setting("QUEUE_NAME", NAME, "updated_beans.fifo", ""),
    setting("DEAD_LETTER_QUEUE_NAME", NAME, "DeadLetterQueue.fifo", ""),
    setting("UNDELIVERED_QUEUE_NAME", NAME, "undelivered_beans.fifo", ""),
    setting("ALERTS_QUEUE_NAME", NAME, "inventory_alerts", ""),
    setting("TOPIC_NAME", NAME, "updated_beans_sns.fifo", ""),
    setting("ALERTS_TOPIC_NAME", NAME, "beanstock_alerts", ""),
    setting("MAX_RECEIVE_COUNT", "a number from 1 to 1000", "5", ""),
    setting(
        "STREAM_SHARDS",
        "a number from 1 to 200",
        "4",
        "on demand; `local` begins with 2",
    ),
    setting(
        "STREAM_RETENTION_IN_HOURS",
        "hours from 24 to 8760",
        "168",
        "",
    ),
    setting(
        "KMS_KEY",
        "the ARN, id or alias of a KMS key",
        "alias/beanstock",
        "the keys that SQS and Kinesis manage",
    ),
    setting(
        "SUPPLIER_TOPIC_NAMES",
        "suppliers' numbers, each with = and a name as above, with commas between them",
        "3=beans_of_3.fifo",
        "none",
    ),
    setting(
        "SUPPLIER_TOPIC_PUBLISHERS",
        "suppliers' numbers, each with = and the ARN of a user or role, or an account id, with commas between them",
        "3=210987654321",
        "the topic's own account",
    ),
    setting(
        "TOPIC_PUBLISHERS",
        "ARNs of users and roles, or account ids, with commas between them",
        "arn:aws:iam::123456789012:role/supplier-3,210987654321",
        "the topic's own account",
    ),
    setting(
        "APPLICATION_ROLE",
        "the ARN of a role",
        "arn:aws:iam::123456789012:role/aws-elasticbeanstalk-ec2-role",
        NONE,
    ),
    setting(
        "RESOURCE_TAGS",
        "key=value pairs with commas between them",
        "application=beanstock,stage=production",
        "",
    ),
    setting("LOCAL_AWS_PORT", PORT, "4566", ""),
    setting(
        "BEANSTOCK_DATA",
        "a folder",
        "./.beanstock",
        "`./.beanstock` for `local`; `local-aws` keeps nothing",
    ),
    setting("RUST_LOG", "a level or filters", "beanstock=debug", ""),
    setting("LOG_FORMAT", "text or json", "json", ""),
];

/// The entry for a variable.
pub fn find(variable: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.variable == variable)
}

/// Complains about a value. Values that may hold secrets are left out by the caller.
pub fn wrong(variable: &str, value: Option<&str>) -> String {
    let found = value.map_or_else(
        || format!("{variable} cannot be used"),
        |value| format!("{variable} is `{value}`, which cannot be used"),
    );
    format!("{found}; {}", expected(variable))
}

/// Complains about a setting that is not there.
pub fn missing(variable: &str, what_for: &str) -> String {
    format!(
        "{variable} is not set, and {what_for}; {}",
        expected(variable)
    )
}

fn expected(variable: &str) -> String {
    find(variable).map_or_else(String::new, |setting| {
        format!(
            "expected {}, for example {variable}={}",
            setting.expected, setting.example
        )
    })
}
