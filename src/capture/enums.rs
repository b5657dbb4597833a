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
    #[enum_value(name = "Only when asked: signal, property or event", nick = "manual")]
    Manual = 5,
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
