// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

// Formats, colours and sizes, as GStreamer's converter makes them: its stages in its order, each of
// them rounded to 8 bits as there, so that results are the same bit for bit.
//
// Pixels between stages are words: red or luma in the lowest byte, then green or Cb, blue or Cr,
// alpha. In memory these are RGBA, also where they hold YUV. Chroma alone is Cb | Cr << 16, so that
// sums of both fit into one word.

#include "common.h"

// Where arrays are to be registers; other compilers know no such pragma.
#ifdef __CUDA_ARCH__
#define UNROLL _Pragma("unroll")
#else
#define UNROLL
#endif

typedef int i32;
typedef short i16;

namespace {

constexpr u32 OPAQUE = 0xff000000;

// Four pixels, which are loaded and stored at once.
struct alignas(16) Four {
    u32 x, y, z, w;
};

__device__ __forceinline__ i32 least(i32 a, i32 b) { return a < b ? a : b; }
__device__ __forceinline__ i32 most(i32 a, i32 b) { return a > b ? a : b; }
__device__ __forceinline__ i32 between(i32 low, i32 value, i32 high)
{
    return most(low, least(value, high));
}

// Whether every row begins at a multiple of `bytes`.
__device__ __forceinline__ bool aligned(const Plane &plane, u32 bytes)
{
    return (((u64)plane.data | plane.pitch) & (bytes - 1)) == 0;
}

__device__ __forceinline__ u32 word(const u8 *at) { return *(const u32 *)at; }
__device__ __forceinline__ u32 swapped(u32 pixel)
{
    return (pixel & 0xff00ff00) | (pixel & 0xff) << 16 | (pixel >> 16 & 0xff);
}

// Four bytes from column `x` on, of which the last is repeated beyond `width`.
__device__ __forceinline__ u32 four(const u8 *row, u32 x, u32 width, bool wide)
{
    if (wide && x + 4 <= width)
        return word(row + x);
    u32 last = width - 1, value = 0;
    for (u32 i = 0; i < 4; i++)
        value |= (u32)row[x + i < last ? x + i : last] << 8 * i;
    return value;
}

__device__ __forceinline__ void put_four(u8 *row, i32 x, i32 width, bool wide, u32 value)
{
    if (wide && x >= 0 && x + 4 <= width) {
        *(u32 *)(row + x) = value;
        return;
    }
    for (i32 i = 0; i < 4; i++)
        if (x + i >= 0 && x + i < width)
            row[x + i] = (u8)(value >> 8 * i);
}

} // namespace

// ---- Same size: formats, colours and chroma -----------------------------------------------------

enum Matrix : u32 {
    NO_MATRIX = 0,
    // (row * pixel + offset) >> 8
    PLAIN = 1,
    // GStreamer's vector code: products about 128, each cut to its upper half, no offset.
    CENTRED = 2,
};

// How chroma is resampled: between the pixels of a pair, or on the first of them.
enum Chroma : u32 { KEPT = 0, BETWEEN = 1, COSITED = 2 };

struct ConvertArgs {
    Picture from;
    Picture to;
    i32 rows[3][4];
    u32 matrix;
    u32 up_across, up_down; // one of Chroma; never cosited vertically
    u32 down_across, down_down;
    u32 x, y; // where `from` begins within `to`; even where `to` shares chroma
    u32 border;
};

static_assert(sizeof(ConvertArgs) == 208, "the layout that Rust mirrors");

namespace {

__device__ __forceinline__ u32 matrix_row(const i32 (&row)[4], u32 matrix, i32 c0, i32 c1, i32 c2)
{
    if (matrix == PLAIN)
        return (u32)(row[0] * c0 + row[1] * c1 + row[2] * c2 + row[3]) >> 8 & 0xff;
    i32 sum = (row[0] * c0 >> 16) + (row[1] * c1 >> 16) + (row[2] * c2 >> 16);
    return (u32)(between(-128, sum, 127) + 128);
}

__device__ __forceinline__ u32 through(const ConvertArgs &a, u32 pixel)
{
    if (a.matrix == NO_MATRIX)
        return pixel;
    i32 c0 = pixel & 0xff, c1 = pixel >> 8 & 0xff, c2 = pixel >> 16 & 0xff;
    if (a.matrix == CENTRED) {
        // A byte about 128, in both halves of 16 bits.
        c0 = (i16)((c0 ^ 128) * 257);
        c1 = (i16)((c1 ^ 128) * 257);
        c2 = (i16)((c2 ^ 128) * 257);
    }
    return matrix_row(a.rows[0], a.matrix, c0, c1, c2)
        | matrix_row(a.rows[1], a.matrix, c0, c1, c2) << 8
        | matrix_row(a.rows[2], a.matrix, c0, c1, c2) << 16 | (pixel & OPAQUE);
}

__device__ __forceinline__ bool halves_across(u32 format)
{
    return format == NV12 || format == I420 || format == Y42B || format == YUY2 || format == UYVY;
}

__device__ __forceinline__ bool halves_down(u32 format) { return format == NV12 || format == I420; }

__device__ __forceinline__ u32 chroma_of(u32 pixel)
{
    return (pixel >> 8 & 0xff) | (pixel & 0xff0000);
}

__device__ __forceinline__ u32 with_chroma(u32 luma, u32 chroma)
{
    return OPAQUE | luma | (chroma & 0xff) << 8 | (chroma & 0xff0000);
}

__device__ __forceinline__ u32 three_to_one(u32 near, u32 far)
{
    return (3 * near + far + 0x20002) >> 2 & 0xff00ff;
}

__device__ __forceinline__ u32 average(u32 one, u32 other)
{
    return (one + other + 0x10001) >> 1 & 0xff00ff;
}

// One chroma sample of a row.
__device__ __forceinline__ u32 sample(const Picture &p, u32 y, i32 at)
{
    if (p.format == NV12) {
        const u8 *pair = row_of(p.planes[1], y) + 2 * at;
        return pair[0] | (u32)pair[1] << 16;
    }
    if (p.format == YUY2 || p.format == UYVY) {
        const u8 *pair = row_of(p.planes[0], y) + 4 * at + (p.format == YUY2);
        return pair[0] | (u32)pair[2] << 16;
    }
    return row_of(p.planes[1], y)[at] | (u32)row_of(p.planes[2], y)[at] << 16;
}

// The chroma samples `k - 1` to `k + 2` of a row, where `k` is even; at the edges the last one
// again. Without `sides` the outer two are not looked at.
__device__ __forceinline__ void window(const Picture &p, u32 y, i32 k, bool sides, u32 (&out)[4])
{
    i32 last = (i32)((p.width + 1) / 2) - 1;
    bool both = k < last;
    if (both && p.format == NV12 && aligned(p.planes[1], 4)) {
        u32 pairs = word(row_of(p.planes[1], y) + 2 * k);
        out[1] = (pairs & 0xff) | (pairs & 0xff00) << 8;
        out[2] = (pairs >> 16 & 0xff) | (pairs >> 8 & 0xff0000);
    } else if (both && (p.format == I420 || p.format == Y42B) && aligned(p.planes[1], 2)
               && aligned(p.planes[2], 2)) {
        u32 cb = *(const unsigned short *)(row_of(p.planes[1], y) + k);
        u32 cr = *(const unsigned short *)(row_of(p.planes[2], y) + k);
        out[1] = (cb & 0xff) | (cr & 0xff) << 16;
        out[2] = cb >> 8 | (cr & 0xff00) << 8;
    } else {
        out[1] = sample(p, y, k);
        out[2] = sample(p, y, both ? k + 1 : k);
    }
    out[0] = sides ? sample(p, y, most(k - 1, 0)) : out[1];
    out[3] = sides ? sample(p, y, least(k + 2, last)) : out[2];
}

// The chroma of the pixels `x - 1` to `x + 3`, where `x` is that of sample 1 of the window.
__device__ __forceinline__ void across(const u32 (&window)[4], u32 up, u32 (&out)[5])
{
    if (up == BETWEEN) {
        out[0] = three_to_one(window[0], window[1]);
        out[1] = three_to_one(window[1], window[0]);
        out[2] = three_to_one(window[1], window[2]);
        out[3] = three_to_one(window[2], window[1]);
        out[4] = three_to_one(window[2], window[3]);
        return;
    }
    bool cosited = up == COSITED;
    out[0] = cosited ? average(window[0], window[1]) : window[0];
    out[1] = window[1];
    out[2] = cosited ? average(window[1], window[2]) : window[1];
    out[3] = window[2];
    out[4] = cosited ? average(window[2], window[3]) : window[2];
}

// The chroma of two rows from the even row `y` on, each from pixel `x - 1` to `x + 3`.
__device__ __forceinline__ void chroma(const ConvertArgs &a, u32 x, u32 y, bool left,
                                       u32 (&out)[2][5])
{
    const Picture &p = a.from;
    bool sides = left || a.up_across != KEPT;
    i32 k = (i32)x / 2;
    u32 samples[4];
    if (!halves_down(p.format)) {
        window(p, y, k, sides, samples);
        across(samples, a.up_across, out[0]);
        window(p, y + 1 < p.height ? y + 1 : y, k, sides, samples);
        across(samples, a.up_across, out[1]);
        return;
    }
    u32 at = y / 2;
    window(p, at, k, sides, samples);
    across(samples, a.up_across, out[0]);
    UNROLL
    for (u32 i = 0; i < 5; i++)
        out[1][i] = out[0][i];
    if (a.up_down == KEPT)
        return;
    u32 other[5], last = (p.height + 1) / 2 - 1;
    window(p, at > 0 ? at - 1 : 0, k, sides, samples);
    across(samples, a.up_across, other);
    UNROLL
    for (u32 i = 0; i < 5; i++)
        out[0][i] = three_to_one(out[0][i], other[i]);
    window(p, at < last ? at + 1 : last, k, sides, samples);
    across(samples, a.up_across, other);
    UNROLL
    for (u32 i = 0; i < 5; i++)
        out[1][i] = three_to_one(out[1][i], other[i]);
}

// Pixels `x` to `x + 3` of a row of RGB in any order, or of luma without chroma; the one before
// them as the first if `left`. The last of the row is repeated.
__device__ __forceinline__ void pixels(const Picture &p, u32 x, u32 y, bool left, u32 (&out)[5])
{
    const u8 *row = row_of(p.planes[0], y);
    u32 last = p.width - 1, before = x > 0 ? x - 1 : 0;
    bool whole = x + 4 <= p.width, words = aligned(p.planes[0], 4);
    switch (p.format) {
    case RGB:
    case BGR:
        if (whole && words) {
            u32 a = word(row + 3 * x), b = word(row + 3 * x + 4), c = word(row + 3 * x + 8);
            out[1] = a | OPAQUE;
            out[2] = a >> 24 | b << 8 | OPAQUE;
            out[3] = b >> 16 | c << 16 | OPAQUE;
            out[4] = c >> 8 | OPAQUE;
        } else {
            UNROLL
            for (u32 i = 0; i < 4; i++) {
                const u8 *at = row + 3 * (x + i < last ? x + i : last);
                out[1 + i] = at[0] | (u32)at[1] << 8 | (u32)at[2] << 16 | OPAQUE;
            }
        }
        if (left) {
            const u8 *at = row + 3 * before;
            out[0] = at[0] | (u32)at[1] << 8 | (u32)at[2] << 16 | OPAQUE;
        }
        break;
    case RGBA:
    case BGRA:
        if (whole && aligned(p.planes[0], 16)) {
            Four pixel = *(const Four *)(row + 4 * x);
            out[1] = pixel.x;
            out[2] = pixel.y;
            out[3] = pixel.z;
            out[4] = pixel.w;
        } else {
            UNROLL
            for (u32 i = 0; i < 4; i++) {
                u32 at = x + i < last ? x + i : last;
                out[1 + i] = four(row, 4 * at, 4 * p.width, words);
            }
        }
        if (left)
            out[0] = four(row, 4 * before, 4 * p.width, words);
        break;
    case YUY2:
    case UYVY: {
        u32 shift = p.format == UYVY ? 8 : 0, pairs = 4 * ((p.width + 1) / 2);
        u32 a = four(row, 2 * x, pairs, words) >> shift;
        u32 b = (x + 2 <= last ? four(row, 2 * x + 4, pairs, words) : 0) >> shift;
        out[1] = a & 0xff;
        out[2] = a >> 16 & 0xff;
        out[3] = b & 0xff;
        out[4] = b >> 16 & 0xff;
        if (left)
            out[0] = row[2 * before + shift / 8];
        break;
    }
    default: {
        u32 luma = four(row, x, p.width, words);
        out[1] = luma & 0xff;
        out[2] = luma >> 8 & 0xff;
        out[3] = luma >> 16 & 0xff;
        out[4] = luma >> 24;
        if (left)
            out[0] = row[before];
    }
    }
    if (p.format == BGR || p.format == BGRA) {
        UNROLL
        for (u32 i = 0; i < 5; i++)
            out[i] = swapped(out[i]);
    }
}

// Pixels `x - 1` to `x + 3` of the rows `y` and `y + 1`, converted. `x` is a multiple of 4, `y` of 2.
__device__ __forceinline__ void load(const ConvertArgs &a, u32 x, u32 y, bool left, u32 (&out)[2][5])
{
    const Picture &p = a.from;
    pixels(p, x, y, left, out[0]);
    pixels(p, x, y + 1 < p.height ? y + 1 : y, left, out[1]);
    if (p.format == GRAY8) {
        UNROLL
        for (u32 i = 0; i < 10; i++)
            out[i / 5][i % 5] = with_chroma(out[i / 5][i % 5], 0x800080);
    } else if (p.format == Y444) {
        UNROLL
        for (u32 i = 0; i < 10; i++) {
            u32 at = most(0, least((i32)(x + i % 5) - 1, (i32)p.width - 1));
            u32 line = i < 5 || y + 1 >= p.height ? y : y + 1;
            u32 cb = row_of(p.planes[1], line)[at], cr = row_of(p.planes[2], line)[at];
            out[i / 5][i % 5] = with_chroma(out[i / 5][i % 5], cb | cr << 16);
        }
    } else if (halves_across(p.format)) {
        u32 both[2][5];
        chroma(a, x, y, left, both);
        UNROLL
        for (u32 i = 0; i < 10; i++)
            out[i / 5][i % 5] = with_chroma(out[i / 5][i % 5], both[i / 5][i % 5]);
    }
    if (left) {
        out[0][0] = through(a, out[0][0]);
        out[1][0] = through(a, out[1][0]);
    }
    UNROLL
    for (u32 i = 0; i < 8; i++)
        out[i / 4][1 + i % 4] = through(a, out[i / 4][1 + i % 4]);
}

// The chroma of the pair that begins with the even pixel `x` of a row of `width`.
__device__ __forceinline__ u32 shared_chroma(u32 down, u32 x, u32 width, u32 left, u32 own, u32 right)
{
    if (down == KEPT)
        return own;
    if (down == BETWEEN)
        return x + 1 < width ? average(own, right) : own;
    // The last pair of a row does not look at its second pixel, unless it is the only pair.
    if (x + 2 >= width && !(x == 0 && width == 2))
        right = own;
    if (x == 0)
        left = own;
    return (left + 2 * own + right + 0x20002) >> 2 & 0xff00ff;
}

__device__ __forceinline__ void store_rgb(const Plane &plane, u32 format, i32 x, u32 y, i32 width,
                                          const u32 (&p)[4])
{
    u8 *row = row_of(plane, y);
    u32 b[4];
    UNROLL
    for (u32 i = 0; i < 4; i++)
        b[i] = format == BGR || format == BGRA ? swapped(p[i]) : p[i];
    if (format == RGBA || format == BGRA) {
        if (x >= 0 && x + 4 <= width && x % 4 == 0 && aligned(plane, 16)) {
            *(Four *)(row + 4 * x) = Four{b[0], b[1], b[2], b[3]};
            return;
        }
        bool words = aligned(plane, 4);
        UNROLL
        for (i32 i = 0; i < 4; i++)
            put_four(row, 4 * (x + i), 4 * width, words, b[i]);
        return;
    }
    bool words = aligned(plane, 4) && x % 4 == 0 && x + 4 <= width;
    u32 a = (b[0] & 0xffffff) | b[1] << 24;
    u32 c = (b[1] >> 8 & 0xffff) | b[2] << 16;
    u32 d = (b[2] >> 16 & 0xff) | b[3] << 8;
    put_four(row, 3 * x, 3 * width, words, a);
    put_four(row, 3 * x + 4, 3 * width, words, c);
    put_four(row, 3 * x + 8, 3 * width, words, d);
}

// Two samples of chroma, from sample `x` on.
__device__ __forceinline__ void store_pairs(const Picture &to, i32 x, u32 y, u32 first, u32 second)
{
    i32 columns = (to.width + 1) / 2;
    if (to.format == NV12) {
        const Plane &plane = to.planes[1];
        u32 both = (first & 0xff) | (first >> 8 & 0xff00) | (second & 0xff) << 16
            | (second & 0xff0000) << 8;
        put_four(row_of(plane, y), 2 * x, 2 * columns, x % 2 == 0 && aligned(plane, 4), both);
        return;
    }
    UNROLL
    for (u32 i = 1; i < 3; i++) {
        u32 shift = i == 1 ? 0 : 16;
        u32 one = first >> shift & 0xff, two = second >> shift & 0xff;
        u8 *row = row_of(to.planes[i], y);
        if (x % 2 == 0 && x >= 0 && x + 2 <= columns && aligned(to.planes[i], 2)) {
            *(unsigned short *)(row + x) = (unsigned short)(one | two << 8);
            continue;
        }
        if (x >= 0 && x < columns)
            row[x] = (u8)one;
        if (x + 1 >= 0 && x + 1 < columns)
            row[x + 1] = (u8)two;
    }
}

} // namespace

// Four pixels of two rows for each thread, all of `to`: what `from` does not cover is border.
extern "C" __global__ void convert(ConvertArgs a)
{
    // Blocks lie on multiples of 4 and 2 of the picture, not of `to`.
    i32 x = 4 * (i32)column() - (i32)((a.x + 3) / 4 * 4);
    i32 y = 2 * (i32)row() - (i32)((a.y + 1) / 2 * 2);
    i32 width = a.from.width, height = a.from.height;
    i32 to_x = x + (i32)a.x, to_y = y + (i32)a.y;
    if (to_x >= (i32)a.to.width || to_y >= (i32)a.to.height)
        return;
    u32 format = a.to.format;
    bool inside = x >= 0 && x < width && y >= 0 && y < height;
    bool left = a.down_across == COSITED;
    u32 p[2][5];
    UNROLL
    for (u32 i = 0; i < 10; i++)
        p[i / 5][i % 5] = a.border;
    if (inside)
        load(a, (u32)x, (u32)y, left, p);

    if (halves_across(format)) {
        u32 rows = halves_down(format) ? 1 : 2;
        for (u32 line = 0; line < rows; line++) {
            u32 c[5];
            UNROLL
            for (u32 i = 0; i < 5; i++)
                c[i] = chroma_of(line ? p[1][i] : p[0][i]);
            if (a.down_down != KEPT) {
                UNROLL
                for (u32 i = 0; i < 5; i++)
                    c[i] = average(c[i], chroma_of(p[1][i]));
            }
            u32 first = shared_chroma(a.down_across, x, width, c[0], c[1], c[2]);
            u32 second = shared_chroma(a.down_across, x + 2, width, c[2], c[3], c[4]);
            u32 border = chroma_of(a.border);
            if (!inside || y + (i32)line >= height)
                first = second = border;
            else if (x + 2 >= width)
                second = border;
            i32 to_row = halves_down(format) ? to_y / 2 : to_y + (i32)line;
            i32 to_rows = halves_down(format) ? (a.to.height + 1) / 2 : a.to.height;
            if (to_row >= 0 && to_row < to_rows)
                store_pairs(a.to, to_x / 2, to_row, first, second);
        }
    }
    UNROLL
    for (i32 line = 0; line < 2; line++) {
        if (to_y + line < 0 || to_y + line >= (i32)a.to.height)
            continue;
        u32 q[4];
        UNROLL
        for (i32 i = 0; i < 4; i++)
            q[i] = inside && x + i < width && y + line < height ? p[line][1 + i] : a.border;
        if (format <= BGRA) {
            store_rgb(a.to.planes[0], format, to_x, to_y + line, a.to.width, q);
            continue;
        }
        u32 planes = format == Y444 ? 3 : 1;
        for (u32 i = 0; i < planes; i++) {
            u32 shift = 8 * i;
            u32 samples = (q[0] >> shift & 0xff) | (q[1] >> shift & 0xff) << 8
                | (q[2] >> shift & 0xff) << 16 | (q[3] >> shift & 0xff) << 24;
            bool words = to_x % 4 == 0 && aligned(a.to.planes[i], 4);
            put_four(row_of(a.to.planes[i], to_y + line), to_x, a.to.width, words, samples);
        }
    }
}

// ---- Other sizes --------------------------------------------------------------------------------

enum Scaling : u32 {
    COPY = 0,
    // Sums of `count` neighbours, coefficients in 64ths.
    TAPS_ACROSS = 1,
    TAPS_DOWN = 2,
    // Between two pixels, which a fixed step selects: from corner to corner, not from centre to
    // centre.
    STEPS_ACROSS = 3,
    // Between two rows, in 256ths.
    BETWEEN_ROWS = 4,
    HALVE_ACROSS = 5,
    HALVE_DOWN = 6,
    HALVE_BOTH = 7,
};

struct Job {
    Plane from;
    Plane to;
    const i16 *taps; // all first ones, all second ones, and so on
    const u32 *offsets;
    u32 scaling;
    u32 count;
    u32 elements; // bytes of a pixel
    u32 step;
    u32 x, y, row_bytes, rows; // of `to`, which is filled with the border outside
    u32 all_bytes, all_rows;
    u32 border; // the bytes of a pixel
    u32 first; // among the rows of threads
};

static_assert(sizeof(Job) == 96, "the layout that Rust mirrors");

struct ScaleArgs {
    Job jobs[3];
    u32 count;
    u32 pad;
};

static_assert(sizeof(ScaleArgs) == 296, "the layout that Rust mirrors");

namespace {

__device__ __forceinline__ u32 level(i32 sum) { return (u32)between(0, (sum + 32) >> 6, 255); }

// Two sums of 16 bits in one word, of which the upper one lacks what the lower one borrowed.
__device__ __forceinline__ u32 levels(u32 sums)
{
    i32 low = (i16)sums;
    i32 high = (i16)((sums - (u32)low) >> 16);
    return level(low) | level(high) << 16;
}

__device__ __forceinline__ u32 between_bytes(u32 one, u32 other, i32 part)
{
    // What leaves the range comes in again at the other end, as in GStreamer.
    return (one + ((((i32)other - (i32)one) * part + 128) >> 8)) & 0xff;
}

// The mean of each of four bytes, and of each pair of bytes.
__device__ __forceinline__ u32 both_rounded(u32 one, u32 other)
{
    return average(one & 0xff00ff, other & 0xff00ff)
        | average(one >> 8 & 0xff00ff, other >> 8 & 0xff00ff) << 8;
}

__device__ __forceinline__ u32 pairs_rounded(u32 four)
{
    u32 means = average(four & 0xff00ff, four >> 8 & 0xff00ff);
    return (means | means >> 8) & 0xffff;
}

__device__ __forceinline__ u32 scaled_byte(const Job &job, u32 b, u32 y)
{
    u32 pixel = b / job.elements, lane = b % job.elements;
    switch (job.scaling) {
    case TAPS_ACROSS: {
        u32 size = job.row_bytes / job.elements;
        const u8 *at = row_of(job.from, y) + (u64)job.offsets[pixel] * job.elements + lane;
        i32 sum = 0;
        for (u32 i = 0; i < job.count; i++)
            sum += at[i * job.elements] * job.taps[i * size + pixel];
        return level((i16)sum);
    }
    case TAPS_DOWN: {
        i32 sum = 0;
        for (u32 i = 0; i < job.count; i++)
            sum += row_of(job.from, job.offsets[y] + i)[b] * job.taps[i * job.rows + y];
        return level((i16)sum);
    }
    case STEPS_ACROSS: {
        u32 place = pixel * job.step, part = place >> 8 & 0xff;
        const u8 *at = row_of(job.from, y) + (place >> 16) * job.elements + lane;
        // The pixel behind the last one is not there, and has no part in it.
        u32 next = part ? at[job.elements] : 0;
        return (at[0] * (256 - part) + next * part) >> 8;
    }
    case BETWEEN_ROWS: {
        u32 at = job.offsets[y];
        return between_bytes(row_of(job.from, at)[b], row_of(job.from, at + 1)[b],
                             job.taps[job.rows + y]);
    }
    case HALVE_ACROSS: {
        const u8 *at = row_of(job.from, y) + 2 * b;
        return (at[0] + at[1] + 1) >> 1;
    }
    case HALVE_DOWN:
        return (row_of(job.from, 2 * y)[b] + row_of(job.from, 2 * y + 1)[b] + 1) >> 1;
    case HALVE_BOTH: {
        const u8 *one = row_of(job.from, 2 * y) + 2 * b, *two = row_of(job.from, 2 * y + 1) + 2 * b;
        return (((one[0] + two[0] + 1) >> 1) + ((one[1] + two[1] + 1) >> 1) + 1) >> 1;
    }
    default:
        return row_of(job.from, y)[b];
    }
}

// Four bytes at once, where they are a word and all of them are there.
__device__ __forceinline__ bool scaled_word(const Job &job, u32 b, u32 y, u32 &out)
{
    u32 even = 0, odd = 0;
    switch (job.scaling) {
    case COPY:
        out = word(row_of(job.from, y) + b);
        return true;
    case TAPS_ACROSS: {
        if (job.elements != 4)
            return false;
        u32 pixel = b / 4, size = job.row_bytes / 4;
        const u8 *at = row_of(job.from, y) + 4 * (u64)job.offsets[pixel];
        for (u32 i = 0; i < job.count; i++) {
            u32 value = word(at + 4 * i), tap = (u32)(i32)job.taps[i * size + pixel];
            even += (value & 0xff00ff) * tap;
            odd += (value >> 8 & 0xff00ff) * tap;
        }
        break;
    }
    case TAPS_DOWN: {
        const u8 *at = row_of(job.from, job.offsets[y]) + b;
        for (u32 i = 0; i < job.count; i++) {
            u32 value = word(at), tap = (u32)(i32)job.taps[i * job.rows + y];
            even += (value & 0xff00ff) * tap;
            odd += (value >> 8 & 0xff00ff) * tap;
            at += job.from.pitch;
        }
        break;
    }
    case BETWEEN_ROWS: {
        const u8 *at = row_of(job.from, job.offsets[y]) + b;
        u32 one = word(at), other = word(at + job.from.pitch);
        out = 0;
        for (u32 i = 0; i < 32; i += 8)
            out |= between_bytes(one >> i & 0xff, other >> i & 0xff, job.taps[job.rows + y]) << i;
        return true;
    }
    case HALVE_DOWN:
    case HALVE_BOTH: {
        bool across = job.scaling == HALVE_BOTH;
        const u8 *one = row_of(job.from, 2 * y), *two = one + job.from.pitch;
        one += across ? 2 * b : b;
        two += across ? 2 * b : b;
        out = both_rounded(word(one), word(two));
        if (across) {
            u32 next = both_rounded(word(one + 4), word(two + 4));
            out = pairs_rounded(out) | pairs_rounded(next) << 16;
        }
        return true;
    }
    case HALVE_ACROSS: {
        const u8 *at = row_of(job.from, y) + 2 * b;
        out = pairs_rounded(word(at)) | pairs_rounded(word(at + 4)) << 16;
        return true;
    }
    default:
        return false;
    }
    out = levels(even) | levels(odd) << 8;
    return true;
}

} // namespace

// Up to three planes, each by one stage: four bytes for each thread.
extern "C" __global__ void scale(ScaleArgs a)
{
    u32 line = row(), index = 0;
    while (index + 1 < a.count && line >= a.jobs[index + 1].first)
        index++;
    const Job &job = a.jobs[index];
    i32 b = 4 * (i32)column() - (i32)((job.x + 3) / 4 * 4);
    i32 to_b = b + (i32)job.x, all = job.all_bytes;
    u32 to_y = line - job.first;
    if (to_b >= all || to_y >= job.all_rows)
        return;
    u8 *to = row_of(job.to, to_y);
    bool words = (job.x & 3) == 0 && aligned(job.to, 4);
    i32 y = (i32)to_y - (i32)job.y;
    bool in_row = y >= 0 && y < (i32)job.rows;
    u32 out = 0;
    if (in_row && b >= 0 && b + 4 <= (i32)job.row_bytes && aligned(job.from, 4)
        && scaled_word(job, b, y, out)) {
        put_four(to, to_b, all, words, out);
        return;
    }
    for (i32 i = 0; i < 4; i++) {
        if (to_b + i < 0 || to_b + i >= all)
            continue;
        u32 value;
        if (in_row && b + i >= 0 && b + i < (i32)job.row_bytes)
            value = scaled_byte(job, b + i, y);
        else
            value = job.border >> 8 * ((to_b + i) % job.elements) & 0xff;
        out |= value << 8 * i;
    }
    put_four(to, to_b, all, words, out);
}

// ---- YUV for JPEG -------------------------------------------------------------------------------

struct PlanarArgs {
    Picture from;
    Picture to;
    i32 luma, luma_offset;
    i32 y_u, y_v, u_u, u_v, v_u, v_v;
};

static_assert(sizeof(PlanarArgs) == 160, "the layout that Rust mirrors");

namespace {

// As in src/frame/planar.rs: Q14 by 8 bits gives Q6, the coefficient in two parts.
__device__ __forceinline__ i32 times(i32 sample, i32 coefficient)
{
    return (sample * (coefficient >> 7) + (sample * (coefficient & 127) >> 7)) >> 1;
}

__device__ __forceinline__ u32 planar_level(i32 sum) { return (u32)between(0, sum >> 6, 255); }

} // namespace

// YUV in any matrix and range to full-range BT.601 in planes. `to` may be larger than `from`: the
// last column and the last row are repeated.
extern "C" __global__ void planar(PlanarArgs a)
{
    constexpr i32 MIDDLE = 128 * 64 + 33;
    u32 x = 4 * column(), y = 2 * row();
    if (x >= a.to.width || y >= a.to.height)
        return;
    u32 format = a.from.format;
    bool gray = format == GRAY8, wide = format == Y444, tall = !halves_down(format);
    u32 columns = wide ? a.to.width : (a.to.width + 1) / 2;
    // What chroma adds to luma, for each pixel.
    i32 offsets[2][4];
    UNROLL
    for (u32 i = 0; i < 8; i++)
        offsets[i / 4][i % 4] = a.luma_offset;
    if (!gray) {
        u32 from_columns = wide ? a.from.width : (a.from.width + 1) / 2;
        u32 samples = wide ? 4 : 2, k = wide ? x : x / 2;
        UNROLL
        for (u32 line = 0; line < 2; line++) {
            u32 r = tall ? y + line : y / 2;
            u32 from_row = tall && r >= a.from.height ? a.from.height - 1 : r;
            UNROLL
            for (u32 i = 0; i < 4; i++) {
                if (i >= samples)
                    continue;
                u32 at = k + i < from_columns ? k + i : from_columns - 1;
                i32 u, v;
                if (format == NV12) {
                    const u8 *pair = row_of(a.from.planes[1], from_row) + 2 * at;
                    u = pair[0] - 128;
                    v = pair[1] - 128;
                } else {
                    u = row_of(a.from.planes[1], from_row)[at] - 128;
                    v = row_of(a.from.planes[2], from_row)[at] - 128;
                }
                i32 offset = times(u, a.y_u) + times(v, a.y_v) + a.luma_offset;
                if (wide) {
                    offsets[line][i] = offset;
                } else if (i < 2) {
                    offsets[line][2 * i] = offset;
                    offsets[line][2 * i + 1] = offset;
                }
                bool there = tall ? r < a.to.height : line == 0;
                if (there && k + i < columns) {
                    row_of(a.to.planes[1], r)[k + i] =
                        (u8)planar_level(times(u, a.u_u) + times(v, a.u_v) + MIDDLE);
                    row_of(a.to.planes[2], r)[k + i] =
                        (u8)planar_level(times(v, a.v_v) + times(u, a.v_u) + MIDDLE);
                }
            }
        }
    }
    bool from_words = aligned(a.from.planes[0], 4), to_words = aligned(a.to.planes[0], 4);
    UNROLL
    for (u32 line = 0; line < 2; line++) {
        if (y + line >= a.to.height)
            break;
        u32 from_y = y + line < a.from.height ? y + line : a.from.height - 1;
        u32 luma = four(row_of(a.from.planes[0], from_y), x, a.from.width, from_words), out = 0;
        UNROLL
        for (u32 i = 0; i < 4; i++) {
            i32 sample = (i32)(luma >> 8 * i & 0xff) - 128;
            out |= planar_level(times(sample, a.luma) + offsets[line][i]) << 8 * i;
        }
        put_four(row_of(a.to.planes[0], y + line), x, a.to.width, to_words, out);
    }
}

namespace {

// A byte of a word, around zero.
__device__ __forceinline__ i32 centred(u32 word, u32 byte)
{
    return (i32)(word >> 8 * byte & 0xff) - 128;
}

} // namespace

// The same for NV12 and I420 of whole blocks of 16x2 pixels, in planes that begin and go on at
// multiples of 16 bytes (chroma of I420: 8), without anything to repeat. A thread makes one block.
extern "C" __global__ void planar_420(PlanarArgs a)
{
    constexpr i32 MIDDLE = 128 * 64 + 33;
    u32 x = 16 * column(), y = 2 * row();
    if (x >= a.to.width || y >= a.to.height)
        return;
    // Blue differences of 8 pairs of pixels, then red ones, four to a word.
    u32 from[2][2], to[2][2] = {};
    if (a.from.format == NV12) {
        uint4 pairs = *(const uint4 *)(row_of(a.from.planes[1], y / 2) + x);
        u32 words[4] = {pairs.x, pairs.y, pairs.z, pairs.w};
        UNROLL
        for (u32 i = 0; i < 2; i++) {
            u32 low = words[2 * i], high = words[2 * i + 1];
            from[0][i] = (low & 0xff) | (low >> 8 & 0xff00) | (high & 0xff) << 16 |
                         (high >> 16 & 0xff) << 24;
            from[1][i] = (low >> 8 & 0xff) | (low >> 24) << 8 | (high >> 8 & 0xff) << 16 |
                         (high >> 24) << 24;
        }
    } else {
        UNROLL
        for (u32 plane = 0; plane < 2; plane++) {
            uint2 words = *(const uint2 *)(row_of(a.from.planes[1 + plane], y / 2) + x / 2);
            from[plane][0] = words.x;
            from[plane][1] = words.y;
        }
    }
    i32 offsets[8];
    UNROLL
    for (u32 i = 0; i < 8; i++) {
        i32 u = centred(from[0][i / 4], i % 4), v = centred(from[1][i / 4], i % 4);
        offsets[i] = times(u, a.y_u) + times(v, a.y_v) + a.luma_offset;
        to[0][i / 4] |= planar_level(times(u, a.u_u) + times(v, a.u_v) + MIDDLE) << 8 * (i % 4);
        to[1][i / 4] |= planar_level(times(v, a.v_v) + times(u, a.v_u) + MIDDLE) << 8 * (i % 4);
    }
    UNROLL
    for (u32 plane = 0; plane < 2; plane++)
        *(uint2 *)(row_of(a.to.planes[1 + plane], y / 2) + x / 2) =
            make_uint2(to[plane][0], to[plane][1]);
    UNROLL
    for (u32 line = 0; line < 2; line++) {
        uint4 luma = *(const uint4 *)(row_of(a.from.planes[0], y + line) + x);
        u32 words[4] = {luma.x, luma.y, luma.z, luma.w};
        UNROLL
        for (u32 i = 0; i < 4; i++) {
            u32 out = 0;
            UNROLL
            for (u32 j = 0; j < 4; j++)
                out |= planar_level(times(centred(words[i], j), a.luma) + offsets[2 * i + j / 2])
                       << 8 * j;
            words[i] = out;
        }
        *(uint4 *)(row_of(a.to.planes[0], y + line) + x) =
            make_uint4(words[0], words[1], words[2], words[3]);
    }
}
