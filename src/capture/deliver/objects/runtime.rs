// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The thread that waits for sockets, one for all elements of the process, as long as one of them
//! uses it.

use std::future::Future;
use std::io;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

/// Look-ups of names at once: one that hangs is not to hold up the others.
const LOOK_UPS: usize = 16;
/// A look-up cannot be broken off, and stopping does not wait for it.
const SHUTDOWN: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub struct Shared(Option<Runtime>);

impl Deref for Shared {
    type Target = Runtime;

    fn deref(&self) -> &Runtime {
        // There until the end.
        self.0.as_ref().unwrap_or_else(|| unreachable!())
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_timeout(SHUTDOWN);
        }
    }
}

static SHARED: Mutex<Weak<Shared>> = Mutex::new(Weak::new());

pub fn shared() -> io::Result<Arc<Shared>> {
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(runtime) = shared.upgrade() {
        return Ok(runtime);
    }
    // Another library may have said before which primitives TLS is made of.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .max_blocking_threads(LOOK_UPS)
        // Names of threads end after 15 bytes.
        .thread_name("dsframeobjects")
        .enable_all()
        .build()?;
    let runtime = Arc::new(Shared(Some(runtime)));
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn the_end_does_not_wait_for_a_look_up_that_hangs() {
        let (hang, hung) = mpsc::channel::<()>();
        let (dropped, is_dropped) = mpsc::channel();
        let runtime = shared().unwrap();
        let (begun, has_begun) = mpsc::channel();
        runtime.spawn_blocking(move || {
            let _ = begun.send(());
            let _ = hung.recv();
        });
        has_begun.recv().unwrap();
        let end = std::thread::spawn(move || {
            drop(runtime);
            let _ = dropped.send(());
        });
        assert!(is_dropped.recv_timeout(Duration::from_secs(60)).is_ok());
        drop(hang);
        end.join().unwrap();
    }
}
