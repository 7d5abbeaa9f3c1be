use std::time::Duration;

use rand::distr::weighted::WeightedIndex;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Exp};

use crate::LoadError;
use crate::limits::{DURATION_MAX, RATE_MAX, USERS_MAX};

/// How a request travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1 and JSON.
    Rest,
    /// HTTP/2 and protobuf.
    Grpc,
}

/// What a request asks, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `POST /v1/recommend`.
    RestRecommend,
    /// `Recommend`.
    GrpcRecommend,
    /// `POST /v1/events` with one event.
    RestEvent,
    /// `IngestEvents` with one event.
    GrpcEvent,
}

impl Kind {
    /// A question for a list.
    pub fn recommend(protocol: Protocol) -> Self {
        match protocol {
            Protocol::Rest => Self::RestRecommend,
            Protocol::Grpc => Self::GrpcRecommend,
        }
    }

    /// An event that is to become durable.
    pub fn event(protocol: Protocol) -> Self {
        match protocol {
            Protocol::Rest => Self::RestEvent,
            Protocol::Grpc => Self::GrpcEvent,
        }
    }

    /// For tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::RestRecommend => "REST recommend",
            Self::GrpcRecommend => "gRPC recommend",
            Self::RestEvent => "REST event",
            Self::GrpcEvent => "gRPC event",
        }
    }

    /// Whether it changes the server's state.
    pub fn is_write(self) -> bool {
        matches!(self, Self::RestEvent | Self::GrpcEvent)
    }
}

/// One request that will be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Planned {
    /// When it should leave, from the start.
    pub at: Duration,
    /// What it asks.
    pub kind: Kind,
    /// Which user asks, from 0.
    pub user: usize,
    /// Which item an event is about, from 0.
    pub item: usize,
}

/// Arrivals of independent users (a Poisson process), in order of time.
#[derive(Debug, Clone)]
pub struct Schedule {
    kinds: Vec<Kind>,
    which: WeightedIndex<f64>,
    gaps: Exp<f64>,
    at: Duration,
    duration: Duration,
    users: usize,
    items: usize,
    random: ChaCha8Rng,
}

impl Schedule {
    /// Requests of these kinds at these rates per second, by so many users and about so many items.
    ///
    /// # Errors
    /// [`LoadError::Range`] for a rate, duration or number of users out of range.
    pub fn new(
        rates: &[(Kind, f64)],
        duration: Duration,
        (users, items): (usize, usize),
        seed: u64,
    ) -> Result<Self, LoadError> {
        let range = |what, range: String, got: String| LoadError::Range { what, range, got };
        let rate: f64 = rates.iter().map(|(_, rate)| rate).sum();
        let of_rate = || range("the rate", format!("more than 0 and at most {RATE_MAX} per second"), rate.to_string());
        if !(rate > 0.0 && rate <= RATE_MAX) {
            return Err(of_rate());
        }
        if duration.is_zero() || duration > DURATION_MAX {
            let most = DURATION_MAX.as_secs();
            let got = format!("{} s", duration.as_secs_f64());
            return Err(range("the duration", format!("more than 0 and at most {most} s"), got));
        }
        if !(1..=USERS_MAX).contains(&users) {
            return Err(range("the number of users", format!("1 to {USERS_MAX}"), users.to_string()));
        }
        let which = WeightedIndex::new(rates.iter().map(|(_, rate)| *rate)).map_err(|_| of_rate())?;
        let gaps = Exp::new(rate).map_err(|_| of_rate())?;
        let kinds = rates.iter().map(|(kind, _)| *kind).collect();
        let random = ChaCha8Rng::seed_from_u64(seed);
        Ok(Self { kinds, which, gaps, at: Duration::ZERO, duration, users, items: items.max(1), random })
    }

    /// What it holds.
    pub fn kinds(&self) -> &[Kind] {
        &self.kinds
    }

    /// How long it lasts.
    pub fn duration(&self) -> Duration {
        self.duration
    }
}

impl Iterator for Schedule {
    type Item = Planned;

    fn next(&mut self) -> Option<Planned> {
        // A gap is a finite number of seconds; one too long for a duration ends the load all the same.
        let gap = Duration::try_from_secs_f64(self.gaps.sample(&mut self.random)).unwrap_or(Duration::MAX);
        self.at = self.at.saturating_add(gap);
        if self.at >= self.duration {
            return None;
        }
        let kind = *self.kinds.get(self.which.sample(&mut self.random))?;
        let user = self.random.random_range(0..self.users);
        let item = self.random.random_range(0..self.items);
        Some(Planned { at: self.at, kind, user, item })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(rates: &[(Kind, f64)], seconds: u64, users: usize) -> Result<Schedule, LoadError> {
        Schedule::new(rates, Duration::from_secs(seconds), (users, 10), 1)
    }

    #[test]
    fn each_kind_comes_at_its_rate_at_random_times_in_order() {
        let rates = [(Kind::RestRecommend, 900.0), (Kind::GrpcEvent, 100.0)];
        let planned: Vec<_> = schedule(&rates, 100, 50).unwrap().collect();
        assert!(planned.is_sorted_by_key(|one| one.at) && planned.iter().all(|one| one.user < 50 && one.item < 10));
        let count = |kind| planned.iter().filter(|one| one.kind == kind).count() as f64;
        // Four standard deviations of a Poisson count.
        assert!((count(Kind::RestRecommend) - 90_000.0).abs() < 1_200.0);
        assert!((count(Kind::GrpcEvent) - 10_000.0).abs() < 400.0);
        // Of independent arrivals a share of e^-1 comes later than the mean gap after the one before.
        let long = planned.windows(2).filter(|pair| pair[1].at - pair[0].at > Duration::from_millis(1)).count();
        assert!((long as f64 / planned.len() as f64 - (-1.0_f64).exp()).abs() < 0.01);
        assert_eq!(planned, schedule(&rates, 100, 50).unwrap().collect::<Vec<_>>());
    }

    #[test]
    fn what_is_out_of_range_is_named() {
        let told = |rate, seconds, users| schedule(&[(Kind::RestEvent, rate)], seconds, users).unwrap_err().to_string();
        assert_eq!(told(0.0, 1, 1), "the rate must be more than 0 and at most 1000000 per second, got 0");
        assert_eq!(told(f64::NAN, 1, 1), "the rate must be more than 0 and at most 1000000 per second, got NaN");
        assert_eq!(told(1.0, 0, 1), "the duration must be more than 0 and at most 604800 s, got 0 s");
        assert_eq!(told(1.0, 1, 0), "the number of users must be 1 to 100000000, got 0");
    }
}
