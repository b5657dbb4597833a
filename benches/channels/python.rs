// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The bridge as it is documented for Python, in its own process.

use std::path::Path;
use std::process::{Command, Stdio};

use super::Res;

/// Seconds per frame of the bridge alone: its source gives out one picture by reference.
pub fn per_frame(frames: usize) -> Res<f64> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join("target/bench-peers/venv/bin/python");
    if !python.exists() {
        return Err("benches/peers/setup.sh was not run".into());
    }
    let output = Command::new(python)
        .arg(root.join("benches/channels/bridge.py"))
        .arg(frames.to_string())
        .stdin(Stdio::null())
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    let seconds: f64 = String::from_utf8(output.stdout)?.trim().parse()?;
    Ok(seconds / frames as f64)
}
