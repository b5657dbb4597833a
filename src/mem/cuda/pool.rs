// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Memory that is used again: allocating on a GPU stops it.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{CudaError, Gpu, Kind, Memory};

/// Sizes for which memory is kept. Streams of a batch may differ in size.
const SIZES: usize = 16;
/// Pools that round have none smaller.
const ROUNDED: usize = 64 << 10;

type Free = Vec<(usize, Vec<Memory>)>;

/// Gives out memory of any size and takes it back. Whoever queues it bounds how much there is.
#[derive(Debug, Clone)]
pub struct MemoryPool {
    gpu: Gpu,
    kind: Kind,
    rounds: bool,
    /// By size, the one used last at the end.
    free: Arc<Mutex<Free>>,
}

/// Memory that goes back to its pool.
#[derive(Debug)]
pub struct Pooled {
    memory: Option<Memory>,
    retired: AtomicBool,
    free: Arc<Mutex<Free>>,
}

fn lock(free: &Mutex<Free>) -> MutexGuard<'_, Free> {
    free.lock().unwrap_or_else(PoisonError::into_inner)
}

impl MemoryPool {
    pub fn new(gpu: Gpu, kind: Kind) -> Self {
        Self {
            gpu,
            kind,
            rounds: false,
            free: Arc::default(),
        }
    }

    /// For lengths that are rarely the same: gives out the next power of two, so that there are few
    /// sizes to keep.
    pub fn rounding(gpu: Gpu, kind: Kind) -> Self {
        Self {
            rounds: true,
            ..Self::new(gpu, kind)
        }
    }

    pub fn gpu(&self) -> Gpu {
        self.gpu
    }

    /// Memory of undefined contents, of this length at least.
    pub fn take(&self, len: usize) -> Result<Pooled, CudaError> {
        let len = match self.rounds {
            true => len.max(ROUNDED).checked_next_power_of_two().unwrap_or(len),
            false => len,
        };
        let (memory, unused) = self.find(len);
        drop(unused);
        let memory = match memory {
            Some(memory) => memory,
            None => Memory::new(self.gpu, self.kind, len)?,
        };
        Ok(Pooled {
            memory: Some(memory),
            retired: AtomicBool::new(false),
            free: self.free.clone(),
        })
    }

    /// Free memory of this size, and what has not been asked for in a long time: to be dropped
    /// without the lock.
    fn find(&self, len: usize) -> (Option<Memory>, Vec<Memory>) {
        let mut free = lock(&self.free);
        if let Some(last) = free.last_mut().filter(|(size, _)| *size == len) {
            return (last.1.pop(), Vec::new());
        }
        let found = free.iter().position(|(size, _)| *size == len);
        let mut entry = found.map_or((len, Vec::new()), |index| free.remove(index));
        let unused = match free.len() {
            SIZES.. => free.remove(0).1,
            _ => Vec::new(),
        };
        let memory = entry.1.pop();
        free.push(entry);
        (memory, unused)
    }
}

impl Pooled {
    /// Others may read it for ever: it is freed, and not used again.
    pub fn retire(&self) {
        self.retired.store(true, Ordering::Release);
    }
}

impl Deref for Pooled {
    type Target = Memory;

    fn deref(&self) -> &Memory {
        // Taken by `drop` alone.
        self.memory.as_ref().expect("memory until dropped")
    }
}

impl DerefMut for Pooled {
    fn deref_mut(&mut self) -> &mut Memory {
        self.memory.as_mut().expect("memory until dropped")
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        let Some(memory) = self.memory.take() else {
            return;
        };
        if *self.retired.get_mut() {
            return;
        }
        let mut free = lock(&self.free);
        let size = memory.len();
        if let Some((_, entry)) = free.iter_mut().find(|(len, _)| *len == size) {
            entry.push(memory);
            return;
        }
        // Not asked for any more: freed without the lock.
        drop(free);
        drop(memory);
    }
}
