// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Channels: what `dsframecapture` sends is what `dsframeinject` pushes, in the process and across
//! sockets. Frames spell their numbers in every pixel, so that none is lost, doubled, moved or mixed
//! up unseen.

#[path = "../common/mod.rs"]
mod common;
mod ends;
mod facts;
mod flow;
mod kills;

mod hostile;
mod kit;
#[path = "../launch/mod.rs"]
mod launch;
mod namespaces;
mod peers;
mod places;

mod processes;
mod python;
mod soak;

/// Runs a test over each kind of channel.
macro_rules! over_all_channels {
    ($($test:ident),* $(,)?) => {
        mod in_process {
            $(#[test] fn $test() { super::$test(&crate::kit::Line::in_process(stringify!($test))); })*
        }
        mod unix {
            $(#[test] fn $test() { super::$test(&crate::kit::Line::unix()); })*
        }
    };
}
pub(crate) use over_all_channels;
