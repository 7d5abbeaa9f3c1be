use rand::Rng;

use crate::latent::normal;

/// What an event is, by the default names of event types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EventKind {
    Impression,
    View,
    Click,
    Like,
    Purchase,
    Rating,
    Hide,
}

impl EventKind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Impression => "impression",
            Self::View => "view",
            Self::Click => "click",
            Self::Like => "like",
            Self::Purchase => "purchase",
            Self::Rating => "rating",
            Self::Hide => "hide",
        }
    }

    /// Whether the user is done with the item afterwards.
    pub(crate) fn consumes(self) -> bool {
        matches!(self, Self::Click | Self::Hide)
    }
}

/// One thing that a user does with an item on a page.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Action {
    pub(crate) kind: EventKind,
    /// Stars of a rating, 1 to 5.
    pub(crate) stars: Option<f32>,
    /// Seconds after the one before.
    pub(crate) delay_seconds: f64,
}

/// The chance that the user looks at a position (from 0) at all: 1 at the top, 0.45 at the tenth.
pub(crate) fn attention(position: usize) -> f64 {
    (1.0 + position as f64).powf(-0.35)
}

/// What the user does with the item at `position` that he takes with chance `preference` if he looks;
/// empty if he does nothing.
pub(crate) fn answer(preference: f64, position: usize, random: &mut impl Rng) -> Vec<Action> {
    let mut actions = Vec::new();
    if !random.random_bool(attention(position)) {
        return actions;
    }
    let mut act = |kind, stars, seconds: std::ops::Range<f64>, random: &mut _| {
        let delay_seconds = Rng::random_range(random, seconds);
        actions.push(Action { kind, stars, delay_seconds });
    };
    let clicked = random.random_bool(preference);
    // A look at the preview comes before many clicks, and instead of some.
    if random.random_bool(if clicked { 0.3 } else { 0.5 * preference }) {
        act(EventKind::View, None, 1.0..6.0, random);
    }
    if !clicked {
        if random.random_bool(0.012 * (1.0 - preference).powi(6)) {
            act(EventKind::Hide, None, 1.0..4.0, random);
        }
        return actions;
    }
    act(EventKind::Click, None, 1.0..8.0, random);
    if random.random_bool(0.08 + 0.30 * preference) {
        act(EventKind::Like, None, 5.0..40.0, random);
    }
    if random.random_bool(0.03 + 0.22 * preference) {
        act(EventKind::Purchase, None, 20.0..180.0, random);
    }
    if random.random_bool(0.12) {
        let stars = (3.0 + 2.2 * preference + 0.9 * normal(random)).round().clamp(1.0, 5.0);
        act(EventKind::Rating, Some(stars as f32), 60.0..900.0, random);
    }
    actions
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    /// How often each of two kinds of action comes up in 20,000 answers, and the mean stars.
    fn shares(preference: f64, position: usize) -> (f64, f64, f64) {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let all: Vec<Action> = (0..20_000).flat_map(|_| answer(preference, position, &mut random)).collect();
        let share = |kind| all.iter().filter(|action| action.kind == kind).count() as f64 / 20_000.0;
        let stars: Vec<f32> = all.iter().filter_map(|action| action.stars).collect();
        assert!(stars.iter().all(|stars| (1.0..=5.0).contains(stars)));
        (share(EventKind::Click), share(EventKind::Hide), f64::from(stars.iter().sum::<f32>()) / stars.len() as f64)
    }

    #[test]
    fn attention_falls_from_1_to_less_than_half() {
        assert!((attention(0) - 1.0).abs() < 1e-12 && (attention(9) - 0.447).abs() < 1e-3);
    }

    #[test]
    fn at_the_top_the_click_rate_is_the_preference() {
        assert!((shares(0.3, 0).0 - 0.3).abs() < 0.01);
        assert!((shares(0.3, 9).0 - 0.3 * attention(9)).abs() < 0.01);
    }

    #[test]
    fn who_likes_an_item_less_hides_it_more_and_gives_fewer_stars() {
        let ((_, hides_low, stars_low), (_, hides_high, stars_high)) = (shares(0.05, 0), shares(0.7, 0));
        assert!(hides_low > hides_high && stars_low + 0.5 < stars_high);
    }
}
