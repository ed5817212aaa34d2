//! Signs messages to HTTP(S) endpoints, as SNS does with `SignatureVersion` 2, by a key of this process.

use std::sync::OnceLock;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertificateParams, PKCS_RSA_SHA256, RsaKeySize};

/// The path of the certificate, named as SNS names its own.
pub(super) const CERTIFICATE_PATH: &str = "/SimpleNotificationService-beanstock.pem";

/// The host that the certificate of SNS names.
const SUBJECT: &str = "sns.amazonaws.com";

/// A key, made when it is first used.
#[derive(Debug, Default)]
pub(super) struct Signer(OnceLock<Option<Keys>>);

#[derive(Debug)]
struct Keys {
    pair: KeyPair,
    certificate: String,
}

impl Signer {
    /// The signature of a text, in Base64.
    pub(super) fn sign(&self, text: &str) -> Option<String> {
        let pair = &self.keys()?.pair;
        let mut signature = vec![0; pair.public_modulus_len()];
        let random = SystemRandom::new();
        let signed = pair.sign(&RSA_PKCS1_SHA256, &random, text.as_bytes(), &mut signature);
        signed.ok().map(|()| STANDARD.encode(signature))
    }

    /// What signatures are verified with, as PEM.
    pub(super) fn certificate(&self) -> Option<&str> {
        Some(&self.keys()?.certificate)
    }

    fn keys(&self) -> Option<&Keys> {
        let keys = self.0.get_or_init(|| {
            Keys::generate()
                .inspect_err(|error| tracing::error!(%error, "no key to sign messages with"))
                .ok()
        });
        keys.as_ref()
    }
}

impl Keys {
    fn generate() -> anyhow::Result<Self> {
        let key = rcgen::KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)?;
        let certificate = CertificateParams::new([SUBJECT.to_owned()])?.self_signed(&key)?;
        let pair = KeyPair::from_pkcs8(&key.serialize_der())
            .map_err(|error| anyhow::anyhow!("the key cannot be read: {error}"))?;
        Ok(Self {
            pair,
            certificate: certificate.pem(),
        })
    }
}
