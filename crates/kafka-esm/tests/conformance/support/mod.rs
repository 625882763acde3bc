//! What the cases stand on: a broker, a function, and a mapping between them.

pub(crate) mod broker;
pub(crate) mod function;
pub(crate) mod patience;
pub(crate) mod world;

pub(crate) use function::{Gate, Reply};
pub(crate) use patience::eventually;
pub(crate) use world::World;
