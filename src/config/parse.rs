//! Reading single values. What was expected is told by [`super::reference`], so errors are short.

use std::net::IpAddr;
use std::str::FromStr as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono_tz::Tz;
use ipnet::IpNet;
use lettre::Address;
use url::Url;

use super::secret::Secret;

type Parsed<T> = Result<T, &'static str>;

fn web_url(text: &str) -> Parsed<Url> {
    let url = Url::parse(text.trim()).ok();
    url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        .ok_or("not an http or https URL")
}

/// An endpoint.
pub(super) fn endpoint(text: &str) -> Parsed<String> {
    web_url(text)?;
    Ok(text.trim().to_owned())
}

/// The site's own address: scheme, host and perhaps port.
pub(super) fn site(text: &str) -> Parsed<Url> {
    let url = web_url(text)?;
    let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    let nobody = url.username().is_empty() && url.password().is_none();
    if bare && nobody {
        Ok(url)
    } else {
        Err("more than scheme, host and port")
    }
}

/// `smtps://user:password@host`, or `smtp://host?tls=required` for a server that begins TLS itself. Without TLS no
/// password leaves this machine.
pub(super) fn mail_server(text: &str) -> Parsed<Secret> {
    let url: Url = text.trim().parse().map_err(|_not_one| "not a URL")?;
    if !["smtp", "smtps"].contains(&url.scheme()) {
        return Err("neither smtp nor smtps");
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err("without a host");
    }
    let has_tls = url.scheme() == "smtps" || url.query() == Some("tls=required");
    let is_here = url.host_str().is_some_and(|host| {
        let address: Option<IpAddr> = host.parse().ok();
        host == "localhost" || address.is_some_and(|address| address.is_loopback())
    });
    if url.password().is_some() && !has_tls && !is_here {
        return Err("a password without TLS (smtps://, or ?tls=required at its end)");
    }
    Ok(Secret(url.to_string()))
}

/// A webhook's URL, which may be a secret.
pub(super) fn webhook(text: &str) -> Parsed<Secret> {
    web_url(text).map(|url| Secret(url.to_string()))
}

/// A secret as Standard Webhooks writes it.
pub(super) fn webhook_secret(text: &str) -> Parsed<Secret> {
    let text = text.trim();
    let encoded = text.strip_prefix("whsec_").ok_or("without whsec_")?;
    let bytes = STANDARD.decode(encoded).map_err(|_not_one| "not Base64")?;
    if (24..=64).contains(&bytes.len()) {
        Ok(Secret(text.to_owned()))
    } else {
        Err("too short or too long")
    }
}

/// The address of a mailbox.
pub(super) fn mail_address(text: &str) -> Parsed<Address> {
    text.trim().parse().map_err(|_not_one| "not an address")
}

/// A queue's URL ends with the account and the queue's name.
pub(super) fn queue_url(text: &str) -> Parsed<String> {
    let url = web_url(text)?;
    let segments = url.path_segments().map_or(0, |segments| {
        segments.filter(|segment| !segment.is_empty()).count()
    });
    if segments < 2 {
        return Err("without the account and the name of a queue");
    }
    Ok(text.trim().to_owned())
}

/// `arn:partition:service:region:account:resource`.
pub(super) fn arn_of(text: &str, service: &str) -> Parsed<String> {
    let text = text.trim();
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    match parts[..] {
        ["arn", partition, found, _, _, resource]
            if found == service && !partition.is_empty() && !resource.is_empty() =>
        {
            Ok(text.to_owned())
        }
        _ => Err("not such an ARN"),
    }
}

/// A topic's ARN.
pub(super) fn topic_arn(text: &str) -> Parsed<String> {
    arn_of(text, "sns")
}

/// A supplier's number, and what is said of that supplier after `=`.
fn of_supplier<T>(text: &str, parse: impl Fn(&str) -> Parsed<T>) -> Parsed<(i64, T)> {
    let (supplier, rest) = text.split_once('=').ok_or("without =")?;
    let supplier = supplier.trim().parse().ok();
    let supplier = supplier.filter(|supplier| *supplier > 0);
    Ok((
        supplier.ok_or("without a supplier's number")?,
        parse(rest.trim())?,
    ))
}

/// The ARN of a supplier's own topic.
pub(super) fn supplier_topic(text: &str) -> Parsed<(i64, String)> {
    of_supplier(text, topic_arn)
}

/// The name of a supplier's own topic.
pub(crate) fn supplier_topic_name(text: &str) -> Parsed<(i64, String)> {
    of_supplier(text, resource_name)
}

/// Who may publish to a supplier's own topic.
pub(crate) fn supplier_publisher(text: &str) -> Parsed<(i64, String)> {
    of_supplier(text, principal)
}

/// A role's ARN.
pub(crate) fn role_arn(text: &str) -> Parsed<String> {
    arn_of(text, "iam").and_then(|arn| {
        let is_role = arn
            .split(':')
            .nth(5)
            .is_some_and(|name| name.starts_with("role/"));
        is_role.then_some(arn).ok_or("not a role")
    })
}

/// A KMS key's ARN, id or alias.
pub(crate) fn kms_key(text: &str) -> Parsed<String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_:/".contains(&byte);
    if text.starts_with("arn:") {
        return arn_of(text, "kms");
    }
    if !text.is_empty() && text.bytes().all(allowed) {
        Ok(text.to_owned())
    } else {
        Err("not a key")
    }
}

/// Somebody whom a policy may name: an ARN of IAM or STS, or an account's twelve digits.
pub(crate) fn principal(text: &str) -> Parsed<String> {
    let text = text.trim();
    let account = text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    if account {
        return Ok(text.to_owned());
    }
    if text.contains('*') {
        return Err("not one somebody");
    }
    arn_of(text, "iam").or_else(|_| arn_of(text, "sts"))
}

/// What to log, in the words of `tracing`'s filters.
pub(super) fn log_filter(text: &str) -> Parsed<String> {
    // A lone word that is no level would be taken for the name of a crate, and silence the rest.
    let levels = ["off", "error", "warn", "info", "debug", "trace"];
    let is_level = |word: &str| levels.contains(&word.to_lowercase().as_str());
    let is_part = |part: &str| part.contains('=') || part.contains("::") || is_level(part.trim());
    let known = text
        .split(',')
        .all(|part| is_part(part) || part.trim() == "beanstock");
    match tracing_subscriber::EnvFilter::try_new(text) {
        Ok(_) if known => Ok(text.to_owned()),
        _ => Err("not a filter"),
    }
}

/// The name of a region.
pub(super) fn region(text: &str) -> Parsed<String> {
    let text = text.trim();
    let letters = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if !text.is_empty() && text.bytes().all(letters) {
        Ok(text.to_owned())
    } else {
        Err("not a region")
    }
}

/// The name of a queue or topic; SQS allows 80 characters, `.fifo` included.
pub(crate) fn resource_name(text: &str) -> Parsed<String> {
    let stem = text.strip_suffix(".fifo").unwrap_or(text);
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if (1..=75).contains(&stem.len()) && stem.bytes().all(allowed) {
        Ok(text.to_owned())
    } else {
        Err("not a name")
    }
}

/// The name of a stream (Kinesis API Reference, `CreateStream`).
pub(crate) fn stream_name(text: &str) -> Parsed<String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if (1..=128).contains(&text.len()) && text.bytes().all(allowed) {
        Ok(text.to_owned())
    } else {
        Err("not a name")
    }
}

/// A time zone by its IANA name.
pub(super) fn time_zone(text: &str) -> Parsed<Tz> {
    text.trim().parse().map_err(|_unknown| "not a time zone")
}

/// An address or a network.
pub(super) fn network(text: &str) -> Parsed<IpNet> {
    let text = text.trim();
    // Compared with addresses in their simplest form, `1.2.3.4` for `::ffff:1.2.3.4`.
    let address = || {
        IpAddr::from_str(text)
            .ok()
            .map(|ip| IpNet::from(ip.to_canonical()))
    };
    let network = IpNet::from_str(text).ok().or_else(address);
    network.ok_or("not an address")
}

/// `key=value`, within what SQS and SNS both take.
pub(crate) fn tag(text: &str) -> Parsed<(String, String)> {
    let (key, value) = text.split_once('=').ok_or("without =")?;
    let (key, value) = (key.trim(), value.trim());
    if key.is_empty() || key.len() > 128 || value.len() > 256 {
        return Err("too short or too long");
    }
    Ok((key.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_url_names_account_and_queue() {
        assert!(queue_url("http://127.0.0.1:4566/000000000000/beans.fifo").is_ok());
        for bad in [
            "updated_beans.fifo",
            "https://sqs.us-east-1.amazonaws.com",
            "ftp://a/b/c",
        ] {
            assert!(queue_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_principal_is_an_arn_or_an_account() {
        for good in ["123456789012", "arn:aws:iam::123456789012:role/r"] {
            assert!(principal(good).is_ok(), "{good}");
        }
        for bad in [
            "*",
            "12345",
            "arn:aws:s3:::bucket",
            "arn:aws:iam::1:",
            "arn:aws:iam::1:user/*",
        ] {
            assert!(principal(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_misspelt_level_does_not_silence_the_log() {
        for good in [
            "info",
            "off",
            "WARN",
            "beanstock=debug,info",
            "info,hyper=warn",
        ] {
            assert!(log_filter(good).is_ok(), "{good}");
        }
        for bad in ["inof", "wr ong!", "beanstock=louder"] {
            assert!(log_filter(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_key_is_an_arn_an_id_or_an_alias() {
        for good in [
            "alias/beans",
            "1234abcd-12ab",
            "arn:aws:kms:us-east-1:1:key/2",
        ] {
            assert!(kms_key(good).is_ok(), "{good}");
        }
        for bad in [" ", "a b", "arn:aws:iam::1:role/x"] {
            assert!(kms_key(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_sites_address_has_no_path_and_no_password() {
        assert!(site("https://beans.example.com").is_ok());
        for bad in [
            "https://x.example/a",
            "https://u:p@x.example",
            "beans.example.com",
            "https://",
        ] {
            assert!(site(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_proxy_may_be_one_address_or_a_network() {
        assert!(
            network("10.0.0.0/16")
                .unwrap()
                .contains(&IpAddr::from([10, 0, 9, 9]))
        );
        assert!(network("::1").is_ok());
        assert!(network("10.0.0.0/33").is_err());
    }
}
