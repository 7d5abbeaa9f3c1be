use serde::{Deserialize, Serialize};
use shortlist_types::Embedding;

/// How many items have an embedding of their owner's, and of how many dimensions all of those are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GivenEmbeddings {
    items: u32,
    dimensions: u32,
}

impl GivenEmbeddings {
    /// The dimensions that an embedding must have; none while no item has one.
    pub(crate) fn dimensions(self) -> Option<usize> {
        (self.items > 0).then_some(self.dimensions as usize)
    }

    /// Puts an item's embedding in place of the one before. One of other dimensions than all others is as good as
    /// none: who takes it in refuses it, so that only a race brings it here.
    pub(crate) fn replace(&mut self, place: &mut Option<Embedding>, given: Option<&Embedding>) {
        self.items -= u32::from(place.take().is_some());
        let Some(given) = given else { return };
        let length = given.as_slice().len();
        if self.dimensions().is_none_or(|dimensions| dimensions == length) {
            self.items += 1;
            // At most 4,096.
            self.dimensions = u32::try_from(length).unwrap_or(u32::MAX);
            *place = Some(given.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_embedding_says_of_how_many_dimensions_all_are() {
        let (mut given, mut a, mut b) = (GivenEmbeddings::default(), None, None);
        let of = |dimensions: usize| Embedding::parse(vec![1.0; dimensions]).unwrap();
        given.replace(&mut a, Some(&of(3)));
        given.replace(&mut b, Some(&of(2)));
        assert_eq!((given.dimensions(), a.is_some(), b.is_some()), (Some(3), true, false));
        // The only one may become another.
        given.replace(&mut a, Some(&of(2)));
        given.replace(&mut b, Some(&of(2)));
        assert_eq!((given.dimensions(), given.items), (Some(2), 2));
        given.replace(&mut a, None);
        given.replace(&mut b, None);
        assert_eq!(given.dimensions(), None);
    }
}
