use hnsw_rs::hnsw::{Hnsw, Point};

use super::placement::SquaredDistance;
use super::rows::Rows;
use crate::IndexConfig;
use crate::graph::{Graph, NONE, UPPER_LAYERS_MAX, UpperLayer};
use crate::simd::Simd;

/// Builds a graph with one node per row of `places` and returns it flat; the builder's own structure,
/// a web of pointers, is gone when this returns.
///
/// Inserts one by one: parallel insertion gives another graph each time and can lose a node. The
/// levels come from a constant seed inside `hnsw_rs`, so the same places give the same graph.
/// `inserted` hears the number of nodes after each insertion.
///
/// **Source**: Malkov and Yashunin, "Efficient and robust approximate nearest neighbor search using
/// hierarchical navigable small world graphs", algorithms 1 and 4, as `hnsw_rs` has them: a full
/// neighbour list drops its farthest entry where the paper selects anew.
pub(super) fn leaf_graph(places: Rows<'_>, config: &IndexConfig, inserted: &mut dyn FnMut(usize)) -> Graph {
    let nodes = places.len();
    let layers = UPPER_LAYERS_MAX + 1;
    let distance = SquaredDistance(Simd::best());
    let hnsw = Hnsw::new(config.m(), nodes, layers, config.ef_construction(), distance);
    for node in 0..nodes {
        hnsw.insert_slice((places.row(node as u32), node));
        inserted(node + 1);
    }
    flatten(&hnsw, config.m(), nodes)
}

/// Copies the neighbour lists out. `hnsw_rs` leaves lists above a node's own level, and entries of
/// nodes that do not live on the list's layer: both are left behind.
fn flatten(hnsw: &Hnsw<'_, f32, SquaredDistance>, m: usize, nodes: usize) -> Graph {
    let mut graph = Graph { m, entry: None, layer0: vec![NONE; nodes * 2 * m], upper: Vec::new() };
    // Its iterator over all points cannot be asked about an empty graph.
    if nodes == 0 {
        return graph;
    }
    for point in hnsw.get_point_indexation() {
        let node = point.get_origin_id() as u32;
        let (level, slot) = (usize::from(point.get_point_id().0), point.get_point_id().1);
        if level > graph.upper.len() {
            graph.upper.resize(level, UpperLayer::default());
        }
        for layer in &mut graph.upper[..level] {
            layer.nodes.push(node);
        }
        // The entry point is the first node that reached the top layer; the iteration ends there.
        if slot == 0 {
            graph.entry = Some(node);
        }
    }
    for layer in &mut graph.upper {
        layer.nodes.sort_unstable();
        layer.neighbors = vec![NONE; layer.nodes.len() * m];
    }
    for point in hnsw.get_point_indexation() {
        copy_lists(&point, &mut graph);
    }
    graph
}

fn copy_lists(point: &Point<'_, f32>, graph: &mut Graph) {
    let (node, m) = (point.get_origin_id() as u32, graph.m);
    let own_level = point.get_point_id().0;
    for (layer, list) in (0..=own_level).zip(point.get_neighborhood_id()) {
        let places = if layer == 0 {
            graph.places_mut(node)
        } else {
            let upper = &mut graph.upper[usize::from(layer) - 1];
            let at = upper.nodes.partition_point(|other| *other < node);
            &mut upper.neighbors[at * m..(at + 1) * m]
        };
        let lives_here = list.iter().filter(|neighbor| neighbor.p_id.0 >= layer && neighbor.d_id as u32 != node);
        for (place, neighbor) in places.iter_mut().zip(lives_here) {
            *place = neighbor.d_id as u32;
        }
    }
}
