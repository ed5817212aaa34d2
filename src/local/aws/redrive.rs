//! The redrive policies of subscriptions, which rustack refuses: kept, shown, and not acted on.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use axum::body::{Body, to_bytes};
use axum::response::Response;
use rustack_sns_http::response::xml_escape;
use rustack_sns_model::operations::SnsOperation;

const ATTRIBUTE: &str = "RedrivePolicy";

/// By the ARN of the subscription.
#[derive(Debug, Default)]
pub(crate) struct RedrivePolicies(Mutex<HashMap<String, String>>);

impl RedrivePolicies {
    /// Takes a policy out of rustack's hands; `None` if the request is about something else.
    pub(crate) fn set(
        &self,
        operation: SnsOperation,
        parameters: &[(String, String)],
        request_id: &str,
    ) -> Option<Response> {
        let about_policy = operation == SnsOperation::SetSubscriptionAttributes
            && value(parameters, "AttributeName") == Some(ATTRIBUTE);
        let arn = value(parameters, "SubscriptionArn").filter(|_| about_policy)?;
        let policy = value(parameters, "AttributeValue").unwrap_or_default();
        self.policies().insert(arn.to_owned(), policy.to_owned());
        let xml = format!(
            "<SetSubscriptionAttributesResponse><ResponseMetadata><RequestId>{request_id}\
             </RequestId></ResponseMetadata></SetSubscriptionAttributesResponse>"
        );
        let response = rustack_sns_http::response::xml_response(xml, request_id);
        Some(response.map(Body::new))
    }

    /// Adds the policy to the attributes that rustack lists.
    pub(crate) async fn show(
        &self,
        operation: SnsOperation,
        parameters: &[(String, String)],
        response: Response,
    ) -> Response {
        let policy = value(parameters, "SubscriptionArn")
            .filter(|_| operation == SnsOperation::GetSubscriptionAttributes)
            .and_then(|arn| self.policies().get(arn).cloned());
        let Some(policy) = policy else {
            return response;
        };
        let (mut parts, body) = response.into_parts();
        let xml = to_bytes(body, usize::MAX).await.unwrap_or_default();
        let entry = format!(
            "<entry><key>{ATTRIBUTE}</key><value>{}</value></entry></Attributes>",
            xml_escape(&policy)
        );
        let xml = String::from_utf8_lossy(&xml).replacen("</Attributes>", &entry, 1);
        parts.headers.remove(axum::http::header::CONTENT_LENGTH);
        Response::from_parts(parts, Body::from(xml))
    }

    fn policies(&self) -> std::sync::MutexGuard<'_, HashMap<String, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn value<'a>(parameters: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let found = parameters.iter().find(|(key, _)| key == name);
    found.map(|(_, value)| value.as_str())
}
