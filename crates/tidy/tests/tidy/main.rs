//! The structure of this workspace as tests: who depends on whom, what is where, and that the pages say what the code
//! does. Reads files and `cargo metadata`; runs nothing of the workspace.

#[cfg(test)]
mod api;
#[cfg(test)]
mod configuration;
#[cfg(test)]
mod dependencies;
#[cfg(test)]
mod pages;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod sources;
#[cfg(test)]
mod tree;
