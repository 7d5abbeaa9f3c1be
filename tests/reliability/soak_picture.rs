//! How memory, files and times went, with a line at each swap.

use svg::Document;
use svg::node::element::path::Data;
use svg::node::element::{Line, Path, Rectangle, Text};

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 130.0;
const LEFT: f64 = 64.0;
const TOP: f64 = 56.0;
/// From the top of one panel to the top of the next.
const PANEL: f64 = 190.0;

/// Seconds, and what was seen then.
pub type Course = Vec<(f64, f64)>;

/// A panel each, from zero up: what is flat looks flat.
pub fn soak_svg(title: &str, panels: &[(&str, &Course)], swaps: &[f64]) -> String {
    let seconds = panels.iter().filter_map(|(_, course)| course.last()).map(|(at, _)| *at).fold(1.0, f64::max);
    let x = |at: f64| round(LEFT + at / seconds * WIDTH);
    let mut picture = Document::new()
        .set("viewBox", (0, 0, LEFT + WIDTH + 40.0, TOP + PANEL * panels.len() as f64))
        .add(Rectangle::new().set("width", "100%").set("height", "100%").set("fill", "white"))
        .add(text(title, LEFT + WIDTH / 2.0, 22.0, "middle").set("font-size", 14))
        .add(text("dashed: a swap to another bundle", LEFT + WIDTH / 2.0, 40.0, "middle"));
    for ((name, course), number) in panels.iter().zip(0_u8..) {
        let top = TOP + PANEL * f64::from(number);
        let most = course.iter().map(|(_, value)| *value).fold(1.0, f64::max) * 1.15;
        let y = |value: f64| round(top + HEIGHT - value / most * HEIGHT);
        for quarter in 0..=4 {
            let share = f64::from(quarter) / 4.0;
            let (value, at) = (share * most, share * seconds);
            picture = picture.add(line((LEFT, y(value)), (LEFT + WIDTH, y(value)), "#ddd"));
            let digits = if most < 20.0 { 1 } else { 0 };
            picture = picture.add(text(&format!("{value:.digits$}"), LEFT - 6.0, y(value) + 4.0, "end"));
            picture = picture.add(text(&format!("{:.0} min", at / 60.0), x(at), top + HEIGHT + 16.0, "middle"));
        }
        for swap in swaps {
            let dashed = line((x(*swap), top), (x(*swap), top + HEIGHT), "#d1570c").set("stroke-dasharray", "3 4");
            picture = picture.add(dashed);
        }
        let data = course.iter().enumerate().fold(Data::new(), |data, (place, (at, value))| {
            let point = (x(*at), y(*value));
            if place == 0 { data.move_to(point) } else { data.line_to(point) }
        });
        let curve = Path::new().set("d", data).set("fill", "none").set("stroke", "#1f6feb").set("stroke-width", 1.5);
        picture = picture.add(curve).add(text(name, LEFT + WIDTH / 2.0, top + HEIGHT + 32.0, "middle"));
    }
    picture.to_string()
}

fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

fn line((x1, y1): (f64, f64), (x2, y2): (f64, f64), colour: &str) -> Line {
    Line::new().set("x1", x1).set("y1", y1).set("x2", x2).set("y2", y2).set("stroke", colour)
}

fn text(content: &str, x: f64, y: f64, anchor: &str) -> Text {
    let text = Text::new(content).set("x", x).set("y", y).set("text-anchor", anchor);
    text.set("font-family", "sans-serif").set("font-size", 12).set("fill", "#333")
}
