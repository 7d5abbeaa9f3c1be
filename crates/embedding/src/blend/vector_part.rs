use crate::VectorModel;

/// A vector model within a blend.
#[derive(Debug)]
pub struct VectorPart {
    model: Box<dyn VectorModel>,
    weight: f32,
    factor: f32,
}

impl VectorPart {
    /// A fitted model with its weight, and the factor that its scores bear.
    pub(crate) fn new(model: Box<dyn VectorModel>, weight: f32, factor: f32) -> Self {
        Self { model, weight, factor }
    }

    /// The model.
    pub fn model(&self) -> &dyn VectorModel {
        &*self.model
    }

    /// Its weight in the blend.
    pub fn weight(&self) -> f32 {
        self.weight
    }

    /// What its inner products are multiplied by: the weight over the usual deviation of its scores.
    pub fn factor(&self) -> f32 {
        self.factor
    }

    /// What its item vectors are multiplied by in the joined ones: the factor as a power of two, so that
    /// they can be read back without a rounding error.
    pub(crate) fn scale(&self) -> f32 {
        scale_of(self.factor)
    }

    /// Appends a user's part of the joined query; zeros if the model knows nothing of him.
    pub(crate) fn extend_query(&self, user: Option<&[f32]>, query: &mut Vec<f32>) {
        let factor = self.factor / self.scale();
        match user {
            Some(user) => query.extend(user.iter().map(|x| x * factor)),
            None => query.resize(query.len() + self.model.table().dimensions(), 0.0),
        }
    }
}

/// The power of two nearest to a factor.
pub(crate) fn scale_of(factor: f32) -> f32 {
    factor.clamp(f32::MIN_POSITIVE, 1.0 / f32::MIN_POSITIVE).log2().round().exp2()
}
