// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! From what a batch is to hold to its bytes.

use gstdsframe::mem::sys::Generation;

use super::arena::{Arena, RawClassifier, RawFrame, RawObject};
use super::{BatchBuilder, ClassifierSpec, FrameSpec, ObjectSpec};
use crate::abi::{size, value};

fn meta_type(name: &str) -> i32 {
    value("NvDsMetaType", name) as i32
}

pub fn build(builder: &BatchBuilder) -> Arena {
    let mut arena = Arena::new(builder.generation);
    let (batch, name) = (arena.batch, "NvDsBatchMeta");
    arena.set_base(batch, meta_type("NVDS_BATCH_META"));
    let count = builder.frames.len() as u32;
    arena.set_u32(batch, name, "max_frames_in_batch", count.max(1));
    arena.set_u32(batch, name, "num_frames_in_batch", count);
    for (pool, kind, element) in [
        ("frame_meta_pool", "NVDS_FRAME_META", "NvDsFrameMeta"),
        ("obj_meta_pool", "NVDS_OBJ_META", "NvDsObjectMeta"),
        (
            "classifier_meta_pool",
            "NVDS_CLASSIFIER_META",
            "NvDsClassifierMeta",
        ),
        ("display_meta_pool", "NVDS_DISPLAY_META", "NvDsDisplayMeta"),
        ("user_meta_pool", "NVDS_USER_META", "NvDsUserMeta"),
        (
            "label_info_meta_pool",
            "NVDS_LABEL_INFO_META",
            "NvDsLabelInfo",
        ),
    ] {
        let at = arena.alloc("NvDsMetaPool");
        let bytes = size(element, builder.generation) as u32;
        arena.set_u32(at, "NvDsMetaPool", "meta_type", meta_type(kind) as u32);
        arena.set_u32(at, "NvDsMetaPool", "element_size", bytes);
        arena.set_u64(batch, name, pool, at);
    }
    let mut last = 0;
    for spec in &builder.frames {
        let mut frame = frame(&arena, spec);
        last = arena.append(batch, name, "frame_meta_list", last, frame.meta);
        frame.node = last;
        arena.frames.push(frame);
    }
    arena
}

fn frame(arena: &Arena, spec: &FrameSpec) -> RawFrame {
    let (at, name) = (arena.alloc("NvDsFrameMeta"), "NvDsFrameMeta");
    arena.set_base(at, meta_type("NVDS_FRAME_META"));
    arena.set_u32(at, name, "pad_index", spec.pad_index);
    arena.set_u32(at, name, "batch_id", spec.batch_id);
    arena.set_u32(at, name, "frame_num", spec.frame_num as u32);
    arena.set_u64(at, name, "buf_pts", spec.pts);
    arena.set_u64(at, name, "ntp_timestamp", spec.ntp);
    arena.set_u32(at, name, "source_id", spec.source_id);
    arena.set_u32(at, name, "num_surfaces_per_frame", 1);
    arena.set_u32(at, name, "source_frame_width", spec.source_size.0);
    arena.set_u32(at, name, "source_frame_height", spec.source_size.1);
    arena.set_u32(at, name, "num_obj_meta", spec.objects.len() as u32);
    if arena.generation != Generation::A {
        let sensor = arena.at(at, name, "sensorInfo_meta");
        for (field, text) in [
            ("sensor_id", spec.sensor_id),
            ("sensor_name", spec.sensor_name),
        ] {
            let text = text.map_or(0, |text| arena.text(text));
            arena.set_u64(sensor, "NvDsSensorInfo_meta", field, text);
        }
    }
    if let Some(wrapped) = &spec.wrapped {
        let user = arena.alloc("NvDsUserMeta");
        let number = value("GstNvDsMetaType", "NVDS_BUFFER_GST_AS_FRAME_USER_META");
        arena.set_base(user, number as i32);
        let buffer = arena.gst_buffer(wrapped.clone());
        arena.set_u64(user, "NvDsUserMeta", "user_meta_data", buffer);
        arena.prepend(at, name, "frame_user_meta_list", user);
    }
    let mut objects: Vec<_> = spec
        .objects
        .iter()
        .map(|spec| object(arena, spec))
        .collect();
    for (index, spec) in spec.objects.iter().enumerate() {
        let meta = objects[index].meta;
        let parent = spec.parent.map_or(0, |parent| objects[parent].meta);
        arena.set_u64(meta, "NvDsObjectMeta", "parent", parent);
        objects[index].node = arena.prepend(at, name, "obj_meta_list", meta);
    }
    RawFrame {
        meta: at,
        node: 0,
        objects,
    }
}

fn object(arena: &Arena, spec: &ObjectSpec) -> RawObject {
    let (at, name) = (arena.alloc("NvDsObjectMeta"), "NvDsObjectMeta");
    arena.set_base(at, meta_type("NVDS_OBJ_META"));
    arena.set_u32(at, name, "unique_component_id", spec.component_id as u32);
    arena.set_u32(at, name, "class_id", spec.class_id as u32);
    arena.set_u64(at, name, "object_id", spec.object_id);
    arena.set_f32(at, name, "confidence", spec.confidence);
    arena.set_f32(at, name, "tracker_confidence", spec.tracker_confidence);
    arena.set_rect(at, spec.rect);
    arena.set(at, name, "obj_label", &spec.label);
    let specs = spec.classifiers.iter();
    let classifiers = specs.map(|spec| {
        let mut raw = classifier(arena, spec);
        raw.node = arena.prepend(at, name, "classifier_meta_list", raw.meta);
        raw
    });
    RawObject {
        meta: at,
        node: 0,
        classifiers: classifiers.collect(),
    }
}

fn classifier(arena: &Arena, spec: &ClassifierSpec) -> RawClassifier {
    let (at, name) = (arena.alloc("NvDsClassifierMeta"), "NvDsClassifierMeta");
    arena.set_base(at, meta_type("NVDS_CLASSIFIER_META"));
    arena.set_u32(at, name, "num_labels", spec.labels.len() as u32);
    arena.set_u32(at, name, "unique_component_id", spec.component_id as u32);
    let kind = spec.kind.map_or(0, |kind| arena.text(kind));
    arena.set_u64(at, name, "classifier_type", kind);
    let mut labels = Vec::new();
    for spec in &spec.labels {
        let (label, info) = (arena.alloc("NvDsLabelInfo"), "NvDsLabelInfo");
        arena.set_base(label, meta_type("NVDS_LABEL_INFO_META"));
        arena.set(label, info, "result_label", &spec.label);
        let long = spec.long.map_or(0, |long| arena.text(long));
        arena.set_u64(label, info, "pResult_label", long);
        arena.set_u32(label, info, "result_class_id", spec.class_id);
        arena.set_f32(label, info, "result_prob", spec.probability);
        arena.prepend(at, name, "label_info_list", label);
        labels.push(label);
    }
    RawClassifier {
        meta: at,
        node: 0,
        labels,
    }
}
