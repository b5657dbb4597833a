// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The thread that waits for sockets, one for all elements of the process, as long as one of them
//! uses it.

use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

static SHARED: Mutex<Weak<Runtime>> = Mutex::new(Weak::new());

pub fn shared() -> io::Result<Arc<Runtime>> {
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(runtime) = shared.upgrade() {
        return Ok(runtime);
    }
    // Another library may have said before which primitives TLS is made of.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .max_blocking_threads(2)
        // Names of threads end after 15 bytes.
        .thread_name("dsframeobjects")
        .enable_all()
        .build()?;
    let runtime = Arc::new(runtime);
    *shared = Arc::downgrade(&runtime);
    Ok(runtime)
}

/// What comes of it in time.
pub fn wait<T>(runtime: &Runtime, limit: Duration, work: impl Future<Output = T>) -> io::Result<T> {
    let bounded = async { tokio::time::timeout(limit, work).await };
    runtime.block_on(bounded).map_err(|_| {
        let text = format!("no answer within {} s", limit.as_secs());
        io::Error::new(io::ErrorKind::TimedOut, text)
    })
}
