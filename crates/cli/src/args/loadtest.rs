use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as ClapArgs, ValueEnum};
use shortlist_load::{Priority, Protocol};

/// How requests travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProtocolArg {
    /// HTTP/1.1 and JSON
    Rest,
    /// HTTP/2 and protobuf
    Grpc,
}

/// Whether somebody waits for the answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PriorityArg {
    /// Somebody does
    High,
    /// Nobody does: it takes what is left over, and is refused first
    Low,
}

impl From<PriorityArg> for Priority {
    fn from(priority: PriorityArg) -> Self {
        match priority {
            PriorityArg::High => Self::High,
            PriorityArg::Low => Self::Low,
        }
    }
}

impl From<ProtocolArg> for Protocol {
    fn from(protocol: ProtocolArg) -> Self {
        match protocol {
            ProtocolArg::Rest => Self::Rest,
            ProtocolArg::Grpc => Self::Grpc,
        }
    }
}

/// An open loop: requests leave at random times drawn before, whether or not earlier ones have been answered, and the
/// time of each counts from the moment at which it should have left. So a stall of the server costs everybody who came
/// meanwhile, as it would in service.
///
/// Reads are recommendations for users drawn at random. With `--writes` a share of the requests are events, about
/// items that the server recommended; they go into its log for good.
#[derive(Debug, ClapArgs)]
pub(crate) struct LoadtestArgs {
    /// The server, such as http://127.0.0.1:8080
    #[arg(long, value_name = "URL")]
    pub(crate) target: String,
    /// How requests travel
    #[arg(long, value_enum, default_value_t = ProtocolArg::Rest)]
    pub(crate) protocol: ProtocolArg,
    /// Whether somebody waits for the answers; what nobody waits for is refused first
    #[arg(long, value_enum, default_value_t = PriorityArg::High)]
    pub(crate) priority: PriorityArg,
    /// Requests per second
    #[arg(long, value_name = "R")]
    pub(crate) rate: f64,
    /// How long: seconds, or such as 90s, 5m, 1h
    #[arg(long, value_name = "S", value_parser = duration)]
    pub(crate) duration: Duration,
    /// Users that ask: user-1 to user-N
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    pub(crate) users: usize,
    /// What their ids begin with
    #[arg(long, value_name = "TEXT", default_value = "user-")]
    pub(crate) user_prefix: String,
    /// Items of each list
    #[arg(short, value_name = "K", default_value_t = 10)]
    pub(crate) k: u32,
    /// Share of the requests that are events, 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = super::share)]
    pub(crate) writes: f64,
    /// Type of the events
    #[arg(long, value_name = "NAME", default_value = "click")]
    pub(crate) event_type: String,
    /// Time at the start that is sent but not counted
    #[arg(long, value_name = "S", default_value = "0", value_parser = duration)]
    pub(crate) warm_up: Duration,
    /// Seed of all that is drawn
    #[arg(long, value_name = "S", default_value_t = 42)]
    pub(crate) seed: u64,
    /// Threads that send
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) threads: u16,
    /// File that holds the key which the server asks for
    #[arg(long, value_name = "FILE")]
    pub(crate) api_key_file: Option<PathBuf>,
    /// Fail, with exit code 1, unless 99 of 100 requests were answered within so many milliseconds
    #[arg(long, value_name = "MS")]
    pub(crate) max_p99_ms: Option<f64>,
    /// Draw the times into this file
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
    /// Print one JSON object instead of a table
    #[arg(long)]
    pub(crate) json: bool,
}

/// Seconds, or a number with its unit.
fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = match text.strip_suffix("ms") {
        Some(number) => (number, 1e-3),
        None => match text.split_at_checked(text.len().saturating_sub(1)) {
            Some((number, "s")) => (number, 1.0),
            Some((number, "m")) => (number, 60.0),
            Some((number, "h")) => (number, 3_600.0),
            _ => (text, 1.0),
        },
    };
    let number: f64 = number.parse().map_err(|_| "must be seconds, or such as 90s, 5m, 1h".to_owned())?;
    Duration::try_from_secs_f64(number * unit).map_err(|_| "must be a length of time".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_seconds_or_have_a_unit() {
        for (text, millis) in
            [("10", 10_000), ("0.5", 500), ("90s", 90_000), ("5m", 300_000), ("1h", 3_600_000), ("250ms", 250)]
        {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "s", "-1", "NaN", "1e300", "ten", "5 minutes"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
