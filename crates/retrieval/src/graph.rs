/// No node and no row: there are fewer than this of either.
pub(crate) const NONE: u32 = u32::MAX;

/// Layers above layer 0 that the builder makes at most.
pub(crate) const UPPER_LAYERS_MAX: usize = 15;

/// A navigable small-world graph in layers as flat neighbour lists of fixed degree: layer 0 holds
/// all nodes with 2m places each, layer l about a 1/m of the nodes of the layer below with m places
/// each. Unused places are [`NONE`] and come last.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Graph {
    pub(crate) m: usize,
    /// Where descents begin: a node of the top layer; none in an empty graph.
    pub(crate) entry: Option<u32>,
    /// **Shapes**: nodes x 2m.
    pub(crate) layer0: Vec<u32>,
    /// Layer 1 first.
    pub(crate) upper: Vec<UpperLayer>,
}

/// One layer above layer 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct UpperLayer {
    /// The nodes that live here, ascending.
    pub(crate) nodes: Vec<u32>,
    /// **Shapes**: nodes x m.
    pub(crate) neighbors: Vec<u32>,
}

impl Graph {
    /// Places of a neighbour list on layer 0.
    pub(crate) fn m0(&self) -> usize {
        2 * self.m
    }

    /// Number of nodes.
    pub(crate) fn nodes(&self) -> usize {
        self.layer0.len() / self.m0()
    }

    /// Neighbours of `node` on layer 0.
    #[inline]
    pub(crate) fn neighbors(&self, node: u32) -> &[u32] {
        used(self.places(node))
    }

    /// All places of `node` on layer 0.
    #[inline]
    pub(crate) fn places(&self, node: u32) -> &[u32] {
        let start = node as usize * self.m0();
        &self.layer0[start..start + self.m0()]
    }

    /// The same, to be changed.
    pub(crate) fn places_mut(&mut self, node: u32) -> &mut [u32] {
        let (start, m0) = (node as usize * self.m0(), self.m0());
        &mut self.layer0[start..start + m0]
    }
}

impl UpperLayer {
    /// Neighbours of `node` on this layer; none if it does not live here.
    pub(crate) fn neighbors(&self, node: u32, m: usize) -> &[u32] {
        self.nodes.binary_search(&node).map_or(&[], |at| used(&self.neighbors[at * m..(at + 1) * m]))
    }
}

fn used(places: &[u32]) -> &[u32] {
    let length = places.iter().position(|node| *node == NONE).unwrap_or(places.len());
    &places[..length]
}
