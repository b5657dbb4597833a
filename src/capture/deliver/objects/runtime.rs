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

use tokio::runtime::{Builder, Handle, Runtime};

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
        let Some(runtime) = self.0.take() else {
            return;
        };
        match is_in_another() {
            true => runtime.shutdown_background(),
            false => runtime.shutdown_timeout(SHUTDOWN),
        }
    }
}

/// Applications change states in their own runtimes, and there none may be waited for.
fn is_in_another() -> bool {
    Handle::try_current().is_ok()
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
pub fn wait<T: Send>(
    runtime: &Runtime,
    limit: Duration,
    work: impl Future<Output = T> + Send,
) -> io::Result<T> {
    let late = || {
        let text = format!("no answer within {} s", limit.as_secs());
        io::Error::new(io::ErrorKind::TimedOut, text)
    };
    let bounded = async { tokio::time::timeout(limit, work).await.map_err(|_| late()) };
    if !is_in_another() {
        return runtime.block_on(bounded);
    }
    std::thread::scope(|scope| {
        let waits = std::thread::Builder::new()
            .name("dsframewait".into())
            .spawn_scoped(scope, || runtime.block_on(bounded))?;
        let broken = |_| Err(io::Error::other("waiting for an object store went wrong"));
        waits.join().unwrap_or_else(broken)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn applications_may_have_a_runtime_of_their_own() {
        let theirs = Builder::new_current_thread().enable_all().build().unwrap();
        theirs.block_on(async {
            let runtime = shared().unwrap();
            let second = Duration::from_secs(1);
            assert_eq!(wait(&runtime, second, async { 3 }).unwrap(), 3);
            let never = std::future::pending::<()>();
            let error = wait(&runtime, second, never).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        });
    }

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
