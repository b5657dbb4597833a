// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Our structs against the measured ones.

use std::mem::{offset_of, size_of};

use gstdsframe::mem::sys::Generation;
use gstdsframe::mem::sys::nvds::*;

use crate::abi;

/// Compares a struct with the measured one: its size, and the offset of every field that there is.
macro_rules! same {
    ($name:literal, $generation:expr, $type:ty { $($measured:literal = $($field:ident).+),* $(,)? }) => {{
        let layout = abi::layout($name, $generation);
        assert_eq!(layout["size"], size_of::<$type>(), $name);
        assert_eq!(layout["align"], align_of::<$type>(), $name);
        let mut left: Vec<_> = layout["fields"].as_object().unwrap().keys().collect();
        $(
            let offset = &layout["fields"][$measured]["offset"];
            assert_eq!(*offset, offset_of!($type, $($field).+), "{}.{}", $name, $measured);
            left.retain(|name| *name != $measured);
        )*
        assert!(left.is_empty(), "{}: {left:?}", $name);
    }};
}

macro_rules! same_frame {
    ($generation:expr, $type:ty { $($more:tt)* }) => {
        same!("NvDsFrameMeta", $generation, $type {
            "base_meta" = head.base, "pad_index" = head.pad_index, "batch_id" = head.batch_id,
            "frame_num" = head.frame_num, "buf_pts" = head.buf_pts,
            "ntp_timestamp" = head.ntp_timestamp, "source_id" = head.source_id,
            "num_surfaces_per_frame" = head.surfaces_per_frame,
            "source_frame_width" = head.source_width,
            "source_frame_height" = head.source_height,
            "surface_type" = head.surface_type, "surface_index" = head.surface_index,
            "num_obj_meta" = head.num_objects, "bInferDone" = head.infer_done,
            "obj_meta_list" = head.objects, "display_meta_list" = head.displays,
            "frame_user_meta_list" = head.users, "misc_frame_info" = head.misc,
            "pipeline_width" = head.pipeline_width, "pipeline_height" = head.pipeline_height,
            "reserved" = reserved, $($more)*
        })
    };
}

macro_rules! same_object {
    ($generation:expr, $type:ty) => {
        same!("NvDsObjectMeta", $generation, $type {
            "base_meta" = head.base, "parent" = head.parent,
            "unique_component_id" = head.component_id, "class_id" = head.class_id,
            "object_id" = head.object_id, "detector_bbox_info" = head.detector_box,
            "tracker_bbox_info" = head.tracker_box, "confidence" = head.confidence,
            "tracker_confidence" = head.tracker_confidence, "rect_params" = head.bounds,
            "mask_params" = mask, "text_params" = text, "obj_label" = label,
            "classifier_meta_list" = classifiers, "obj_user_meta_list" = users,
            "misc_obj_info" = misc, "reserved" = reserved,
        })
    };
}

#[test]
fn structs_are_as_measured() {
    same_frame!(Generation::A, FrameMetaA {});
    same_object!(Generation::A, ObjectMetaA);
    same_frame!(Generation::B, FrameMetaC { "sensorInfo_meta" = sensor, });
    same_object!(Generation::B, ObjectMetaA);
    same_frame!(Generation::C, FrameMetaC { "sensorInfo_meta" = sensor, });
    same_object!(Generation::C, ObjectMetaC);
    same!("NvDsSensorInfo_meta", Generation::C, SensorInfo {
        "source_id" = source_id, "uri" = uri, "sensor_id" = sensor_id,
        "sensor_name" = sensor_name,
    });
    for generation in Generation::ALL {
        same!("NvDsMeta", generation, GstNvDsMeta {
            "meta" = flags, "meta_data" = meta_data, "user_data" = user_data,
            "meta_type" = meta_type, "copyfunc" = copy_func, "freefunc" = free_func,
            "gst_to_nvds_meta_transform_func" = gst_to_nvds_transform,
            "gst_to_nvds_meta_release_func" = gst_to_nvds_release,
        });
        same!("NvDsBaseMeta", generation, BaseMeta {
            "batch_meta" = batch_meta, "meta_type" = meta_type, "uContext" = context,
            "copy_func" = copy_func, "release_func" = release_func,
        });
        same!("NvDsBatchMeta", generation, BatchMeta {
            "base_meta" = base, "max_frames_in_batch" = max_frames,
            "num_frames_in_batch" = num_frames, "frame_meta_pool" = frame_pool,
            "obj_meta_pool" = object_pool, "classifier_meta_pool" = classifier_pool,
            "display_meta_pool" = display_pool, "user_meta_pool" = user_pool,
            "label_info_meta_pool" = label_info_pool, "frame_meta_list" = frames,
            "batch_user_meta_list" = users, "meta_mutex" = mutex, "misc_batch_info" = misc,
            "reserved" = reserved,
        });
        same!("NvDsMetaPool", generation, MetaPool {
            "meta_type" = meta_type, "max_elements_in_pool" = max_elements,
            "element_size" = element_size, "num_empty_elements" = num_empty,
            "num_full_elements" = num_full, "empty_list" = empty_list, "full_list" = full_list,
            "copy_func" = copy_func, "release_func" = release_func,
        });
        same!("GList", generation, ListNode { "data" = data, "next" = next, "prev" = prev });
        same!("NvBbox_Coords", generation, Coords {
            "left" = left, "top" = top, "width" = width, "height" = height,
        });
        same!("NvDsClassifierMeta", generation, ClassifierMeta {
            "base_meta" = base, "num_labels" = num_labels,
            "unique_component_id" = component_id, "label_info_list" = labels,
            "classifier_type" = kind,
        });
        same!("NvDsLabelInfo", generation, LabelInfo {
            "base_meta" = base, "num_classes" = num_classes, "result_label" = label,
            "pResult_label" = long_label, "result_class_id" = class_id, "label_id" = label_id,
            "result_prob" = probability,
        });
        same!("NvDsUserMeta", generation, UserMeta {
            "base_meta" = base, "user_meta_data" = data,
        });
        for (field, at) in [
            ("left", offset_of!(Coords, left)),
            ("top", offset_of!(Coords, top)),
            ("width", offset_of!(Coords, width)),
            ("height", offset_of!(Coords, height)),
        ] {
            assert_eq!(abi::offset("NvOSD_RectParams", generation, field), at);
        }
        let sizes = (
            abi::size("NvDsFrameMeta", generation),
            abi::size("NvDsObjectMeta", generation),
        );
        assert_eq!(element_sizes(generation), sizes);
        assert_eq!(
            size_of::<gst::glib::ffi::GRecMutex>(),
            abi::size("GRecMutex", generation)
        );
    }
}

#[test]
fn numbers_are_as_measured() {
    for (name, ours) in [
        ("NVDS_BATCH_META", MetaType::BATCH),
        ("NVDS_FRAME_META", MetaType::FRAME),
        ("NVDS_OBJ_META", MetaType::OBJECT),
        ("NVDS_CLASSIFIER_META", MetaType::CLASSIFIER),
        ("NVDS_LABEL_INFO_META", MetaType::LABEL_INFO),
    ] {
        assert_eq!(abi::value("NvDsMetaType", name), ours.0 as u32, "{name}");
    }
    let gst = |name| abi::value("GstNvDsMetaType", name) as i32;
    assert_eq!(gst("NVDS_BATCH_GST_META"), MetaType::GST_BATCH.0);
    let wrapped = gst("NVDS_BUFFER_GST_AS_FRAME_USER_META");
    assert_eq!(wrapped, MetaType::GST_BUFFER.0);
}
