// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The measured layouts of `deepstream-abi.json`, and bytes written and read by them: what the
//! tests know about the structs does not come from the code they test.

#![allow(dead_code, reason = "no test program uses all of it")]

use std::sync::LazyLock;

use gstdsframe::mem::sys::Generation;
use serde_json::Value;

static ABI: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("deepstream-abi.json")).unwrap());

/// Initialises GStreamer and makes its complaints fatal.
pub fn init() {
    gst::init().unwrap();
    use gst::glib::LogLevels;
    gst::glib::log_set_always_fatal(
        LogLevels::LEVEL_ERROR | LogLevels::LEVEL_CRITICAL | LogLevels::LEVEL_WARNING,
    );
}

pub fn release(generation: Generation) -> &'static str {
    match generation {
        Generation::A => "7.1",
        Generation::B => "8.0",
        Generation::C => "9.1",
    }
}

/// A struct as it is in a generation.
pub fn layout(name: &str, generation: Generation) -> &'static Value {
    let versions: Vec<_> = ABI["versions"].as_array().unwrap().iter().collect();
    let place = |v: &str| versions.iter().position(|known| *known == v).unwrap();
    let wanted = place(release(generation));
    let variants = ABI["structs"][name].as_object().unwrap();
    let found = variants.iter().find(|(range, _)| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        (place(first)..=place(last)).contains(&wanted)
    });
    found.unwrap().1
}

pub fn size(name: &str, generation: Generation) -> usize {
    layout(name, generation)["size"].as_u64().unwrap() as usize
}

pub fn offset(name: &str, generation: Generation, field: &str) -> usize {
    layout(name, generation)["fields"][field]["offset"]
        .as_u64()
        .unwrap_or_else(|| panic!("{name}.{field}")) as usize
}

/// The value of an enum member; the enums in use here are the same in all releases.
pub fn value(name: &str, member: &str) -> u32 {
    let variants = ABI["enums"][name].as_object().unwrap();
    variants.values().next_back().unwrap()[member]
        .as_u64()
        .unwrap() as u32
}

/// The bytes of one C struct.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Struct {
    pub bytes: Vec<u8>,
    name: &'static str,
    generation: Generation,
}

impl Struct {
    pub fn zeroed(name: &'static str, generation: Generation) -> Self {
        Self::of(name, generation, vec![0; size(name, generation)])
    }

    pub fn of(name: &'static str, generation: Generation, bytes: Vec<u8>) -> Self {
        assert_eq!(bytes.len(), size(name, generation));
        Self {
            bytes,
            name,
            generation,
        }
    }

    /// Where a field is; `planeParams.pitch.1` is the second pitch.
    fn place(&self, path: &str) -> usize {
        let mut parts = path.split('.');
        let first = parts.next().unwrap();
        let start = offset(self.name, self.generation, first);
        let Some(inner) = parts.next() else {
            return start;
        };
        let index = parts.next().map_or(0, |i| i.parse::<usize>().unwrap());
        start + offset("NvBufSurfacePlaneParams", self.generation, inner) + 4 * index
    }

    pub fn set(&mut self, path: &str, value: u32) -> &mut Self {
        let at = self.place(path);
        self.bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        self
    }

    pub fn set_flag(&mut self, path: &str, value: bool) -> &mut Self {
        let at = self.place(path);
        self.bytes[at] = u8::from(value);
        self
    }

    pub fn set_pointer(&mut self, path: &str, value: u64) -> &mut Self {
        let at = self.place(path);
        self.bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
        self
    }

    pub fn get(&self, path: &str) -> u32 {
        let at = self.place(path);
        u32::from_le_bytes(self.bytes[at..at + 4].try_into().unwrap())
    }

    pub fn pointer(&self, path: &str) -> u64 {
        let at = self.place(path);
        u64::from_le_bytes(self.bytes[at..at + 8].try_into().unwrap())
    }
}

/// The header of a buffer: its mapped bytes.
pub fn header(buffer: &gst::BufferRef, generation: Generation) -> Struct {
    assert_eq!(buffer.n_memory(), 1);
    let map = buffer.peek_memory(0).map_readable().unwrap();
    Struct::of("NvBufSurface", generation, map.as_slice().to_vec())
}

/// The params of a surface of a buffer.
pub fn params(buffer: &gst::BufferRef, generation: Generation, index: usize) -> Struct {
    let list = header(buffer, generation).pointer("surfaceList");
    let stride = size("NvBufSurfaceParams", generation);
    Struct::of(
        "NvBufSurfaceParams",
        generation,
        peek(list + (index * stride) as u64, stride),
    )
}

/// Bytes at an address.
pub fn peek(address: u64, len: usize) -> Vec<u8> {
    let start = std::ptr::with_exposed_provenance::<u8>(address as usize);
    // SAFETY: the tests ask for what buffers that are alive point to.
    unsafe { std::slice::from_raw_parts(start, len) }.to_vec()
}

/// Overwrites bytes at an address, as a careless consumer would.
pub fn poke(address: u64, bytes: &[u8]) {
    let start = std::ptr::with_exposed_provenance_mut::<u8>(address as usize);
    // SAFETY: the tests overwrite what buffers that are alive point to.
    unsafe { start.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
}

/// Where the header of a buffer is, found by mapping it for reading as C code does.
pub fn header_address(buffer: &gst::BufferRef) -> u64 {
    let memory = buffer.peek_memory(0).as_mut_ptr();
    let mut info = std::mem::MaybeUninit::<gst::ffi::GstMapInfo>::uninit();
    // SAFETY: the memory is alive, and the map is only looked at if it succeeds.
    let mapped =
        unsafe { gst::ffi::gst_memory_map(memory, info.as_mut_ptr(), gst::ffi::GST_MAP_READ) };
    assert_ne!(mapped, 0);
    // SAFETY: mapped, so it is filled.
    let mut info = unsafe { info.assume_init() };
    let address = info.data.expose_provenance() as u64;
    // SAFETY: mapped just now.
    unsafe { gst::ffi::gst_memory_unmap(memory, &mut info) };
    address
}
