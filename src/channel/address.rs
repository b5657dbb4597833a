// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Which channel: `name` in this process, `unix:/path` across processes.

use std::fmt;
use std::path::PathBuf;

/// Longer names are mistakes.
const MAX_NAME: usize = 255;

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Address {
    InProcess(String),
    Unix(PathBuf),
}

impl Address {
    /// Or what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            return match path {
                "" => Err("unix: needs the path of a socket: unix:/run/cameras/front.sock".into()),
                path => Ok(Self::Unix(path.into())),
            };
        }
        match text.split_once(':') {
            _ if text.is_empty() => Err("a channel needs a name".into()),
            _ if text.len() > MAX_NAME => Err(format!("is longer than {MAX_NAME} bytes")),
            Some((scheme, _)) => Err(format!(
                "\"{scheme}:\" is no kind of channel: write a name for one in this process, \
                 unix:/path for one across processes"
            )),
            None if text.contains('/') => Err(format!(
                "\"{text}\" looks like a path: write unix:{text} for a channel across processes"
            )),
            None => Ok(Self::InProcess(text.into())),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InProcess(name) => write!(f, "\"{name}\""),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_paths_are_told_apart() {
        let name = |name: &str| Ok(Address::InProcess(name.into()));
        assert_eq!(Address::parse("cam-3"), name("cam-3"));
        let unix = |path: &str| Ok(Address::Unix(path.into()));
        assert_eq!(Address::parse("unix:/run/a.sock"), unix("/run/a.sock"));
        assert_eq!(Address::parse("unix:a.sock"), unix("a.sock"));
        for bad in ["", "unix:", "tcp:host:1", "/run/a.sock", "a:b"] {
            assert!(Address::parse(bad).is_err(), "{bad}");
        }
        assert!(Address::parse(&"x".repeat(256)).is_err());
    }
}
