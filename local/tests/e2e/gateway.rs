//! The gateway in front of a Lambda host with a real function.
