//! A two-tower model for retrieval, learned with sampled softmax and logQ correction.
//!
//! It sits beside [`crate::IalsModel`] and is used the same way: the trainer calls
//! [`SoftmaxModel::fit`], the server [`SoftmaxModel::fold_in`]. Where iALS asks "seen or not" of every
//! pair, this model asks "which one next" of every event.
//!
//! An epoch deals the pairs (`deal`) into batches; each draws its negatives (`negative_sampler`), its
//! chunks compute loss and gradients in parallel (`chunk`, `sampled_softmax`), and the rows they touch
//! take one step (`row_gradients`, `trained_table`).

mod batch;
mod chunk;
mod deal;
mod negative_sampler;
mod pooling;
mod row_gradients;
mod sampled_softmax;
mod softmax_config;
mod softmax_model;
mod trained_table;
mod trainer;

pub use softmax_config::SoftmaxConfig;
pub use softmax_model::SoftmaxModel;
