/// The probability that a log-odds stands for: 0 to 1, ascending, one half at zero.
///
/// NaN stays NaN.
///
/// ```
/// use shortlist_ranking::probability;
/// assert_eq!(probability(0.0), 0.5);
/// assert_eq!(probability(-200.0), 0.0);
/// assert_eq!(probability(200.0), 1.0);
/// ```
pub fn probability(log_odds: f32) -> f32 {
    sigmoid(f64::from(log_odds)) as f32
}

/// `1 / (1 + exp(-x))`, by the exponential that cannot overflow.
pub(crate) fn sigmoid(x: f64) -> f64 {
    let e = (-x.abs()).exp();
    if x >= 0.0 { 1.0 / (1.0 + e) } else { e / (1.0 + e) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opposite_log_odds_add_up_to_one() {
        for x in [0.0, 1e-6, 0.5, 3.0, 20.0] {
            assert!((probability(x) + probability(-x) - 1.0).abs() < 1e-6, "{x}");
        }
        assert!(probability(f32::INFINITY) >= 1.0 && probability(f32::NEG_INFINITY) <= 0.0);
    }
}
