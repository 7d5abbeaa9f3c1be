use shortlist_types::{InvalidInput, ItemIdx, UserIdx};

use crate::EmbeddingError;

/// Stored vectors of users with long histories, who are moved by what they did since instead of being
/// folded in from everything at every request.
///
/// **Shapes**: users ascend; `values` has one row of `dimensions` per user.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct KnownUsers {
    users: Vec<UserIdx>,
    /// The items that each vector was folded in from, ascending.
    items: Vec<Vec<ItemIdx>>,
    stiffness: Vec<f32>,
    values: Vec<f32>,
    dimensions: usize,
}

/// One stored user.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KnownUser<'a> {
    /// His vector from all that he had done.
    pub vector: &'a [f32],
    /// How hard it is to move him: what his events and the regularisation weighed, per component.
    pub stiffness: f32,
    /// The items that the vector was folded in from, ascending.
    pub items: &'a [ItemIdx],
}

impl KnownUsers {
    /// Checks and keeps stored users. There may be none.
    ///
    /// # Errors
    /// Lengths that do not fit, users or items that do not ascend, a value that is not finite, or a stiffness that
    /// is not above 0.
    pub fn parse(users: Vec<(UserIdx, Vec<ItemIdx>, f32)>, values: Vec<f32>) -> Result<Self, EmbeddingError> {
        let wrong = |reason: &str| Err(EmbeddingError::Parts(InvalidInput::new("known_users", reason.to_owned())));
        let dimensions = values.len() / users.len().max(1);
        if dimensions * users.len() != values.len() || (dimensions == 0 && !users.is_empty()) {
            return wrong("must have one row of values per user");
        }
        if !users.is_sorted_by(|a, b| a.0 < b.0) || !users.iter().all(|user| user.1.is_sorted_by(|a, b| a < b)) {
            return wrong("must ascend without repeats");
        }
        // Written so that NaN fails too.
        if !users.iter().all(|user| user.2 > 0.0 && user.2.is_finite()) || !values.iter().all(|x| x.is_finite()) {
            return wrong("must hold finite values and a stiffness above 0");
        }
        let stiffness = users.iter().map(|user| user.2).collect();
        let (users, items) = users.into_iter().map(|(user, items, _)| (user, items)).unzip();
        Ok(Self { users, items, stiffness, values, dimensions })
    }

    /// The stored user of this number. **Cost**: a binary search.
    pub fn find(&self, user: UserIdx) -> Option<KnownUser<'_>> {
        let row = self.users.binary_search(&user).ok()?;
        let vector = self.values.get(row * self.dimensions..(row + 1) * self.dimensions)?;
        Some(KnownUser { vector, stiffness: *self.stiffness.get(row)?, items: self.items.get(row)? })
    }

    /// Number of stored users.
    pub fn len(&self) -> usize {
        self.users.len()
    }

    /// Whether nobody is stored.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    /// User, items and stiffness of every row.
    pub fn rows(&self) -> impl Iterator<Item = (UserIdx, &[ItemIdx], f32)> {
        let both = self.users.iter().zip(&self.items).zip(&self.stiffness);
        both.map(|((user, items), stiffness)| (*user, items.as_slice(), *stiffness))
    }

    /// All vectors, row-major.
    pub fn values(&self) -> &[f32] {
        &self.values
    }
}
