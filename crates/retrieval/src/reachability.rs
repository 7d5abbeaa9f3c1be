use std::cmp::Reverse;

use hnsw_rs::anndists::dist::distances::Distance;
use shortlist_types::{EmbeddingTable, Score, Unlimited};

use crate::SearchScratch;
use crate::augmentation::{Augmentation, SquaredDistance};
use crate::distinct_rows::{DistinctRows, NONE};
use crate::graph::Graph;
use crate::pacer::Pacer;
use crate::walk::{Scorer, Walk};

/// The nodes that layer 0 leads to from the entry point. A search can find no others.
pub(crate) struct Reachable {
    nodes: Vec<bool>,
    count: usize,
    queue: Vec<u32>,
}

impl Reachable {
    /// Follows all neighbour lists from the entry point. **Cost**: one read of layer 0.
    pub(crate) fn of(graph: &Graph) -> Self {
        let mut reachable = Self { nodes: vec![false; graph.nodes()], count: 0, queue: Vec::new() };
        if let Some(entry) = graph.entry {
            reachable.extend_from(entry, graph);
        }
        reachable
    }

    /// Number of nodes reached.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    fn extend_from(&mut self, start: u32, graph: &Graph) {
        self.reach(start);
        while let Some(node) = self.queue.pop() {
            for neighbor in graph.neighbors(node) {
                self.reach(*neighbor);
            }
        }
    }

    fn reach(&mut self, node: u32) {
        if !std::mem::replace(&mut self.nodes[node as usize], true) {
            self.count += 1;
            self.queue.push(node);
        }
    }
}

/// Nodes that a repair considers as the one to link from; the nearest with a free place wins.
const REPAIR_EF: usize = 64;

/// Links every node that cannot be reached from one of its nearest that can.
///
/// When the nearest node has no free place, the new link goes between it and its farthest neighbour:
/// what was reachable stays so, and each round reaches at least one node more.
///
/// **Cost**: a read of layer 0, and a search per link added.
pub(crate) fn repair_reachability(
    graph: &mut Graph,
    table: &EmbeddingTable,
    distinct: &DistinctRows,
    augmentation: &Augmentation,
) {
    let mut reachable = Reachable::of(graph);
    let mut scratch = SearchScratch::new();
    let mut nearness = Nearness { table, distinct, augmentation, target: Vec::new(), place: Vec::new() };
    for node in 0..graph.nodes() as u32 {
        if reachable.nodes[node as usize] {
            continue;
        }
        nearness.set_target(node);
        let walk = Walk { graph, ef: REPAIR_EF, scored_max: usize::MAX, score_work: table.dimensions() };
        // The upper layers can lead it to nodes that layer 0 does not reach yet; nothing ends it early.
        let is_parent = |node: u32, _: &mut Pacer<'_>| Ok(reachable.nodes[node as usize]);
        let _converged = walk.run(&mut scratch, &mut Pacer::new(&Unlimited), &mut nearness, is_parent);
        let Some(parent) = parent_for_link(graph, &scratch) else { break };
        link(graph, parent, node);
        reachable.extend_from(node, graph);
    }
}

/// Scores nodes by how near they lie to a node, as the builder sees it.
struct Nearness<'a> {
    table: &'a EmbeddingTable,
    distinct: &'a DistinctRows,
    augmentation: &'a Augmentation,
    target: Vec<f32>,
    place: Vec<f32>,
}

impl Nearness<'_> {
    fn set_target(&mut self, node: u32) {
        self.augmentation.place(self.table.row(self.distinct.first_row(node)), &mut self.target);
    }
}

impl Scorer for Nearness<'_> {
    fn score(&mut self, node: u32) -> Score {
        self.augmentation.place(self.table.row(self.distinct.first_row(node)), &mut self.place);
        Score::parse(-SquaredDistance.eval(&self.target, &self.place)).unwrap_or(Score::ZERO)
    }
}

/// The nearest node with a free place, else the nearest.
fn parent_for_link(graph: &Graph, scratch: &SearchScratch) -> Option<u32> {
    let free = |node: u32| graph.neighbors(node).len() < graph.m0();
    scratch
        .beam
        .iter()
        .max_by_key(|(nearness, Reverse(node))| (free(*node), *nearness, Reverse(*node)))
        .map(|best| best.1.0)
}

/// Adds parent -> node; for a full parent, parent -> farthest becomes parent -> node -> farthest.
fn link(graph: &mut Graph, parent: u32, node: u32) {
    if let Some(displaced) = put(graph.places_mut(parent), node)
        && !graph.neighbors(node).contains(&displaced)
    {
        // What this displaces was not reachable through `node` before either.
        put(graph.places_mut(node), displaced);
    }
}

/// Puts `neighbor` in the first free place or in the last, the farthest neighbour's, which it returns.
fn put(places: &mut [u32], neighbor: u32) -> Option<u32> {
    if let Some(free) = places.iter_mut().find(|place| **place == NONE) {
        *free = neighbor;
        return None;
    }
    places.last_mut().map(|last| std::mem::replace(last, neighbor))
}

#[cfg(test)]
mod tests {
    use shortlist_types::ItemIdx;

    use super::*;
    use crate::graph::UpperLayer;

    /// Repairs a graph whose node i has the vector (cos i/10, sin i/10), and counts what is reached.
    fn repaired(mut graph: Graph) -> usize {
        let nodes = graph.nodes() as u32;
        let values = (0..nodes).flat_map(|i| [(i as f32 / 10.0).cos(), (i as f32 / 10.0).sin()]).collect();
        let table = EmbeddingTable::parse(2, (0..nodes).map(ItemIdx).collect(), values).unwrap();
        let distinct = DistinctRows::of(&table);
        let augmentation = Augmentation::of(&table, distinct.first_rows());
        assert!(Reachable::of(&graph).count() < graph.nodes());
        repair_reachability(&mut graph, &table, &distinct, &augmentation);
        Reachable::of(&graph).count()
    }

    #[test]
    fn a_piece_that_only_upper_layers_lead_to_is_linked_from_outside() {
        let upper = vec![UpperLayer { nodes: vec![0, 2], neighbors: vec![2, 0] }];
        let layer0 = vec![1, NONE, 0, NONE, 3, NONE, 2, NONE];
        assert_eq!(repaired(Graph { m: 1, entry: Some(0), layer0, upper }), 4);
    }

    #[test]
    fn full_lists_lose_nothing_that_was_reachable() {
        // Only node 3 leads to node 0, and it is the nearest to the ring of 4, 5 and 6 that none leads to.
        let layer0 = vec![1, 2, 2, 3, 1, 3, 1, 0, 5, 6, 4, 6, 4, 5];
        assert_eq!(repaired(Graph { m: 1, entry: Some(1), layer0, upper: Vec::new() }), 7);
    }
}
