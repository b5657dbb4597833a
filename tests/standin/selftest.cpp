// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

// Tests of the stand-in itself; build.sh --test runs them, with DSFRAME_STANDIN_STRICT on and off.

#include "cuda.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <string>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

API CUresult cuInit(unsigned);
API CUresult cuDriverGetVersion(int *);
API CUresult cuDeviceGetCount(int *);
API CUresult cuDevicePrimaryCtxRetain(CUcontext *, CUdevice);
API CUresult cuDevicePrimaryCtxRelease_v2(CUdevice);
API CUresult cuCtxCreate_v2(CUcontext *, unsigned, CUdevice);
API CUresult cuCtxDestroy_v2(CUcontext);
API CUresult cuCtxSetCurrent(CUcontext);
API CUresult cuCtxGetCurrent(CUcontext *);
API CUresult cuCtxSynchronize();
API CUresult cuMemGetInfo_v2(size_t *, size_t *);
API CUresult cuMemAlloc_v2(CUdeviceptr *, size_t);
API CUresult cuMemFree_v2(CUdeviceptr);
API CUresult cuMemHostAlloc(void **, size_t, unsigned);
API CUresult cuMemFreeHost(void *);
API CUresult cuMemAllocManaged(CUdeviceptr *, size_t, unsigned);
API CUresult cuPointerGetAttribute(void *, int, CUdeviceptr);
API CUresult cuPointerGetAttributes(unsigned, const int *, void **, CUdeviceptr);
API CUresult cuMemGetAddressRange_v2(CUdeviceptr *, size_t *, CUdeviceptr);
API CUresult cuMemcpy(CUdeviceptr, CUdeviceptr, size_t);
API CUresult cuMemcpyHtoD_v2(CUdeviceptr, const void *, size_t);
API CUresult cuMemcpyDtoH_v2(void *, CUdeviceptr, size_t);
API CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr, const void *, size_t, CUstream);
API CUresult cuMemcpyDtoHAsync_v2(void *, CUdeviceptr, size_t, CUstream);
API CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr, CUdeviceptr, size_t, CUstream);
API CUresult cuMemcpy2DAsync_v2(const CUDA_MEMCPY2D *, CUstream);
API CUresult cuMemcpyPeerAsync(CUdeviceptr, CUcontext, CUdeviceptr, CUcontext, size_t, CUstream);
API CUresult cuMemsetD8_v2(CUdeviceptr, unsigned char, size_t);
API CUresult cuMemsetD8Async(CUdeviceptr, unsigned char, size_t, CUstream);
API CUresult cuMemsetD32Async(CUdeviceptr, unsigned, size_t, CUstream);
API CUresult cuModuleLoadData(CUmodule *, const void *);
API CUresult cuModuleUnload(CUmodule);
API CUresult cuModuleGetFunction(CUfunction *, CUmodule, const char *);
API CUresult cuLaunchKernel(CUfunction, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned,
                            CUstream, void **, void **);
API CUresult cuStreamCreate(CUstream *, unsigned);
API CUresult cuStreamDestroy_v2(CUstream);
API CUresult cuStreamSynchronize(CUstream);
API CUresult cuStreamQuery(CUstream);
API CUresult cuStreamWaitEvent(CUstream, CUevent, unsigned);
API CUresult cuEventCreate(CUevent *, unsigned);
API CUresult cuEventRecord(CUevent, CUstream);
API CUresult cuEventQuery(CUevent);
API CUresult cuEventSynchronize(CUevent);
API CUresult cuEventElapsedTime(float *, CUevent, CUevent);
API CUresult cuMemGetAllocationGranularity(size_t *, const CUmemAllocationProp *, unsigned);
API CUresult cuMemCreate(CUmemGenericAllocationHandle *, size_t, const CUmemAllocationProp *, unsigned long long);
API CUresult cuMemRelease(CUmemGenericAllocationHandle);
API CUresult cuMemExportToShareableHandle(void *, CUmemGenericAllocationHandle, unsigned, unsigned long long);
API CUresult cuMemImportFromShareableHandle(CUmemGenericAllocationHandle *, void *, unsigned);
API CUresult cuMemAddressReserve(CUdeviceptr *, size_t, size_t, CUdeviceptr, unsigned long long);
API CUresult cuMemAddressFree(CUdeviceptr, size_t);
API CUresult cuMemMap(CUdeviceptr, size_t, size_t, CUmemGenericAllocationHandle, unsigned long long);
API CUresult cuMemUnmap(CUdeviceptr, size_t);
API CUresult cuMemSetAccess(CUdeviceptr, size_t, const CUmemAccessDesc *, size_t);
API CUresult cuGetErrorName(CUresult, const char **);
API void standin_fail(const char *, unsigned, int, int);
API uint64_t standin_count(const char *);
API uint64_t standin_allocated(int);
API uint64_t standin_allocations();
API void standin_reset_counts();

namespace {

int failures;

void expect_code(int line, const char *text, CUresult got, CUresult wanted)
{
    if (got != wanted) {
        fprintf(stderr, "selftest.cpp:%d: %s gave %d, not %d\n", line, text, got, wanted);
        failures++;
    }
}
#define GIVES(code, call) expect_code(__LINE__, #call, call, code)
#define OK(call) GIVES(CUDA_SUCCESS, call)
#define EXPECT(condition) expect_code(__LINE__, #condition, (condition) ? CUDA_SUCCESS : CUDA_ERROR_UNKNOWN, CUDA_SUCCESS)

// Contexts of two devices, of which the first is current, and memory in each.
struct Fixture {
    CUcontext first, second;
    CUdeviceptr memory, peer;
    CUstream blocking, other; // the other one does not wait for the legacy stream
    CUfunction fill, add_word;

    Fixture()
    {
        OK(cuCtxCreate_v2(&second, 0, 1));
        OK(cuMemAlloc_v2(&peer, 1000));
        OK(cuCtxCreate_v2(&first, 0, 0));
        OK(cuMemAlloc_v2(&memory, 1000));
        OK(cuStreamCreate(&blocking, 0));
        OK(cuStreamCreate(&other, CU_STREAM_NON_BLOCKING));
        CUmodule module;
        OK(cuModuleLoadData(&module, "//\n.version 8.1\n.target sm_70\n"
                                     ".visible .entry standin_fill(\n.param .b8 standin_fill_param_0[24]\n)\n"
                                     ".visible .entry standin_add_word(\n.param .b8 standin_add_word_param_0[16]\n)\n"));
        OK(cuModuleGetFunction(&fill, module, "standin_fill"));
        OK(cuModuleGetFunction(&add_word, module, "standin_add_word"));
        GIVES(CUDA_ERROR_NOT_FOUND, cuModuleGetFunction(&fill, module, "standin_nothing"));
        OK(cuMemsetD8_v2(memory, 0, 1000));
        OK(cuCtxSynchronize());
    }

    ~Fixture()
    {
        OK(cuCtxDestroy_v2(first));
        OK(cuCtxDestroy_v2(second));
        EXPECT(standin_allocations() == 0);
    }

    CUresult launch(CUstream stream, CUdeviceptr data, int from, int to, unsigned value)
    {
        struct {
            CUdeviceptr data;
            int from, to;
            unsigned value, pad;
        } argument{data, from, to, value, 0};
        void *parameters[] = {&argument};
        return cuLaunchKernel(fill, 16, 1, 1, 64, 1, 1, 0, stream, parameters, nullptr);
    }

    CUresult launch_add(CUdeviceptr from, CUdeviceptr sum)
    {
        CUdeviceptr argument[] = {from, sum};
        void *parameters[] = {argument};
        return cuLaunchKernel(add_word, 1, 1, 1, 1, 1, 1, 0, other, parameters, nullptr);
    }

    // Through a stream that waits for nothing else: what is there right now.
    int peek(CUdeviceptr from)
    {
        CUstream stream;
        unsigned char byte = 0;
        OK(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
        OK(cuMemcpyDtoHAsync_v2(&byte, from, 1, stream));
        OK(cuStreamDestroy_v2(stream));
        return byte;
    }
};

void work_waits_until_somebody_waits()
{
    Fixture f;
    CUevent event, later;
    float milliseconds;
    OK(f.launch(f.other, f.memory, 0, 1000, 7));
    OK(cuEventCreate(&event, 0));
    OK(cuEventCreate(&later, 0));
    OK(cuEventRecord(event, f.other));
    OK(cuMemsetD8Async(f.memory, 8, 1, f.other));
    OK(cuEventRecord(later, f.other));
    EXPECT(f.peek(f.memory) == 0);
    OK(cuEventSynchronize(event));
    EXPECT(f.peek(f.memory) == 7 && f.peek(f.memory + 999) == 7);
    GIVES(CUDA_ERROR_NOT_READY, cuEventElapsedTime(&milliseconds, event, later));
    GIVES(CUDA_ERROR_NOT_READY, cuEventQuery(later));
    OK(cuEventQuery(later)); // polling ends
    EXPECT(f.peek(f.memory) == 8);
    OK(cuEventElapsedTime(&milliseconds, event, later));
    EXPECT(milliseconds >= 0);
    OK(cuMemsetD8Async(f.memory, 9, 1, f.other));
    GIVES(CUDA_ERROR_NOT_READY, cuStreamQuery(f.other));
    OK(cuStreamQuery(f.other));
    EXPECT(f.peek(f.memory) == 9);
    // The work of a destroyed stream is still done.
    OK(cuMemsetD8Async(f.memory, 10, 1, f.other));
    OK(cuStreamDestroy_v2(f.other));
    GIVES(CUDA_ERROR_INVALID_HANDLE, cuStreamSynchronize(f.other));
    OK(cuCtxSynchronize());
    EXPECT(f.peek(f.memory) == 10);
}

void streams_have_the_order_of_cuda()
{
    Fixture f;
    unsigned char byte;
    // The legacy stream waits for blocking streams only.
    OK(cuMemsetD8Async(f.memory, 1, 1, f.blocking));
    OK(cuMemsetD8Async(f.memory + 1, 1, 1, f.other));
    OK(cuMemcpyDtoH_v2(&byte, f.memory, 1));
    EXPECT(byte == 1);
    OK(cuMemcpyDtoH_v2(&byte, f.memory + 1, 1));
    EXPECT(byte == 0);
    // Blocking streams wait for what the legacy stream was given before.
    OK(cuMemsetD8_v2(f.memory, 2, 1));
    OK(f.launch(f.blocking, f.memory, 1, 2, 3));
    OK(cuMemsetD8_v2(f.memory, 4, 1));
    OK(cuStreamSynchronize(f.blocking));
    EXPECT(f.peek(f.memory) == 2 && f.peek(f.memory + 1) == 3);
    OK(cuCtxSynchronize());
    EXPECT(f.peek(f.memory) == 4);
    // Events order what is not ordered.
    CUevent event;
    OK(cuEventCreate(&event, CU_EVENT_DISABLE_TIMING));
    OK(cuMemsetD8Async(f.memory, 5, 1, f.blocking));
    OK(cuEventRecord(event, f.blocking));
    OK(cuMemsetD8Async(f.memory, 6, 1, f.blocking));
    OK(cuStreamWaitEvent(f.other, event, 0));
    OK(cuMemcpyDtoDAsync_v2(f.memory + 10, f.memory, 1, f.other));
    OK(cuStreamSynchronize(f.other));
    EXPECT(f.peek(f.memory + 10) == 5);
    OK(cuCtxSynchronize());
}

void host_memory_is_read_when_cuda_would()
{
    Fixture f;
    unsigned char pageable[4] = {1, 1, 1, 1};
    void *pointer;
    OK(cuMemHostAlloc(&pointer, 4, 0));
    auto *pinned = static_cast<unsigned char *>(pointer);
    memset(pinned, 1, 4);
    OK(cuMemcpyHtoDAsync_v2(f.memory, pageable, 4, f.other));
    OK(cuMemcpyHtoDAsync_v2(f.memory + 4, pinned, 4, f.other));
    memset(pageable, 2, 4);
    memset(pinned, 2, 4);
    OK(cuStreamSynchronize(f.other));
    EXPECT(f.peek(f.memory) == 1 && f.peek(f.memory + 4) == 2);
    OK(cuMemcpyDtoHAsync_v2(pinned, f.memory, 4, f.other));
    EXPECT(pinned[0] == 2);
    OK(cuMemcpyDtoHAsync_v2(pageable, f.memory, 4, f.other)); // pageable: returns when it is there
    EXPECT(pinned[0] == 1 && pageable[0] == 1);
    OK(cuMemFreeHost(pointer));
    GIVES(CUDA_ERROR_INVALID_VALUE, cuMemFreeHost(pointer));
}

void copies_stay_within_their_memory()
{
    Fixture f;
    std::vector<char> host(2000, 3);
    OK(cuMemcpyHtoD_v2(f.memory, host.data(), 1000));
    GIVES(CUDA_ERROR_INVALID_VALUE, cuMemcpyHtoD_v2(f.memory, host.data(), 1001));
    GIVES(CUDA_ERROR_INVALID_VALUE, cuMemcpyHtoD_v2(f.memory + 1000, host.data(), 1));
    GIVES(CUDA_ERROR_INVALID_VALUE, cuMemcpyDtoH_v2(host.data(), f.memory - 1, 1));
    GIVES(CUDA_ERROR_INVALID_VALUE, cuMemsetD8_v2(f.memory + 999, 0, 2));
    GIVES(CUDA_ERROR_INVALID_VALUE, cuMemsetD32Async(f.memory + 1, 0, 1, f.other)); // unaligned
    GIVES(CUDA_ERROR_INVALID_VALUE, cuMemcpyDtoH_v2(reinterpret_cast<void *>(f.memory), f.memory, 1));
    GIVES(CUDA_ERROR_INVALID_VALUE, cuMemcpyHtoD_v2(reinterpret_cast<uintptr_t>(host.data()), host.data(), 1));
    // Rows: 9 of 100 bytes at a pitch of 110 fit, 10 do not.
    CUDA_MEMCPY2D c = {};
    c.srcMemoryType = CU_MEMORYTYPE_HOST;
    c.srcHost = host.data();
    c.srcPitch = 100;
    c.dstMemoryType = CU_MEMORYTYPE_DEVICE;
    c.dstDevice = f.memory;
    c.dstPitch = 110;
    c.WidthInBytes = 100;
    c.Height = 9;
    host[100] = 42;
    OK(cuMemcpy2DAsync_v2(&c, f.other));
    OK(cuStreamSynchronize(f.other));
    EXPECT(f.peek(f.memory + 110) == 42);
    c.Height = 10;
    GIVES(CUDA_ERROR_INVALID_VALUE, cuMemcpy2DAsync_v2(&c, f.other));
    c.Height = 9;
    c.dstPitch = 99;
    GIVES(CUDA_ERROR_INVALID_VALUE, cuMemcpy2DAsync_v2(&c, f.other));
    EXPECT(standin_count("bytes-htod") >= 1900);
    OK(cuMemFree_v2(f.memory));
    GIVES(CUDA_ERROR_INVALID_VALUE, cuMemcpyHtoD_v2(f.memory, host.data(), 1));
    GIVES(CUDA_ERROR_INVALID_VALUE, cuMemFree_v2(f.memory));
}

// What a kernel does wrong breaks its context, and only that.
template <class Launch> void breaks(CUresult code, Launch launch)
{
    Fixture f;
    OK(launch(f));
    GIVES(code, cuStreamSynchronize(f.other));
    GIVES(code, cuMemAlloc_v2(&f.memory, 1));
    OK(cuCtxSetCurrent(f.second));
    OK(cuCtxSynchronize());
}

void kernels_stay_within_their_memory()
{
    using F = Fixture;
    static unsigned char host[64];
    breaks(CUDA_ERROR_ILLEGAL_ADDRESS, [](F &f) { return f.launch(f.other, f.memory, 0, 1001, 1); });
    breaks(CUDA_ERROR_ILLEGAL_ADDRESS, [](F &f) { return f.launch(f.other, f.memory, -1, 1, 1); });
    breaks(CUDA_ERROR_ILLEGAL_ADDRESS, [](F &f) { return f.launch(f.other, f.memory, 2000, 2100, 1); });
    breaks(CUDA_ERROR_ILLEGAL_ADDRESS, [](F &f) { return f.launch(f.other, f.peer, 0, 1, 1); });
    breaks(CUDA_ERROR_ILLEGAL_ADDRESS, [](F &f) { return f.launch(f.other, reinterpret_cast<uintptr_t>(host), 0, 1, 1); });
    breaks(CUDA_ERROR_ILLEGAL_ADDRESS, [](F &f) { return f.launch(f.other, 0, 0, 1, 1); });
    breaks(CUDA_ERROR_ILLEGAL_ADDRESS, [](F &f) {
        OK(cuMemFree_v2(f.memory));
        return f.launch(f.other, f.memory, 0, 1, 1);
    });
    breaks(CUDA_ERROR_LAUNCH_FAILED, [](F &f) { return f.launch_add(f.memory + 1, f.memory); });
    Fixture f;
    OK(f.launch_add(f.memory + 4, f.memory));
    OK(cuStreamSynchronize(f.other));
}

void memory_is_counted_and_ends()
{
    Fixture f;
    size_t free_before, free_after, total;
    CUdeviceptr big, more;
    EXPECT(standin_allocated(0) == 1000 && standin_allocated(1) == 1000);
    OK(cuMemGetInfo_v2(&free_before, &total));
    OK(cuMemAlloc_v2(&big, total / 2));
    GIVES(CUDA_ERROR_OUT_OF_MEMORY, cuMemAlloc_v2(&more, total / 2));
    OK(cuMemGetInfo_v2(&free_after, &total));
    EXPECT(free_before - free_after == total / 2);
    EXPECT(f.peek(big) == 0xa5);
    OK(cuMemFree_v2(big));
    OK(cuMemAlloc_v2(&more, total / 2));
    EXPECT(more != big);
    GIVES(CUDA_ERROR_INVALID_VALUE, cuMemAlloc_v2(&more, 0));
}

void pointers_tell_what_they_are()
{
    Fixture f;
    CUdeviceptr managed, base;
    size_t size;
    void *pinned;
    char pageable;
    unsigned type, is_managed;
    int device;
    CUcontext context;
    OK(cuMemAllocManaged(&managed, 10, 1));
    OK(cuMemHostAlloc(&pinned, 10, 0));
    *reinterpret_cast<char *>(managed) = 1;
    OK(cuPointerGetAttribute(&type, 2, f.memory + 5));
    EXPECT(type == CU_MEMORYTYPE_DEVICE);
    OK(cuPointerGetAttribute(&type, 2, reinterpret_cast<uintptr_t>(pinned)));
    EXPECT(type == CU_MEMORYTYPE_HOST);
    OK(cuPointerGetAttribute(&is_managed, 8, managed));
    EXPECT(is_managed == 1);
    OK(cuPointerGetAttribute(&device, 9, f.peer));
    EXPECT(device == 1);
    OK(cuPointerGetAttribute(&context, 1, f.memory));
    EXPECT(context == f.first);
    OK(cuMemGetAddressRange_v2(&base, &size, f.memory + 999));
    EXPECT(base == f.memory && size == 1000);
    auto unknown = reinterpret_cast<uintptr_t>(&pageable);
    GIVES(CUDA_ERROR_INVALID_VALUE, cuPointerGetAttribute(&type, 2, unknown));
    int which[] = {2, 9};
    void *data[] = {&type, &device};
    OK(cuPointerGetAttributes(2, which, data, unknown));
    EXPECT(type == 0 && device == -2);
}

void devices_have_memory_of_their_own()
{
    Fixture f;
    char byte = 5;
    GIVES(CUDA_ERROR_INVALID_VALUE, cuMemcpyHtoD_v2(f.peer, &byte, 1));
    OK(cuMemcpy(f.peer, reinterpret_cast<uintptr_t>(&byte), 1)); // unified addresses say where they are
    OK(cuMemcpyPeerAsync(f.memory, f.first, f.peer, f.second, 1, f.other));
    GIVES(CUDA_ERROR_INVALID_VALUE, cuMemcpyPeerAsync(f.memory, f.second, f.peer, f.first, 1, f.other));
    OK(cuStreamSynchronize(f.other));
    EXPECT(f.peek(f.memory) == 5);
    OK(cuCtxSetCurrent(f.second));
    GIVES(CUDA_ERROR_INVALID_HANDLE, cuMemsetD8Async(f.peer, 0, 1, f.other));
    GIVES(CUDA_ERROR_INVALID_HANDLE, f.launch(0, f.peer, 0, 1, 1));
    OK(cuStreamSynchronize(f.other));
    OK(cuCtxSetCurrent(f.first));
}

void threads_have_contexts_of_their_own()
{
    Fixture f;
    std::thread([&] {
        CUdeviceptr memory;
        GIVES(CUDA_ERROR_INVALID_CONTEXT, cuMemAlloc_v2(&memory, 1));
        OK(cuCtxSetCurrent(f.first));
        OK(cuMemAlloc_v2(&memory, 1));
    }).join();
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; i++)
        threads.emplace_back([&f, i] {
            OK(cuCtxSetCurrent(f.first));
            CUstream stream;
            OK(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
            for (int round = 0; round < 200; round++) {
                unsigned char byte;
                OK(f.launch(stream, f.memory, i, i + 1, static_cast<unsigned>(round)));
                OK(cuMemcpyDtoHAsync_v2(&byte, f.memory + static_cast<unsigned>(i), 1, stream));
                EXPECT(byte == round);
            }
        });
    for (auto &thread : threads)
        thread.join();
    CUcontext primary, again;
    OK(cuDevicePrimaryCtxRetain(&primary, 0));
    OK(cuDevicePrimaryCtxRetain(&again, 0));
    EXPECT(primary == again);
    OK(cuDevicePrimaryCtxRelease_v2(0));
    OK(cuCtxSetCurrent(primary));
    OK(cuDevicePrimaryCtxRelease_v2(0));
    GIVES(CUDA_ERROR_CONTEXT_IS_DESTROYED, cuCtxSynchronize());
    OK(cuCtxSetCurrent(f.first));
}

void faults_come_when_they_are_wanted()
{
    Fixture f;
    CUdeviceptr memory;
    standin_fail("cuMemAlloc_v2", 2, CUDA_ERROR_OUT_OF_MEMORY, 0);
    standin_reset_counts();
    OK(cuMemAlloc_v2(&memory, 1));
    GIVES(CUDA_ERROR_OUT_OF_MEMORY, cuMemAlloc_v2(&memory, 1));
    OK(cuMemAlloc_v2(&memory, 1));
    EXPECT(standin_count("cuMemAlloc_v2") == 3 && standin_count("cuMemAlloc") == 3);
    standin_fail("cuMemAlloc", 0, CUDA_ERROR_OUT_OF_MEMORY, 0);
    for (int i = 0; i < 3; i++)
        GIVES(CUDA_ERROR_OUT_OF_MEMORY, cuMemAlloc_v2(&memory, 1));
    standin_fail("cuMemAlloc", 0, 0, 0);
    OK(cuMemAlloc_v2(&memory, 1));
    // Of work that runs later.
    standin_fail("run-kernel", 1, CUDA_ERROR_LAUNCH_FAILED, 0);
    OK(f.launch(f.other, f.memory, 0, 1, 1));
    GIVES(CUDA_ERROR_LAUNCH_FAILED, cuStreamSynchronize(f.other));
    GIVES(CUDA_ERROR_LAUNCH_FAILED, cuMemAlloc_v2(&memory, 1));
    standin_fail("run-kernel", 0, 0, 0);
}

void ptx_must_suit_the_driver()
{
    Fixture f;
    CUmodule module;
    GIVES(CUDA_ERROR_INVALID_PTX, cuModuleLoadData(&module, "nothing"));
    GIVES(CUDA_ERROR_UNSUPPORTED_PTX_VERSION, cuModuleLoadData(&module, "\n.version 8.3\n.target sm_70\n"));
    GIVES(CUDA_ERROR_NO_BINARY_FOR_GPU, cuModuleLoadData(&module, "\n.version 8.0\n.target sm_90\n"));
    GIVES(CUDA_ERROR_INVALID_PTX, cuModuleLoadData(&module, "\n.version 8.0\n.target sm_70\n"
                                                            ".visible .entry standin_fill(.param .b8 standin_fill_param_0[32])"));
    const char *name;
    OK(cuGetErrorName(CUDA_ERROR_NO_BINARY_FOR_GPU, &name));
    EXPECT(!strcmp(name, "CUDA_ERROR_NO_BINARY_FOR_GPU"));
}

// In a process of its own, with this in its environment; what the body returned, or 256 + a signal.
template <class Body> int child(std::initializer_list<const char *> environment, Body body)
{
    pid_t pid = fork();
    if (!pid) {
        for (const char *entry : environment)
            putenv(strdup(entry));
        _exit(body());
    }
    int status;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

constexpr size_t GRANULE = size_t(2) << 20;

CUmemAllocationProp shareable(int device)
{
    CUmemAllocationProp properties = {};
    properties.type = CU_MEM_ALLOCATION_TYPE_PINNED;
    properties.requestedHandleTypes = CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR;
    properties.location = {CU_MEM_LOCATION_TYPE_DEVICE, device};
    return properties;
}

/// A granule at an address of its own.
CUdeviceptr put(CUmemGenericAllocationHandle handle, unsigned access)
{
    CUdeviceptr at = 0;
    CUmemAccessDesc desc{{CU_MEM_LOCATION_TYPE_DEVICE, 0}, access};
    OK(cuMemAddressReserve(&at, GRANULE, 0, 0, 0));
    OK(cuMemMap(at, GRANULE, 0, handle, 0));
    OK(cuMemSetAccess(at, GRANULE, &desc, 1));
    return at;
}

void take_down(CUdeviceptr at)
{
    OK(cuMemUnmap(at, GRANULE));
    OK(cuMemAddressFree(at, GRANULE));
}

void memory_is_shared_through_descriptors()
{
    Fixture f;
    CUmemAllocationProp properties = shareable(0);
    CUmemGenericAllocationHandle handle, same;
    size_t granularity, free_bytes, total;
    OK(cuMemGetAllocationGranularity(&granularity, &properties, 0));
    EXPECT(granularity == GRANULE);
    GIVES(CUDA_ERROR_INVALID_VALUE, cuMemCreate(&handle, 4096, &properties, 0));
    GIVES(CUDA_ERROR_OUT_OF_MEMORY, cuMemCreate(&handle, 8 * GRANULE, &properties, 0));
    OK(cuMemCreate(&handle, GRANULE, &properties, 0));
    CUdeviceptr at = put(handle, CU_MEM_ACCESS_READWRITE);
    int file = -1;
    OK(cuMemExportToShareableHandle(&file, handle, CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR, 0));
    auto by_number = [](int number) { return reinterpret_cast<void *>(static_cast<intptr_t>(number)); };
    OK(cuMemImportFromShareableHandle(&same, by_number(file), CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR));
    close(file);
    CUdeviceptr read_only = put(same, CU_MEM_ACCESS_READ);
    OK(cuMemGetInfo_v2(&free_bytes, &total));
    EXPECT(total - free_bytes == GRANULE + 1000);

    // The other side sees what is done, and not what is queued.
    OK(cuMemsetD8Async(at, 7, GRANULE, f.other));
    EXPECT(f.peek(read_only) == 0xa5);
    OK(cuStreamSynchronize(f.other));
    EXPECT(f.peek(read_only) == 7);
    EXPECT(f.peek(read_only + GRANULE - 1) == 7);
    GIVES(CUDA_ERROR_INVALID_VALUE, cuMemsetD8_v2(read_only, 1, 1));
    GIVES(CUDA_ERROR_INVALID_VALUE, cuMemsetD8_v2(at + 1, 1, GRANULE));

    // Wrong calls.
    GIVES(CUDA_ERROR_INVALID_VALUE, cuMemFree_v2(at));
    GIVES(CUDA_ERROR_INVALID_VALUE, cuMemAddressFree(at, GRANULE));
    GIVES(CUDA_ERROR_INVALID_VALUE, cuMemUnmap(at, 2 * GRANULE));
    GIVES(CUDA_ERROR_INVALID_VALUE, cuMemMap(at, GRANULE, 0, handle, 0));
    GIVES(CUDA_ERROR_INVALID_VALUE, cuMemMap(at + GRANULE, GRANULE, 0, handle, 0));
    GIVES(CUDA_ERROR_INVALID_VALUE, cuMemMap(at, 2 * GRANULE, 0, handle, 0));
    GIVES(CUDA_ERROR_INVALID_VALUE, cuMemRelease(12345));
    GIVES(CUDA_ERROR_INVALID_VALUE,
          cuMemExportToShareableHandle(&file, same, CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR, 0));
    CUmemGenericAllocationHandle none;
    GIVES(CUDA_ERROR_INVALID_VALUE,
          cuMemImportFromShareableHandle(&none, by_number(0), CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR));
    GIVES(CUDA_ERROR_INVALID_VALUE,
          cuMemImportFromShareableHandle(&none, by_number(-1), CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR));
    CUmemAccessDesc elsewhere{{CU_MEM_LOCATION_TYPE_DEVICE, 1}, CU_MEM_ACCESS_READ};
    GIVES(CUDA_ERROR_INVALID_DEVICE, cuMemSetAccess(at, GRANULE, &elsewhere, 1));

    // What is mapped outlives its handle and the other side; taking it down counts.
    OK(cuMemRelease(handle));
    take_down(at);
    EXPECT(f.peek(read_only) == 7);
    OK(cuMemRelease(same));
    take_down(read_only);
    OK(cuMemGetInfo_v2(&free_bytes, &total));
    EXPECT(total - free_bytes == 1000);
}

void memory_that_is_unmapped_too_early_is_missed()
{
    Fixture f;
    CUmemAllocationProp properties = shareable(0);
    CUmemGenericAllocationHandle handle;
    OK(cuMemCreate(&handle, GRANULE, &properties, 0));
    CUdeviceptr at = put(handle, CU_MEM_ACCESS_READWRITE);
    OK(cuMemRelease(handle));
    OK(cuMemsetD8Async(at, 7, GRANULE, f.other));
    take_down(at);
    GIVES(CUDA_ERROR_ILLEGAL_ADDRESS, cuStreamSynchronize(f.other));
}

void the_environment_says_what_there_is()
{
    EXPECT(child({"DSFRAME_STANDIN_DEVICES=0"}, [] { return cuInit(0); }) == CUDA_ERROR_NO_DEVICE);
    EXPECT(child({"DSFRAME_STANDIN_VERSION=11080"}, [] {
               int version;
               return cuDriverGetVersion(&version) || version != 11080;
           }) == 0);
    EXPECT(child({"DSFRAME_STANDIN_FAIL=cuInit:1:3,cuDeviceGetCount:2:1"}, [] {
               int count;
               return !(cuInit(0) == 3 && !cuInit(0) && !cuDeviceGetCount(&count) && cuDeviceGetCount(&count) == 1);
           }) == 0);
    const char *strict = getenv("DSFRAME_STANDIN_STRICT");
    bool hidden = !strict || strcmp(strict, "0");
    EXPECT(child({}, [] {
               CUcontext context;
               CUdeviceptr memory;
               if (cuInit(0) || cuCtxCreate_v2(&context, 0, 0) || cuMemAlloc_v2(&memory, 1))
                   return 1;
               return *reinterpret_cast<volatile unsigned char *>(memory) == 0xa5 ? 0 : 1;
           }) == (hidden ? 256 + SIGSEGV : 0));
}

} // namespace

int main()
{
    // First, while this process has not asked the stand-in for anything.
    the_environment_says_what_there_is();
    setenv("DSFRAME_STANDIN_DEVICES", "2", 1);
    setenv("DSFRAME_STANDIN_MEMORY", "8388608", 1);
    CUcontext context;
    GIVES(CUDA_ERROR_NOT_INITIALIZED, cuCtxGetCurrent(&context));
    OK(cuInit(0));
    work_waits_until_somebody_waits();
    streams_have_the_order_of_cuda();
    host_memory_is_read_when_cuda_would();
    copies_stay_within_their_memory();
    kernels_stay_within_their_memory();
    memory_is_counted_and_ends();
    pointers_tell_what_they_are();
    devices_have_memory_of_their_own();
    threads_have_contexts_of_their_own();
    faults_come_when_they_are_wanted();
    ptx_must_suit_the_driver();
    memory_is_shared_through_descriptors();
    memory_that_is_unmapped_too_early_is_missed();
    printf("stand-in: %s\n", failures ? "FAILED" : "ok");
    return failures != 0;
}
