// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

// The sums of src/frame/stats.rs.

#include "common.h"

typedef int i32;
typedef long long i64;

struct StatisticsArgs {
    Plane plane;
    // Of the samples and their squares; of the edges, signed, and the lower and the upper halves of
    // sums of their squares.
    u64 *sums;
    u32 width;
    u32 height;
    u32 channels;
    // Thousandths of luma in each channel.
    u32 weights[3];
};

static_assert(sizeof(StatisticsArgs) == 48, "the layout that Rust mirrors");

namespace {

// Rows that one thread sums up. With four pixels in each, all but the squares fit into 32 bits.
constexpr u32 ROWS = 8;

// Four pixels of a row, and the luma of these and of their neighbours.
struct Piece {
    u32 pixels[4];
    i32 luma[6];
};

template <u32 CHANNELS> __device__ __forceinline__ i32 luma_of(const StatisticsArgs &a, u32 pixel)
{
    u32 luma = a.weights[0] * (pixel & 255);
    if (CHANNELS == 3)
        luma += a.weights[1] * (pixel >> 8 & 255) + a.weights[2] * (pixel >> 16 & 255);
    return (i32)luma;
}

template <u32 CHANNELS>
__device__ __forceinline__ u32 pixel_at(const u8 *row, u32 x, u32 width)
{
    // What is beyond the picture counts nothing.
    if (x >= width)
        return 0;
    const u8 *at = row + x * CHANNELS;
    if (CHANNELS == 1)
        return at[0];
    return at[0] | (u32)at[1] << 8 | (u32)at[2] << 16;
}

template <u32 CHANNELS>
__device__ __forceinline__ Piece fetch(const StatisticsArgs &a, u32 x, u32 y, bool wide)
{
    const u8 *row = row_of(a.plane, y);
    Piece piece;
    u32 left, right;
    if (wide) {
        const u32 *words = (const u32 *)(row + x * CHANNELS);
        if (CHANNELS == 1) {
            u32 word = words[0];
            for (u32 i = 0; i < 4; i++)
                piece.pixels[i] = word >> 8 * i & 255;
            left = words[-1] >> 24;
            right = words[1] & 255;
        } else {
            u32 first = words[0], second = words[1], third = words[2];
            piece.pixels[0] = first & 0xffffff;
            piece.pixels[1] = first >> 24 | (second & 0xffff) << 8;
            piece.pixels[2] = second >> 16 | (third & 0xff) << 16;
            piece.pixels[3] = third >> 8;
            left = words[-1] >> 8;
            right = words[3] & 0xffffff;
        }
    } else {
        left = x ? pixel_at<CHANNELS>(row, x - 1, a.width) : 0;
        for (u32 i = 0; i < 4; i++)
            piece.pixels[i] = pixel_at<CHANNELS>(row, x + i, a.width);
        right = pixel_at<CHANNELS>(row, x + 4, a.width);
    }
    piece.luma[0] = luma_of<CHANNELS>(a, left);
    for (u32 i = 0; i < 4; i++)
        piece.luma[i + 1] = luma_of<CHANNELS>(a, piece.pixels[i]);
    piece.luma[5] = luma_of<CHANNELS>(a, right);
    return piece;
}

struct Sums {
    u32 samples;
    u32 squares;
    i32 edges;
    u64 edge_squares;
};

template <u32 CHANNELS> __device__ __forceinline__ Sums sums_of(const StatisticsArgs &a)
{
    Sums sums = {0, 0, 0, 0};
    u32 x = column() * 4, top = row() * ROWS;
    if (x >= a.width || top >= a.height)
        return sums;
    u32 end = min(top + ROWS, a.height);
    // Not where words would reach beyond the row.
    bool wide = (((u64)a.plane.data | a.plane.pitch) & 3) == 0 && x >= 4 && x + 8 <= a.width;
    Piece here = fetch<CHANNELS>(a, x, top, wide);
    Piece above = top ? fetch<CHANNELS>(a, x, top - 1, wide) : here;
    for (u32 y = top; y < end; y++) {
        Piece below = y + 1 < a.height ? fetch<CHANNELS>(a, x, y + 1, wide) : here;
        bool inner = y > 0 && y + 1 < a.height;
        for (u32 i = 0; i < 4; i++) {
            for (u32 channel = 0; channel < CHANNELS; channel++) {
                u32 sample = here.pixels[i] >> 8 * channel & 255;
                sums.samples += sample;
                sums.squares += sample * sample;
            }
            if (inner && x + i > 0 && x + i + 1 < a.width) {
                i32 edge = 4 * here.luma[i + 1] - here.luma[i] - here.luma[i + 2] -
                           above.luma[i + 1] - below.luma[i + 1];
                sums.edges += edge;
                sums.edge_squares += (u64)((i64)edge * edge);
            }
        }
        above = here;
        here = below;
    }
    return sums;
}

// Over the threads of a warp, for its first. All of them must be here.
__device__ __forceinline__ u64 total(u64 value)
{
#ifdef __CUDA_ARCH__
    for (u32 lanes = 16; lanes; lanes /= 2)
        value += __shfl_down_sync(0xffffffff, value, lanes);
#endif
    return value;
}

__device__ __forceinline__ bool is_first()
{
#ifdef __CUDA_ARCH__
    return (threadIdx.y * blockDim.x + threadIdx.x) % 32 == 0;
#else
    return true;
#endif
}

} // namespace

// RGB, BGR, GRAY8. A thread per four pixels; blocks are of whole warps.
extern "C" __global__ void statistics(StatisticsArgs a)
{
    Sums sums = a.channels == 1 ? sums_of<1>(a) : sums_of<3>(a);
    u64 samples = total(sums.samples);
    u64 squares = total(sums.squares);
    u64 edges = total((u64)(i64)sums.edges);
    u64 edge_squares = total(sums.edge_squares);
    if (is_first()) {
        atomicAdd(&a.sums[0], samples);
        atomicAdd(&a.sums[1], squares);
        atomicAdd(&a.sums[2], edges);
        // In a large picture they do not fit into one counter.
        atomicAdd(&a.sums[3], edge_squares & 0xffffffff);
        atomicAdd(&a.sums[4], edge_squares >> 32);
    }
}
