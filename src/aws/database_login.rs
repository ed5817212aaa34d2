//! How to authenticate to the database: with a fixed password, with a token for an AWS role, or with what
//! Secrets Manager keeps. Tokens and secrets change, so they are read again while we run.

use std::time::{Duration, SystemTime};

use anyhow::anyhow;
use aws_config::SdkConfig;
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_secretsmanager::config::ProvideCredentials as _;
use aws_sdk_secretsmanager::error::ProvideErrorMetadata as _;
use aws_sigv4::http_request::{
    SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign,
};
use aws_sigv4::sign::v4;
use serde::Deserialize;
use url::Url;

use crate::aws;
use crate::config::DatabaseLogin;
use crate::db::{Pool, PoolSettings};
use crate::shutdown::Shutdown;
use crate::telemetry::Streak;

/// How often credentials are read again: well within a token's fifteen minutes, and soon after a
/// secret was rotated.
const REFRESH: Duration = Duration::from_mins(1);

/// The longest that RDS accepts a token (RDS User Guide, "IAM database authentication").
const TOKEN_LIFETIME: Duration = Duration::from_mins(15);

/// How long AWS has to give them, all attempts and the search for our own credentials included.
const PATIENCE: Duration = Duration::from_secs(20);

/// Why there are no credentials for the database.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// AWS does not answer, or not now: try again later.
    #[error("{0:#}")]
    Unreachable(anyhow::Error),
    /// AWS refuses, or a setting is wrong: somebody has to act. The message names the setting.
    #[error("{0:#}")]
    Refused(anyhow::Error),
}

type Result<T> = std::result::Result<T, SignInError>;

fn refused(what: impl std::fmt::Display) -> SignInError {
    SignInError::Refused(anyhow!("{what}"))
}

/// Who we are to the database.
pub struct SignIn {
    pub user: String,
    /// The password, or a token in its place.
    pub password: String,
}

impl SignIn {
    /// Makes a connection to come use them.
    pub fn put_into(&self, settings: &mut PoolSettings) {
        let options = settings.options.clone();
        settings.options = options.username(&self.user).password(&self.password);
    }
}

/// Gets the credentials, if the settings do not have them already.
///
/// # Errors
/// AWS does not give them.
pub async fn sign_in(
    settings: &PoolSettings,
    login: &DatabaseLogin,
    aws: &SdkConfig,
) -> Result<Option<SignIn>> {
    let reading = async {
        match login {
            DatabaseLogin::Fixed => Ok(None),
            DatabaseLogin::IamToken => iam_token(settings, aws).await.map(Some),
            DatabaseLogin::Secret(id) => secret(id, aws).await.map(Some),
        }
    };
    let in_time = tokio::time::timeout(PATIENCE, reading).await;
    in_time.unwrap_or_else(|elapsed| {
        let late = anyhow!(elapsed).context("AWS does not say how to sign in to the database");
        Err(SignInError::Unreachable(late))
    })
}

/// Keeps the pool's credentials fresh until the program stops.
pub async fn keep_fresh(
    pool: Pool,
    settings: PoolSettings,
    login: DatabaseLogin,
    aws: SdkConfig,
    shutdown: Shutdown,
) {
    let mut streak = Streak::default();
    while login != DatabaseLogin::Fixed && shutdown.sleep(REFRESH).await.is_ok() {
        match sign_in(&settings, &login, &aws).await {
            Ok(Some(found)) => {
                streak.succeeded("reading the database's credentials");
                pool.sign_in_as(&found.user, &found.password);
            }
            Ok(None) => {}
            Err(error) => {
                streak.failed("reading the database's credentials", &error);
            }
        }
    }
}

async fn iam_token(settings: &PoolSettings, aws: &SdkConfig) -> Result<SignIn> {
    let region = aws.region().ok_or_else(|| {
        refused("DATABASE_AUTH=iam needs to know the region; set AWS_REGION, like us-east-1")
    })?;
    let provider = aws.credentials_provider();
    let provider = provider.ok_or_else(|| refused("DATABASE_AUTH=iam found no AWS credentials"))?;
    let identity = provider.provide_credentials().await;
    let identity = identity.map_err(|error| {
        let is_final = matches!(
            error,
            CredentialsError::CredentialsNotLoaded(_) | CredentialsError::InvalidConfiguration(_)
        );
        let error = anyhow!(error).context("DATABASE_AUTH=iam got no AWS credentials");
        sorted(is_final, error)
    })?;
    let options = &settings.options;
    let user = options.get_username().to_owned();
    let password = token(
        options.get_host(),
        options.get_port(),
        &user,
        region.as_ref(),
        identity,
        now(aws),
    )
    .map_err(SignInError::Refused)?;
    Ok(SignIn { user, password })
}

/// The SDK's time, which is the machine's.
fn now(aws: &SdkConfig) -> SystemTime {
    aws.time_source()
        .map_or(SystemTime::UNIX_EPOCH, |time| time.now())
}

/// Signs a request to connect; the signed address, without its scheme, is the password.
///
/// As in the RDS User Guide, "Connecting to your DB instance using IAM authentication".
fn token(
    host: &str,
    port: u16,
    user: &str,
    region: &str,
    credentials: aws_sdk_secretsmanager::config::Credentials,
    now: SystemTime,
) -> anyhow::Result<String> {
    let host = if host.contains(':') {
        format!("[{host}]")
    } else {
        host.to_owned()
    };
    let mut url = Url::parse(&format!("https://{host}:{port}/"))?;
    url.query_pairs_mut()
        .append_pair("Action", "connect")
        .append_pair("DBUser", user);
    let mut settings = SigningSettings::default();
    settings.expires_in = Some(TOKEN_LIFETIME);
    settings.signature_location = SignatureLocation::QueryParams;
    let identity = credentials.into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name("rds-db")
        .time(now)
        .settings(settings)
        .build()?;
    let request = SignableRequest::new(
        "GET",
        url.as_str(),
        std::iter::empty(),
        SignableBody::empty(),
    )?;
    let (signed, _signature) = sign(request, &params.into())?.into_parts();
    for (name, value) in signed.params() {
        url.query_pairs_mut().append_pair(name, value);
    }
    // A space is `+` in forms and `%20` everywhere else.
    let signed = String::from(url).replace('+', "%20");
    Ok(signed.trim_start_matches("https://").to_owned())
}

/// What Secrets Manager keeps for a database; RDS writes such secrets.
#[derive(Deserialize)]
struct DatabaseSecret {
    username: String,
    password: String,
}

fn sorted(is_final: bool, error: anyhow::Error) -> SignInError {
    if is_final {
        SignInError::Refused(error)
    } else {
        SignInError::Unreachable(error)
    }
}

/// What Secrets Manager answers when somebody has to act (its API Reference, `GetSecretValue` and
/// "Common errors"); all else may pass.
const REFUSALS: [&str; 10] = [
    "AccessDenied",
    "AccessDeniedException",
    "DecryptionFailure",
    "InvalidClientTokenId",
    "InvalidParameterException",
    "InvalidRequestException",
    "NotAuthorized",
    "ResourceNotFoundException",
    "UnrecognizedClientException",
    "ValidationError",
];

async fn secret(id: &str, aws: &SdkConfig) -> Result<SignIn> {
    let client = aws::secrets_manager_client(aws);
    let answer = client.get_secret_value().secret_id(id).send().await;
    let answer = answer.map_err(|error| {
        let is_final = error.code().is_some_and(|code| REFUSALS.contains(&code));
        let error = anyhow!(error).context(format!(
            "reading DATABASE_SECRET {id}; the role needs secretsmanager:GetSecretValue on it"
        ));
        sorted(is_final, error)
    })?;
    // What cannot be read is not quoted: it is a secret.
    let text = answer.secret_string().unwrap_or_default();
    let Ok(found) = serde_json::from_str::<DatabaseSecret>(text) else {
        return Err(refused(format!(
            "DATABASE_SECRET {id} is not what RDS writes: a JSON object with `username` and \
             `password`"
        )));
    };
    Ok(SignIn {
        user: found.username,
        password: found.password,
    })
}

#[cfg(test)]
mod tests {
    use aws_sdk_secretsmanager::config::Credentials;

    use super::*;

    /// The expected text is what botocore's `generate_db_auth_token` gives for the same input.
    #[test]
    fn a_token_is_the_one_other_aws_clients_make() {
        let credentials = Credentials::new(
            "AKIDEXAMPLE",
            "secret/key+1",
            Some("tok/en+=".to_owned()),
            None,
            "test",
        );
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_000_000);

        let token = token(
            "db.cluster-abc.us-east-1.rds.amazonaws.com",
            3306,
            "app",
            "us-east-1",
            credentials,
            now,
        );

        let token = token.unwrap();
        let (address, query) = token.split_once("/?").unwrap();
        let mut parameters: Vec<&str> = query.split('&').collect();
        parameters.sort_unstable();
        assert_eq!(address, "db.cluster-abc.us-east-1.rds.amazonaws.com:3306");
        assert_eq!(
            parameters,
            [
                "Action=connect",
                "DBUser=app",
                "X-Amz-Algorithm=AWS4-HMAC-SHA256",
                "X-Amz-Credential=AKIDEXAMPLE%2F20261118%2Fus-east-1%2Frds-db%2Faws4_request",
                "X-Amz-Date=20261118T110640Z",
                "X-Amz-Expires=900",
                "X-Amz-Security-Token=tok%2Fen%2B%3D",
                "X-Amz-Signature=\
                 49a84269426603121eda4e49261f0d174ac7d43df0433b2b463808cc18351946",
                "X-Amz-SignedHeaders=host",
            ]
        );
    }
}
