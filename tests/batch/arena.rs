// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The memory of one batch: C structs at fixed addresses.

use std::ffi::CString;
use std::sync::Mutex;

use gst::glib::ffi::{
    GRecMutex, g_rec_mutex_clear, g_rec_mutex_init, g_rec_mutex_lock, g_rec_mutex_unlock,
};
use gstdsframe::mem::sys::Generation;

use crate::abi::{layout, offset, peek, poke, size};

/// A batch and everything it points to.
pub struct Arena {
    pub generation: Generation,
    /// The address of the `NvDsBatchMeta`.
    pub batch: u64,
    pub frames: Vec<RawFrame>,
    mutex: u64,
    chunks: Mutex<Vec<Vec<u64>>>,
    texts: Mutex<Vec<CString>>,
    buffers: Mutex<Vec<gst::Buffer>>,
}

/// Where the parts of a frame are; objects in the order in which they were attached.
#[derive(Default)]
pub struct RawFrame {
    pub meta: u64,
    pub node: u64,
    pub objects: Vec<RawObject>,
}

#[derive(Default)]
pub struct RawObject {
    pub meta: u64,
    pub node: u64,
    pub classifiers: Vec<RawClassifier>,
}

#[derive(Default)]
pub struct RawClassifier {
    pub meta: u64,
    pub node: u64,
    pub labels: Vec<u64>,
}

impl Arena {
    pub fn new(generation: Generation) -> Self {
        let mut arena = Self {
            generation,
            batch: 0,
            frames: Vec::new(),
            mutex: 0,
            chunks: Mutex::default(),
            texts: Mutex::default(),
            buffers: Mutex::default(),
        };
        arena.batch = arena.alloc("NvDsBatchMeta");
        arena.mutex = arena.at(arena.batch, "NvDsBatchMeta", "meta_mutex");
        // SAFETY: the place of the mutex in the struct, which nobody else has yet.
        unsafe { g_rec_mutex_init(arena.mutex()) };
        arena
    }

    /// A zeroed struct.
    pub fn alloc(&self, name: &str) -> u64 {
        self.alloc_bytes(size(name, self.generation))
    }

    pub fn alloc_bytes(&self, bytes: usize) -> u64 {
        let mut chunk = vec![0_u64; bytes.div_ceil(8)];
        let address = chunk.as_mut_ptr().expose_provenance() as u64;
        self.chunks.lock().unwrap().push(chunk);
        address
    }

    pub fn text(&self, text: impl Into<Vec<u8>>) -> u64 {
        let text = CString::new(text).unwrap();
        let address = text.as_ptr().expose_provenance() as u64;
        self.texts.lock().unwrap().push(text);
        address
    }

    /// The address of a `GstBuffer`.
    pub fn gst_buffer(&self, buffer: gst::Buffer) -> u64 {
        let address = buffer.as_ptr().expose_provenance() as u64;
        self.buffers.lock().unwrap().push(buffer);
        address
    }

    pub fn at(&self, address: u64, name: &str, field: &str) -> u64 {
        address + offset(name, self.generation, field) as u64
    }

    pub fn set(&self, address: u64, name: &str, field: &str, bytes: impl AsRef<[u8]>) {
        poke(self.at(address, name, field), bytes.as_ref());
    }

    pub fn set_u32(&self, address: u64, name: &str, field: &str, value: u32) {
        self.set(address, name, field, value.to_le_bytes());
    }

    pub fn set_u64(&self, address: u64, name: &str, field: &str, value: u64) {
        self.set(address, name, field, value.to_le_bytes());
    }

    pub fn set_f32(&self, address: u64, name: &str, field: &str, value: f32) {
        self.set(address, name, field, value.to_le_bytes());
    }

    pub fn get_u64(&self, address: u64, name: &str, field: &str) -> u64 {
        let bytes = peek(self.at(address, name, field), 8);
        u64::from_le_bytes(bytes.try_into().unwrap())
    }

    /// Sets what an element says to be, and the batch it is of.
    pub fn set_base(&self, address: u64, meta_type: i32) {
        let base = "NvDsBaseMeta";
        self.set_u64(address, base, "batch_meta", self.batch);
        self.set(address, base, "meta_type", meta_type.to_le_bytes());
    }

    /// Sets the box that is drawn around an object.
    pub fn set_rect(&self, object: u64, rect: [f32; 4]) {
        let at = self.at(object, "NvDsObjectMeta", "rect_params");
        for (field, value) in ["left", "top", "width", "height"].into_iter().zip(rect) {
            self.set_f32(at, "NvOSD_RectParams", field, value);
        }
    }

    fn node(&self, data: u64) -> u64 {
        let node = self.alloc("GList");
        self.set_u64(node, "GList", "data", data);
        node
    }

    fn link(&self, first: u64, second: u64) {
        if first != 0 {
            self.set_u64(first, "GList", "next", second);
        }
        if second != 0 {
            self.set_u64(second, "GList", "prev", first);
        }
    }

    /// `g_list_prepend` on the list whose head is in a field; the new node.
    pub fn prepend(&self, address: u64, name: &str, field: &str, data: u64) -> u64 {
        let node = self.node(data);
        self.prepend_node(address, name, field, node);
        node
    }

    /// [`Self::prepend`] with a node that there is.
    pub fn prepend_node(&self, address: u64, name: &str, field: &str, node: u64) {
        self.set_u64(node, "GList", "prev", 0);
        self.link(node, self.get_u64(address, name, field));
        if self.get_u64(address, name, field) == 0 {
            self.set_u64(node, "GList", "next", 0);
        }
        self.set_u64(address, name, field, node);
    }

    /// `g_list_append` behind the last node, 0 if there is none.
    pub fn append(&self, address: u64, name: &str, field: &str, last: u64, data: u64) -> u64 {
        let node = self.node(data);
        match last {
            0 => self.set_u64(address, name, field, node),
            last => self.link(last, node),
        }
        node
    }

    fn mutex(&self) -> *mut GRecMutex {
        std::ptr::with_exposed_provenance_mut(self.mutex as usize)
    }

    /// Does what a writer does, with the lock it takes.
    pub fn locked<R>(&self, what: impl FnOnce() -> R) -> R {
        // SAFETY: the mutex lives as long as the arena.
        unsafe { g_rec_mutex_lock(self.mutex()) };
        let result = what();
        // SAFETY: locked above, by this thread.
        unsafe { g_rec_mutex_unlock(self.mutex()) };
        result
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        // SAFETY: nobody holds the lock, as nobody has the arena any more.
        unsafe { g_rec_mutex_clear(self.mutex()) };
    }
}

impl Arena {
    /// Every struct of the batch but the pools: its address, and its name.
    pub fn structs(&self) -> Vec<(u64, &'static str)> {
        const NODE: &str = "GList";
        let mut all = Vec::new();
        for frame in &self.frames {
            all.extend([(frame.meta, "NvDsFrameMeta"), (frame.node, NODE)]);
            for object in &frame.objects {
                all.extend([(object.meta, "NvDsObjectMeta"), (object.node, NODE)]);
                for classifier in &object.classifiers {
                    all.extend([
                        (classifier.meta, "NvDsClassifierMeta"),
                        (classifier.node, NODE),
                    ]);
                    all.extend(classifier.labels.iter().map(|at| (*at, "NvDsLabelInfo")));
                }
            }
        }
        all
    }
}

/// The fields of a struct: offset, size, and whether it is a pointer. The type that each element
/// says to be of is left out, as readers go by it.
pub fn fields(name: &str, generation: Generation) -> Vec<(u64, usize, bool)> {
    let fields = layout(name, generation)["fields"].as_object().unwrap();
    let plain = fields.iter().filter(|(name, _)| *name != "base_meta");
    plain
        .map(|(_, field)| {
            let number = |name: &str| field[name].as_u64().unwrap();
            let pointer = field["type"].as_str().unwrap().starts_with('*');
            (number("offset"), number("size") as usize, pointer)
        })
        .collect()
}
