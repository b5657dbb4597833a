// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

// The ceiling of bringing raw frames from a file to the card.
//
//   pinned_read FILE BYTES
//
// FILE lies in memory and has frames of BYTES, read in turns into page-locked memory. Then, for each
// line `SECONDS THREADS UPLOAD` on stdin, one line of JSON. With UPLOAD 1 every frame also goes to
// the card, while the same thread reads the next.

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#include <cuda_runtime_api.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define CUDA(call)                                                          \
    do {                                                                    \
        cudaError_t status = (call);                                        \
        if (status != cudaSuccess) fail(#call, cudaGetErrorString(status)); \
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

// Two of them, so that one travels while the other is filled.
struct Slot {
    unsigned char *host, *device;
    cudaEvent_t arrived;
};

static void read_frame(int file, unsigned char *to, size_t bytes, size_t frame) {
    size_t done = 0;
    while (done < bytes) {
        const ssize_t got = pread(file, to + done, bytes - done, frame * bytes + done);
        if (got <= 0) fail("pread", "the file ends");
        done += got;
    }
}

static void measure(int file, size_t bytes, size_t frames, double seconds, int count, bool upload) {
    std::atomic<size_t> next{0}, total{0};
    std::atomic<int> ready{0}, working{count};
    std::atomic<bool> go{false};
    Clock::time_point begun;
    std::vector<std::thread> threads;
    for (int t = 0; t < count; t++)
        threads.emplace_back([&] {
            CUDA(cudaSetDevice(0));
            cudaStream_t stream;
            CUDA(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
            Slot slots[2];
            for (Slot &slot : slots) {
                slot.host = allocate(cudaMallocHost, bytes);
                slot.device = allocate(cudaMalloc, bytes);
                CUDA(cudaEventCreateWithFlags(&slot.arrived, cudaEventDisableTiming));
                read_frame(file, slot.host, bytes, 0);
            }
            ready++;
            while (!go) std::this_thread::yield();
            const auto end = begun + std::chrono::duration<double>(seconds);
            size_t own = 0;
            while (Clock::now() < end) {
                const Slot &slot = slots[own++ % 2];
                // Not recorded yet counts as arrived.
                if (upload) CUDA(cudaEventSynchronize(slot.arrived));
                read_frame(file, slot.host, bytes, next++ % frames);
                if (!upload) continue;
                CUDA(cudaMemcpyAsync(slot.device, slot.host, bytes, cudaMemcpyHostToDevice, stream));
                CUDA(cudaEventRecord(slot.arrived, stream));
            }
            CUDA(cudaStreamSynchronize(stream));
            total += own;
            working--;
            for (Slot &slot : slots) {
                cudaEventDestroy(slot.arrived);
                cudaFree(slot.device);
                cudaFreeHost(slot.host);
            }
            cudaStreamDestroy(stream);
        });
    while (ready < count) std::this_thread::yield();
    begun = Clock::now();
    go = true;
    // Their clean-up is not part of it.
    while (working > 0) std::this_thread::sleep_for(std::chrono::microseconds(100));
    const double wall = std::chrono::duration<double>(Clock::now() - begun).count();
    for (auto &thread : threads) thread.join();
    printf("{\"rate\": %.1f, \"bytes\": %zu}\n", total / wall, bytes);
    fflush(stdout);
}

int main(int count, char **arguments) {
    if (count != 3) fail("pinned_read", "FILE BYTES");
    const size_t bytes = strtoull(arguments[2], nullptr, 10);
    const int file = open(arguments[1], O_RDONLY | O_CLOEXEC);
    struct stat status;
    if (file < 0 || fstat(file, &status) != 0) fail("open", arguments[1]);
    const size_t frames = status.st_size / bytes;
    if (frames == 0) fail("no whole frame in", arguments[1]);
    double seconds;
    int threads, upload;
    while (scanf("%lf %d %d", &seconds, &threads, &upload) == 3)
        measure(file, bytes, frames, seconds, threads, upload != 0);
    return 0;
}
