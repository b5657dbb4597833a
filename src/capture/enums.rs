// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The enumerations that the element's properties publish. Names and numbers are API.

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, glib::Enum)]
#[repr(u32)]
#[enum_type(name = "GstDsFrameCaptureMode")]
pub enum Mode {
    #[default]
    #[enum_value(
        name = "By interval, unless other properties ask for more",
        nick = "auto"
    )]
    Auto = 0,
    #[enum_value(
        name = "Every so many frames, or one frame for so much time",
        nick = "interval"
    )]
    Interval = 1,
    #[enum_value(
        name = "When detections match: classes, roi, condition and the like",
        nick = "metadata"
    )]
    Metadata = 2,
    #[enum_value(name = "By interval, and when detections match", nick = "either")]
    Either = 3,
    #[enum_value(name = "By interval among the frames that match", nick = "both")]
    Both = 4,
    #[enum_value(name = "Only when asked: signal, property or event", nick = "manual")]
    Manual = 5,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, glib::Enum)]
#[repr(u32)]
#[enum_type(name = "GstDsFrameCaptureUnknownConfidence")]
pub enum UnknownConfidence {
    #[default]
    #[enum_value(name = "It matches whatever min-confidence is", nick = "accept")]
    Accept = 0,
    #[enum_value(name = "It does not match", nick = "reject")]
    Reject = 1,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, glib::Enum)]
#[repr(u32)]
#[enum_type(name = "GstDsFrameCaptureDedupe")]
pub enum Dedupe {
    #[default]
    #[enum_value(name = "Every frame that matches", nick = "none")]
    None = 0,
    #[enum_value(name = "Once for each tracked object", nick = "track")]
    Track = 1,
    #[enum_value(
        name = "The best frame of each tracked object within best-window",
        nick = "best"
    )]
    Best = 2,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, glib::Enum)]
#[repr(u32)]
#[enum_type(name = "GstDsFrameCaptureCrop")]
pub enum Crop {
    #[default]
    #[enum_value(name = "The whole frame", nick = "none")]
    None = 0,
    #[enum_value(name = "One picture for each object that matches", nick = "objects")]
    Objects = 1,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, glib::Enum)]
#[repr(u32)]
#[enum_type(name = "GstDsFrameCaptureAnnotate")]
pub enum Annotate {
    #[default]
    #[enum_value(name = "The clean picture", nick = "none")]
    None = 0,
    #[enum_value(name = "With boxes and labels", nick = "boxes")]
    Boxes = 1,
    #[enum_value(name = "Both, in two files", nick = "both")]
    Both = 2,
    #[enum_value(name = "The same as boxes", nick = "true")]
    True = 3,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, glib::Enum)]
#[repr(u32)]
#[enum_type(name = "GstDsFrameCaptureLabels")]
pub enum Labels {
    #[default]
    #[enum_value(name = "No label files", nick = "none")]
    None = 0,
    #[enum_value(name = "KITTI, with the columns of deepstream-app", nick = "kitti")]
    Kitti = 1,
    #[enum_value(
        name = "KITTI, with the columns of the transfer-learning sample",
        nick = "kitti-tao"
    )]
    KittiTao = 2,
    #[enum_value(name = "YOLO: class and box in fractions", nick = "yolo")]
    Yolo = 3,
    #[enum_value(name = "COCO: one JSON file", nick = "coco")]
    Coco = 4,
    #[enum_value(name = "MOTChallenge: one file for each stream", nick = "mot")]
    Mot = 5,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, glib::Enum)]
#[repr(u32)]
#[enum_type(name = "GstDsFrameCaptureEncoding")]
pub enum Encoding {
    #[default]
    #[enum_value(
        name = "From the suffix of location; JPEG where there is none",
        nick = "auto"
    )]
    Auto = 0,
    #[enum_value(name = "JPEG", nick = "jpg")]
    Jpg = 1,
    #[enum_value(name = "PNG: RGB, RGBA or gray, lossless", nick = "png")]
    Png = 2,
    #[enum_value(
        name = "NumPy array of height, width and channels, 8 bit",
        nick = "npy"
    )]
    Npy = 3,
    #[enum_value(name = "The negotiated format as it is, without padding", nick = "raw")]
    Raw = 4,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, glib::Enum)]
#[repr(u32)]
#[enum_type(name = "GstDsFrameCaptureSubsampling")]
pub enum Subsampling {
    #[default]
    #[enum_value(name = "Half the chroma each way", nick = "420")]
    S420 = 420,
    #[enum_value(name = "Half the chroma from side to side", nick = "422")]
    S422 = 422,
    #[enum_value(name = "All of the chroma", nick = "444")]
    S444 = 444,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, glib::Enum)]
#[repr(u32)]
#[enum_type(name = "GstDsFrameCaptureOverflow")]
pub enum Overflow {
    #[default]
    #[enum_value(
        name = "Drop the oldest in a live pipeline, block in any other",
        nick = "auto"
    )]
    Auto = 0,
    #[enum_value(name = "Hold the pipeline until there is room", nick = "block")]
    Block = 1,
    #[enum_value(name = "Drop the oldest capture that waits", nick = "drop-oldest")]
    DropOldest = 2,
    #[enum_value(name = "Drop the new capture", nick = "drop-newest")]
    DropNewest = 3,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, glib::Enum)]
#[repr(u32)]
#[enum_type(name = "GstDsFrameCaptureOnError")]
pub enum OnError {
    #[default]
    #[enum_value(name = "Warn, count and go on", nick = "continue")]
    Continue = 0,
    #[enum_value(name = "Post an error and stop", nick = "fail")]
    Fail = 1,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, glib::Enum)]
#[repr(u32)]
#[enum_type(name = "GstDsFrameCaptureOnExists")]
pub enum OnExists {
    #[default]
    #[enum_value(name = "Keep it and add a suffix to the new one (-2)", nick = "suffix")]
    Suffix = 0,
    #[enum_value(name = "Go on after its number", nick = "continue")]
    Continue = 1,
    #[enum_value(name = "Replace it", nick = "overwrite")]
    Overwrite = 2,
    #[enum_value(name = "Fail the capture", nick = "fail")]
    Fail = 3,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, glib::Enum)]
#[repr(u32)]
#[enum_type(name = "GstDsFrameCaptureEndpointBody")]
pub enum EndpointBody {
    #[default]
    #[enum_value(
        name = "A JSON object: frame_number, image in base64, and what a log line says",
        nick = "json"
    )]
    Json = 0,
    #[enum_value(name = "The picture alone, with facts in headers", nick = "binary")]
    Binary = 1,
    #[enum_value(
        name = "A form with the parts facts (JSON) and image",
        nick = "multipart"
    )]
    Multipart = 2,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, glib::Enum)]
#[repr(u32)]
#[enum_type(name = "GstDsFrameCaptureOnFull")]
pub enum OnFull {
    #[default]
    #[enum_value(name = "Post an error, which ends the pipeline", nick = "stop")]
    Stop = 0,
    #[enum_value(
        name = "Drop captures, counted, until there is room again",
        nick = "drop"
    )]
    Drop = 1,
    #[enum_value(
        name = "Delete the oldest captures, with their labels",
        nick = "rotate"
    )]
    Rotate = 2,
}
