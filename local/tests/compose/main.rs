//! `local/compose.yaml`, which no engine runs here: held to the Compose specification's schema, to the topics that the
//! sandbox would make, and to the addresses that the pages promise. `broken.rs` shows that each check can fail.
//!
//! Whether the images do what is expected of them, only an engine can tell.

#[cfg(test)]
mod broken;
#[cfg(test)]
mod checks;
#[cfg(test)]
mod documents;
#[cfg(test)]
mod listeners;
#[cfg(test)]
mod topics;
