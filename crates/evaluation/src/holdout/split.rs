/// Training pairs cut in two. Every pair is in exactly one part.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Split {
    /// What is left to train on: (user, item), ascending.
    pub train: Vec<(u32, u32)>,
    /// What hyper-parameters are chosen on: (user, item), ascending.
    pub held_out: Vec<(u32, u32)>,
}
