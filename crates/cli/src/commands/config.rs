use shortlist_gateway::Access;

use crate::args::ConfigCommand;
use crate::config::{Config, ConfigError, DEFAULT_CONFIG};
use crate::output;

/// `shortlist config init | check`.
pub(crate) fn run(command: &ConfigCommand) -> anyhow::Result<()> {
    match command {
        ConfigCommand::Init => output::line(DEFAULT_CONFIG.trim_end()),
        ConfigCommand::Check { file } => {
            let config = Config::read(file)?;
            // What it names must be there, too.
            Access::open(&config.gateway).map_err(ConfigError::Access)?;
            let events: Vec<_> = config.events.iter().map(|(name, _)| name).collect();
            output::line(&format!("{} can be used; event types: {}", file.display(), events.join(", ")));
        }
    }
    Ok(())
}
