// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Without the feature `monitor` nobody watches a run.

use std::sync::Arc;

use crate::codec::Encoding;
use crate::fault::Fault;

use super::config::Config;
use super::job::Capture;
use super::picture::Subject;
use super::run::Run;
use super::stats::Stats;

pub struct Listening;

impl Listening {
    pub fn begin(_: &Config) -> Result<Self, Fault> {
        Ok(Self)
    }
}

pub struct Watch;

impl Watch {
    pub fn end(self) {}

    pub fn begin(_: Listening, _: &gst::Element, _: &Arc<Run>, _: &Arc<Stats>) -> Self {
        Self
    }
}

/// There is none.
pub enum Viewer {}

#[derive(Debug, Default)]
pub struct Shown(());

impl Shown {
    pub fn add(&mut self, _: Option<&Viewer>, _: &[u8], _: Encoding, _: Subject, _: bool) {}

    pub fn show(self, _: Option<&Viewer>, _: &Capture) {}
}
