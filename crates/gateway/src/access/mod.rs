//! Who may come in: API keys with roles and rates, TLS, and the web pages that may call from a browser.
//!
//! Without keys everybody may do everything, so that only a loopback address may be listened on.

mod api_key;
mod authorize;
mod key_file;
mod keys;
mod role;
mod tls;

use std::net::SocketAddr;

use http::{HeaderName, HeaderValue, Method};
use shortlist_types::InvalidInput;
use tokio_rustls::TlsAcceptor;
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::GatewayConfig;
use crate::limits::CORS_MAX_AGE;
use crate::priority::PRIORITY_HEADER;

pub use api_key::ApiKey;
pub use key_file::{KeyEntry, KeyFile, KeyFileError};
pub use role::Role;
pub use tls::TlsConfig;

pub(crate) use authorize::{admit_admin, authorize};
pub(crate) use keys::Keys;

/// What stands at the door, as configured.
#[derive(Clone, Default)]
pub struct Access {
    pub(crate) keys: Option<Keys>,
    pub(crate) tls: Option<TlsAcceptor>,
    pub(crate) cors: Option<CorsLayer>,
}

impl Access {
    /// Reads the files that a configuration names.
    ///
    /// # Errors
    /// A file that cannot be read or holds something else; the error names the field, the file and the way out.
    pub fn open(config: &GatewayConfig) -> Result<Self, InvalidInput> {
        let keys = config.keys_file.as_deref().map(Keys::open).transpose();
        let tls = config.tls.as_ref().map(tls::acceptor).transpose();
        Ok(Self {
            keys: keys.map_err(|error| InvalidInput::new("gateway.keys_file", error.to_string()))?,
            tls: tls.map_err(|error| error.within("gateway.tls"))?,
            cors: cors(&config.cors_origins).map_err(|error| error.within("gateway"))?,
        })
    }

    /// Whether there are keys, so that not everybody may do everything.
    pub fn has_keys(&self) -> bool {
        self.keys.is_some()
    }

    /// Whether some key has this role or a greater one.
    pub fn has_key(&self, role: Role) -> bool {
        self.keys.as_ref().is_some_and(|keys| keys.have_role(role))
    }

    /// Whether these addresses may be listened on.
    ///
    /// # Errors
    /// An address beyond loopback without a key that it could ask for.
    pub fn check(&self, listen: SocketAddr, admin: SocketAddr) -> Result<(), InvalidInput> {
        if !listen.ip().is_loopback() && !self.has_keys() {
            let reason = format!(
                "{listen} can be reached from outside, and without keys whoever reaches it may read and write: make one \
                 with `shortlist keys new --role write --file keys.toml`, set `keys_file` in [gateway], or listen on \
                 127.0.0.1"
            );
            return Err(InvalidInput::new("listen", reason));
        }
        if !admin.ip().is_loopback() && !self.has_key(Role::Admin) {
            let reason = format!(
                "{admin} can be reached from outside, and no key has the role admin: make one with `shortlist keys new \
                 --role admin --file keys.toml`, or listen on 127.0.0.1"
            );
            return Err(InvalidInput::new("admin_listen", reason));
        }
        Ok(())
    }
}

/// What lets pages of these origins call from a browser; nothing does without one.
fn cors(origins: &[String]) -> Result<Option<CorsLayer>, InvalidInput> {
    let parse = |(i, origin): (usize, &String)| {
        let scheme = ["https://", "http://"].iter().find_map(|scheme| origin.strip_prefix(scheme));
        let is_origin = scheme.is_some_and(|host| !host.is_empty() && !host.contains(['/', '*', ' ', '?', '#', '@']));
        let value = HeaderValue::from_str(origin).ok().filter(|_| is_origin);
        value.ok_or_else(|| {
            let reason = format!("must be an origin such as \"https://shop.example\", got {origin:?}");
            InvalidInput::new(format!("cors_origins[{i}]"), reason)
        })
    };
    let origins = origins.iter().enumerate().map(parse).collect::<Result<Vec<_>, _>>()?;
    if origins.is_empty() {
        return Ok(None);
    }
    let ours = ["x-request-timeout", PRIORITY_HEADER].map(HeaderName::from_static);
    let headers = [http::header::AUTHORIZATION, http::header::CONTENT_TYPE].into_iter().chain(ours);
    let layer = CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers(headers.collect::<Vec<_>>())
        .expose_headers([HeaderName::from_static("x-request-id"), http::header::RETRY_AFTER])
        .max_age(CORS_MAX_AGE);
    Ok(Some(layer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_whole_and_named_one_by_one() {
        assert!(cors(&[]).unwrap().is_none());
        assert!(cors(&["https://shop.example".to_owned(), "http://localhost:3000".to_owned()]).unwrap().is_some());
        for bad in ["*", "https://*", "shop.example", "https://shop.example/", "https://", "https://a b"] {
            let error = cors(&[bad.to_owned()]).unwrap_err();
            assert_eq!(error.field, "cors_origins[0]", "{bad}");
        }
    }

    #[test]
    fn beyond_loopback_somebody_must_have_a_key() {
        let open = Access::default();
        let address = |text: &str| text.parse::<SocketAddr>().unwrap();
        let (loopback, beyond) = (address("127.0.0.1:1"), address("0.0.0.0:1"));
        open.check(loopback, address("[::1]:1")).unwrap();
        assert_eq!(open.check(beyond, loopback).unwrap_err().field, "listen");
        assert_eq!(open.check(loopback, beyond).unwrap_err().field, "admin_listen");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys.toml");
        KeyFile::add(&file, KeyEntry::new("reader", Role::Read, None, &ApiKey::draw().unwrap())).unwrap();
        let reader = Access { keys: Some(Keys::open(&file).unwrap()), ..Access::default() };
        reader.check(beyond, loopback).unwrap();
        assert_eq!(reader.check(beyond, beyond).unwrap_err().field, "admin_listen");
        KeyFile::add(&file, KeyEntry::new("admin", Role::Admin, None, &ApiKey::draw().unwrap())).unwrap();
        let admin = Access { keys: Some(Keys::open(&file).unwrap()), ..Access::default() };
        admin.check(beyond, beyond).unwrap();
    }
}
