// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

// The filled rectangles of src/frame/paint.rs, drawn over an RGB picture.

#include "common.h"

struct Rect {
    u32 left;
    u32 top;
    // The first pixels beyond.
    u32 right;
    u32 bottom;
    u32 rgb; // red lowest
    u32 pad;
};

// A part of the picture that is TILE_WIDTH by TILE_HEIGHT pixels.
struct Tile {
    u32 left;
    u32 top;
    // The rectangles that reach into it: a part of `order`.
    u32 first;
    u32 count;
};

struct AnnotateArgs {
    Picture picture;
    const Rect *rects;
    const Tile *tiles;
    const u32 *order;
    u32 tile_count;
    u32 pad;
};

static_assert(sizeof(Rect) == 24 && sizeof(Tile) == 16 && sizeof(AnnotateArgs) == 96,
              "the layouts that Rust mirrors");

namespace {

constexpr u32 TILE_WIDTH = 32, TILE_HEIGHT = 32;

} // namespace

// A thread per pixel, of all tiles side by side. The last rectangle that covers a pixel is the one
// that is seen.
extern "C" __global__ void annotate(AnnotateArgs a)
{
    u32 index = column() / TILE_WIDTH;
    if (index >= a.tile_count || row() >= TILE_HEIGHT)
        return;
    Tile tile = a.tiles[index];
    u32 x = tile.left + column() % TILE_WIDTH, y = tile.top + row();
    if (x >= a.picture.width || y >= a.picture.height)
        return;
    for (u32 i = tile.count; i > 0; i--) {
        Rect rect = a.rects[a.order[tile.first + i - 1]];
        if (x < rect.left || x >= rect.right || y < rect.top || y >= rect.bottom)
            continue;
        u8 *pixel = row_of(a.picture.planes[0], y) + (u64)x * 3;
        pixel[0] = (u8)rect.rgb;
        pixel[1] = (u8)(rect.rgb >> 8);
        pixel[2] = (u8)(rect.rgb >> 16);
        return;
    }
}
