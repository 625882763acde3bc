//! `cargo local token`: prints a JWT for each user, one a line, and nothing else on stdout.
//!
//! The key and the signature are `keys.rs`'s.

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;

use crate::keys::{AUDIENCE, Claims, ISSUER, Keys};

/// `token`: for whom, and what it says.
#[derive(Debug, Args)]
pub struct TokenOptions {
    /// A user; the token's `sub`. Repeat it, or give several, for a token each
    #[arg(long = "user", value_name = "ID", required = true, num_args = 1..)]
    pub users: Vec<String>,
    /// The token's `scope`, space separated: `coupons:write` may create coupons
    #[arg(long, value_name = "SCOPES", default_value = "", hide_default_value = true)]
    pub scope: String,
    /// How long it is valid: a number with s, m, h or d. A negative one makes a token that has expired
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = parse_seconds, allow_hyphen_values = true)]
    pub expires_in: i64,
    /// The token's `aud`; a sandbox accepts no other than the default
    #[arg(long, default_value = AUDIENCE)]
    pub audience: String,
    /// The token's `iss`; a sandbox accepts no other than the default
    #[arg(long, default_value = ISSUER)]
    pub issuer: String,
}

/// Prints the tokens.
///
/// # Errors
/// The key can be neither read nor made, or stdout is closed.
pub fn run(options: TokenOptions) -> anyhow::Result<ExitCode> {
    let TokenOptions { users, scope, expires_in, audience, issuer } = options;
    let claims = Claims { issuer, audience, scope, expires_in_seconds: expires_in };
    let tokens = Keys::of_checkout()?.sign_all(&users, &claims)?;
    let mut stdout = std::io::stdout().lock();
    for token in tokens {
        writeln!(stdout, "{token}").context("stdout")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// `90s`, `15m`, `1h`, `2d`, or seconds alone; a minus in front is allowed.
fn parse_seconds(text: &str) -> Result<i64, String> {
    let expected = || format!("{text:?} is no time: expected a number with s, m, h or d, such as 90s or 1h");
    let digits = text.trim_end_matches(|last: char| last.is_ascii_alphabetic());
    let unit = match text.strip_prefix(digits).unwrap_or_default() {
        "" | "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => return Err(expected()),
    };
    digits.parse::<i64>().ok().and_then(|number| number.checked_mul(unit)).ok_or_else(expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_unit_or_means_seconds() {
        for (text, seconds) in
            [("90s", 90), ("15m", 900), ("1h", 3600), ("2d", 172_800), ("7", 7), ("-1h", -3600), ("0", 0)]
        {
            assert_eq!(parse_seconds(text), Ok(seconds), "{text}");
        }
        for text in ["", "h", "1w", "1h30m", "9223372036854775807d", "1.5h", "é"] {
            assert!(parse_seconds(text).unwrap_err().contains("such as 90s"), "{text}");
        }
    }
}
