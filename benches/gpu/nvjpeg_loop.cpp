// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

// The ceiling of JPEG encoding: nvJPEG and nothing else, from frames on the card to host memory.
//
//   nvjpeg_loop FILE rgb|nv12 WIDTH HEIGHT QUALITY
//
// FILE has raw frames, which are put on the card once and encoded in turns, 4:2:0. NV12 is taken
// apart into planes beforehand, as nvJPEG takes planes only: that work is not part of the figure.
// Then, for each line `SECONDS THREADS PINNED` on stdin, one line of JSON. Every thread has an
// encoder state and a stream that waits for no other; PINNED is 1 for page-locked output.

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include <cuda_runtime_api.h>
#include <nvjpeg.h>

#define CUDA(call)                                                                     \
    do {                                                                               \
        cudaError_t status = (call);                                                   \
        if (status != cudaSuccess) fail(#call, cudaGetErrorString(status));            \
    } while (0)
#define NVJPEG(call)                                                                   \
    do {                                                                               \
        nvjpegStatus_t status = (call);                                                \
        if (status != NVJPEG_STATUS_SUCCESS) fail(#call, std::to_string(status).c_str()); \
    } while (0)

static void fail(const char *call, const char *why) {
    fprintf(stderr, "%s: %s\n", call, why);
    exit(1);
}

static unsigned char *allocate(cudaError_t (*allocator)(void **, size_t), size_t bytes) {
    void *memory;
    CUDA(allocator(&memory, bytes));
    return static_cast<unsigned char *>(memory);
}

using Clock = std::chrono::steady_clock;

struct Frames {
    bool rgb;
    int width, height;
    std::vector<nvjpegImage_t> images;
};

static unsigned char *upload(const std::vector<unsigned char> &bytes) {
    unsigned char *device = allocate(cudaMalloc, bytes.size());
    CUDA(cudaMemcpy(device, bytes.data(), bytes.size(), cudaMemcpyHostToDevice));
    return device;
}

static Frames load(const char *path, bool rgb, int width, int height) {
    const size_t luma = size_t(width) * height, chroma_width = (width + 1) / 2;
    const size_t chroma = chroma_width * ((height + 1) / 2);
    const size_t bytes = rgb ? 3 * luma : luma + 2 * chroma;
    FILE *file = fopen(path, "rb");
    if (!file) fail("fopen", path);
    Frames frames{rgb, width, height, {}};
    std::vector<unsigned char> frame(bytes);
    while (frames.images.size() < 64 && fread(frame.data(), 1, bytes, file) == bytes) {
        nvjpegImage_t image;
        memset(&image, 0, sizeof image);
        if (rgb) {
            image.channel[0] = upload(frame);
            image.pitch[0] = 3 * width;
        } else {
            std::vector<unsigned char> planar(frame.begin(), frame.begin() + luma);
            for (size_t lane = 0; lane < 2; lane++)
                for (size_t i = 0; i < chroma; i++)
                    planar.push_back(frame[luma + 2 * i + lane]);
            image.channel[0] = upload(planar);
            image.channel[1] = image.channel[0] + luma;
            image.channel[2] = image.channel[1] + chroma;
            image.pitch[0] = width;
            image.pitch[1] = image.pitch[2] = chroma_width;
        }
        frames.images.push_back(image);
    }
    fclose(file);
    if (frames.images.empty()) fail("no whole frame in", path);
    return frames;
}

// What one thread needs to encode.
struct Encoder {
    nvjpegHandle_t handle;
    cudaStream_t stream;
    nvjpegEncoderState_t state;
    nvjpegEncoderParams_t params;
    unsigned char *out;
    size_t capacity;
    bool pinned;

    Encoder(nvjpegHandle_t handle, const Frames &frames, int quality, bool pinned)
        : handle(handle), capacity(size_t(frames.width) * frames.height * 3 + 65536), pinned(pinned) {
        CUDA(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
        NVJPEG(nvjpegEncoderStateCreate(handle, &state, stream));
        NVJPEG(nvjpegEncoderParamsCreate(handle, &params, stream));
        NVJPEG(nvjpegEncoderParamsSetQuality(params, quality, stream));
        NVJPEG(nvjpegEncoderParamsSetOptimizedHuffman(params, 0, stream));
        NVJPEG(nvjpegEncoderParamsSetSamplingFactors(params, NVJPEG_CSS_420, stream));
        out = pinned ? allocate(cudaMallocHost, capacity) : new unsigned char[capacity];
    }

    ~Encoder() {
        nvjpegEncoderParamsDestroy(params);
        nvjpegEncoderStateDestroy(state);
        cudaStreamDestroy(stream);
        if (pinned) cudaFreeHost(out);
        else delete[] out;
    }

    size_t encode(const Frames &frames, size_t number) {
        const nvjpegImage_t *image = &frames.images[number % frames.images.size()];
        if (frames.rgb)
            NVJPEG(nvjpegEncodeImage(handle, state, params, image, NVJPEG_INPUT_RGBI,
                                     frames.width, frames.height, stream));
        else
            NVJPEG(nvjpegEncodeYUV(handle, state, params, image, NVJPEG_CSS_420,
                                   frames.width, frames.height, stream));
        size_t length = capacity;
        NVJPEG(nvjpegEncodeRetrieveBitstream(handle, state, out, &length, stream));
        CUDA(cudaStreamSynchronize(stream));
        return length;
    }
};

static void measure(nvjpegHandle_t handle, const Frames &frames, int quality, double seconds,
                    int count, bool pinned) {
    std::atomic<size_t> next{0}, bytes{0}, encoded{0};
    std::atomic<int> ready{0}, working{count};
    std::atomic<bool> go{false};
    Clock::time_point begun;
    std::vector<std::thread> threads;
    for (int t = 0; t < count; t++)
        threads.emplace_back([&] {
            CUDA(cudaSetDevice(0));
            Encoder encoder(handle, frames, quality, pinned);
            for (int i = 0; i < 20; i++) encoder.encode(frames, i);
            ready++;
            while (!go) std::this_thread::yield();
            const auto end = begun + std::chrono::duration<double>(seconds);
            size_t own = 0, length = 0;
            while (Clock::now() < end) {
                length += encoder.encode(frames, next++);
                own++;
            }
            encoded += own;
            bytes += length;
            working--;
        });
    while (ready < count) std::this_thread::yield();
    begun = Clock::now();
    go = true;
    // Their clean-up is not part of it.
    while (working > 0) std::this_thread::sleep_for(std::chrono::microseconds(100));
    const double wall = std::chrono::duration<double>(Clock::now() - begun).count();
    for (auto &thread : threads) thread.join();
    printf("{\"rate\": %.1f, \"bytes\": %.0f}\n", encoded / wall, double(bytes) / encoded);
    fflush(stdout);
}

int main(int count, char **arguments) {
    if (count != 6) fail("nvjpeg_loop", "FILE rgb|nv12 WIDTH HEIGHT QUALITY");
    const Frames frames = load(arguments[1], !strcmp(arguments[2], "rgb"), atoi(arguments[3]),
                               atoi(arguments[4]));
    nvjpegHandle_t handle;
    NVJPEG(nvjpegCreateSimple(&handle));
    double seconds;
    int threads, pinned;
    while (scanf("%lf %d %d", &seconds, &threads, &pinned) == 3)
        measure(handle, frames, atoi(arguments[5]), seconds, threads, pinned != 0);
    return 0;
}
