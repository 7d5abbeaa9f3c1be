use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use shortlist_training::Progress;

use crate::output;

/// Draws progress on stderr; where stderr is no terminal, one line per finished stage. In a log nothing stands but lines of
/// the log.
#[derive(Debug)]
pub(crate) struct ProgressBars {
    bar: Option<ProgressBar>,
    stage: &'static str,
    in_log: bool,
}

impl Default for ProgressBars {
    fn default() -> Self {
        Self { bar: None, stage: "", in_log: output::logs_are_json() }
    }
}

impl ProgressBars {
    /// For what keeps a log.
    pub(crate) fn in_log() -> Self {
        Self { in_log: true, ..Self::default() }
    }
}

impl Progress for ProgressBars {
    fn begin(&mut self, stage: &'static str, total: Option<u64>) {
        self.stage = stage;
        let (bar, template) = match total {
            Some(total) => (ProgressBar::new(total), "{msg:30} {bar:30} {human_pos}/{human_len} {eta}"),
            None => (ProgressBar::new_spinner(), "{msg:30} {spinner} {elapsed}"),
        };
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.set_style(style);
        bar.set_message(stage);
        if self.in_log {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        } else {
            bar.enable_steady_tick(Duration::from_millis(200));
        }
        self.bar = Some(bar);
    }

    fn at(&mut self, done: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(done);
        }
    }

    fn end(&mut self, outcome: &str) {
        if let Some(bar) = self.bar.take() {
            let seconds = bar.elapsed().as_secs_f64();
            bar.finish_and_clear();
            if self.in_log {
                tracing::info!(stage = self.stage, seconds, outcome, "a stage is done");
            } else {
                output::note(&format!("{:30} {seconds:>7.1} s   {outcome}", self.stage));
            }
        }
    }
}
