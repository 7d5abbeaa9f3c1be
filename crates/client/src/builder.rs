use std::sync::Arc;
use std::time::Duration;

use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, Endpoint};

use crate::Error;
use crate::client::{Client, Patience};
use crate::limits::{CONNECT_TIMEOUT, KEEP_ALIVE_INTERVAL, KEEP_ALIVE_TIMEOUT, RETRIES};
use crate::retry::Retries;

/// How a [`Client`] behaves; made by [`Client::builder`].
#[derive(Debug, Clone)]
pub struct ClientBuilder {
    url: String,
    api_key: Option<String>,
    deadline: Option<Duration>,
    retries: u32,
}

impl ClientBuilder {
    pub(crate) fn new(url: String) -> Self {
        Self { url, api_key: None, deadline: None, retries: RETRIES }
    }

    /// The key that the server asks for, sent as `authorization: Bearer KEY`.
    #[must_use]
    pub fn api_key(self, key: impl Into<String>) -> Self {
        Self { api_key: Some(key.into()), ..self }
    }

    /// How long each call may take, with all its repetitions. The server is told what is left of it, and does less
    /// rather than come late. Without it the server's own deadlines count, such as those of its surfaces, and the client
    /// gives up after 12 s, an erasure after 620 s.
    #[must_use]
    pub fn deadline(self, deadline: Duration) -> Self {
        Self { deadline: Some(deadline), ..self }
    }

    /// How often a call is sent again at most; 3 without it, 0 for never.
    #[must_use]
    pub fn retries(self, most: u32) -> Self {
        Self { retries: most, ..self }
    }

    /// Opens the connection.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a URL or key that cannot be one; [`Error::Unreachable`] if nobody takes the connection
    /// within 5 s.
    pub async fn connect(self) -> Result<Client, Error> {
        let connected = self.endpoint()?.connect().await;
        let channel = connected.map_err(|error| Error::Unreachable { reason: last_cause(&error) })?;
        self.client(channel)
    }

    /// Opens the connection with the first call. Needs a running tokio runtime.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a URL or key that cannot be one.
    pub fn connect_lazy(self) -> Result<Client, Error> {
        let channel = self.endpoint()?.connect_lazy();
        self.client(channel)
    }

    fn endpoint(&self) -> Result<Endpoint, Error> {
        let invalid = |reason: String| Error::Invalid { what: "url", reason };
        let shown = &self.url;
        let endpoint = Endpoint::from_shared(self.url.clone());
        let endpoint = endpoint.map_err(|_| invalid(format!("must be like http://127.0.0.1:8080, got {shown:?}")))?;
        if endpoint.uri().scheme_str() != Some("http") || endpoint.uri().host().is_none() {
            return Err(invalid(format!("must be like http://127.0.0.1:8080, got {shown:?}")));
        }
        Ok(endpoint
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
            .keep_alive_timeout(KEEP_ALIVE_TIMEOUT))
    }

    fn client(self, channel: Channel) -> Result<Client, Error> {
        let patience = Patience { deadline: self.deadline, retries: self.retries };
        let authorization = self.api_key.as_deref().map(bearer).transpose()?;
        Ok(Client::new(channel, authorization, patience, Arc::new(Retries::new())))
    }
}

fn bearer(key: &str) -> Result<MetadataValue<Ascii>, Error> {
    let mut value = MetadataValue::try_from(format!("Bearer {key}"))
        .map_err(|_| Error::Invalid { what: "api_key", reason: "must be printable ASCII".to_owned() })?;
    // Not to be shown where headers are logged.
    value.set_sensitive(true);
    Ok(value)
}

/// The innermost cause says what happened, such as that the connection was refused.
fn last_cause(error: &dyn std::error::Error) -> String {
    let mut last = error;
    while let Some(cause) = last.source() {
        last = cause;
    }
    last.to_string()
}
