// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The enumerations that the element's properties publish. Names and numbers are API.

/// Where the frames are put.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, glib::Enum)]
#[repr(u32)]
#[enum_type(name = "GstDsFrameInjectDevice")]
pub enum Device {
    #[default]
    #[enum_value(
        name = "NVMM where the next element names it and there is a GPU, else system memory",
        nick = "auto"
    )]
    Auto = 0,
    #[enum_value(
        name = "NVMM surfaces on the GPU gpu-id, as DeepStream's elements take them",
        nick = "gpu"
    )]
    Gpu = 1,
    #[enum_value(name = "System memory", nick = "cpu")]
    Cpu = 2,
    #[enum_value(name = "The same as gpu", nick = "nvmm")]
    Nvmm = 3,
    #[enum_value(name = "The same as cpu", nick = "system")]
    System = 4,
}

/// Where the pixels of NVMM surfaces lie, by DeepStream's names and numbers.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, glib::Enum)]
#[repr(u32)]
#[enum_type(name = "GstDsFrameInjectMemoryType")]
pub enum MemoryType {
    #[default]
    #[enum_value(name = "The default: CUDA device memory", nick = "nvbuf-mem-default")]
    Default = 0,
    #[enum_value(
        name = "Pinned host memory, which the CPU reads and the GPU fetches",
        nick = "nvbuf-mem-cuda-pinned"
    )]
    Pinned = 1,
    #[enum_value(name = "CUDA device memory", nick = "nvbuf-mem-cuda-device")]
    Device = 2,
    #[enum_value(
        name = "CUDA unified memory, which moves to whoever uses it",
        nick = "nvbuf-mem-cuda-unified"
    )]
    Unified = 3,
    #[enum_value(
        name = "Host memory without a GPU: for tests and our own elements; DeepStream's refuse it",
        nick = "nvbuf-mem-system"
    )]
    System = 6,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, glib::Enum)]
#[repr(u32)]
#[enum_type(name = "GstDsFrameInjectOnError")]
pub enum OnError {
    #[default]
    #[enum_value(name = "Post an error and stop", nick = "fail")]
    Fail = 0,
    #[enum_value(name = "Warn, count and go on with the next frame", nick = "skip")]
    Skip = 1,
    #[enum_value(name = "Warn and end the stream", nick = "eos")]
    Eos = 2,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, glib::Enum)]
#[repr(u32)]
#[enum_type(name = "GstDsFrameInjectOnTimeout")]
pub enum OnTimeout {
    #[default]
    #[enum_value(name = "Post an error and stop", nick = "fail")]
    Fail = 0,
    #[enum_value(name = "Warn and end the stream", nick = "eos")]
    Eos = 1,
    #[enum_value(name = "Push the last frame again", nick = "repeat")]
    Repeat = 2,
}
