use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde::{Deserialize, Serialize};
use shortlist_types::InvalidInput;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;

/// `[gateway.tls]`: what the server shows who it is by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// PEM file of the certificate and those that sign it.
    pub certificate: PathBuf,
    /// PEM file of its private key.
    pub key: PathBuf,
}

/// What speaks TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1.
pub(super) fn acceptor(config: &TlsConfig) -> Result<TlsAcceptor, InvalidInput> {
    let refuse = |field: &'static str, path: &Path, reason: &dyn std::fmt::Display| {
        InvalidInput::new(field, format!("{} cannot be used: {reason}", path.display()))
    };
    let bad_chain = |reason: &dyn std::fmt::Display| refuse("certificate", &config.certificate, reason);
    let chain = CertificateDer::pem_file_iter(&config.certificate).map_err(|error| bad_chain(&error))?;
    let chain = chain.collect::<Result<Vec<_>, _>>().map_err(|error| bad_chain(&error))?;
    if chain.is_empty() {
        return Err(bad_chain(&"it holds no certificate"));
    }
    let key = PrivateKeyDer::from_pem_file(&config.key).map_err(|error| refuse("key", &config.key, &error))?;
    let builder =
        ServerConfig::builder_with_provider(Arc::new(default_provider())).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| bad_chain(&error))?.with_no_client_auth();
    let mut server = builder.with_single_cert(chain, key).map_err(|error| refuse("key", &config.key, &error))?;
    server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(server)))
}
