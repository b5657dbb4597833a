// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The metadata structs of DeepStream. Written down from measured sizes and offsets; the assertions
//! at the end hold them, and `tests/metadata` compares them with `tests/abi/deepstream-abi.json`.
//!
//! Up to its tail a frame is the same in all generations, and so is an object up to its rectangle:
//! these parts have structs of their own. Pointers are plain numbers here; `mem::nvds` checks them
//! before it follows them.

#![allow(unsafe_code)]

use std::mem::{offset_of, size_of};

use super::Generation;

/// `MAX_LABEL_SIZE`
pub const LABEL_SIZE: usize = 128;

/// `UNTRACKED_OBJECT_ID`
pub const UNTRACKED: u64 = u64::MAX;

/// The tag of the meta's API type.
pub const TAG: &str = "nvdsmeta";

/// `NvDsMetaType` and `GstNvDsMetaType`, as far as they are used here. An open set.
#[repr(transparent)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MetaType(pub i32);

impl MetaType {
    pub const BATCH: Self = Self(1);
    pub const FRAME: Self = Self(2);
    pub const OBJECT: Self = Self(3);
    pub const CLASSIFIER: Self = Self(5);
    pub const LABEL_INFO: Self = Self(6);
    /// `NVDS_BATCH_GST_META`: the meta of a buffer is a batch.
    pub const GST_BATCH: Self = Self(4097);
    /// `NVDS_BUFFER_GST_AS_FRAME_USER_META`: the buffer that a frame came in. User metas have the
    /// type of what they carry.
    pub const GST_BUFFER: Self = Self(4100);
}

/// A pointer of C, not yet looked at.
#[repr(transparent)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Address(pub usize);

/// What any bytes are a value of.
///
/// # Safety
///
/// Only for structs in C's layout, of integers, floats and such structs.
pub unsafe trait Plain: Copy {}

/// `NvDsMeta`, which begins with a `GstMeta`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct GstNvDsMeta {
    pub flags: u32,
    pub info: Address,
    pub meta_data: Address,
    pub user_data: Address,
    pub meta_type: MetaType,
    pub copy_func: Address,
    pub free_func: Address,
    pub gst_to_nvds_transform: Address,
    pub gst_to_nvds_release: Address,
}

/// `NvDsBaseMeta`, with which each element begins.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct BaseMeta {
    pub batch_meta: Address,
    pub meta_type: MetaType,
    pub context: Address,
    pub copy_func: Address,
    pub release_func: Address,
}

/// `NvDsBatchMeta`
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct BatchMeta {
    pub base: BaseMeta,
    pub max_frames: u32,
    pub num_frames: u32,
    pub frame_pool: Address,
    pub object_pool: Address,
    pub classifier_pool: Address,
    pub display_pool: Address,
    pub user_pool: Address,
    pub label_info_pool: Address,
    pub frames: Address,
    pub users: Address,
    /// A `GRecMutex`.
    pub mutex: [u64; 2],
    pub misc: [u64; 4],
    pub reserved: [u64; 4],
}

/// `NvDsMetaPool`
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct MetaPool {
    pub meta_type: MetaType,
    pub max_elements: u32,
    pub element_size: u32,
    pub num_empty: u32,
    pub num_full: u32,
    pub empty_list: Address,
    pub full_list: Address,
    pub copy_func: Address,
    pub release_func: Address,
}

/// `GList`
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct ListNode {
    pub data: Address,
    pub next: Address,
    pub prev: Address,
}

/// `NvDsFrameMeta` up to its tail.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct FrameHead {
    pub base: BaseMeta,
    pub pad_index: u32,
    pub batch_id: u32,
    pub frame_num: i32,
    pub buf_pts: u64,
    pub ntp_timestamp: u64,
    pub source_id: u32,
    pub surfaces_per_frame: i32,
    pub source_width: u32,
    pub source_height: u32,
    pub surface_type: u32,
    pub surface_index: u32,
    pub num_objects: u32,
    pub infer_done: i32,
    pub objects: Address,
    pub displays: Address,
    pub users: Address,
    pub misc: [u64; 4],
    pub pipeline_width: u32,
    pub pipeline_height: u32,
}

/// `NvDsSensorInfo`
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct SensorInfo {
    pub source_id: u32,
    pub uri: Address,
    pub sensor_id: Address,
    pub sensor_name: Address,
}

/// `NvDsFrameMeta` of generation A.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct FrameMetaA {
    pub head: FrameHead,
    pub reserved: [u64; 4],
}

/// `NvDsFrameMeta` of generations B and C.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct FrameMetaC {
    pub head: FrameHead,
    pub sensor: SensorInfo,
    pub reserved: [u64; 4],
}

/// `NvBbox_Coords`, and how `NvOSD_RectParams` begins.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Coords {
    pub left: f32,
    pub top: f32,
    pub width: f32,
    pub height: f32,
}

/// `NvDsObjectMeta` up to the box that is drawn.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct ObjectHead {
    pub base: BaseMeta,
    pub parent: Address,
    pub component_id: i32,
    pub class_id: i32,
    pub object_id: u64,
    pub detector_box: Coords,
    pub tracker_box: Coords,
    pub confidence: f32,
    pub tracker_confidence: f32,
    /// The beginning of `rect_params`.
    pub bounds: Coords,
}

/// `NvDsObjectMeta` of generations A and B.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct ObjectMetaA {
    pub head: ObjectHead,
    pub rect_rest: [u64; 11],
    pub mask: [u64; 3],
    pub text: [u64; 13],
    pub label: [u8; LABEL_SIZE],
    pub classifiers: Address,
    pub users: Address,
    pub misc: [u64; 4],
    pub reserved: [u64; 4],
}

/// `NvDsObjectMeta` of generation C, whose rectangle can be turned.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct ObjectMetaC {
    pub head: ObjectHead,
    pub rect_rest: [u64; 12],
    pub mask: [u64; 3],
    pub text: [u64; 13],
    pub label: [u8; LABEL_SIZE],
    pub classifiers: Address,
    pub users: Address,
    pub misc: [u64; 4],
    pub reserved: [u64; 4],
}

/// `NvDsClassifierMeta`
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct ClassifierMeta {
    pub base: BaseMeta,
    pub num_labels: u32,
    pub component_id: i32,
    pub labels: Address,
    pub kind: Address,
}

/// `NvDsLabelInfo`
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct LabelInfo {
    pub base: BaseMeta,
    pub num_classes: u32,
    pub label: [u8; LABEL_SIZE],
    pub long_label: Address,
    pub class_id: u32,
    pub label_id: u32,
    pub probability: f32,
}

/// `NvDsUserMeta`
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct UserMeta {
    pub base: BaseMeta,
    pub data: Address,
}

/// Where a generation has what is not at the same place in all of them.
#[derive(Debug, Clone, Copy)]
pub struct Places {
    /// In an object: its label.
    pub label: usize,
    /// In an object: its list of classifiers.
    pub classifiers: usize,
    /// In a frame: what is known of its sensor.
    pub sensor: Option<usize>,
}

impl Places {
    pub const fn of(generation: Generation) -> Self {
        let sensor = Some(offset_of!(FrameMetaC, sensor));
        match generation {
            Generation::A => Self {
                label: offset_of!(ObjectMetaA, label),
                classifiers: offset_of!(ObjectMetaA, classifiers),
                sensor: None,
            },
            Generation::B => Self {
                label: offset_of!(ObjectMetaA, label),
                classifiers: offset_of!(ObjectMetaA, classifiers),
                sensor,
            },
            Generation::C => Self {
                label: offset_of!(ObjectMetaC, label),
                classifiers: offset_of!(ObjectMetaC, classifiers),
                sensor,
            },
        }
    }
}

/// Bytes of a frame and of an object, by which the generations are told apart.
pub const fn element_sizes(generation: Generation) -> (usize, usize) {
    match generation {
        Generation::A => (size_of::<FrameMetaA>(), size_of::<ObjectMetaA>()),
        Generation::B => (size_of::<FrameMetaC>(), size_of::<ObjectMetaA>()),
        Generation::C => (size_of::<FrameMetaC>(), size_of::<ObjectMetaC>()),
    }
}

macro_rules! layout {
    ($type:ty, $size:literal, align $align:literal $(, $($field:ident).+ @ $offset:literal)* $(,)?) => {
        const _: () = {
            assert!(size_of::<$type>() == $size && align_of::<$type>() == $align);
            $(assert!(offset_of!($type, $($field).+) == $offset);)*
        };
        // SAFETY: in C's layout, of integers, floats and such structs.
        unsafe impl Plain for $type {}
    };
}

layout!(Address, 8, align 8);
layout!(GstNvDsMeta, 72, align 8,
    flags @ 0, info @ 8, meta_data @ 16, user_data @ 24, meta_type @ 32, copy_func @ 40,
    free_func @ 48, gst_to_nvds_transform @ 56, gst_to_nvds_release @ 64);
layout!(BaseMeta, 40, align 8,
    batch_meta @ 0, meta_type @ 8, context @ 16, copy_func @ 24, release_func @ 32);
layout!(BatchMeta, 192, align 8,
    base @ 0, max_frames @ 40, num_frames @ 44, frame_pool @ 48, object_pool @ 56,
    classifier_pool @ 64, display_pool @ 72, user_pool @ 80, label_info_pool @ 88, frames @ 96,
    users @ 104, mutex @ 112, misc @ 128, reserved @ 160);
layout!(MetaPool, 56, align 8,
    meta_type @ 0, max_elements @ 4, element_size @ 8, num_empty @ 12, num_full @ 16,
    empty_list @ 24, full_list @ 32, copy_func @ 40, release_func @ 48);
layout!(ListNode, 24, align 8, data @ 0, next @ 8, prev @ 16);
layout!(FrameHead, 168, align 8,
    base @ 0, pad_index @ 40, batch_id @ 44, frame_num @ 48, buf_pts @ 56, ntp_timestamp @ 64,
    source_id @ 72, surfaces_per_frame @ 76, source_width @ 80, source_height @ 84,
    surface_type @ 88, surface_index @ 92, num_objects @ 96, infer_done @ 100, objects @ 104,
    displays @ 112, users @ 120, misc @ 128, pipeline_width @ 160, pipeline_height @ 164);
layout!(SensorInfo, 32, align 8, source_id @ 0, uri @ 8, sensor_id @ 16, sensor_name @ 24);
layout!(FrameMetaA, 200, align 8, head @ 0, reserved @ 168);
layout!(FrameMetaC, 232, align 8, head @ 0, sensor @ 168, reserved @ 200);
layout!(Coords, 16, align 4, left @ 0, top @ 4, width @ 8, height @ 12);
layout!(ObjectHead, 120, align 8,
    base @ 0, parent @ 40, component_id @ 48, class_id @ 52, object_id @ 56, detector_box @ 64,
    tracker_box @ 80, confidence @ 96, tracker_confidence @ 100, bounds @ 104);
layout!(ObjectMetaA, 544, align 8,
    head @ 0, mask @ 208, text @ 232, label @ 336, classifiers @ 464, users @ 472, misc @ 480,
    reserved @ 512);
layout!(ObjectMetaC, 552, align 8,
    head @ 0, mask @ 216, text @ 240, label @ 344, classifiers @ 472, users @ 480, misc @ 488,
    reserved @ 520);
layout!(ClassifierMeta, 64, align 8,
    base @ 0, num_labels @ 40, component_id @ 44, labels @ 48, kind @ 56);
layout!(LabelInfo, 200, align 8,
    base @ 0, num_classes @ 40, label @ 44, long_label @ 176, class_id @ 184, label_id @ 188,
    probability @ 192);
layout!(UserMeta, 48, align 8, base @ 0, data @ 40);
const _: () = assert!(size_of::<glib::ffi::GRecMutex>() == 16);
