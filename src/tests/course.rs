//! What the course teaches of SNS, with the AWS SDK against the embedded endpoint: fan-out with filters, a text for each
//! protocol, endpoints that confirm, fail and end, and what SNS refuses.

use std::collections::HashMap;
use std::sync::Mutex;

use aws_sdk_sns::types::{MessageAttributeValue, PublishBatchRequestEntry};
use aws_sdk_sqs::types::{Message, QueueAttributeName};
use beanstock::aws;
use beanstock::local::aws::Keeping;
use beanstock::local::sdk_config;
use beanstock::messaging::sqs::is_fifo;
use beanstock::outgoing::{Outgoing, Way};
use beanstock::shutdown::Shutdown;
use serde_json::{Value, json};

use crate::support::app::endpoint_keeping;
use crate::support::endpoint::HttpEndpoint;
use crate::support::process::until;

/// An embedded endpoint and its clients.
struct Course {
    outgoing: Outgoing,
    sns: aws_sdk_sns::Client,
    sqs: aws_sdk_sqs::Client,
    shutdown: Shutdown,
    own: String,
}

impl Drop for Course {
    fn drop(&mut self) {
        self.shutdown.soft.cancel();
        self.shutdown.hard.cancel();
    }
}

impl Course {
    async fn begin() -> Self {
        Self::begin_keeping(Keeping::default()).await
    }

    async fn begin_keeping(keeping: Keeping) -> Self {
        let shutdown = Shutdown::default();
        let outgoing = keeping.outgoing.clone();
        // `.ci/moto` names another SNS and SQS.
        let url = match std::env::var("TEST_AWS_ENDPOINT_URL") {
            Ok(url) => url,
            Err(_) => endpoint_keeping(keeping, &shutdown).await.url().to_owned(),
        };
        let sdk = sdk_config(&url).await;
        Self {
            outgoing,
            sns: aws::sns_client(&sdk),
            sqs: aws::sqs_client(&sdk, std::time::Duration::ZERO),
            shutdown,
            own: uuid::Uuid::now_v7().simple().to_string(),
        }
    }

    /// A name that no other course has.
    fn named(&self, name: &str) -> String {
        match name.strip_suffix(".fifo") {
            Some(name) => format!("{name}_{}.fifo", self.own),
            None => format!("{name}_{}", self.own),
        }
    }

    async fn topic(&self, name: &str) -> String {
        let mut request = self.sns.create_topic().name(self.named(name));
        if is_fifo(name) {
            request = request.attributes("FifoTopic", "true");
        }
        request.send().await.unwrap().topic_arn.unwrap()
    }

    async fn queue(&self, name: &str) -> String {
        let name = self.named(name);
        let mut request = self.sqs.create_queue().queue_name(&name);
        if is_fifo(&name) {
            request = request.attributes(QueueAttributeName::FifoQueue, "true");
        }
        request.send().await.unwrap();
        format!("arn:aws:sqs:us-east-1:000000000000:{name}")
    }

    async fn try_to_subscribe(
        &self,
        topic: &str,
        protocol: &str,
        endpoint: &str,
        attributes: &[(&str, &str)],
    ) -> Result<String, String> {
        let request = self.sns.subscribe().topic_arn(topic).protocol(protocol);
        let attributes = attributes.iter();
        let attributes: HashMap<String, String> = attributes
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let request = request.endpoint(endpoint).set_attributes(Some(attributes));
        let answer = request.return_subscription_arn(true).send().await;
        answer
            .map(|answer| answer.subscription_arn.unwrap())
            .map_err(|error| error.into_service_error().to_string())
    }

    async fn subscribe(
        &self,
        topic: &str,
        protocol: &str,
        endpoint: &str,
        attributes: &[(&str, &str)],
    ) -> String {
        let answer = self
            .try_to_subscribe(topic, protocol, endpoint, attributes)
            .await;
        answer.unwrap()
    }

    async fn publish(&self, topic: &str, text: &str, attributes: &[(&str, &str, &str)]) {
        let mut request = self.sns.publish().topic_arn(topic).message(text);
        for (name, kind, value) in attributes {
            request = request.message_attributes(*name, attribute(kind, value));
        }
        request.send().await.unwrap();
    }

    async fn messages(&self, queue_arn: &str) -> Vec<Message> {
        let name = queue_arn.rsplit(':').next().unwrap();
        let url = self.sqs.get_queue_url().queue_name(name).send().await;
        let receive = self
            .sqs
            .receive_message()
            .queue_url(url.unwrap().queue_url.unwrap());
        let receive = receive
            .max_number_of_messages(10)
            .message_attribute_names("All");
        receive.send().await.unwrap().messages.unwrap_or_default()
    }

    async fn bodies(&self, queue_arn: &str) -> Vec<String> {
        let messages = self.messages(queue_arn).await.into_iter();
        messages.map(|message| message.body.unwrap()).collect()
    }

    async fn attributes_of(&self, subscription: &str) -> HashMap<String, String> {
        let request = self.sns.get_subscription_attributes();
        let answer = request.subscription_arn(subscription).send().await;
        answer.unwrap().attributes.unwrap()
    }

    /// Subscribes an HTTP endpoint and confirms it, as an endpoint does.
    async fn subscribe_http(
        &self,
        topic: &str,
        endpoint: &HttpEndpoint,
        attributes: &[(&str, &str)],
    ) -> String {
        let arn = self
            .subscribe(topic, "http", &endpoint.url, attributes)
            .await;
        until("it is asked to confirm", async || {
            !endpoint.received_of("SubscriptionConfirmation").is_empty()
        })
        .await;
        let asked = endpoint.received_of("SubscriptionConfirmation").remove(0);
        let confirm = self.sns.confirm_subscription().topic_arn(topic);
        let token = asked.json()["Token"].as_str().unwrap().to_owned();
        let confirmed = confirm.token(token).send().await.unwrap();
        assert_eq!(confirmed.subscription_arn(), Some(arn.as_str()));
        arn
    }
}

fn attribute(kind: &str, value: &str) -> MessageAttributeValue {
    let attribute = MessageAttributeValue::builder().data_type(kind);
    attribute.string_value(value).build().unwrap()
}

#[tokio::test]
async fn a_message_fans_out_to_two_queues_by_their_filters() {
    let course = Course::begin().await;
    let topic = course.topic("deliveries").await;
    let (some, all) = (course.queue("some").await, course.queue("all").await);
    let filter = r#"{"kind":["delivery"],"bags":[{"numeric":[">=",10]}]}"#;
    course
        .subscribe(&topic, "sqs", &some, &[("FilterPolicy", filter)])
        .await;
    let raw = [("RawMessageDelivery", "true")];
    course.subscribe(&topic, "sqs", &all, &raw).await;

    for (text, kind, bags) in [
        ("few", "delivery", "9"),
        ("many", "delivery", "10"),
        ("count", "count", "99"),
    ] {
        let attributes = [("kind", "String", kind), ("bags", "Number", bags)];
        course.publish(&topic, text, &attributes).await;
    }

    let filtered = course.bodies(&some).await;
    assert_eq!(filtered.len(), 1, "{filtered:?}");
    let envelope: Value = serde_json::from_str(&filtered[0]).unwrap();
    assert_eq!(envelope["Message"], "many");
    assert_eq!(
        envelope["MessageAttributes"]["bags"],
        json!({"Type": "Number", "Value": "10"})
    );
    let raw = course.messages(&all).await;
    let texts: Vec<&str> = raw.iter().filter_map(Message::body).collect();
    assert_eq!(texts, ["few", "many", "count"]);
    let attributes = raw[0].message_attributes().unwrap();
    assert_eq!(attributes["kind"].string_value(), Some("delivery"));
}

#[tokio::test]
async fn a_filter_for_bodies_and_one_for_lists_of_values_are_understood() {
    let course = Course::begin().await;
    let topic = course.topic("alerts").await;
    let (critical, of_three) = (
        course.queue("critical").await,
        course.queue("of_three").await,
    );
    let by_body = [
        ("FilterPolicyScope", "MessageBody"),
        ("FilterPolicy", r#"{"alerts":{"severity":["critical"]}}"#),
    ];
    course.subscribe(&topic, "sqs", &critical, &by_body).await;
    let by_list = [("FilterPolicy", r#"{"supplier_id":["3"]}"#)];
    course.subscribe(&topic, "sqs", &of_three, &by_list).await;

    let alert = r#"{"alerts":[{"severity":"critical"}]}"#;
    let suppliers = [("supplier_id", "String.Array", r#"["1","3"]"#)];
    course.publish(&topic, alert, &suppliers).await;
    course.publish(&topic, "no JSON", &[]).await;

    assert_eq!(course.bodies(&critical).await.len(), 1);
    assert_eq!(course.bodies(&of_three).await.len(), 1);
}

#[tokio::test]
async fn each_protocol_gets_its_own_text_of_a_structured_message() {
    let course = Course::begin().await;
    let topic = course.topic("alerts").await;
    let queue = course.queue("programs").await;
    course.subscribe(&topic, "sqs", &queue, &[]).await;
    course.subscribe(&topic, "sms", "+14155550100", &[]).await;
    course
        .subscribe(&topic, "email", "owner@example.com", &[])
        .await;
    let mails = course.outgoing.list();
    let link = mails[0].link.clone().unwrap();
    let browser = reqwest::Client::new()
        .get(&link)
        .header("accept", "text/html");
    let page = browser.send().await.unwrap().text().await.unwrap();
    let confirmed = reqwest::get(link).await.unwrap();
    let parts = json!({"default": "{}", "email": "Excelsa is out.", "sms": "Out!"});

    let publish = course.sns.publish().topic_arn(&topic);
    publish
        .message(parts.to_string())
        .message_structure("json")
        .subject("Beans")
        .send()
        .await
        .unwrap();
    let direct = course.sns.publish().phone_number("+14155550101");
    direct.message("Hello").send().await.unwrap();

    assert!(page.contains("The subscription is confirmed."), "{page}");
    assert!(confirmed.status().is_success());
    let links = course.outgoing.list().into_iter();
    assert_eq!(links.filter_map(|sent| sent.link).count(), 0);
    let envelope: Value = serde_json::from_str(&course.bodies(&queue).await[0]).unwrap();
    assert_eq!(envelope["Message"], "{}");
    let sent = course.outgoing.list();
    let to = |way: Way| {
        let of_way = sent.iter().filter(move |dispatch| dispatch.way == way);
        of_way.map(|dispatch| (dispatch.to.as_str(), dispatch.body.as_str()))
    };
    let texts: Vec<_> = to(Way::Sms).collect();
    assert_eq!(texts, [("+14155550101", "Hello"), ("+14155550100", "Out!")]);
    let mail = &sent[1..].iter().find(|one| one.way == Way::Email).unwrap();
    assert_eq!(mail.subject, "Beans");
    assert!(mail.body.starts_with("Excelsa is out.\n"), "{}", mail.body);
    assert!(mail.body.contains("Action=Unsubscribe"), "{}", mail.body);
}

/// The text in a message's envelope.
fn text_of(message: &Message) -> String {
    let envelope: Value = serde_json::from_str(message.body().unwrap()).unwrap();
    envelope["Message"].as_str().unwrap().to_owned()
}

/// Why a dead letter could not be delivered.
fn why(message: &Message) -> &str {
    let attributes = message.message_attributes().unwrap();
    attributes["ErrorMessage"].string_value().unwrap()
}

#[tokio::test]
async fn an_endpoint_that_fails_is_tried_again_and_ends_in_the_dead_letter_queue() {
    let course = Course::begin().await;
    let topic = course.topic("alerts").await;
    let (dead_letters, endpoint) = (course.queue("dead").await, HttpEndpoint::start().await);
    let redrive = json!({"deadLetterTargetArn": dead_letters}).to_string();
    let delivery = json!({"healthyRetryPolicy": {"numRetries": 1, "minDelayTarget": 1}});
    let attributes = [
        ("RedrivePolicy", redrive.as_str()),
        ("DeliveryPolicy", &delivery.to_string()),
    ];
    course.subscribe_http(&topic, &endpoint, &attributes).await;

    course.publish(&topic, "fine", &[]).await;
    until("it has got the first", async || {
        endpoint.received_of("Notification").len() == 1
    })
    .await;
    endpoint.answer(&[503, 200, 500, 500]);
    course.publish(&topic, "late", &[]).await;
    until("it has got the second", async || {
        endpoint.received_of("Notification").len() == 3
    })
    .await;
    course.publish(&topic, "never", &[]).await;
    until("it has refused the third twice", async || {
        endpoint.received_of("Notification").len() == 5
    })
    .await;
    endpoint.answer(&[404]);
    course.publish(&topic, "refused", &[]).await;
    until("it has refused the fourth", async || {
        endpoint.received_of("Notification").len() == 6
    })
    .await;

    let kept: Mutex<Vec<Message>> = Mutex::default();
    until("both are dead letters", async || {
        let more = course.messages(&dead_letters).await;
        let mut kept = kept.lock().unwrap();
        kept.extend(more);
        kept.len() == 2
    })
    .await;
    let kept = kept.into_inner().unwrap();
    let mut texts: Vec<String> = kept.iter().map(text_of).collect();
    texts.sort();
    assert_eq!(texts, ["never", "refused"]);
    assert!(kept.iter().any(|message| why(message).contains("404")));
    let first = &endpoint.received_of("Notification")[0];
    assert_eq!(first.header("x-amz-sns-topic-arn"), topic);
    assert_eq!(first.header("content-type"), "text/plain; charset=UTF-8");
    let shown = course.outgoing.list();
    let late = shown.iter().find(|one| one.body.contains("late")).unwrap();
    let outcomes: Vec<&str> = late
        .attempts
        .iter()
        .map(|attempt| attempt.outcome.as_str())
        .collect();
    assert_eq!(
        outcomes,
        ["answered 503 Service Unavailable", "answered 200 OK"]
    );
}

#[tokio::test]
async fn who_has_not_confirmed_or_has_unsubscribed_gets_nothing() {
    let course = Course::begin().await;
    let topic = course.topic("alerts").await;
    let (early, late) = (HttpEndpoint::start().await, HttpEndpoint::start().await);
    let pending = course.subscribe(&topic, "http", &early.url, &[]).await;
    let subscription = course.subscribe_http(&topic, &late, &[]).await;
    let list = course.sns.list_subscriptions_by_topic().topic_arn(&topic);
    let listed = list.send().await.unwrap();
    let wrong = course.sns.confirm_subscription().topic_arn(&topic);
    let wrong = wrong.token("guessed").send().await;

    course.publish(&topic, "one", &[]).await;
    until("who has confirmed got it", async || {
        late.received_of("Notification").len() == 1
    })
    .await;
    let attributes = course.attributes_of(&pending).await;
    let end = course.sns.unsubscribe().subscription_arn(&subscription);
    end.send().await.unwrap();
    until("it is told of the end", async || {
        late.received_of("UnsubscribeConfirmation").len() == 1
    })
    .await;
    let third = HttpEndpoint::start().await;
    course.subscribe_http(&topic, &third, &[]).await;
    course.publish(&topic, "two", &[]).await;
    until("who subscribed last got it", async || {
        third.received_of("Notification").len() == 1
    })
    .await;
    let described = course.sns.get_topic_attributes().topic_arn(&topic);
    let described = described.send().await.unwrap().attributes.unwrap();

    let arns: Vec<&str> = listed
        .subscriptions()
        .iter()
        .filter_map(|one| one.subscription_arn())
        .collect();
    assert_eq!(arns, ["PendingConfirmation", subscription.as_str()]);
    assert!(wrong.is_err());
    assert_eq!(attributes["PendingConfirmation"], "true");
    assert!(early.received_of("Notification").is_empty());
    assert_eq!(late.received_of("Notification").len(), 1);
    assert_eq!(described["SubscriptionsPending"], "1");
    assert_eq!(described["SubscriptionsConfirmed"], "1");
}

#[tokio::test]
async fn on_a_fifo_topic_repeats_are_dropped_and_queues_of_both_kinds_are_told() {
    let course = Course::begin().await;
    let topic = course.topic("updates.fifo").await;
    let (fifo, standard) = (
        course.queue("fifo.fifo").await,
        course.queue("standard").await,
    );
    course.subscribe(&topic, "sqs", &fifo, &[]).await;
    course.subscribe(&topic, "sqs", &standard, &[]).await;

    let entry = |id: &str, text: &str, deduplication_id: &str| {
        let entry = PublishBatchRequestEntry::builder().id(id).message(text);
        let entry = entry.message_group_id("g");
        entry
            .message_deduplication_id(deduplication_id)
            .build()
            .unwrap()
    };
    let batch = course.sns.publish_batch().topic_arn(&topic);
    let answer = batch
        .publish_batch_request_entries(entry("a", "1", "x"))
        .publish_batch_request_entries(entry("b", "1 again", "x"))
        .publish_batch_request_entries(entry("c", "2", "y"))
        .send()
        .await
        .unwrap();

    assert_eq!(answer.successful().len(), 3);
    let messages = course.bodies(&standard).await;
    let texts: Vec<Value> = messages
        .iter()
        .map(|body| serde_json::from_str::<Value>(body).unwrap()["Message"].clone())
        .collect();
    assert_eq!(texts, ["1", "2"], "the repeat is dropped");
    let first = &course.messages(&fifo).await[0];
    assert_eq!(text_of(first), "1");
}

#[tokio::test]
async fn what_sns_refuses_is_refused() {
    let course = Course::begin().await;
    let (fifo, standard) = (
        course.topic("updates.fifo").await,
        course.topic("alerts").await,
    );
    let (queue, fifo_queue) = (course.queue("q").await, course.queue("q.fifo").await);
    let policy = |value: &'static str| [("FilterPolicy", value)];
    let redrive = json!({"deadLetterTargetArn": fifo_queue}).to_string();
    let raw = [("RawMessageDelivery", "true")];
    let no_queue = queue.replace(":q_", ":other_");

    for (topic, protocol, endpoint, attributes, rule) in [
        (&fifo, "email", "a@example.com", &[][..], "standard topic"),
        (&standard, "sqs", &fifo_queue, &[], "FIFO queue"),
        (&standard, "sqs", &no_queue, &[], "no queue"),
        (&standard, "https", "http://example.com", &[], "https://"),
        (&standard, "email", "a@example.com", &raw, "envelope"),
        (&standard, "sqs", &queue, &policy(r#"{"a":"b"}"#), "list"),
        (
            &standard,
            "sqs",
            &queue,
            &[("RedrivePolicy", redrive.as_str())],
            "standard queue",
        ),
        (&standard, "carrier-pigeon", "x", &[], "not known"),
    ] {
        let answer = course
            .try_to_subscribe(topic, protocol, endpoint, attributes)
            .await;
        let said = answer.unwrap_err();
        assert!(said.contains(rule), "{protocol} {endpoint}: {said}");
    }
    let list = course.sns.list_subscriptions().send().await.unwrap();
    assert!(list.subscriptions().is_empty());
}

#[tokio::test]
async fn people_and_endpoints_stay_subscribed_over_a_restart() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let keeping = Keeping {
        subscriptions: Some(folder.path().join("subscriptions.json")),
        ..Keeping::default()
    };
    let before = Course::begin_keeping(keeping.clone()).await;
    let topic = before.topic("alerts").await;
    before.subscribe(&topic, "sms", "+14155550100", &[]).await;
    let queue = before.queue("q").await;
    before.subscribe(&topic, "sqs", &queue, &[]).await;
    let own = before.own.clone();
    drop(before);

    let mut after = Course::begin_keeping(keeping).await;
    after.own = own;
    after.topic("alerts").await;
    after.publish(&topic, "still there", &[]).await;
    let list = after.sns.list_subscriptions().send().await.unwrap();

    assert_eq!(list.subscriptions().len(), 1);
    assert_eq!(after.outgoing.list()[0].body, "still there");
}
