// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

// What the kernels share. NVRTC compiles this without any standard header, and tests/standin
// compiles it as plain C++.

#pragma once

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

// One plane of a picture, `pitch` bytes from row to row.
struct Plane {
    u8 *data;
    u32 pitch;
    u32 pad;
};

// Unused planes are zero.
struct Picture {
    Plane planes[3];
    u32 width;
    u32 height;
    u32 format; // one of Format
    u32 pad;
};

static_assert(sizeof(Plane) == 16 && sizeof(Picture) == 64, "the layout that Rust mirrors");

enum Format : u32 {
    RGB = 0,
    BGR = 1,
    RGBA = 2, // RGBx as well
    BGRA = 3, // BGRx as well
    GRAY8 = 4,
    NV12 = 5,
    I420 = 6,
    Y42B = 7,
    Y444 = 8,
    YUY2 = 9,
    UYVY = 10,
};

// The position of this thread. A grid covers a picture rounded up to whole blocks, so every kernel
// compares it with its bounds.
__device__ __forceinline__ u32 column() { return blockIdx.x * blockDim.x + threadIdx.x; }
__device__ __forceinline__ u32 row() { return blockIdx.y * blockDim.y + threadIdx.y; }

// Row `y` of a plane; 64 bits, since a batch in one allocation may pass 4 GiB.
__device__ __forceinline__ u8 *row_of(const Plane &plane, u32 y)
{
    return plane.data + (u64)y * plane.pitch;
}
