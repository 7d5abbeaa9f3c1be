use crate::graph::{Graph, NONE};

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

/// Links every node that cannot be reached from the nearest that can; `distance` says how far apart
/// two nodes lie.
///
/// When the nearest node has no free place, the new link goes between it and its farthest neighbour:
/// what was reachable stays so, and each round reaches at least one node more.
///
/// **Cost**: a read of layer 0, and one distance to every node per link added.
pub(crate) fn repair_reachability(graph: &mut Graph, distance: impl Fn(u32, u32) -> f32) {
    let mut reachable = Reachable::of(graph);
    for node in 0..graph.nodes() as u32 {
        if reachable.nodes[node as usize] {
            continue;
        }
        let parents = (0..graph.nodes() as u32).filter(|parent| reachable.nodes[*parent as usize]);
        let ranked = parents.map(|parent| (distance(parent, node), parent));
        let Some((_, parent)) = ranked.min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1))) else { break };
        link(graph, parent, node);
        reachable.extend_from(node, graph);
    }
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
    use super::*;
    use crate::graph::UpperLayer;

    /// Repairs a graph whose node i lies at i on a line, and counts what is reached.
    fn repaired(mut graph: Graph) -> usize {
        assert!(Reachable::of(&graph).count() < graph.nodes());
        repair_reachability(&mut graph, |a, b| a.abs_diff(b) as f32);
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
