// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What a failed delivery means: that is up to `on-error`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::capture::enums::OnError;
use crate::fault::Fault;

use super::message::Outlet;

pub struct Reporter {
    on_error: OnError,
    outlet: Arc<Outlet>,
    failed: AtomicBool,
}

impl Reporter {
    pub fn new(on_error: OnError, outlet: Arc<Outlet>) -> Self {
        Self {
            on_error,
            outlet,
            failed: AtomicBool::new(false),
        }
    }

    /// Something was not delivered.
    pub fn report(&self, fault: Fault) {
        match self.on_error {
            OnError::Continue => self.outlet.warn_often(&fault),
            OnError::Fail => self.stop(fault),
        }
    }

    /// Ends the capture with an error, whatever `on-error` is.
    pub fn stop(&self, fault: Fault) {
        if !self.failed.swap(true, Ordering::AcqRel) {
            self.outlet.error(fault);
        }
    }

    /// Whether an error was posted by which the element is to stop.
    pub fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }
}
