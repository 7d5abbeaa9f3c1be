use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener as BoundListener};
use std::path::PathBuf;

use anyhow::Context;
use shortlist_gateway::{Access, Role};
use tokio::net::TcpListener;

use crate::config::{Config, ConfigError};

/// Where a server is to listen, and by which keys it lets in, as the command line says.
#[derive(Debug, Clone)]
pub(crate) struct DoorArgs {
    pub(crate) listen: SocketAddr,
    pub(crate) admin_listen: Option<SocketAddr>,
    pub(crate) keys: Option<PathBuf>,
}

/// Ports that are taken, and what stands there.
pub(crate) struct Doors {
    pub(crate) api: BoundListener,
    pub(crate) admin: Option<BoundListener>,
    pub(crate) access: Access,
}

impl Doors {
    /// Reads the files that the configuration names, then takes the ports: before any long work, so that what is wrong
    /// is said at once.
    pub(crate) fn open(args: &DoorArgs, config: &Config) -> anyhow::Result<Self> {
        let mut gateway = config.gateway.clone();
        gateway.keys_file = args.keys.clone().or(gateway.keys_file);
        let access = Access::open(&gateway).map_err(ConfigError::Access)?;
        let asked = args.admin_listen.or(gateway.admin_listen);
        let admin = asked.unwrap_or_else(|| beside(args.listen));
        access.check(args.listen, admin).map_err(ConfigError::Access)?;
        let api = bind(args.listen, "--listen")?;
        // Without a key nobody could come in.
        let wants_admin = asked.is_some() || access.has_key(Role::Admin);
        let admin = wants_admin.then(|| bind(admin, "--admin-listen")).transpose()?;
        Ok(Self { api, admin, access })
    }

    /// The doors as the gateway takes them; says what anybody who runs the server should know.
    pub(crate) fn into_listening(self) -> std::io::Result<shortlist_gateway::Doors> {
        self.tell()?;
        let Self { api, admin, access } = self;
        let (api, admin) = (TcpListener::from_std(api)?, admin.map(TcpListener::from_std).transpose()?);
        Ok(shortlist_gateway::Doors { api, admin, access })
    }

    fn tell(&self) -> std::io::Result<()> {
        if !self.access.has_keys() {
            tracing::warn!(
                "there are no API keys: whoever reaches this loopback address may read and write; `shortlist keys new` \
                 makes one"
            );
        }
        match &self.admin {
            Some(admin) if !self.access.has_key(Role::Admin) => tracing::warn!(
                admin_address = %admin.local_addr()?,
                "no key has the role admin: whoever comes to the address for administrators is turned away"
            ),
            Some(admin) => tracing::info!(admin_address = %admin.local_addr()?, "serving administrators"),
            None => tracing::info!("no key has the role admin, so nothing listens for administrators"),
        }
        Ok(())
    }
}

/// Loopback, at the port after that of the API.
fn beside(listen: SocketAddr) -> SocketAddr {
    let port = if listen.port() == 0 { 0 } else { listen.port().checked_add(1).unwrap_or(0) };
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

fn bind(address: SocketAddr, option: &str) -> anyhow::Result<BoundListener> {
    let listener = BoundListener::bind(address)
        .with_context(|| format!("cannot listen on {address}; `{option}` takes another address"))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}
