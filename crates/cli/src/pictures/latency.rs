//! The times of a load: how they are spread, and how they went.

use shortlist_load::{Load, Slice};
use svg::Document;
use svg::node::element::path::Data;
use svg::node::element::{Line, Path, Rectangle, Text};

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 64.0;
const TOP: f64 = 48.0;
/// From the top of one panel to the top of the next.
const PANEL: f64 = 300.0;
/// Nines of the first panel: up to 99.999 of 100.
const NINES: f64 = 5.0;
const COLOURS: [&str; 3] = ["#1f6feb", "#d1570c", "#57606a"];

/// Two panels: the share of the answers that came within a time, the tail stretched out by its nines, one curve per
/// kind of request; and the 50th and 99th percentile second by second.
pub(crate) fn latency_svg(title: &str, load: &Load) -> String {
    let slices: Vec<_> = load.slices.iter().filter(|slice| slice.tally.answered() > 0).collect();
    let slowest = load.kinds.iter().map(|(_, tally)| tally.max_ms()).fold(1.0, f64::max);
    let seconds = slices.last().map_or(1.0, |slice| slice.end.as_secs_f64());
    let spread = Panel { top: TOP, across: NINES, up: nice(slowest) };
    let percentile = |slice: &&Slice| (slice.end.as_secs_f64(), slice.tally.percentile_ms(99.0));
    let worst = slices.iter().map(percentile).map(|(_, ms)| ms).fold(1.0, f64::max);
    let course = Panel { top: TOP + PANEL, across: seconds, up: nice(worst) };

    let mut picture = Document::new()
        .set("viewBox", (0, 0, LEFT + WIDTH + 40.0, TOP + 2.0 * PANEL))
        .add(Rectangle::new().set("width", "100%").set("height", "100%").set("fill", "white"))
        .add(text(title, LEFT + WIDTH / 2.0, 22.0, "middle").set("font-size", 14));
    let nines = ["0", "90 %", "99 %", "99.9 %", "99.99 %", "99.999 %"];
    picture = spread.draw(
        picture,
        nines.iter().zip(0_u32..).map(|(label, at)| (f64::from(at), (*label).to_owned())),
        "share of answers within so many ms",
    );
    let ticks =
        (0..=5).map(|at| f64::from(at) * seconds / 5.0).map(|at| (at, format!("{} s", (at * 10.0).round() / 10.0)));
    picture = course.draw(picture, ticks, "ms, second by second");
    for ((kind, tally), (number, colour)) in load.kinds.iter().zip(COLOURS.iter().enumerate()) {
        let points = tally.curve().into_iter().map(|(share, ms)| (nines_of(share), ms));
        picture = picture.add(spread.curve(points, colour)).add(spread.name(kind.name(), number, colour));
    }
    let half = |slice: &&Slice| (slice.end.as_secs_f64(), slice.tally.percentile_ms(50.0));
    picture
        .add(course.curve(slices.iter().map(half), COLOURS[0]))
        .add(course.curve(slices.iter().map(percentile), COLOURS[1]))
        .add(course.name("p50", 0, COLOURS[0]))
        .add(course.name("p99", 1, COLOURS[1]))
        .to_string()
}

/// How many nines a share has: 0.99 has two.
fn nines_of(share: f64) -> f64 {
    (-(1.0 - share).max(f64::MIN_POSITIVE).log10()).clamp(0.0, NINES)
}

/// The next of 1, 2, 5, 10, 20 and so on.
fn nice(value: f64) -> f64 {
    let ten = 10_f64.powf(value.log10().floor());
    let most = [1.0, 2.0, 5.0, 10.0].into_iter().find(|times| times * ten >= value);
    most.unwrap_or(10.0) * ten
}

/// One picture of the page, with what its far corner stands for.
struct Panel {
    top: f64,
    across: f64,
    up: f64,
}

impl Panel {
    fn place(&self, x: f64, y: f64) -> (f64, f64) {
        let round = |value: f64| (value * 100.0).round() / 100.0;
        (round(LEFT + x / self.across * WIDTH), round(self.top + (1.0 - y / self.up) * HEIGHT))
    }

    fn draw(&self, mut picture: Document, ticks: impl Iterator<Item = (f64, String)>, what: &str) -> Document {
        let ((left, bottom), (right, top)) = (self.place(0.0, 0.0), self.place(self.across, self.up));
        let line = |from: (f64, f64), to: (f64, f64)| {
            let line = Line::new().set("x1", from.0).set("y1", from.1).set("x2", to.0).set("y2", to.1);
            line.set("stroke", "#ddd")
        };
        for (x, label) in ticks {
            let (x, _) = self.place(x, 0.0);
            picture = picture.add(line((x, top), (x, bottom))).add(text(&label, x, bottom + 16.0, "middle"));
        }
        for quarter in 0..=4 {
            let ms = self.up * f64::from(quarter) / 4.0;
            let (_, y) = self.place(0.0, ms);
            picture = picture.add(line((left, y), (right, y)));
            picture = picture.add(text(&format!("{ms} ms"), left - 6.0, y + 4.0, "end"));
        }
        picture.add(text(what, LEFT + WIDTH / 2.0, bottom + 34.0, "middle"))
    }

    fn curve(&self, points: impl Iterator<Item = (f64, f64)>, colour: &str) -> Path {
        let placed = points.map(|(x, y)| self.place(x, y)).enumerate();
        let data = placed.fold(
            Data::new(),
            |data, (at, point)| {
                if at == 0 { data.move_to(point) } else { data.line_to(point) }
            },
        );
        Path::new().set("d", data).set("fill", "none").set("stroke", colour).set("stroke-width", 2)
    }

    fn name(&self, name: &str, number: usize, colour: &str) -> Text {
        text(name, LEFT + 8.0, self.top + 16.0 + 16.0 * number as f64, "start").set("fill", colour)
    }
}

fn text(content: &str, x: f64, y: f64, anchor: &str) -> Text {
    let text = Text::new(content).set("x", x).set("y", y).set("text-anchor", anchor);
    text.set("font-family", "sans-serif").set("font-size", 12).set("fill", "#333")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_nine_takes_as_much_room_as_the_one_before() {
        for (share, nines) in [(0.0, 0.0), (0.9, 1.0), (0.99, 2.0), (0.999, 3.0), (1.0, NINES)] {
            assert!((nines_of(share) - nines).abs() < 1e-9, "{share}");
        }
    }

    #[test]
    fn a_scale_ends_at_a_round_number_that_holds_all() {
        for (value, end) in [(1.0, 1.0), (1.1, 2.0), (3.0, 5.0), (51.0, 100.0), (730.0, 1_000.0)] {
            assert!((nice(value) - end).abs() < 1e-9, "{value}");
        }
    }
}
