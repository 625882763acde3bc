//! The development key pair: made on first use, kept under the checkout's target directory, and trusted by every
//! sandbox of this checkout. Signing happens here, so that the private key never leaves this file.
//!
//! Checking a token is the gateway's, see `gateway/authorizer.rs`; the command that prints tokens is `token.rs`.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, anyhow};
use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::jwk::{Jwk, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use serde::Serialize;

use crate::settings::checkout;

/// Who issues the tokens of a sandbox.
pub const ISSUER: &str = "https://firstcome.local";
/// For whom they are.
pub const AUDIENCE: &str = "firstcome";

const FILE: &str = "development-key.pem";

/// The development key pair.
pub struct Keys {
    pair: RsaKeyPair,
    kid: String,
    /// `{"alg":"RS256",…}`, encoded, with its dot: the same for every token.
    header: String,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").field("kid", &self.kid).finish_non_exhaustive()
    }
}

/// What the tokens of one call have in common; each adds its user as `sub`.
#[derive(Debug, Clone)]
pub struct Claims {
    /// `iss`.
    pub issuer: String,
    /// `aud`.
    pub audience: String,
    /// `scope`, space separated; absent when empty.
    pub scope: String,
    /// `exp` lies this many seconds from now; a negative number makes a token that has expired.
    pub expires_in_seconds: i64,
}

impl Default for Claims {
    /// What every sandbox accepts, for an hour, with no scope.
    fn default() -> Self {
        Self { issuer: ISSUER.into(), audience: AUDIENCE.into(), scope: String::new(), expires_in_seconds: 3600 }
    }
}

#[derive(Serialize)]
struct Payload<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: &'a str,
    iat: i64,
    exp: i64,
    #[serde(skip_serializing_if = "str::is_empty")]
    scope: &'a str,
}

impl Keys {
    /// The key pair of this checkout.
    ///
    /// # Errors
    /// Its file can be neither read nor made, or holds something else.
    pub fn of_checkout() -> anyhow::Result<Self> {
        // Where the sources are, not where cargo puts its output: CARGO_TARGET_DIR may differ from shell to shell.
        Self::load_or_make(&checkout()?.join("target").join("firstcome"))
    }

    /// The key pair in a directory. Processes that make it at the same moment end up with the same one.
    ///
    /// # Errors
    /// Its file can be neither read nor made, or holds something else.
    pub fn load_or_make(directory: &Path) -> anyhow::Result<Self> {
        let path = directory.join(FILE);
        if !path.exists() {
            make(directory, &path)
                .with_context(|| format!("cannot make a development key in {}", directory.display()))?;
        }
        Self::load(&path).with_context(|| format!("{} is no RSA key; delete it and a new one is made", path.display()))
    }

    fn load(path: &Path) -> anyhow::Result<Self> {
        let encoding_key = EncodingKey::from_rsa_pem(&std::fs::read(path)?)?;
        let pair = RsaKeyPair::from_der(encoding_key.as_bytes())?;
        // The key's own fingerprint (RFC 7638), so that a new key is never mistaken for an old one.
        let kid = Jwk::from_encoding_key(&encoding_key, Algorithm::RS256)?.thumbprint(ThumbprintHash::SHA256)?;
        let header = serde_json::json!({ "alg": "RS256", "kid": kid, "typ": "JWT" }).to_string();
        let header = format!("{}.", URL_SAFE_NO_PAD.encode(header));
        Ok(Self { pair, kid, header })
    }

    /// The name under which tokens refer to the key.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// What checks a signature.
    #[must_use]
    pub fn public(&self) -> DecodingKey {
        DecodingKey::from_rsa_der(self.pair.public_key().as_ref())
    }

    /// A token for one user.
    ///
    /// # Errors
    /// The system has no randomness to give.
    pub fn sign(&self, user: &str, claims: &Claims) -> anyhow::Result<String> {
        self.sign_at(user, claims, now_seconds())
    }

    fn sign_at(&self, user: &str, claims: &Claims, now: i64) -> anyhow::Result<String> {
        let Claims { issuer, audience, scope, expires_in_seconds } = claims;
        let exp = now.saturating_add(*expires_in_seconds);
        let payload = Payload { iss: issuer, aud: audience, sub: user, iat: now, exp, scope };
        let mut token = self.header.clone();
        URL_SAFE_NO_PAD.encode_string(serde_json::to_vec(&payload)?, &mut token);
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), token.as_bytes(), &mut signature)
            .map_err(|_unspecified| anyhow!("signing a token failed"))?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }

    /// Tokens for many users, in their order, made on all cores: a signature is the better part of a millisecond. Blocks.
    ///
    /// # Errors
    /// The system has no randomness to give.
    pub fn sign_all(&self, users: &[String], claims: &Claims) -> anyhow::Result<Vec<String>> {
        let now = now_seconds();
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let share = users.len().div_ceil(cores).max(1);
        let sign = |users: &[String]| users.iter().map(|user| self.sign_at(user, claims, now)).collect();
        let shares: Vec<anyhow::Result<Vec<String>>> = thread::scope(|scope| {
            let running: Vec<_> = users.chunks(share).map(|users| scope.spawn(move || sign(users))).collect();
            let joined = running.into_iter().map(thread::ScopedJoinHandle::join);
            joined.map(|share| share.unwrap_or_else(|_| Err(anyhow!("a signing thread panicked")))).collect()
        });
        let shares: Vec<Vec<String>> = shares.into_iter().collect::<anyhow::Result<_>>()?;
        Ok(shares.into_iter().flatten().collect())
    }
}

/// Writes a new key under another name and links it to the right one, which fails if somebody else was faster: theirs is
/// then as good.
fn make(directory: &Path, path: &PathBuf) -> anyhow::Result<()> {
    std::fs::create_dir_all(directory)?;
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_unspecified| anyhow!("generating a key failed"))?;
    let der: Pkcs8V1Der<'_> = pair.as_der().map_err(|_unspecified| anyhow!("encoding a key failed"))?;
    // A temporary file is readable by its owner alone from the start.
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    file.write_all(pem(der.as_ref()).as_bytes())?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Err(error) if error.error.kind() != std::io::ErrorKind::AlreadyExists => Err(error.error.into()),
        _ => Ok(()),
    }
}

fn pem(der: &[u8]) -> String {
    /// Characters in a line, RFC 7468.
    const LINE: usize = 64;
    let mut text = String::from("-----BEGIN PRIVATE KEY-----\n");
    for (place, character) in STANDARD.encode(der).chars().enumerate() {
        if place > 0 && place % LINE == 0 {
            text.push('\n');
        }
        text.push(character);
    }
    text.push_str("\n-----END PRIVATE KEY-----\n");
    text
}

fn now_seconds() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn processes_that_race_get_the_same_key() {
        let directory = tempfile::tempdir().unwrap();
        let below = directory.path().join("not/yet/there");
        let kids: BTreeSet<String> = thread::scope(|scope| {
            let racing: Vec<_> = (0..4).map(|_| scope.spawn(|| Keys::load_or_make(&below).unwrap().kid)).collect();
            racing.into_iter().map(|racer| racer.join().unwrap()).collect()
        });
        assert_eq!(kids.len(), 1, "{kids:?}");
        let files: Vec<_> = std::fs::read_dir(&below).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(files, [below.join(FILE)], "nothing else is left behind");
        assert_eq!(std::fs::metadata(&files[0]).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_file_that_is_no_key_is_named_and_kept() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join(FILE), "mine").unwrap();
        let error = format!("{:#}", Keys::load_or_make(directory.path()).unwrap_err());
        assert!(error.contains(FILE) && error.contains("delete it"), "{error}");
        assert_eq!(std::fs::read_to_string(directory.path().join(FILE)).unwrap(), "mine");
    }

    #[test]
    fn many_tokens_come_in_the_order_of_their_users() {
        let directory = tempfile::tempdir().unwrap();
        let keys = Keys::load_or_make(directory.path()).unwrap();
        let users: Vec<String> = (0..7).map(|n| format!("user-{n}")).collect();
        let tokens = keys.sign_all(&users, &Claims::default()).unwrap();
        let mut validation = jsonwebtoken::Validation::new(Algorithm::RS256);
        validation.set_audience(&[AUDIENCE]);
        validation.set_issuer(&[ISSUER]);
        let subjects = tokens.iter().map(|token| {
            let data = jsonwebtoken::decode::<serde_json::Value>(token, &keys.public(), &validation).unwrap();
            assert_eq!(data.header.kid.as_deref(), Some(keys.kid()));
            assert_eq!(data.claims["exp"].as_i64().unwrap() - data.claims["iat"].as_i64().unwrap(), 3600);
            assert!(data.claims.get("scope").is_none());
            data.claims["sub"].as_str().unwrap().to_owned()
        });
        assert_eq!(subjects.collect::<Vec<_>>(), users);
        assert!(keys.sign_all(&[], &Claims::default()).unwrap().is_empty());
    }
}
