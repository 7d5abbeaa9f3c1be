//! Implicit alternating least squares: a vector per user and item, by exact small solves in turn.

mod half_step;
mod ials_config;
mod ials_model;
mod known_users;
mod row_descent;
mod row_solver;

pub use ials_config::IalsConfig;
pub use ials_model::IalsModel;
pub use known_users::{KnownUser, KnownUsers};
pub(crate) use row_solver::RowSolver;
