use std::time::Duration;

use parking_lot::Mutex;

/// Wait in the queue beyond which requests do less: a quarter of the usual deadline.
const WAIT_MAX: Duration = Duration::from_millis(25);
/// Least part of the usual work.
const EFFORT_MIN: f64 = 0.25;
/// What effort falls to, and by what it rises, per step.
const FALL: f64 = 0.9;
const RISE: f64 = 0.05;
/// Requests between two steps, and the weight of one wait in the mean of them.
const STEP: u32 = 16;
const WEIGHT: f64 = 0.1;

/// How much work a request does: candidates and the effort of the search fall where requests wait for their turn,
/// before any is refused, and rise when they no longer do.
#[derive(Debug)]
pub(crate) struct Dial(Mutex<State>);

#[derive(Debug)]
struct State {
    effort: f64,
    /// Mean wait in seconds, the latest requests counting most.
    wait: f64,
    requests: u32,
}

impl Default for Dial {
    fn default() -> Self {
        Self(Mutex::new(State { effort: 1.0, wait: 0.0, requests: 0 }))
    }
}

impl Dial {
    /// Counts a request that waited so long, and says how much it is to do, [`EFFORT_MIN`] to 1.
    pub(crate) fn turn(&self, waited: Duration) -> f64 {
        let mut state = self.0.lock();
        state.wait += WEIGHT * (waited.as_secs_f64() - state.wait);
        state.requests += 1;
        if state.requests >= STEP {
            state.requests = 0;
            let falls = state.wait > WAIT_MAX.as_secs_f64();
            state.effort = if falls { (state.effort * FALL).max(EFFORT_MIN) } else { (state.effort + RISE).min(1.0) };
        }
        state.effort
    }

    /// The same of a request that others go before. A long wait of its own says nothing of theirs; a short one says that
    /// the service is not busy.
    pub(crate) fn turn_behind(&self, waited: Duration) -> f64 {
        if waited > WAIT_MAX { self.effort() } else { self.turn(waited) }
    }

    /// Where it stands.
    pub(crate) fn effort(&self) -> f64 {
        self.0.lock().effort
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn effort_falls_under_load_and_returns() {
        let dial = Dial::default();
        for _ in 0..1_000 {
            assert!((dial.turn(Duration::from_micros(300)) - 1.0).abs() < 1e-12);
        }
        for _ in 0..1_000 {
            dial.turn(2 * WAIT_MAX);
        }
        assert!((dial.effort() - EFFORT_MIN).abs() < 1e-12);
        for _ in 0..1_000 {
            dial.turn(Duration::ZERO);
        }
        assert!((dial.effort() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn those_who_stand_behind_others_lower_nobodys_effort_and_raise_it_when_it_is_calm() {
        let dial = Dial::default();
        for _ in 0..1_000 {
            dial.turn_behind(10 * WAIT_MAX);
        }
        assert!((dial.effort() - 1.0).abs() < 1e-12);
        for _ in 0..1_000 {
            dial.turn(2 * WAIT_MAX);
        }
        for _ in 0..1_000 {
            dial.turn_behind(Duration::ZERO);
        }
        assert!((dial.effort() - 1.0).abs() < 1e-12);
    }
}
