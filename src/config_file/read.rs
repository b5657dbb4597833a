// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The file itself, read within bounds.

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::document::Problem;

/// Far more than anybody writes.
pub const MAX_BYTES: u64 = 1 << 20;

pub fn read(path: &Path) -> Result<String, Problem> {
    let failed = |error: io::Error| {
        Problem::new(match error.kind() {
            io::ErrorKind::NotFound => "there is no such file".into(),
            io::ErrorKind::PermissionDenied => {
                "permission denied; make it readable for the user who runs the pipeline".into()
            }
            _ => format!("cannot be read: {error}"),
        })
    };
    // A FIFO without a writer would keep the state change waiting.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)
        .map_err(failed)?;
    let found = file.metadata().map_err(failed)?;
    if found.is_dir() {
        return Err(Problem::new("is a folder, not a file"));
    }
    if !found.is_file() {
        return Err(Problem::new("is not a regular file"));
    }
    let too_large = || {
        Problem::new(format!(
            "is larger than {} MiB, which no configuration is",
            MAX_BYTES >> 20
        ))
    };
    if found.len() > MAX_BYTES {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(too_large());
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let before = error.as_bytes().get(..valid).unwrap_or_default();
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        Problem::at(line, "is not UTF-8 text")
    })
}
