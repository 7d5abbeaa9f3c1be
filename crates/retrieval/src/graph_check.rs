use crate::graph::{Graph, NONE, UpperLayer};
use crate::reachability::Reachable;
use crate::{FormatRule, RetrievalError};

/// Checks every rule that a search relies on: a checksum says that a file is as it was written, not
/// that a graph was written. The lists of `graph` have their lengths already.
///
/// **Cost**: two reads of the graph.
///
/// **Errors**: the first rule that is broken.
pub(crate) fn check_graph(graph: &Graph) -> Result<(), RetrievalError> {
    let nodes = graph.nodes();
    let entry = match graph.entry {
        Some(entry) if (entry as usize) < nodes => entry,
        None if nodes == 0 && graph.upper.is_empty() => return Ok(()),
        got => {
            return Err(RetrievalError::broken(FormatRule::EntryPoint, nodes as u64, u64::from(got.unwrap_or(NONE))));
        }
    };
    for (node, places) in (0..).zip(graph.layer0.chunks_exact(graph.m0())) {
        check_list(node, places, nodes as u64, |neighbor| (neighbor as usize) < nodes)?;
    }
    let mut below: Option<&UpperLayer> = None;
    for layer in &graph.upper {
        check_upper_layer(layer, below, graph)?;
        below = Some(layer);
    }
    if let Some(top) = below.filter(|top| !lives_on(entry, top)) {
        return Err(RetrievalError::broken(FormatRule::EntryPointLevel, top.nodes.len() as u64, u64::from(entry)));
    }
    let reached = Reachable::of(graph).count();
    if reached != nodes {
        return Err(RetrievalError::broken(FormatRule::Reachability, nodes as u64, reached as u64));
    }
    Ok(())
}

fn check_upper_layer(layer: &UpperLayer, below: Option<&UpperLayer>, graph: &Graph) -> Result<(), RetrievalError> {
    let size_max = below.map_or(graph.nodes(), |below| below.nodes.len());
    if layer.nodes.is_empty() || layer.nodes.len() > size_max {
        return Err(RetrievalError::broken(FormatRule::LayerSize, size_max as u64, layer.nodes.len() as u64));
    }
    if let Some(pair) = layer.nodes.windows(2).find(|pair| pair[0] >= pair[1]) {
        return Err(RetrievalError::broken(FormatRule::LayerOrder, u64::from(pair[0]) + 1, u64::from(pair[1])));
    }
    let lives_below = |node: u32| below.map_or((node as usize) < graph.nodes(), |below| lives_on(node, below));
    if let Some(node) = layer.nodes.iter().find(|node| !lives_below(**node)) {
        return Err(RetrievalError::broken(FormatRule::LayerNesting, size_max as u64, u64::from(*node)));
    }
    for (node, places) in layer.nodes.iter().zip(layer.neighbors.chunks_exact(graph.m)) {
        check_list(*node, places, layer.nodes.len() as u64, |neighbor| lives_on(neighbor, layer))?;
    }
    Ok(())
}

fn lives_on(node: u32, layer: &UpperLayer) -> bool {
    layer.nodes.binary_search(&node).is_ok()
}

fn check_list(node: u32, places: &[u32], limit: u64, is_node: impl Fn(u32) -> bool) -> Result<(), RetrievalError> {
    let length = places.iter().position(|neighbor| *neighbor == NONE).unwrap_or(places.len());
    let (neighbors, padding) = places.split_at(length);
    for neighbor in neighbors {
        if *neighbor == node {
            return Err(RetrievalError::broken(FormatRule::SelfLoop, limit, u64::from(node)));
        }
        if !is_node(*neighbor) {
            return Err(RetrievalError::broken(FormatRule::Neighbor, limit, u64::from(*neighbor)));
        }
    }
    match padding.iter().find(|place| **place != NONE) {
        Some(place) => Err(RetrievalError::broken(FormatRule::Padding, length as u64, u64::from(*place))),
        None => Ok(()),
    }
}
