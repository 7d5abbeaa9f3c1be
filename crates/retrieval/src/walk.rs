use std::cmp::Reverse;

use shortlist_types::Score;

use crate::graph::Graph;
use crate::pacer::{BudgetExhausted, Pacer};
use crate::search_scratch::SearchScratch;

/// Best-first search of a graph: descends greedily through the upper layers, then widens to a beam
/// of the `ef` best accepted nodes on layer 0.
///
/// **Source**: Malkov and Yashunin (see the builder), algorithms 2 and 5. We differ in three points:
/// nodes that are not accepted are walked through but not kept; layer 0 begins at the entry point
/// too, from which every node is reachable; a walk may be limited in the nodes it scores.
pub(crate) struct Walk<'a> {
    pub(crate) graph: &'a Graph,
    pub(crate) ef: usize,
    /// Most nodes scored before the walk gives up.
    pub(crate) scored_max: usize,
    /// Work of scoring one node, in vector components.
    pub(crate) score_work: usize,
}

/// What a walk looks for.
pub(crate) trait Scorer {
    /// Reads what scoring `nodes` will read, so that the memory is asked for all at once and not for
    /// one node after another.
    fn read_ahead(&self, _nodes: &[u32]) {}

    /// How good `node` is; greater is better.
    fn score(&mut self, node: u32) -> Score;
}

/// How a walk came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WalkEnd {
    /// No candidate is left that could improve the beam.
    Converged,
    /// More nodes were scored than the limit.
    GaveUp,
}

impl Walk<'_> {
    /// Leaves the best accepted nodes in `scratch.beam`; `accept` says whether a node may be kept.
    pub(crate) fn run(
        &self,
        scratch: &mut SearchScratch,
        pacer: &mut Pacer<'_>,
        scorer: &mut impl Scorer,
        accept: impl Fn(u32, &mut Pacer<'_>) -> Result<bool, BudgetExhausted>,
    ) -> Result<WalkEnd, BudgetExhausted> {
        scratch.visited.clear(self.graph.nodes());
        scratch.candidates.clear();
        scratch.beam.reset(self.ef);
        let Some(entry) = self.graph.entry else { return Ok(WalkEnd::Converged) };
        let landing = self.descend(entry, pacer, scorer)?;
        scratch.fresh.clear();
        scratch.fresh.extend([entry, landing].iter().filter(|node| scratch.visited.insert(**node)));
        let mut scored = 0;
        loop {
            scorer.read_ahead(&scratch.fresh);
            for node in &scratch.fresh {
                let ranked = (scorer.score(*node), Reverse(*node));
                if scratch.beam.would_keep(ranked) {
                    scratch.candidates.push(ranked);
                    if accept(*node, pacer)? {
                        scratch.beam.offer(ranked);
                    }
                }
            }
            scored += scratch.fresh.len();
            let Some(nearest) = scratch.candidates.pop() else { return Ok(WalkEnd::Converged) };
            if scratch.beam.is_full() && scratch.beam.worst() > Some(nearest) {
                return Ok(WalkEnd::Converged);
            }
            if scored > self.scored_max {
                return Ok(WalkEnd::GaveUp);
            }
            let neighbors = self.graph.neighbors(nearest.1.0);
            scratch.fresh.clear();
            scratch.fresh.extend(neighbors.iter().filter(|node| scratch.visited.insert(**node)));
            pacer.spend(neighbors.len() * self.score_work)?;
        }
    }

    /// Follows the best neighbour on each upper layer down to layer 1.
    fn descend(&self, entry: u32, pacer: &mut Pacer<'_>, scorer: &mut impl Scorer) -> Result<u32, BudgetExhausted> {
        let mut best = (scorer.score(entry), Reverse(entry));
        for layer in self.graph.upper.iter().rev() {
            loop {
                let neighbors = layer.neighbors(best.1.0, self.graph.m);
                pacer.spend(neighbors.len() * self.score_work)?;
                scorer.read_ahead(neighbors);
                let better = neighbors.iter().map(|node| (scorer.score(*node), Reverse(*node))).max();
                match better.filter(|better| *better > best) {
                    Some(better) => best = better,
                    None => break,
                }
            }
        }
        Ok(best.1.0)
    }
}

#[cfg(test)]
mod tests {
    use shortlist_types::Unlimited;

    use super::*;
    use crate::distinct_rows::NONE;
    use crate::graph::UpperLayer;

    /// The higher the number, the better.
    struct ByNumber;
    impl Scorer for ByNumber {
        fn score(&mut self, node: u32) -> Score {
            Score::parse(node as f32).unwrap()
        }
    }

    #[test]
    fn a_descent_that_lands_in_a_dead_end_still_sees_every_node() {
        let graph = Graph {
            m: 1,
            entry: Some(0),
            layer0: vec![1, 2, 0, NONE, NONE, NONE],
            upper: vec![UpperLayer { nodes: vec![0, 2], neighbors: vec![2, NONE] }],
        };
        let walk = Walk { graph: &graph, ef: 3, scored_max: usize::MAX, score_work: 1 };
        let mut scratch = SearchScratch::new();
        let end = walk.run(&mut scratch, &mut Pacer::new(&Unlimited), &mut ByNumber, |_, _| Ok(true));
        assert_eq!((end, scratch.beam.iter().count()), (Ok(WalkEnd::Converged), 3));
    }
}
