//! An open loop: requests leave at times that were drawn before, whether or not earlier ones have been
//! answered, and a request's time counts from the moment at which it should have left. A server that
//! stalls is charged for everybody who came meanwhile.

mod driver;
mod pinned;
mod server;
mod tally;

use std::time::Duration;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Exp};

pub(crate) use self::driver::{Driver, Manners, Traffic};
#[allow(unused_imports, reason = "not every benchmark measures by the core")]
pub(crate) use self::pinned::Pinned;
#[allow(unused_imports, reason = "not every benchmark starts the binary")]
pub(crate) use self::server::Server;
pub(crate) use self::tally::Tally;

/// What a request asks, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Rest,
    Grpc,
    Event,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Rest, Self::Grpc, Self::Event];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Rest => "REST recommend",
            Self::Grpc => "gRPC recommend",
            Self::Event => "REST event",
        }
    }
}

/// One request that will be sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Planned {
    /// When it should leave, from the start.
    pub(crate) at: Duration,
    pub(crate) kind: Kind,
    /// Which user asks.
    pub(crate) user: usize,
    /// Which item an event is about.
    pub(crate) item: usize,
}

/// Arrivals of independent users (Poisson) at these rates per second, in order of time.
pub(crate) fn plan(
    rates: &[(Kind, f64)],
    duration: Duration,
    (users, items): (usize, usize),
    seed: u64,
) -> anyhow::Result<Vec<Planned>> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut planned = Vec::new();
    for (kind, rate) in rates {
        let gaps = Exp::new(*rate)?;
        let mut at = Duration::ZERO;
        loop {
            at += Duration::try_from_secs_f64(gaps.sample(&mut random))?;
            if at >= duration {
                break;
            }
            let (user, item) = (random.random_range(0..users), random.random_range(0..items));
            planned.push(Planned { at, kind: *kind, user, item });
        }
    }
    planned.sort_by_key(|one| one.at);
    Ok(planned)
}
