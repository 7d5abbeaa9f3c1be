//! Pictures for reports, as SVG that any browser shows.

mod latency;

use shortlist_evaluation::{CalibrationBin, Interval};
use shortlist_training::{ExperimentReport, ListReport, VariantReport};
use svg::Document;
use svg::node::element::path::Data;
use svg::node::element::{Circle, Line, Path, Rectangle, Text};

pub(crate) use latency::latency_svg;

const SIZE: f64 = 360.0;
const MARGIN: f64 = 48.0;
/// Most points of a curve: more than a screen has dots.
const POINTS_MAX: usize = 400;

/// The ROC curve of scores.
pub(crate) fn roc_svg(model: &str, auc: f64, scores: &[f32], labels: &[bool]) -> String {
    let mut rows: Vec<(f32, bool)> = scores.iter().copied().zip(labels.iter().copied()).collect();
    rows.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
    let positives = labels.iter().filter(|label| **label).count().max(1) as f64;
    let negatives = (labels.len() as f64 - positives).max(1.0);
    let (mut hits, mut alarms) = (0.0, 0.0);
    let mut points = vec![(0.0, 0.0)];
    // Rows of one score are one step, whatever their order.
    for tied in rows.chunk_by(|a, b| a.0.total_cmp(&b.0).is_eq()) {
        let wanted = tied.iter().filter(|row| row.1).count() as f64;
        hits += wanted;
        alarms += tied.len() as f64 - wanted;
        points.push((alarms / negatives, hits / positives));
    }
    let step = points.len().div_ceil(POINTS_MAX);
    let last = points.len() - 1;
    let kept = points.into_iter().enumerate().filter(|(at, _)| at % step == 0 || *at == last).map(|(_, point)| point);
    let title = format!("{model}: AUC {auc:.4}");
    chart(&title, "share of negatives above", "share of positives above").add(curve(kept)).to_string()
}

/// The reliability diagram: of the rows given a probability, the share that is positive.
pub(crate) fn reliability_svg(title: &str, bins: &[CalibrationBin]) -> String {
    let points = || bins.iter().map(|bin| (bin.predicted, bin.observed));
    let mut chart = chart(title, "predicted probability", "share of positives").add(curve(points()));
    for (x, y) in points() {
        let (x, y) = place(x, y);
        chart = chart.add(Circle::new().set("cx", x).set("cy", y).set("r", 3).set("fill", "#1f6feb"));
    }
    chart.to_string()
}

/// Where shares from 0 to 1 lie in the picture.
fn place(x: f64, y: f64) -> (f64, f64) {
    let round = |value: f64| (value * 100.0).round() / 100.0;
    (round(MARGIN + x * SIZE), round(MARGIN + (1.0 - y) * SIZE))
}

fn curve(points: impl Iterator<Item = (f64, f64)>) -> Path {
    let data = points
        .map(|(x, y)| place(x, y))
        .enumerate()
        .fold(Data::new(), |data, (at, point)| if at == 0 { data.move_to(point) } else { data.line_to(point) });
    Path::new().set("d", data).set("fill", "none").set("stroke", "#1f6feb").set("stroke-width", 2)
}

/// A square from 0 to 1 both ways, with its diagonal.
fn chart(title: &str, x_axis: &str, y_axis: &str) -> Document {
    let diagonal = line(place(0.0, 0.0), place(1.0, 1.0), "#999");
    axes(title, x_axis, y_axis).add(diagonal.set("stroke-dasharray", "4 4"))
}

/// A square from 0 to 1 both ways.
fn axes(title: &str, x_axis: &str, y_axis: &str) -> Document {
    let whole = SIZE + 2.0 * MARGIN;
    let middle = whole / 2.0;
    let turned = text(y_axis, 14.0, middle, "middle").set("transform", format!("rotate(-90 14 {middle})"));
    let background = Rectangle::new().set("width", whole).set("height", whole).set("fill", "white");
    let ((left, bottom), (right, top)) = (place(0.0, 0.0), place(1.0, 1.0));
    let mut chart = Document::new()
        .set("viewBox", (0, 0, whole, whole))
        .add(background)
        .add(text(title, middle, 24.0, "middle").set("font-size", 14))
        .add(text(x_axis, middle, whole - 10.0, "middle"))
        .add(turned);
    for tick in [0.0, 0.25, 0.5, 0.75, 1.0] {
        let ((x, _), (_, y)) = (place(tick, 0.0), place(0.0, tick));
        chart = chart.add(line((x, top), (x, bottom), "#ddd")).add(line((left, y), (right, y), "#ddd"));
        chart = chart.add(text(&tick.to_string(), x, bottom + 16.0, "middle"));
        chart = chart.add(text(&tick.to_string(), left - 6.0, y + 4.0, "end"));
    }
    chart
}

/// Height of a line of text with its interval.
const LINE: f64 = 22.0;
/// Width of the names at the left.
const NAMES: f64 = 300.0;

/// Relative differences of an experiment's variants to the control, each with its 95 % interval.
pub(crate) fn effects_svg(report: &ExperimentReport) -> String {
    let of_variant = |variant: &VariantReport| {
        let name = variant.variant.clone();
        let metrics = variant.metrics.iter();
        metrics
            .filter_map(|metric| {
                let relative = metric.effect.as_ref()?.relative?;
                Some((format!("{}, {name}", metric.metric), relative))
            })
            .collect::<Vec<_>>()
    };
    let rows: Vec<(String, Interval)> = report.variants.iter().flat_map(of_variant).collect();
    let reach = rows.iter().flat_map(|(_, interval)| [interval.low.abs(), interval.high.abs()]).fold(0.01, f64::max);
    let (width, height) = (NAMES + SIZE + MARGIN, MARGIN * 2.0 + LINE * rows.len() as f64);
    let round = |value: f64| (value * 100.0).round() / 100.0;
    let x = |share: f64| round(NAMES + SIZE * (0.5 + 0.5 * (share / reach).clamp(-1.0, 1.0)));
    let (zero, top, bottom) = (x(0.0), MARGIN - LINE / 2.0, height - MARGIN + LINE / 2.0);
    let title = format!("{}: difference to {}", report.experiment, report.control);
    let mut picture = Document::new()
        .set("viewBox", (0, 0, width, height))
        .add(Rectangle::new().set("width", width).set("height", height).set("fill", "white"))
        .add(text(&title, width / 2.0, 20.0, "middle").set("font-size", 14))
        .add(line((zero, top), (zero, bottom), "#999").set("stroke-dasharray", "4 4"));
    for share in [-reach, 0.0, reach] {
        let tick = format!("{:+.1} %", share * 100.0);
        picture = picture.add(text(&tick, x(share), bottom + 18.0, "middle"));
    }
    for (number, (name, interval)) in rows.iter().enumerate() {
        let y = MARGIN + LINE * (number as f64 + 0.5);
        // What excludes no difference stands out.
        let colour = if interval.low > 0.0 || interval.high < 0.0 { "#1f6feb" } else { "#777" };
        picture = picture
            .add(text(name, NAMES - 10.0, y + 4.0, "end"))
            .add(line((x(interval.low), y), (x(interval.high), y), colour).set("stroke-width", 2))
            .add(Circle::new().set("cx", x(interval.mean)).set("cy", y).set("r", 4).set("fill", colour));
    }
    picture.to_string()
}

/// What lists gain in diversity against what they lose in NDCG@10, a point per `rerank.diversity`.
pub(crate) fn diversity_svg(lists: &[ListReport]) -> String {
    let most = lists.iter().map(|list| list.ndcg_at_10.mean).fold(f64::MIN_POSITIVE, f64::max);
    let point =
        |list: &ListReport| (list.intra_list_diversity.unwrap_or(0.0).clamp(0.0, 1.0), list.ndcg_at_10.mean / most);
    let y_axis = "NDCG@10, as a share of the best";
    let mut chart = axes("What diversity costs", "1 - mean likeness of two items of a list", y_axis);
    chart = chart.add(curve(lists.iter().map(point)));
    for list in lists {
        let (x, y) = point(list);
        let (x, y) = place(x, y);
        chart = chart.add(Circle::new().set("cx", x).set("cy", y).set("r", 3).set("fill", "#1f6feb"));
        chart = chart.add(text(&format!("{}", list.diversity), x + 6.0, y - 6.0, "start"));
    }
    chart.to_string()
}

fn text(content: &str, x: f64, y: f64, anchor: &str) -> Text {
    let text = Text::new(content).set("x", x).set("y", y).set("text-anchor", anchor);
    text.set("font-family", "sans-serif").set("font-size", 12).set("fill", "#333")
}

fn line((x1, y1): (f64, f64), (x2, y2): (f64, f64), colour: &str) -> Line {
    Line::new().set("x1", x1).set("y1", y1).set("x2", x2).set("y2", y2).set("stroke", colour)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_perfect_order_goes_up_before_it_goes_right_and_ties_are_one_step() {
        let corner = |(x, y): (f64, f64)| format!("L{x},{y}");
        let perfect = roc_svg("m", 1.0, &[2.0, 1.0, -1.0], &[true, true, false]);
        assert!(perfect.contains(&corner(place(0.0, 1.0))), "{perfect}");
        let tied = roc_svg("m", 0.5, &[1.0, 1.0], &[true, false]);
        assert!(!tied.contains(&corner(place(0.0, 1.0))) && tied.contains(&corner(place(1.0, 1.0))), "{tied}");
    }

    #[test]
    fn what_a_title_says_is_escaped() {
        assert!(reliability_svg("a<b", &[]).contains("a&lt;b"));
    }
}
