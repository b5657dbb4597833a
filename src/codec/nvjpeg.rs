// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! JPEG by the card: encoders that all threads and elements of the process share.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};

use super::Subsampling;
use crate::mem::cuda::{CardView, Gpu, Stream};
use crate::mem::nvjpeg::{Encoder, disabled};

pub use crate::mem::nvjpeg::{NvJpegError, takes};

/// As many encoders work on a GPU at once. One alone leaves most of an H200 idle: 1080p pictures of
/// 275 KB came to 13 800 each second from four, 17 400 from eight, 18 500 from twelve and no more from
/// sixteen.
pub const AT_ONCE: usize = 12;

/// The encoders of one GPU, freed when nobody has this any more.
#[derive(Debug)]
pub struct CardJpeg {
    gpu: Gpu,
    encoders: Bounded<Encoder>,
}

impl CardJpeg {
    /// Those of this GPU. An error that [is an absence](NvJpegError::is_absence) where nvJPEG is
    /// not installed or the environment has `DSFRAME_DISABLE_NVJPEG=1`.
    pub fn get(gpu: Gpu) -> Result<Arc<Self>, NvJpegError> {
        static ALL: Mutex<BTreeMap<u32, Weak<CardJpeg>>> = Mutex::new(BTreeMap::new());
        if disabled() {
            return Err(NvJpegError::Disabled);
        }
        let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shared) = all.get(&gpu.ordinal()).and_then(Weak::upgrade) {
            return Ok(shared);
        }
        // The first one is made at once: it shows whether there is an nvJPEG that works here.
        let shared = Arc::new(Self {
            gpu,
            encoders: Bounded::with(Encoder::new(gpu)?),
        });
        all.insert(gpu.ordinal(), Arc::downgrade(&shared));
        Ok(shared)
    }

    pub fn gpu(&self) -> Gpu {
        self.gpu
    }

    /// Replaces `out` by a JPEG file of a picture that is complete: see
    /// [`Encoder::encode`]. Waits while [`AT_ONCE`] others are at work.
    pub fn encode(
        &self,
        picture: &CardView<'_>,
        quality: u8,
        subsampling: Subsampling,
        out: &mut Vec<u8>,
    ) -> Result<(), NvJpegError> {
        self.encode_prepared(quality, subsampling, out, |_| Ok(*picture))
    }

    /// The same of a picture whose making `prepare` queues: see [`Encoder::encode_prepared`].
    pub fn encode_prepared<'p, E: From<NvJpegError>>(
        &self,
        quality: u8,
        subsampling: Subsampling,
        out: &mut Vec<u8>,
        prepare: impl FnOnce(&Stream) -> Result<CardView<'p>, E>,
    ) -> Result<(), E> {
        let mut encoder = self.encoders.take(|| Encoder::new(self.gpu))?;
        let result = encoder
            .item()
            .encode_prepared(quality, subsampling, out, prepare);
        if encoder.item().is_sound() {
            encoder.keep();
        }
        result
    }
}

/// Up to [`AT_ONCE`] of something that is slow to make.
#[derive(Debug)]
struct Bounded<T> {
    stock: Mutex<Stock<T>>,
    given_back: Condvar,
}

#[derive(Debug)]
struct Stock<T> {
    idle: Vec<T>,
    /// With those in use.
    count: usize,
}

impl<T> Bounded<T> {
    fn with(first: T) -> Self {
        Self {
            stock: Mutex::new(Stock {
                idle: vec![first],
                count: 1,
            }),
            given_back: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Stock<T>> {
        self.stock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take<E>(&self, make: impl FnOnce() -> Result<T, E>) -> Result<Taken<'_, T>, E> {
        let none = |stock: &mut Stock<T>| stock.idle.is_empty() && stock.count >= AT_ONCE;
        let mut stock = self
            .given_back
            .wait_while(self.lock(), none)
            .unwrap_or_else(PoisonError::into_inner);
        let item = stock.idle.pop();
        stock.count += usize::from(item.is_none());
        drop(stock);
        // From here on its place is given back whatever happens.
        let mut taken = Taken {
            from: self,
            item,
            sound: true,
        };
        if taken.item.is_none() {
            taken.item = Some(make()?);
        }
        taken.sound = false;
        Ok(taken)
    }
}

/// One in use. Dropped without [`keep`](Self::keep), as in a panic, it is not used again.
struct Taken<'a, T> {
    from: &'a Bounded<T>,
    item: Option<T>,
    sound: bool,
}

impl<T> Taken<'_, T> {
    fn item(&mut self) -> &mut T {
        // `take` gives out none without.
        self.item.as_mut().expect("an item until dropped")
    }

    fn keep(mut self) {
        self.sound = true;
    }
}

impl<T> Drop for Taken<'_, T> {
    fn drop(&mut self) {
        let item = self.item.take();
        let (kept, unsound) = match self.sound {
            true => (item, None),
            false => (None, item),
        };
        // Before its place is free.
        drop(unsound);
        let mut stock = self.from.lock();
        match kept {
            Some(item) => stock.idle.push(item),
            None => stock.count -= 1,
        }
        drop(stock);
        self.from.given_back.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;
    use std::time::Duration;

    use super::*;

    #[test]
    fn no_more_than_the_bound_are_made_and_all_threads_get_one() {
        let (made, busy) = (AtomicUsize::new(1), AtomicUsize::new(0));
        let bounded = Bounded::with(0);
        thread::scope(|scope| {
            for _ in 0..4 * AT_ONCE {
                scope.spawn(|| {
                    for _ in 0..20 {
                        let make = || Ok::<_, ()>(made.fetch_add(1, Ordering::SeqCst));
                        let taken = bounded.take(make).unwrap();
                        assert!(busy.fetch_add(1, Ordering::SeqCst) < AT_ONCE);
                        thread::sleep(Duration::from_micros(100));
                        busy.fetch_sub(1, Ordering::SeqCst);
                        taken.keep();
                    }
                });
            }
        });
        assert_eq!(made.into_inner(), AT_ONCE);
        assert_eq!(bounded.lock().idle.len(), AT_ONCE);
    }

    #[test]
    fn after_an_error_a_new_one_is_made() {
        let bounded = Bounded::with("first");
        let first = bounded.take(|| Err(())).unwrap();
        assert_eq!(first.item, Some("first"));
        drop(first);
        assert_eq!(bounded.lock().count, 0);
        assert!(bounded.take(|| Err("no memory")).is_err());
        assert_eq!(bounded.lock().count, 0);
        let mut second = bounded.take(|| Ok::<_, ()>("second")).unwrap();
        assert_eq!(*second.item(), "second");
        second.keep();
        assert_eq!(bounded.take(|| Err(())).unwrap().item, Some("second"));
    }
}
