//! What a template comes to: each function and section, and each fault with its line and column.

#[cfg(test)]
mod checkout;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod parameters;
#[cfg(test)]
mod resources;
#[cfg(test)]
mod values;
#[cfg(test)]
mod world;
