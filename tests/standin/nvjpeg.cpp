// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

// A stand-in for nvJPEG's encoder, on top of the stand-in for the driver: libjpeg encodes when the
// file is asked for, and the file is on its way until the stream is waited for.

#include "cuda.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <new>
#include <string>
#include <vector>

#include <jpeglib.h>

extern "C" {
CUresult cuCtxGetCurrent(CUcontext *);
CUresult cuMemAlloc_v2(CUdeviceptr *, size_t);
CUresult cuMemFree_v2(CUdeviceptr);
CUresult cuMemHostAlloc(void **, size_t, unsigned);
CUresult cuMemFreeHost(void *);
CUresult cuMemcpy2DAsync_v2(const CUDA_MEMCPY2D *, CUstream);
CUresult cuStreamSynchronize(CUstream);
}

enum Status {
    SUCCESS = 0,
    NOT_INITIALIZED = 1,
    INVALID_PARAMETER = 2,
    ALLOCATOR_FAILURE = 5,
    EXECUTION_FAILED = 6,
};
enum { CSS_444 = 0, CSS_422 = 1, CSS_420 = 2, CSS_GRAY = 6 };
enum { INPUT_RGBI = 5, INPUT_BGRI = 6 };

struct Image {
    CUdeviceptr channel[4];
    size_t pitch[4];
};

// A handle is of the context that was current when it was made.
struct Handle {
    CUcontext context;
};
struct Params {
    int quality = 70, chroma = CSS_444;
};
struct State {
    // So that one that is not destroyed is noticed.
    CUdeviceptr device = 0;
    void *file = nullptr;
    size_t capacity = 0, length = 0;
    // What the encoding was given, read when the file is asked for.
    Params params;
    Image image{};
    J_COLOR_SPACE input = JCS_UNKNOWN;
    int width = 0, height = 0;
};

static std::mutex lock;
static std::map<std::string, std::pair<unsigned, int>> failures;

// The status that this call is to fail with.
static int failure(const char *function) {
    std::lock_guard<std::mutex> guard(lock);
    auto found = failures.find(function);
    if (found == failures.end()) return SUCCESS;
    auto &[left, status] = found->second;
    if (left == 0) return status;
    if (--left) return SUCCESS;
    int now = status;
    failures.erase(found);
    return now;
}

#define FAIL_IF_ASKED()                                \
    if (int status = failure(__func__)) return status; \
    static_cast<void>(0)

// The `nth` call from now on (0: every call) fails with `status`; a status of 0 takes it back.
API void standin_nvjpeg_fail(const char *function, unsigned nth, int status) {
    std::lock_guard<std::mutex> guard(lock);
    if (status)
        failures[function] = {nth, status};
    else
        failures.erase(function);
}

static bool is_current(const Handle *handle) {
    CUcontext context = 0;
    return handle && !cuCtxGetCurrent(&context) && context == handle->context;
}

API int nvjpegGetProperty(int property, int *value) {
    *value = property == 0 ? 12 : 0;
    return SUCCESS;
}

API int nvjpegCreateSimple(Handle **handle) {
    FAIL_IF_ASKED();
    CUcontext context = 0;
    if (cuCtxGetCurrent(&context) || !context) return NOT_INITIALIZED;
    *handle = new Handle{context};
    return SUCCESS;
}

API int nvjpegEncoderStateCreate(Handle *handle, State **state, CUstream) {
    FAIL_IF_ASKED();
    if (!is_current(handle)) return INVALID_PARAMETER;
    CUdeviceptr device = 0;
    if (cuMemAlloc_v2(&device, 1 << 20)) return ALLOCATOR_FAILURE;
    *state = new State;
    (*state)->device = device;
    return SUCCESS;
}

API int nvjpegEncoderStateDestroy(State *state) {
    if (!state) return INVALID_PARAMETER;
    cuMemFree_v2(state->device);
    if (state->file) cuMemFreeHost(state->file);
    delete state;
    return SUCCESS;
}

API int nvjpegEncoderParamsCreate(Handle *handle, Params **params, CUstream) {
    FAIL_IF_ASKED();
    if (!is_current(handle)) return INVALID_PARAMETER;
    *params = new Params;
    return SUCCESS;
}

API int nvjpegEncoderParamsDestroy(Params *params) {
    if (!params) return INVALID_PARAMETER;
    delete params;
    return SUCCESS;
}

API int nvjpegEncoderParamsSetQuality(Params *params, int quality, CUstream) {
    FAIL_IF_ASKED();
    if (!params || quality < 1 || quality > 100) return INVALID_PARAMETER;
    params->quality = quality;
    return SUCCESS;
}

API int nvjpegEncoderParamsSetSamplingFactors(Params *params, int chroma, CUstream) {
    FAIL_IF_ASKED();
    if (!params) return INVALID_PARAMETER;
    params->chroma = chroma;
    return SUCCESS;
}

static int begin(Handle *handle, State *state, const Params *params, const Image *image,
                 J_COLOR_SPACE input, int width, int height) {
    if (!is_current(handle) || !state || !params || !image || width < 1 || height < 1 ||
        std::max(width, height) > JPEG_MAX_DIMENSION)
        return INVALID_PARAMETER;
    state->params = *params;
    state->image = *image;
    state->input = input;
    state->width = width;
    state->height = height;
    state->length = 0;
    return SUCCESS;
}

API int nvjpegEncodeImage(Handle *handle, State *state, const Params *params, const Image *image,
                          int format, int width, int height, CUstream) {
    FAIL_IF_ASKED();
    if (format != INPUT_RGBI && format != INPUT_BGRI) return INVALID_PARAMETER;
    return begin(handle, state, params, image, format == INPUT_RGBI ? JCS_EXT_RGB : JCS_EXT_BGR,
                 width, height);
}

API int nvjpegEncodeYUV(Handle *handle, State *state, const Params *params, const Image *image,
                        int chroma, int width, int height, CUstream) {
    FAIL_IF_ASKED();
    // The real one also changes the chroma.
    if (!params || chroma != params->chroma) return INVALID_PARAMETER;
    return begin(handle, state, params, image, chroma == CSS_GRAY ? JCS_GRAYSCALE : JCS_YCbCr,
                 width, height);
}

struct Plane {
    size_t row_bytes, rows;
    std::vector<unsigned char> bytes;

    unsigned char *row(size_t y) { return bytes.data() + std::min(y, rows - 1) * row_bytes; }
};

// From the card, with the last column repeated up to a multiple of 16 samples.
static bool fetch(const State &state, int index, size_t row_bytes, size_t rows, bool pad,
                  CUstream stream, Plane &plane) {
    plane.rows = rows;
    plane.row_bytes = pad ? (row_bytes + 15) / 16 * 16 : row_bytes;
    plane.bytes.resize(plane.row_bytes * rows);
    CUDA_MEMCPY2D copy{};
    copy.srcMemoryType = CU_MEMORYTYPE_UNIFIED;
    copy.srcDevice = state.image.channel[index];
    copy.srcPitch = state.image.pitch[index];
    copy.dstMemoryType = CU_MEMORYTYPE_HOST;
    copy.dstHost = plane.bytes.data();
    copy.dstPitch = plane.row_bytes;
    copy.WidthInBytes = row_bytes;
    copy.Height = rows;
    if (cuMemcpy2DAsync_v2(&copy, stream) || cuStreamSynchronize(stream)) return false;
    for (size_t y = 0; pad && y < rows; y++) {
        unsigned char *row = plane.row(y);
        memset(row + row_bytes, row[row_bytes - 1], plane.row_bytes - row_bytes);
    }
    return true;
}

static bool compress(const State &state, CUstream stream, unsigned char **file,
                     unsigned long *length) {
    const size_t width = state.width, height = state.height;
    const int chroma = state.params.chroma;
    const size_t across = chroma == CSS_420 || chroma == CSS_422 ? 2 : 1;
    const size_t down = chroma == CSS_420 ? 2 : 1;
    const bool raw = state.input == JCS_YCbCr, gray = state.input == JCS_GRAYSCALE;
    Plane planes[3];
    if (!fetch(state, 0, raw || gray ? width : 3 * width, height, raw, stream, planes[0]))
        return false;
    for (int c = 1; raw && c < 3; c++) {
        const size_t columns = (width + across - 1) / across, rows = (height + down - 1) / down;
        if (!fetch(state, c, columns, rows, true, stream, planes[c])) return false;
    }

    jpeg_compress_struct jpeg;
    jpeg_error_mgr errors;
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    jpeg_mem_dest(&jpeg, file, length);
    jpeg.image_width = width;
    jpeg.image_height = height;
    jpeg.input_components = gray ? 1 : 3;
    jpeg.in_color_space = state.input;
    jpeg_set_defaults(&jpeg);
    jpeg_set_quality(&jpeg, state.params.quality, TRUE);
    if (!gray) {
        jpeg.comp_info[0].h_samp_factor = across;
        jpeg.comp_info[0].v_samp_factor = down;
    }
    jpeg.raw_data_in = raw;
    jpeg_start_compress(&jpeg, TRUE);
    while (jpeg.next_scanline < height) {
        JSAMPROW rows[3][16];
        JSAMPARRAY all[3] = {rows[0], rows[1], rows[2]};
        if (!raw) {
            rows[0][0] = planes[0].row(jpeg.next_scanline);
            jpeg_write_scanlines(&jpeg, rows[0], 1);
            continue;
        }
        for (size_t y = 0; y < 8 * down; y++) rows[0][y] = planes[0].row(jpeg.next_scanline + y);
        for (size_t y = 0; y < 8; y++)
            for (int c = 1; c < 3; c++) rows[c][y] = planes[c].row(jpeg.next_scanline / down + y);
        jpeg_write_raw_data(&jpeg, all, 8 * down);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    return true;
}

API int nvjpegEncodeRetrieveBitstream(Handle *handle, State *state, unsigned char *data,
                                      size_t *length, CUstream stream) {
    FAIL_IF_ASKED();
    if (!is_current(handle) || !state || !length || !state->width) return INVALID_PARAMETER;
    if (!state->length) {
        unsigned char *file = nullptr;
        unsigned long bytes = 0;
        // Frees what a copy may still be reading only after it was waited for.
        if (!compress(*state, stream, &file, &bytes)) return EXECUTION_FAILED;
        if (state->capacity < bytes) {
            if (state->file) cuMemFreeHost(state->file);
            state->file = nullptr;
            state->capacity = 0;
            if (cuMemHostAlloc(&state->file, bytes, 0)) return ALLOCATOR_FAILURE;
            state->capacity = bytes;
        }
        memcpy(state->file, file, bytes);
        free(file);
        state->length = bytes;
    }
    if (!data) {
        *length = state->length;
        return SUCCESS;
    }
    if (*length < state->length) return INVALID_PARAMETER;
    *length = state->length;
    CUDA_MEMCPY2D copy{};
    copy.srcMemoryType = CU_MEMORYTYPE_HOST;
    copy.srcHost = state->file;
    copy.dstMemoryType = CU_MEMORYTYPE_HOST;
    copy.dstHost = data;
    copy.srcPitch = copy.dstPitch = copy.WidthInBytes = state->length;
    copy.Height = 1;
    return cuMemcpy2DAsync_v2(&copy, stream) ? EXECUTION_FAILED : SUCCESS;
}
