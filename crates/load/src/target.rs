use std::net::SocketAddr;

use http::Uri;
use shortlist_client::{Client, Priority};

use crate::LoadError;

/// Where requests go.
#[derive(Debug, Clone)]
pub struct Target {
    pub(crate) address: SocketAddr,
    /// Host and port as they were given.
    pub(crate) authority: String,
    pub(crate) api_key: Option<String>,
}

impl Target {
    /// The server at a URL such as `http://127.0.0.1:8080`.
    ///
    /// # Errors
    /// [`LoadError::Target`] for what is no such URL; [`LoadError::Unreachable`] for a name without an address.
    pub async fn find(url: &str) -> Result<Self, LoadError> {
        let invalid = |reason: &str| LoadError::Target { url: url.to_owned(), reason: reason.to_owned() };
        let uri: Uri = url.parse().map_err(|_| invalid("it is no URL"))?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => return Err(invalid("the load is sent without TLS; take a listener that has none")),
            _ => return Err(invalid("it must begin with http://")),
        }
        if !matches!(uri.path_and_query().map(http::uri::PathAndQuery::as_str), None | Some("/")) {
            return Err(invalid("it must end after the port"));
        }
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'));
        let authority = authority.ok_or_else(|| invalid("it must name a host, and no user"))?;
        let target = format!("{}:{}", authority.host(), authority.port_u16().unwrap_or(80));
        let unreachable = |reason| LoadError::Unreachable { target: target.clone(), reason };
        let mut found = tokio::net::lookup_host(&target).await.map_err(|error| unreachable(error.to_string()))?;
        let address = found.next().ok_or_else(|| unreachable("the name has no address".to_owned()))?;
        Ok(Self { address, authority: target.clone(), api_key: None })
    }

    /// The same with a key that is sent along.
    #[must_use]
    pub fn with_api_key(self, api_key: Option<String>) -> Self {
        Self { api_key, ..self }
    }

    /// A gRPC client that sends each call once, and leaves deadlines to the server.
    pub(crate) async fn grpc(&self, priority: Priority) -> Result<Client, shortlist_client::Error> {
        let builder = Client::builder(format!("http://{}", self.authority)).retries(0);
        let client = match &self.api_key {
            Some(key) => builder.api_key(key).connect().await,
            None => builder.connect().await,
        };
        Ok(client?.with_priority(priority))
    }
}

impl From<SocketAddr> for Target {
    fn from(address: SocketAddr) -> Self {
        Self { address, authority: address.to_string(), api_key: None }
    }
}
