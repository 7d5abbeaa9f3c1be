use crate::logistic_loss::LogisticLoss;

/// The fit ends when no derivative of the mean loss exceeds this.
const GRADIENT_TOLERANCE: f64 = 1e-9;
/// Most passes over the rows for one Newton step; the step is then taken as far as it is known.
const CONJUGATE_STEPS_MAX: usize = 200;
/// Halvings of a step before the loss counts as settled.
const HALVINGS_MAX: usize = 30;
/// Part of the promised descent that a step must keep (Armijo).
const DESCENT_KEPT: f64 = 1e-4;

/// What a fit says of itself after each Newton step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Iteration {
    /// Steps done.
    pub number: usize,
    /// Mean log-loss of the training rows with the penalty.
    pub loss: f64,
    /// Greatest absolute derivative; the fit ends below 1e-9.
    pub gradient_max: f64,
}

/// Minimises the loss; returns the parameters.
///
/// The Hessian is never written down: each step is solved by conjugate gradients, exactly enough for
/// the distance that is left, so a pass costs rows * features whatever the features' number.
///
/// **Cost**: about ten steps of ten passes over the rows.
/// **Source**: truncated Newton, Nocedal and Wright, "Numerical Optimization", algorithm 7.1.
pub(crate) fn minimize(loss: &LogisticLoss, steps_max: usize, progress: &mut dyn FnMut(Iteration)) -> Vec<f64> {
    let mut parameters = loss.start();
    let mut curvatures = vec![0.0; loss.row_count()];
    let mut here = loss.evaluate(&parameters, &mut curvatures);
    for number in 1..=steps_max {
        if greatest(&here.gradient) <= GRADIENT_TOLERANCE {
            break;
        }
        let direction = newton_direction(loss, &curvatures, &here.gradient);
        let slope = inner(&here.gradient, &direction);
        let mut length = 1.0;
        let next = (0..HALVINGS_MAX).find_map(|_| {
            let moved: Vec<f64> = parameters.iter().zip(&direction).map(|(x, d)| x + length * d).collect();
            let there = loss.evaluate(&moved, &mut curvatures);
            // Near the minimum the descent is smaller than the rounding of the loss. A direction that
            // is not finite descends nowhere and ends the fit.
            let slack = f64::EPSILON * (1.0 + here.loss.abs());
            let descends = there.loss <= here.loss + DESCENT_KEPT * length * slope + slack;
            length /= 2.0;
            descends.then_some((moved, there))
        });
        let Some((moved, there)) = next else { break };
        (parameters, here) = (moved, there);
        progress(Iteration { number, loss: here.loss, gradient_max: greatest(&here.gradient) });
    }
    parameters
}

/// Solves `Hessian * direction = -gradient` by conjugate gradients, the more exactly the smaller the
/// gradient is.
fn newton_direction(loss: &LogisticLoss, curvatures: &[f64], gradient: &[f64]) -> Vec<f64> {
    let mut direction = vec![0.0; gradient.len()];
    let mut residual: Vec<f64> = gradient.iter().map(|g| -g).collect();
    let mut search = residual.clone();
    let mut square = inner(&residual, &residual);
    let length = square.sqrt();
    let tolerance = length * length.sqrt().min(0.1);
    for _ in 0..CONJUGATE_STEPS_MAX {
        let product = loss.hessian_times(curvatures, &search);
        let step = square / inner(&search, &product);
        for (((d, r), s), p) in direction.iter_mut().zip(&mut residual).zip(&search).zip(&product) {
            *d += step * s;
            *r -= step * p;
        }
        let square_next = inner(&residual, &residual);
        if square_next.sqrt() <= tolerance {
            break;
        }
        let ratio = square_next / square;
        square = square_next;
        for (s, r) in search.iter_mut().zip(&residual) {
            *s = r + ratio * *s;
        }
    }
    direction
}

fn inner(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

fn greatest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |most, x| most.max(x.abs()))
}
