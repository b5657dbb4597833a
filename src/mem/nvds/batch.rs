// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A batch, its layout and its lock.

#![allow(unsafe_code)]

use std::fmt;
use std::marker::PhantomData;
use std::mem::{offset_of, size_of};
use std::ptr::with_exposed_provenance_mut;

use gst::glib::ffi::{GRecMutex, g_rec_mutex_lock, g_rec_mutex_unlock};

use super::MAX_FRAMES;
use super::element::{Elements, Frame, Tools};
use super::list::List;
use super::memory::Memory;
use crate::mem::sys::Generation;
use crate::mem::sys::nvds::{
    Address, BatchMeta, ClassifierMeta, LabelInfo, MetaPool, MetaType, Places, UserMeta,
    element_sizes,
};

/// A batch whose layout is known, locked until it is dropped. The lock is for short: the elements
/// of the pipeline wait for it.
pub struct Batch<'a> {
    head: BatchMeta,
    generation: Generation,
    tools: Tools<'a>,
    /// Last, as it is to be released last.
    _lock: Lock<'a>,
}

/// Why a batch cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unknown {
    #[error("its batch would be at {0:#x}, where none can be")]
    Pointer(usize),
    #[error("it says to be of type {0}, and batches of video are of type 1")]
    Type(i32),
    #[error("its pool of {0} would be at {1:#x}, where none can be")]
    Pool(&'static str, usize),
    #[error("{0}")]
    Sizes(Sizes),
}

/// What the pools of a batch say about their elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    pub frame: u32,
    pub object: u32,
    pub classifier: u32,
    pub user: u32,
    pub label_info: u32,
    pub frame_type: i32,
    pub object_type: i32,
}

impl fmt::Display for Sizes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            frame,
            object,
            classifier,
            user,
            label_info,
            frame_type,
            object_type,
        } = self;
        write!(
            f,
            "its frames have {frame} bytes (type {frame_type}), objects {object} (type \
             {object_type}), classifiers {classifier}, user metas {user} and labels {label_info}; \
             known are frames and objects of 200 and 544 (up to DeepStream 7.1), 232 and 544 (8.0) \
             or 232 and 552 bytes (9.0 and 9.1), of types 2 and 3, with 64, 48 and 200 bytes"
        )
    }
}

impl Sizes {
    fn generation(self) -> Option<Generation> {
        let sizes = (self.frame as usize, self.object as usize);
        let types = (MetaType(self.frame_type), MetaType(self.object_type));
        let others = [self.classifier, self.user, self.label_info].map(|size| size as usize);
        if types != (MetaType::FRAME, MetaType::OBJECT)
            || others
                != [
                    size_of::<ClassifierMeta>(),
                    size_of::<UserMeta>(),
                    size_of::<LabelInfo>(),
                ]
        {
            return None;
        }
        Generation::ALL
            .into_iter()
            .find(|generation| element_sizes(*generation) == sizes)
    }
}

struct Lock<'a> {
    mutex: *mut GRecMutex,
    batch: PhantomData<&'a ()>,
}

impl Lock<'_> {
    /// # Safety
    ///
    /// A batch must be alive at the address, during the lifetime.
    unsafe fn take(batch: Address) -> Self {
        let mutex = batch.0 + offset_of!(BatchMeta, mutex);
        let mutex = with_exposed_provenance_mut(mutex);
        // SAFETY: the batch has its mutex there, in all generations.
        unsafe { g_rec_mutex_lock(mutex) };
        Self {
            mutex,
            batch: PhantomData,
        }
    }
}

impl Drop for Lock<'_> {
    fn drop(&mut self) {
        // SAFETY: locked by this thread, as the pointer keeps `self` from being sent elsewhere.
        unsafe { g_rec_mutex_unlock(self.mutex) };
    }
}

impl<'a> Batch<'a> {
    /// # Safety
    ///
    /// What a `NvDsMeta` has as its batch, during the lifetime.
    pub(super) unsafe fn lock(at: Address) -> Result<Self, Unknown> {
        // SAFETY: the batch and what it leads to live as long as the meta has it.
        let memory: Memory<'a> = unsafe { Memory::new() };
        // Pools are made with the batch and keep their sizes: the lock is not needed to look at
        // them, and it is touched only if there is one.
        let generation = generation(memory, at)?;
        // SAFETY: a batch of a known layout.
        let lock: Lock<'a> = unsafe { Lock::take(at) };
        let head = memory.peek(at).ok_or(Unknown::Pointer(at.0))?;
        let places = Places::of(generation);
        Ok(Self {
            head,
            generation,
            tools: Tools { memory, places },
            _lock: lock,
        })
    }

    pub fn generation(&self) -> Generation {
        self.generation
    }

    /// The frames, in the order of the batch.
    pub fn frames<'s>(&'s self, list: &'s mut List) -> Elements<'s, Frame<'s>> {
        Elements::walk(self.tools, self.head.frames, MAX_FRAMES, list)
    }
}

fn generation(memory: Memory<'_>, at: Address) -> Result<Generation, Unknown> {
    let head: BatchMeta = memory.peek(at).ok_or(Unknown::Pointer(at.0))?;
    if head.base.meta_type != MetaType::BATCH {
        return Err(Unknown::Type(head.base.meta_type.0));
    }
    let pool = |name, address: Address| -> Result<MetaPool, Unknown> {
        memory.peek(address).ok_or(Unknown::Pool(name, address.0))
    };
    let frames = pool("frames", head.frame_pool)?;
    let objects = pool("objects", head.object_pool)?;
    let sizes = Sizes {
        frame: frames.element_size,
        object: objects.element_size,
        classifier: pool("classifiers", head.classifier_pool)?.element_size,
        user: pool("user metas", head.user_pool)?.element_size,
        label_info: pool("labels", head.label_info_pool)?.element_size,
        frame_type: frames.meta_type.0,
        object_type: objects.meta_type.0,
    };
    sizes.generation().ok_or(Unknown::Sizes(sizes))
}
