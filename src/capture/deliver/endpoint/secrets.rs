// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Tokens and headers that are nobody else's business: read from a file or from the environment,
//! sent, and shown nowhere.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use ureq::http::{HeaderName, HeaderValue};

/// No token and no list of headers is longer.
const MAX_BYTES: u64 = 64 << 10;
/// Those that the request itself needs.
const OWN: [&str; 9] = [
    "connection",
    "content-length",
    "content-type",
    "expect",
    "host",
    "idempotency-key",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// Where a secret is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    File(PathBuf),
    Variable(String),
}

impl Source {
    /// `env:NAME` is a variable of the environment.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.strip_prefix("env:") {
            None => Ok(Self::File(text.into())),
            Some("") => Err("env: names no variable: write env:NAME".into()),
            Some(name) if name.contains(['=', '\0']) => {
                Err("env: is to be followed by the name of a variable alone".into())
            }
            Some(name) => Ok(Self::Variable(name.into())),
        }
    }

    fn read(&self) -> Result<String, String> {
        let text = match self {
            Self::File(path) => {
                read(path).map_err(|error| format!("cannot read {self}: {error}"))?
            }
            Self::Variable(name) => std::env::var(name).map_err(|error| match error {
                std::env::VarError::NotPresent => format!("{self} is not set"),
                // Would show it.
                std::env::VarError::NotUnicode(_) => format!("{self} is not valid UTF-8"),
            })?,
        };
        Ok(text)
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Variable(name) => write!(f, "environment variable {name}"),
        }
    }
}

fn read(path: &PathBuf) -> io::Result<String> {
    let mut text = String::new();
    let read = File::open(path)?
        .take(MAX_BYTES + 1)
        .read_to_string(&mut text)?;
    match read as u64 > MAX_BYTES {
        true => Err(io::Error::other(format!(
            "it has more than {MAX_BYTES} bytes"
        ))),
        false => Ok(text),
    }
}

/// Where the secrets are.
#[derive(Debug, Clone, Default)]
pub struct Secrets {
    pub token: Option<Source>,
    pub headers: Option<Source>,
}

/// Headers that are sent and not shown.
#[derive(Clone, Default, PartialEq)]
pub struct Credentials(Vec<(HeaderName, HeaderValue)>);

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(..)")
    }
}

/// The property that names a secret that cannot be used, and why: without the secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("property \"{property}\": {reason}")]
pub struct SecretError {
    pub property: &'static str,
    pub reason: String,
}

impl Secrets {
    /// Whether there are any.
    pub fn is_any(&self) -> bool {
        self.token.is_some() || self.headers.is_some()
    }

    pub fn read(&self) -> Result<Credentials, SecretError> {
        let mut all = Vec::new();
        if let Some(source) = &self.headers {
            let wrong = |reason| SecretError {
                property: "endpoint-headers-file",
                reason,
            };
            let text = source.read().map_err(wrong)?;
            all = headers(&text).map_err(|reason| wrong(format!("{source}: {reason}")))?;
        }
        if let Some(source) = &self.token {
            let wrong = |reason| SecretError {
                property: "endpoint-token-file",
                reason,
            };
            let text = source.read().map_err(wrong)?;
            let bearer = bearer(&text).map_err(|reason| wrong(format!("{source}: {reason}")))?;
            all.retain(|(name, _)| *name != ureq::http::header::AUTHORIZATION);
            all.push((ureq::http::header::AUTHORIZATION, bearer));
        }
        Ok(Credentials(all))
    }
}

impl Credentials {
    pub fn headers(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        self.0.iter().map(|(name, value)| (name, value))
    }
}

fn value(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn bearer(text: &str) -> Result<HeaderValue, String> {
    let token = text.lines().next().unwrap_or_default().trim();
    if token.is_empty() {
        return Err("its first line is empty, and should be the token".into());
    }
    let is_plain = token.bytes().all(|byte| byte.is_ascii_graphic());
    value(&format!("Bearer {token}"))
        .filter(|_| is_plain)
        .ok_or_else(|| "its first line has characters that no token has".into())
}

fn headers(text: &str) -> Result<Vec<(HeaderName, HeaderValue)>, String> {
    let mut all = Vec::new();
    let lines = text
        .lines()
        .zip(1..)
        .map(|(line, number)| (line.trim(), number));
    for (line, number) in lines.filter(|(line, _)| !line.is_empty() && !line.starts_with('#')) {
        // Not even a part of the line is shown: it may be a secret without a name.
        let wrong = |reason: &str| format!("line {number} {reason}");
        let Some((name, text)) = line.split_once(':') else {
            return Err(wrong("is not \"Name: value\""));
        };
        let name = HeaderName::from_bytes(name.trim().as_bytes())
            .map_err(|_| wrong("has no valid name of a header before its colon"))?;
        if OWN.contains(&name.as_str()) || name.as_str().starts_with("dsframe-") {
            return Err(wrong(&format!(
                "sets {name}, which the request sets itself"
            )));
        }
        let value = value(text.trim()).ok_or_else(|| wrong("has characters that no header has"))?;
        all.push((name, value));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Result<Vec<(String, String)>, String> {
        let pair = |(name, value): (HeaderName, HeaderValue)| {
            assert!(value.is_sensitive());
            (name.to_string(), value.to_str().unwrap().to_owned())
        };
        headers(text).map(|all| all.into_iter().map(pair).collect())
    }

    #[test]
    fn headers_are_lines() {
        let text = "# keys\n\nX-Api-Key: a: b \r\nX-Site:7\n";
        let expected = [("x-api-key", "a: b"), ("x-site", "7")].map(|(n, v)| (n.into(), v.into()));
        assert_eq!(shown(text), Ok(expected.to_vec()));
    }

    #[test]
    fn what_is_wrong_is_told_without_the_secret() {
        for text in [
            "hunter2",
            "hunt er2: x",
            "X-A: hunter2\u{7f}",
            "Host: hunter2",
            "Dsframe-A: hunter2",
        ] {
            let error = shown(text).unwrap_err();
            assert!(
                error.starts_with("line 1 ") && !error.contains("hunter2"),
                "{error}"
            );
        }
        for text in ["", "\nhunter2", "hun ter2", "hunter2\u{e9}"] {
            let error = bearer(text).unwrap_err();
            assert!(!error.contains("ter2"), "{error}");
        }
    }

    #[test]
    fn a_token_is_the_first_line_and_goes_before_a_header() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            Some(Source::File(path))
        };
        let secrets = Secrets {
            token: file("token", " hunter2\r\nnot this\n"),
            headers: file("headers", "Authorization: Basic x\nX-A: y\n"),
        };
        let credentials = secrets.read().unwrap();
        let all: Vec<_> = credentials
            .headers()
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect();
        assert_eq!(all, ["x-a: y", "authorization: Bearer hunter2"]);
        assert!(!format!("{credentials:?} {secrets:?}").contains("hunter2"));
    }

    #[test]
    fn sources_are_files_or_variables() {
        assert_eq!(Source::parse("a/b"), Ok(Source::File("a/b".into())));
        assert_eq!(Source::parse("env:A"), Ok(Source::Variable("A".into())));
        assert!(Source::parse("env:").is_err() && Source::parse("env:A=b").is_err());
        let missing = Source::parse("env:DSFRAME_NOT_SET").unwrap();
        assert!(missing.read().unwrap_err().contains("is not set"));
        let endless = Source::File("/dev/zero".into());
        assert!(endless.read().unwrap_err().contains("more than"));
    }
}
