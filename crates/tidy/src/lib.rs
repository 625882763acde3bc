//! Tests that hold the workspace to its structure, and nothing else: see `tests/tidy/main.rs`. Each failure names the
//! file, the line and the rule, so that either the code or the rule is changed, and never neither.
