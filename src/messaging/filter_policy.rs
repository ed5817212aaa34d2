//! Filter policies of SNS subscriptions: what AWS takes, and which messages they let through.
//!
//! From the SNS Developer Guide, "Amazon SNS subscription filter policies" and "Filter policy constraints".

use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::{Map, Value};

/// The most keys of a policy, and of all ways in which its values can be combined.
const MOST_KEYS: usize = 5;
const MOST_COMBINATIONS: usize = 150;

/// The longest policy.
const MOST_BYTES: usize = 256 * 1024;

/// The largest number, up or down from zero.
const MOST: f64 = 1e9;

/// A key that stands for alternatives.
const OR: &str = "$or";

/// What a policy looks at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Scope {
    #[default]
    MessageAttributes,
    MessageBody,
}

impl Scope {
    /// Reads the name that AWS has for it.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "MessageAttributes" => Some(Self::MessageAttributes),
            "MessageBody" => Some(Self::MessageBody),
            _ => None,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::MessageAttributes => "MessageAttributes",
            Self::MessageBody => "MessageBody",
        }
    }
}

/// A policy that AWS takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterPolicy {
    scope: Scope,
    keys: Map<String, Value>,
}

/// Why AWS does not take a policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilterPolicyError {
    #[error("a filter policy is a JSON object, like {{\"kind\":[\"delivery\"]}}")]
    NoObject,
    #[error("the values of {0:?} must be in a list, like [\"delivery\"], and one at least")]
    NoList(String),
    #[error("{0:?} has an object as its value, which only a policy for the message body may have")]
    Nested(String),
    #[error("{0} is no condition that SNS knows")]
    UnknownCondition(String),
    #[error("it is longer than 256 KB")]
    TooLong,
    #[error("it has {0} keys, and SNS takes {MOST_KEYS}")]
    TooManyKeys(usize),
    #[error("its values can be combined in {0} ways, and SNS takes {MOST_COMBINATIONS}")]
    TooManyCombinations(usize),
}

/// How much of SNS's limits a policy takes up.
#[derive(Debug, Clone, Copy)]
struct Size {
    keys: usize,
    combinations: usize,
}

impl FilterPolicy {
    /// Reads a policy.
    ///
    /// # Errors
    /// AWS would not take it.
    pub fn parse(text: &str, scope: Scope) -> Result<Self, FilterPolicyError> {
        if text.len() > MOST_BYTES {
            return Err(FilterPolicyError::TooLong);
        }
        let parsed = serde_json::from_str(text).ok();
        let Some(Value::Object(keys)) = parsed else {
            return Err(FilterPolicyError::NoObject);
        };
        let size = measure(&keys, scope, 1)?;
        if size.keys > MOST_KEYS {
            return Err(FilterPolicyError::TooManyKeys(size.keys));
        }
        if size.combinations > MOST_COMBINATIONS {
            return Err(FilterPolicyError::TooManyCombinations(size.combinations));
        }
        Ok(Self { scope, keys })
    }

    pub fn scope(&self) -> Scope {
        self.scope
    }

    /// Whether it lets a message through: one with such attributes, or with such a body. A body that is no JSON object
    /// does not pass a policy for bodies.
    pub fn lets_through(&self, attributes: &Map<String, Value>, body: &str) -> bool {
        match self.scope {
            Scope::MessageAttributes => object_matches(&self.keys, attributes),
            Scope::MessageBody => match serde_json::from_str(body) {
                Ok(Value::Object(body)) => object_matches(&self.keys, &body),
                _ => false,
            },
        }
    }
}

fn measure(
    keys: &Map<String, Value>,
    scope: Scope,
    depth: usize,
) -> Result<Size, FilterPolicyError> {
    let mut size = Size {
        keys: 0,
        combinations: 1,
    };
    for (key, value) in keys {
        let of_key = match value {
            Value::Array(conditions) if conditions.is_empty() => {
                return Err(FilterPolicyError::NoList(key.clone()));
            }
            Value::Array(policies) if key == OR => measure_alternatives(policies, scope, depth)?,
            Value::Array(conditions) => {
                conditions.iter().try_for_each(check_condition)?;
                Size {
                    keys: 1,
                    combinations: conditions.len() * depth,
                }
            }
            // Of a nested key, the parent alone counts.
            Value::Object(nested) if scope == Scope::MessageBody => Size {
                keys: 1,
                ..measure(nested, scope, depth + 1)?
            },
            Value::Object(_) => return Err(FilterPolicyError::Nested(key.clone())),
            _ => return Err(FilterPolicyError::NoList(key.clone())),
        };
        size.keys += of_key.keys;
        size.combinations = size.combinations.saturating_mul(of_key.combinations);
    }
    Ok(size)
}

fn measure_alternatives(
    policies: &[Value],
    scope: Scope,
    depth: usize,
) -> Result<Size, FilterPolicyError> {
    let mut size = Size {
        keys: 0,
        combinations: 0,
    };
    for policy in policies {
        let Value::Object(policy) = policy else {
            return Err(FilterPolicyError::NoList(OR.to_owned()));
        };
        let of_policy = measure(policy, scope, depth)?;
        size.keys += of_policy.keys;
        size.combinations += of_policy.combinations;
    }
    Ok(size)
}

fn check_condition(condition: &Value) -> Result<(), FilterPolicyError> {
    let unknown = || FilterPolicyError::UnknownCondition(condition.to_string());
    let Value::Object(operator) = condition else {
        let is_wrong = match condition {
            Value::Array(_) => true,
            Value::Number(number) => number.as_f64().is_none_or(|number| number.abs() > MOST),
            _ => false,
        };
        return if is_wrong { Err(unknown()) } else { Ok(()) };
    };
    let mut operators = operator.iter();
    let (Some((name, operand)), None) = (operators.next(), operators.next()) else {
        return Err(unknown());
    };
    let is_known = match name.as_str() {
        "prefix" | "suffix" | "equals-ignore-case" | "wildcard" => operand.is_string(),
        "cidr" => operand
            .as_str()
            .is_some_and(|cidr| cidr.parse::<IpNet>().is_ok()),
        "exists" => operand.is_boolean(),
        "numeric" => comparisons(operand).is_some(),
        "anything-but" => match operand {
            Value::Object(inner) => {
                inner.len() == 1
                    && inner.iter().all(|(name, value)| {
                        ["prefix", "suffix", "wildcard", "equals-ignore-case"]
                            .contains(&name.as_str())
                            && (value.is_string() || value.is_array())
                    })
            }
            Value::Array(values) => values.iter().all(|one| one.is_string() || one.is_number()),
            one => one.is_string() || one.is_number() || one.is_boolean(),
        },
        _ => false,
    };
    if is_known { Ok(()) } else { Err(unknown()) }
}

fn object_matches(policy: &Map<String, Value>, message: &Map<String, Value>) -> bool {
    policy
        .iter()
        .all(|(key, wanted)| key_matches(key, wanted, message))
}

fn key_matches(key: &str, wanted: &Value, message: &Map<String, Value>) -> bool {
    let any_policy = |policies: &[Value]| {
        let mut policies = policies.iter().filter_map(Value::as_object);
        policies.any(|policy| object_matches(policy, message))
    };
    match (wanted, message.get(key)) {
        (Value::Array(policies), None) if key == OR => any_policy(policies),
        (Value::Array(conditions), found) => conditions
            .iter()
            .any(|condition| condition_matches(condition, found)),
        (Value::Object(nested), Some(Value::Object(inner))) => object_matches(nested, inner),
        // Objects in a list are each looked at.
        (Value::Object(nested), Some(Value::Array(inner))) => inner
            .iter()
            .filter_map(Value::as_object)
            .any(|inner| object_matches(nested, inner)),
        (Value::Object(nested), None) => object_matches(nested, &Map::new()),
        _ => false,
    }
}

/// A value that is a list passes with any of its elements.
fn condition_matches(condition: &Value, found: Option<&Value>) -> bool {
    if let Some(exists) = condition.get("exists").and_then(Value::as_bool) {
        return found.is_some() == exists;
    }
    match found {
        None => false,
        Some(Value::Array(elements)) => elements.iter().any(|one| value_matches(condition, one)),
        Some(one) => value_matches(condition, one),
    }
}

fn value_matches(condition: &Value, value: &Value) -> bool {
    let Value::Object(operator) = condition else {
        return is_same(condition, value);
    };
    operator
        .iter()
        .all(|(name, operand)| operator_matches(name, operand, value))
}

fn is_same(one: &Value, other: &Value) -> bool {
    match (one.as_f64(), other.as_f64()) {
        (Some(one), Some(other)) => one.to_bits() == other.to_bits(),
        _ => one == other,
    }
}

fn operator_matches(name: &str, operand: &Value, value: &Value) -> bool {
    let text = value.as_str();
    let both = |test: fn(&str, &str) -> bool| {
        text.zip(operand.as_str())
            .is_some_and(|(text, operand)| test(text, operand))
    };
    match name {
        "prefix" => both(|text, prefix| text.starts_with(prefix)),
        "suffix" => both(|text, suffix| text.ends_with(suffix)),
        "equals-ignore-case" => both(|text, other| text.to_lowercase() == other.to_lowercase()),
        "wildcard" => both(fits_wildcard),
        "cidr" => both(|text, cidr| {
            let address = text.parse::<IpAddr>().ok();
            let network = cidr.parse::<IpNet>().ok();
            address
                .zip(network)
                .is_some_and(|(address, network)| network.contains(&address))
        }),
        "numeric" => comparisons(operand)
            .zip(value.as_f64())
            .is_some_and(|(comparisons, number)| comparisons.iter().all(|one| one.holds(number))),
        "anything-but" => !is_excluded(operand, value),
        _ => false,
    }
}

fn is_excluded(operand: &Value, value: &Value) -> bool {
    match operand {
        Value::Object(inner) => inner.iter().any(|(name, operand)| match operand {
            Value::Array(operands) => operands
                .iter()
                .any(|operand| operator_matches(name, operand, value)),
            operand => operator_matches(name, operand, value),
        }),
        Value::Array(values) => values.iter().any(|one| is_same(one, value)),
        one => is_same(one, value),
    }
}

/// Whether a text fits a pattern in which `*` stands for any characters.
fn fits_wildcard(text: &str, pattern: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else {
        return text == pattern;
    };
    let Some(mut text) = text.strip_prefix(start) else {
        return false;
    };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let end = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(at) = text.find(part) else {
            return false;
        };
        text = &text[at + part.len()..];
    }
    text.ends_with(end)
}

/// One comparison of a numeric condition.
struct Comparison<'a> {
    operator: &'a str,
    number: f64,
}

impl Comparison<'_> {
    fn holds(&self, value: f64) -> bool {
        match self.operator {
            "=" => value.to_bits() == self.number.to_bits(),
            "<" => value < self.number,
            "<=" => value <= self.number,
            ">" => value > self.number,
            ">=" => value >= self.number,
            _ => false,
        }
    }
}

/// The one or two comparisons of a numeric condition, like `[">=", 1, "<", 5]`.
fn comparisons(operand: &Value) -> Option<Vec<Comparison<'_>>> {
    let parts = operand.as_array()?;
    if parts.is_empty() || parts.len() > 4 || parts.len() % 2 == 1 {
        return None;
    }
    let pairs = parts.chunks(2).map(|pair| {
        let operator = pair[0].as_str()?;
        let is_known = ["=", "<", "<=", ">", ">="].contains(&operator);
        let number = pair[1].as_f64()?;
        is_known.then_some(Comparison { operator, number })
    });
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn lets(policy: &Value, attributes: &Value) -> bool {
        let policy = FilterPolicy::parse(&policy.to_string(), Scope::MessageAttributes).unwrap();
        policy.lets_through(attributes.as_object().unwrap(), "")
    }

    #[test]
    fn every_key_must_match_and_any_of_its_values_may() {
        let policy = json!({"kind": ["delivery", "return"], "supplier_id": [3]});

        assert!(lets(&policy, &json!({"kind": "return", "supplier_id": 3})));
        assert!(lets(
            &policy,
            &json!({"kind": "return", "supplier_id": 3.0})
        ));
        assert!(!lets(&policy, &json!({"kind": "count", "supplier_id": 3})));
        assert!(!lets(&policy, &json!({"kind": "return"})));
        assert!(!lets(
            &policy,
            &json!({"kind": "return", "supplier_id": "3"})
        ));
        assert!(lets(&json!({}), &json!({})));
    }

    #[test]
    fn each_operator_of_sns_is_understood() {
        for (condition, good, bad) in [
            (json!({"prefix": "bas"}), json!("baseball"), json!("rugby")),
            (json!({"suffix": "ball"}), json!("baseball"), json!("rugby")),
            (
                json!({"equals-ignore-case": "Tennis"}),
                json!("TENNIS"),
                json!("tenni"),
            ),
            (
                json!({"wildcard": "*b*ll"}),
                json!("baseball"),
                json!("balls"),
            ),
            (
                json!({"cidr": "10.0.0.0/24"}),
                json!("10.0.0.255"),
                json!("10.1.1.0"),
            ),
            (
                json!({"numeric": [">", 0, "<=", 150]}),
                json!(150),
                json!(151),
            ),
            (
                json!({"anything-but": ["rugby", "tennis"]}),
                json!(["rugby", "golf"]),
                json!("rugby"),
            ),
            (
                json!({"anything-but": {"prefix": "order-"}}),
                json!("data"),
                json!("order-7"),
            ),
            (
                json!("baseball"),
                json!(["rugby", "baseball"]),
                json!(["rugby"]),
            ),
        ] {
            let policy = json!({"sport": [condition]});
            assert!(lets(&policy, &json!({"sport": good})), "{policy}");
            assert!(!lets(&policy, &json!({"sport": bad})), "{policy}");
            assert!(!lets(&policy, &json!({})), "{policy} without the attribute");
        }
        assert!(lets(&json!({"sport": [{"exists": false}]}), &json!({})));
        assert!(!lets(
            &json!({"sport": [{"exists": false}]}),
            &json!({"sport": "golf"})
        ));
        let either = json!({"$or": [{"kind": ["a"]}, {"severity": ["b"]}]});
        assert!(lets(&either, &json!({"severity": "b"})));
        assert!(!lets(&either, &json!({"kind": "b"})));
    }

    #[test]
    fn a_policy_for_bodies_looks_into_objects() {
        let policy = r#"{"alerts": {"severity": ["critical"]}}"#;
        let policy = FilterPolicy::parse(policy, Scope::MessageBody).unwrap();
        let none = Map::new();

        let critical = r#"{"alerts":[{"severity":"warning"},{"severity":"critical"}]}"#;
        assert!(policy.lets_through(&none, critical));
        assert!(!policy.lets_through(&none, r#"{"alerts":[]}"#));
        assert!(!policy.lets_through(&none, "no JSON"));
    }

    #[test]
    fn what_sns_does_not_take_is_refused_with_its_rule() {
        let refused = |policy: &Value, scope| {
            FilterPolicy::parse(&policy.to_string(), scope)
                .unwrap_err()
                .to_string()
        };
        let attributes = Scope::MessageAttributes;
        let many: Vec<usize> = (0..151).collect();

        for (policy, rule) in [
            (json!([1]), "JSON object"),
            (json!({"a": "x"}), "must be in a list"),
            (json!({"a": {"b": ["x"]}}), "message body"),
            (json!({"a": [{"like": "x"}]}), "no condition"),
            (json!({"a": []}), "must be in a list"),
            (json!({"a": [2e9]}), "no condition"),
            (json!({"a": [{"numeric": [">"]}]}), "no condition"),
            (json!({"a": many}), "151 ways"),
            (
                json!({"a": [1], "b": [1], "c": [1], "d": [1], "e": [1], "f": [1]}),
                "6 keys",
            ),
        ] {
            let said = refused(&policy, attributes);
            assert!(said.contains(rule), "{policy}: {said}");
        }
        let nested = json!({"a": {"b": {"c": [1, 2, 3, 4]}}, "d": {"e": [1, 2, 3, 4, 5, 6, 7]}});
        let said = refused(&nested, Scope::MessageBody);
        assert!(said.contains("168 ways"), "{said}");
    }
}
