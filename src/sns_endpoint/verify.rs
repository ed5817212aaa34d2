//! Verifies a delivery's signature, and that it is of today.

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, TimeDelta, Utc};

use super::certificate;
use super::delivery::Delivery;
use super::error::DeliveryError;
use crate::messaging::signature::signed_text;

/// SNS tries for an hour at most, and each attempt may take a while (SNS Developer Guide, "Message delivery retries":
/// 3,600 s for HTTP/S). A replay is harmless anyway: a message counts once.
const AS_OLD_AS: TimeDelta = TimeDelta::hours(2);

/// Clocks differ by minutes.
const CLOCK_TOLERANCE: TimeDelta = TimeDelta::minutes(5);

/// Checks that SNS has signed it, and lately.
pub(super) fn check(
    delivery: &Delivery,
    certificate: &[u8],
    now: DateTime<Utc>,
) -> Result<(), DeliveryError> {
    const FORGED: DeliveryError = DeliveryError::Forged("it is not what SNS has signed");
    let certificate = certificate::read(certificate, now)?;
    let text = signed_text(&delivery.fields).ok_or(DeliveryError::Malformed(
        "a field that is signed is missing",
    ))?;
    let signature = STANDARD
        .decode(&delivery.signature)
        .map_err(|_no_base64| FORGED)?;
    let key = &certificate.public_key().subject_public_key.data;
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key)
        .verify(text.as_bytes(), &signature)
        .map_err(|_unspecified| FORGED)?;
    let age = now - delivery.timestamp;
    if age > AS_OLD_AS || age < -CLOCK_TOLERANCE {
        return Err(DeliveryError::Stale);
    }
    Ok(())
}
