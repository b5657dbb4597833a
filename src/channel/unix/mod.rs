// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Channels across processes, by what docs/channel-protocol.md says.

pub mod socket;

pub use socket::{Access, SocketError};
