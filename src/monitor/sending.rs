// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Pictures that are being sent: slow clients keep them after the gallery has let them go.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes on their way at once, by all servers; a larger picture goes alone.
const MAX_BYTES: usize = 64 << 20;

static BYTES: AtomicUsize = AtomicUsize::new(0);

/// Counts from its beginning to its end.
#[derive(Debug)]
pub struct Sending {
    picture: Arc<[u8]>,
    counter: &'static AtomicUsize,
}

impl Sending {
    /// `None` where too much is on its way.
    pub fn begin(picture: Arc<[u8]>) -> Option<Self> {
        Self::counted(picture, &BYTES)
    }

    fn counted(picture: Arc<[u8]>, counter: &'static AtomicUsize) -> Option<Self> {
        let size = picture.len();
        let with_this = |bytes: usize| {
            let sum = bytes.saturating_add(size);
            (bytes == 0 || sum <= MAX_BYTES).then_some(sum)
        };
        counter
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, with_this)
            .ok()
            .map(|_| Self { picture, counter })
    }
}

impl AsRef<[u8]> for Sending {
    fn as_ref(&self) -> &[u8] {
        &self.picture
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        self.counter.fetch_sub(self.picture.len(), Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_much_is_on_its_way_and_no_more() {
        static COUNTER: AtomicUsize = AtomicUsize::new(0);
        let send = |size: usize| Sending::counted(vec![0; size].into(), &COUNTER);
        let large = send(MAX_BYTES + 1).unwrap();
        assert!(send(1).is_none());
        drop(large);
        let half = send(MAX_BYTES / 2).unwrap();
        let other = send(MAX_BYTES / 2).unwrap();
        assert!(send(1).is_none());
        drop(half);
        assert_eq!(send(1).unwrap().as_ref(), [0]);
        drop(other);
        assert_eq!(COUNTER.load(Ordering::Acquire), 0);
    }
}
