// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

// What the painters of src/inject/source/pattern and the frame code draw, byte for byte alike.
// Padding between rows is never written.

#include "common.h"

typedef unsigned short u16;

namespace {

// Rows that one thread draws, so that what they have in common is made once.
constexpr u32 ROWS = 4;

// Sixteen bytes, which are loaded and stored at once.
struct alignas(16) Sixteen {
    u32 x, y, z, w;
};

// Whether every row begins at a multiple of `bytes`.
__device__ __forceinline__ bool aligned(const Plane &plane, u32 bytes)
{
    return (((u64)plane.data | plane.pitch) & (bytes - 1)) == 0;
}

// The bytes of a word that a row has.
__device__ __forceinline__ void put_bytes(u8 *at, u32 count, u32 word)
{
    for (u32 i = 0; i < 4; i++)
        if (i < count)
            at[i] = (u8)(word >> 8 * i);
}

__device__ __forceinline__ void put_four(u8 *row, u32 x, u32 row_bytes, bool wide, u32 word)
{
    if (wide && x + 4 <= row_bytes)
        *(u32 *)(row + x) = word;
    else if (x < row_bytes)
        put_bytes(row + x, row_bytes - x, word);
}

__device__ __forceinline__ void put(u8 *row, u32 x, u32 row_bytes, bool wide, const Sixteen &bytes)
{
    if (wide && x + 16 <= row_bytes) {
        *(Sixteen *)(row + x) = bytes;
        return;
    }
    put_four(row, x, row_bytes, false, bytes.x);
    put_four(row, x + 4, row_bytes, false, bytes.y);
    put_four(row, x + 8, row_bytes, false, bytes.z);
    put_four(row, x + 12, row_bytes, false, bytes.w);
}

// The upper bytes of two pairs of sums. Sums are modulo 2^16: no carry from one to its neighbour.
__device__ __forceinline__ u32 sum(u32 a, u32 b)
{
    return ((a & 0x7fff7fff) + (b & 0x7fff7fff)) ^ ((a ^ b) & 0x80008000);
}
__device__ __forceinline__ u32 sums(u32 column0, u32 part0, u32 column1, u32 part1)
{
    return __byte_perm(sum(column0, part0), sum(column1, part1), 0x7531);
}

} // namespace

struct GradientArgs {
    Plane plane;
    // In 1/256: of every byte of a row, up to a multiple of 16; of the bytes of a group, four for
    // every row.
    const u16 *column_parts;
    const u16 *row_parts;
    u32 row_bytes;
    u32 rows;
    u32 group;
    u32 pad;
};

// Every byte is the sum of a part of its column and a part of its row. A thread per 16 bytes.
extern "C" __global__ void gradient(GradientArgs a)
{
    u32 x = column() * 16, y = row() * ROWS;
    if (x >= a.row_bytes || y >= a.rows)
        return;
    const Sixteen *columns = (const Sixteen *)(a.column_parts + x);
    Sixteen low = columns[0], high = columns[1];
    bool wide = aligned(a.plane, 16);
    // Where in a group of three the first byte is.
    u32 shift = x % 3;
    u32 end = min(y + ROWS, a.rows);
    for (; y < end; y++) {
        uint2 parts = ((const uint2 *)a.row_parts)[y];
        // Three pairs of parts that repeat; two for the groups that divide four.
        u32 first = parts.x, second = parts.y, third = parts.x, fourth = parts.y, fifth = parts.x,
            sixth = parts.y;
        if (a.group == 3) {
            // Parts 0 1, 2 0 and 1 2; then as many bytes on as the first byte is.
            u32 p01 = parts.x, p20 = parts.y, p12 = __byte_perm(parts.x, parts.y, 0x5432);
            first = shift == 0 ? p01 : shift == 1 ? p12 : p20;
            second = shift == 0 ? p20 : shift == 1 ? p01 : p12;
            third = shift == 0 ? p12 : shift == 1 ? p20 : p01;
            fourth = first;
            fifth = second;
            sixth = third;
        }
        Sixteen bytes;
        bytes.x = sums(low.x, first, low.y, second);
        bytes.y = sums(low.z, third, low.w, fourth);
        bytes.z = sums(high.x, fifth, high.y, sixth);
        bytes.w = sums(high.z, first, high.w, second);
        put(row_of(a.plane, y), x, a.row_bytes, wide, bytes);
    }
}

struct RectsArgs {
    Plane plane;
    // The bytes of a group, by shade.
    const u32 *groups;
    // The first row of the picture beyond each band, rising.
    const u32 *bottoms;
    // The shades of the pixels of each band.
    const u8 *pixels;
    u32 row_bytes;
    u32 rows;
    u32 width;
    u32 shades;
    u32 bands;
    u32 group;
    u32 across;
    u32 down;
};

namespace {

// The bytes of a group. Beyond the row it is any.
__device__ __forceinline__ u32 group_at(const RectsArgs &a, const u8 *pixels, u32 index)
{
    u32 pixel = min(index * a.across, a.width - 1);
    return a.groups[min((u32)pixels[pixel], a.shades - 1)];
}

// Four bytes of groups of three, from byte `skip` of the first on.
__device__ __forceinline__ u32 from_three(u32 low, u32 high, u32 skip)
{
    return __byte_perm(low, high, 0x3210 + 0x1111 * skip);
}

__device__ __forceinline__ Sixteen sixteen(const RectsArgs &a, u32 band, u32 x)
{
    const u8 *pixels = a.pixels + (u64)band * a.width;
    Sixteen bytes;
    if (a.group == 1) {
        u32 words[4];
        for (u32 i = 0; i < 4; i++) {
            u32 at = x + 4 * i;
            words[i] = group_at(a, pixels, at) | group_at(a, pixels, at + 1) << 8 |
                       group_at(a, pixels, at + 2) << 16 | group_at(a, pixels, at + 3) << 24;
        }
        bytes = {words[0], words[1], words[2], words[3]};
    } else if (a.group == 2) {
        u32 words[4];
        for (u32 i = 0; i < 4; i++) {
            u32 at = x / 2 + 2 * i;
            words[i] = group_at(a, pixels, at) | group_at(a, pixels, at + 1) << 16;
        }
        bytes = {words[0], words[1], words[2], words[3]};
    } else if (a.group == 3) {
        u32 at = x / 3, skip = x % 3, g[7];
        for (u32 i = 0; i < 7; i++)
            g[i] = group_at(a, pixels, at + i);
        u32 t0 = g[0] | g[1] << 24, t1 = g[1] >> 8 | g[2] << 16, t2 = g[2] >> 16 | g[3] << 8;
        u32 t3 = g[4] | g[5] << 24, t4 = g[5] >> 8 | g[6] << 16;
        bytes = {from_three(t0, t1, skip), from_three(t1, t2, skip), from_three(t2, t3, skip),
                 from_three(t3, t4, skip)};
    } else {
        u32 at = x / 4;
        bytes = {group_at(a, pixels, at), group_at(a, pixels, at + 1), group_at(a, pixels, at + 2),
                 group_at(a, pixels, at + 3)};
    }
    return bytes;
}

} // namespace

// Bands of rows that look the same. A thread per 16 bytes.
extern "C" __global__ void rects(RectsArgs a)
{
    u32 x = column() * 16, y = row() * ROWS;
    if (x >= a.row_bytes || y >= a.rows)
        return;
    bool wide = aligned(a.plane, 16);
    u32 band = 0, drawn = ~0u;
    Sixteen bytes = {0, 0, 0, 0};
    u32 end = min(y + ROWS, a.rows);
    for (; y < end; y++) {
        while (band + 1 < a.bands && a.bottoms[band] <= y * a.down)
            band++;
        if (band != drawn) {
            bytes = sixteen(a, band, x);
            drawn = band;
        }
        put(row_of(a.plane, y), x, a.row_bytes, wide, bytes);
    }
}

// One byte from the sum of some pixels' channels.
struct Mix {
    float red;
    float green;
    float blue;
    float offset;
};

struct NoiseArgs {
    Picture picture;
    u64 seed;
    // What becomes of each bit of a generator, up to each segment.
    const u32 *jumps;
    Mix luma;
    Mix cb;
    Mix cr;
};

namespace {

// A row's pixels come from generators side by side. Each thread takes four of them, and a segment
// of the row: the state at its begin is a linear map of the first one.
constexpr u32 GENERATORS = 16;
constexpr u32 STEPS = 8;

struct Quad {
    u32 state[4];
};

__device__ __forceinline__ u32 generator(u64 seed, u32 number)
{
    u64 mixed = seed + (number + 1) * 0x9e3779b97f4a7c15ull;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9ull;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebull;
    return (u32)(mixed ^ (mixed >> 31)) | 1;
}

__device__ __forceinline__ void jump(Quad &quad, const u32 *bits)
{
    Quad moved = {{0, 0, 0, 0}};
    for (u32 bit = 0; bit < 32; bit++) {
        u32 becomes = bits[bit];
        for (u32 i = 0; i < 4; i++)
            moved.state[i] ^= quad.state[i] >> bit & 1 ? becomes : 0;
    }
    quad = moved;
}

__device__ __forceinline__ Quad start(const NoiseArgs &a, u32 y, u32 first, u32 segment)
{
    Quad quad;
    for (u32 i = 0; i < 4; i++)
        quad.state[i] = generator(a.seed ^ y, first + i);
    if (segment)
        jump(quad, a.jumps + 32 * segment);
    return quad;
}

__device__ __forceinline__ void advance(Quad &quad)
{
    for (u32 i = 0; i < 4; i++) {
        // xorshift32
        u32 state = quad.state[i];
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        quad.state[i] = state;
    }
}

// A pixel with 10 bits for each channel, so that four can be added up at once.
__device__ __forceinline__ u32 spread(u32 pixel)
{
    return (pixel & 0xff) | (pixel & 0xff00) << 2 | (pixel & 0xff0000) << 4;
}

__device__ __forceinline__ u32 mix(const Mix &mix, u32 spread)
{
    float red = (float)(int)(spread & 0x3ff);
    float green = (float)(int)(spread >> 10 & 0x3ff);
    float blue = (float)(int)(spread >> 20 & 0x3ff);
    float sum = red * mix.red + green * mix.green + blue * mix.blue + mix.offset;
    float saturated = sum < 255.0f ? sum : 255.0f;
    // Leaves it rounded in the lowest bits.
    return __float_as_uint(saturated + 8388608.0f) & 0xff;
}

} // namespace

// RGB and its like. A thread per row, segment and four generators.
extern "C" __global__ void noise_packed(NoiseArgs a)
{
    const Picture &picture = a.picture;
    u32 segment = column() / 4, first = column() % 4 * 4, y = row();
    u32 x = segment * STEPS * GENERATORS + first;
    if (x >= picture.width || y >= picture.height)
        return;
    Quad quad = start(a, y, first, segment);
    bool swap = picture.format == BGR || picture.format == BGRA;
    bool three = picture.format == RGB || picture.format == BGR;
    u32 bytes = three ? 3 : 4, row_bytes = picture.width * bytes;
    bool wide = aligned(picture.planes[0], three ? 4 : 16);
    u8 *out = row_of(picture.planes[0], y);
    for (u32 step = 0; step < STEPS && x < picture.width; step++, x += GENERATORS) {
        advance(quad);
        u32 p[4];
        for (u32 i = 0; i < 4; i++) {
            u32 pixel = quad.state[i];
            p[i] = (swap ? __byte_perm(pixel, 0, 0x4012) : pixel & 0xffffff);
        }
        u32 at = x * bytes;
        if (three) {
            put_four(out, at, row_bytes, wide, p[0] | p[1] << 24);
            put_four(out, at + 4, row_bytes, wide, p[1] >> 8 | p[2] << 16);
            put_four(out, at + 8, row_bytes, wide, p[2] >> 16 | p[3] << 8);
        } else {
            const u32 opaque = 0xff000000;
            put(out, at, row_bytes, wide,
                {p[0] | opaque, p[1] | opaque, p[2] | opaque, p[3] | opaque});
        }
    }
}

// GRAY8, NV12, I420. A thread per two rows, segment and four generators.
extern "C" __global__ void noise_planar(NoiseArgs a)
{
    const Picture &picture = a.picture;
    u32 segment = column() / 4, first = column() % 4 * 4, y = row() * 2;
    u32 x = segment * STEPS * GENERATORS + first, width = picture.width;
    if (x >= width || y >= picture.height)
        return;
    // The last row counts twice if there is none below it.
    bool has_below = y + 1 < picture.height;
    u32 y_below = has_below ? y + 1 : y;
    Quad above = start(a, y, first, segment), below = start(a, y_below, first, segment);
    bool wide_luma = aligned(picture.planes[0], 4);
    bool wide_chroma = aligned(picture.planes[1], 4);
    u32 chroma_width = (width + 1) / 2;
    u8 *luma_above = row_of(picture.planes[0], y);
    u8 *luma_below = row_of(picture.planes[0], y_below);
    for (u32 step = 0; step < STEPS && x < width; step++, x += GENERATORS) {
        advance(above);
        advance(below);
        u32 luma[2] = {0, 0}, sum[4];
        for (u32 i = 0; i < 4; i++) {
            u32 upper = spread(above.state[i]), lower = spread(below.state[i]);
            luma[0] |= mix(a.luma, upper) << 8 * i;
            luma[1] |= mix(a.luma, lower) << 8 * i;
            sum[i] = upper + lower;
        }
        put_four(luma_above, x, width, wide_luma, luma[0]);
        if (has_below)
            put_four(luma_below, x, width, wide_luma, luma[1]);
        if (picture.format == GRAY8)
            continue;
        // So does the last column.
        u32 left = sum[0] + (x + 1 < width ? sum[1] : sum[0]);
        u32 right = sum[2] + (x + 3 < width ? sum[3] : sum[2]);
        u32 cb[2] = {mix(a.cb, left), mix(a.cb, right)};
        u32 cr[2] = {mix(a.cr, left), mix(a.cr, right)};
        if (picture.format == NV12) {
            put_four(row_of(picture.planes[1], y / 2), x, 2 * chroma_width, wide_chroma,
                     cb[0] | cr[0] << 8 | cb[1] << 16 | cr[1] << 24);
        } else {
            u8 *cb_row = row_of(picture.planes[1], y / 2), *cr_row = row_of(picture.planes[2], y / 2);
            u32 at = x / 2;
            put_bytes(cb_row + at, min(2u, chroma_width - at), cb[0] | cb[1] << 8);
            put_bytes(cr_row + at, min(2u, chroma_width - at), cr[0] | cr[1] << 8);
        }
    }
}

struct FrameCodeArgs {
    Picture picture;
    // 16 bits for each of 4 rows, the left column lowest.
    u64 cells;
    // The first column and row beyond the code.
    u32 right;
    u32 bottom;
    u32 black;
    u32 white;
};

namespace {

// The cell that a pixel is in, of `cells` that would fit into `size`: the first that ends after it.
__device__ __forceinline__ u32 cell_of(u32 pixel, u32 cells, u32 size)
{
    return (cells * pixel + cells - 1) / size;
}

} // namespace

// A thread per two by two pixels, which may share their chroma.
extern "C" __global__ void frame_code(FrameCodeArgs a)
{
    const Picture &picture = a.picture;
    u32 left = 2 * column(), top = 2 * row();
    if (left >= a.right || top >= a.bottom)
        return;
    bool four = picture.format == RGBA || picture.format == BGRA;
    u32 bytes = four ? 4 : picture.format == RGB || picture.format == BGR ? 3 : 1;
    for (u32 y = top; y < min(top + 2, a.bottom); y++) {
        u32 cells = (u32)(a.cells >> 16 * min(cell_of(y, 36, picture.height), 3u));
        for (u32 x = left; x < min(left + 2, a.right); x++) {
            u32 bit = cells >> min(cell_of(x, 64, picture.width), 15u) & 1;
            u8 level = (u8)(bit ? a.white : a.black);
            u8 *pixel = row_of(picture.planes[0], y) + x * bytes;
            for (u32 i = 0; i < bytes; i++)
                pixel[i] = i == 3 ? 255 : level;
        }
    }
    // Also where only some of the pixels that share it are within the code.
    if (picture.format == NV12) {
        u8 *chroma = row_of(picture.planes[1], top / 2) + left;
        chroma[0] = chroma[1] = 128;
    } else if (picture.format == I420) {
        row_of(picture.planes[1], top / 2)[left / 2] = 128;
        row_of(picture.planes[2], top / 2)[left / 2] = 128;
    }
}
