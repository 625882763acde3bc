//! What the cases stand on: a broker, a function, and a mapping between them.

pub(crate) mod broker;
pub(crate) mod function;
pub(crate) mod world;

pub(crate) use function::Reply;
pub(crate) use world::{World, eventually};
