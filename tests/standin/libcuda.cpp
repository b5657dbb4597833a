// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

// A stand-in for libcuda.so.1 that computes on the CPU; see README.md.

#include "calls.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace {

std::shared_ptr<Stream> any_stream(Context &context, CUstream handle)
{
    return handle <= CU_STREAM_LEGACY ? context.legacy : lookup(state().streams, handle);
}

/// Work can be given to streams of the current context only.
std::shared_ptr<Stream> stream_of(Context &context, CUstream handle)
{
    auto stream = any_stream(context, handle);
    check(stream->context == &context, CUDA_ERROR_INVALID_HANDLE);
    return stream;
}

void wait(Stream &stream, uint64_t number = UINT64_MAX)
{
    advance(stream, number);
    check(!stream.context->error, stream.context->error);
}

/// Runs a queued operation where a test may make it fail.
template <class Body> void execute(const char *what, Context &context, Body body)
{
    try {
        state().counts[what]++;
        inject(what, &context);
        body();
    } catch (Error error) {
        break_context(context, error.code, std::string(what) + " failed");
    }
}

/// Freeing runs what its device has queued, but peers and destroyed contexts remain.
void still_there(uintptr_t address)
{
    if (find(address))
        return;
    complain(describe(address));
    throw Error{CUDA_ERROR_ILLEGAL_ADDRESS};
}

struct Side {
    uintptr_t base;
    size_t pitch, slice;
    CUmemorytype type;
    const Context *context = nullptr; // of peer copies: whose memory it must be
};

struct Copy {
    Side to, from;
    size_t width, height = 1, depth = 1;

    size_t extent(const Side &side) const
    {
        return (depth - 1) * side.slice + (height - 1) * side.pitch + width;
    }
};

/// The allocation of one side, null for pageable memory.
Allocation *verify(const char *function, const Context &context, const Side &side, size_t bytes, bool writes)
{
    Allocation *a = find(side.base);
    std::string trouble;
    if (!a && (side.type == CU_MEMORYTYPE_DEVICE || !side.base))
        trouble = "no memory of CUDA";
    else if (!a)
        return nullptr;
    else if (!a->holds(side.base, bytes))
        trouble = std::to_string(bytes) + " bytes pass its end";
    else if (side.type == CU_MEMORYTYPE_HOST && a->kind == Kind::Device)
        trouble = "device memory where host memory belongs";
    else if (side.context ? side.context->device != a->device
                          : side.type == CU_MEMORYTYPE_DEVICE && a->kind == Kind::Device &&
                                a->device != context.device)
        trouble = "memory of another device";
    else if (!(writes ? a->writable : a->readable))
        trouble = writes ? "nobody may write there" : "nobody may read there";
    if (trouble.empty())
        return a;
    complain(std::string(function) + ": " + describe(side.base) + ": " + trouble);
    throw Error{CUDA_ERROR_INVALID_VALUE};
}

void move_bytes(const Copy &copy)
{
    Opened to(find(copy.to.base)), from(find(copy.from.base));
    for (size_t z = 0; z < copy.depth; z++)
        for (size_t y = 0; y < copy.height; y++)
            memmove(reinterpret_cast<char *>(copy.to.base + z * copy.to.slice + y * copy.to.pitch),
                    reinterpret_cast<char *>(copy.from.base + z * copy.from.slice + y * copy.from.pitch),
                    copy.width);
}

/// With a stream, asynchronously; without one on the legacy stream, and the caller waits as far as
/// CUDA promises it.
void copy(const char *function, Context &context, Copy c, const CUstream *handle)
{
    auto stream = handle ? stream_of(context, *handle) : context.legacy;
    if (!c.width || !c.height || !c.depth)
        return;
    for (const Side *side : {&c.to, &c.from})
        check((c.height == 1 && c.depth == 1) || side->pitch >= c.width, CUDA_ERROR_INVALID_VALUE);
    const Allocation *to = verify(function, context, c.to, c.extent(c.to), true);
    const Allocation *from = verify(function, context, c.from, c.extent(c.from), false);
    bool to_host = !to || to->kind == Kind::Pinned, from_host = !from || from->kind == Kind::Pinned;
    const char *direction[] = {"bytes-dtod", "bytes-htod", "bytes-dtoh", "bytes-htoh"};
    state().counts[direction[to_host * 2 + from_host]] += c.width * c.height * c.depth;

    std::shared_ptr<std::vector<char>> staged;
    if (!from && handle && to) {
        // From pageable memory: the driver has its own copy when the call returns.
        staged = std::make_shared<std::vector<char>>(c.width * c.height * c.depth);
        Copy stage = c;
        stage.to = {reinterpret_cast<uintptr_t>(staged->data()), c.width, c.width * c.height, CU_MEMORYTYPE_HOST};
        move_bytes(stage);
        c.from = stage.to;
    }
    bool check_to = to, check_from = from;
    uint64_t number = submit(*stream, [=, keep = staged, &context] {
        execute("run-copy", context, [&] {
            if (check_to)
                still_there(c.to.base);
            if (check_from)
                still_there(c.from.base);
            move_bytes(c);
        });
    });
    bool within_devices = !to_host && !from_host;
    if (!to || (!handle && !within_devices))
        wait(*stream, number);
}

Copy linear(CUdeviceptr to, CUmemorytype to_type, CUdeviceptr from, CUmemorytype from_type, size_t size)
{
    return {{static_cast<uintptr_t>(to), size, size, to_type}, {static_cast<uintptr_t>(from), size, size, from_type}, size};
}

CUdeviceptr address(const void *pointer) { return reinterpret_cast<uintptr_t>(pointer); }

Side side(CUmemorytype type, const void *host, CUdeviceptr device, size_t pitch, size_t rows, size_t x, size_t y, size_t z)
{
    check(type == CU_MEMORYTYPE_HOST || type == CU_MEMORYTYPE_DEVICE || type == CU_MEMORYTYPE_UNIFIED,
          CUDA_ERROR_INVALID_VALUE);
    uintptr_t base = type == CU_MEMORYTYPE_HOST ? address(host) : static_cast<uintptr_t>(device);
    check(base, CUDA_ERROR_INVALID_VALUE);
    return {base + (z * rows + y) * pitch + x, pitch, pitch * rows, type};
}

Copy rectangle(const CUDA_MEMCPY2D *c)
{
    check(c, CUDA_ERROR_INVALID_VALUE);
    // A pitch of 0 means rows without gaps.
    auto pitch = [&](size_t given) { return given ? given : c->WidthInBytes; };
    return {side(c->dstMemoryType, c->dstHost, c->dstDevice, pitch(c->dstPitch), c->Height, c->dstXInBytes, c->dstY, 0),
            side(c->srcMemoryType, c->srcHost, c->srcDevice, pitch(c->srcPitch), c->Height, c->srcXInBytes, c->srcY, 0),
            c->WidthInBytes, c->Height};
}

void peer_copy(const char *function, Context &context, const CUDA_MEMCPY3D_PEER *c, const CUstream *stream)
{
    check(c, CUDA_ERROR_INVALID_VALUE);
    auto or_else = [](size_t given, size_t otherwise) { return given ? given : otherwise; };
    Copy whole{side(c->dstMemoryType, c->dstHost, c->dstDevice, or_else(c->dstPitch, c->WidthInBytes),
                    or_else(c->dstHeight, c->Height), c->dstXInBytes, c->dstY, c->dstZ),
               side(c->srcMemoryType, c->srcHost, c->srcDevice, or_else(c->srcPitch, c->WidthInBytes),
                    or_else(c->srcHeight, c->Height), c->srcXInBytes, c->srcY, c->srcZ),
               c->WidthInBytes, c->Height, c->Depth};
    if (c->dstMemoryType == CU_MEMORYTYPE_DEVICE)
        whole.to.context = &context_of(c->dstContext);
    if (c->srcMemoryType == CU_MEMORYTYPE_DEVICE)
        whole.from.context = &context_of(c->srcContext);
    if (!stream)
        for (const Context *peer : {whole.to.context, whole.from.context})
            if (peer)
                run_all(const_cast<Context &>(*peer));
    copy(function, context, whole, stream);
}

void peer_copy(const char *function, Context &context, CUdeviceptr to, CUcontext to_context,
               CUdeviceptr from, CUcontext from_context, size_t size, const CUstream *stream)
{
    CUDA_MEMCPY3D_PEER c = {};
    c.dstMemoryType = c.srcMemoryType = CU_MEMORYTYPE_DEVICE;
    c.dstDevice = to;
    c.dstContext = to_context;
    c.srcDevice = from;
    c.srcContext = from_context;
    c.WidthInBytes = size;
    c.Height = c.Depth = 1;
    peer_copy(function, context, &c, stream);
}

/// Sets `width` values of `bytes` bytes in each of `height` rows.
void fill(const char *function, Context &context, CUdeviceptr to, size_t pitch, unsigned value,
          size_t bytes, size_t width, size_t height, const CUstream *handle)
{
    auto stream = handle ? stream_of(context, *handle) : context.legacy;
    if (!width || !height)
        return;
    check(to % bytes == 0 && (height == 1 || pitch >= width * bytes), CUDA_ERROR_INVALID_VALUE);
    Side side{static_cast<uintptr_t>(to), pitch, 0, CU_MEMORYTYPE_DEVICE};
    const Allocation *a = verify(function, context, side, (height - 1) * pitch + width * bytes, true);
    uint64_t number = submit(*stream, [=, &context] {
        execute("run-set", context, [&] {
            still_there(side.base);
            Opened opened(find(side.base));
            for (size_t y = 0; y < height; y++)
                for (size_t x = 0; x < width; x++)
                    memcpy(reinterpret_cast<char *>(side.base + y * pitch + x * bytes), &value, bytes);
        });
    });
    if (!handle && a->kind == Kind::Pinned)
        wait(*stream, number);
}

template <class T> void allocate_for(Context &context, Kind kind, size_t size, T *out)
{
    check(out && size, CUDA_ERROR_INVALID_VALUE);
    if (kind != Kind::Pinned) {
        size_t used = allocated(context.device);
        check(size <= state().memory && used <= state().memory - size, CUDA_ERROR_OUT_OF_MEMORY);
    }
    Allocation *a = allocate(kind, size, context.device, context.handle);
    check(a, CUDA_ERROR_OUT_OF_MEMORY);
    *out = (T)a->start;
}

void free_memory(const char *function, CUdeviceptr pointer, bool pinned)
{
    Allocation *a = find(static_cast<uintptr_t>(pointer));
    if (!a || a->start != pointer || a->mapped || (a->kind == Kind::Pinned) != pinned) {
        complain(std::string(function) + ": " + describe(static_cast<uintptr_t>(pointer)) + ": not what an allocation began with");
        throw Error{CUDA_ERROR_INVALID_VALUE};
    }
    run_device(a->device);
    release(a);
}

void create_stream(Context &context, CUstream *out, unsigned flags)
{
    check(out && flags <= CU_STREAM_NON_BLOCKING, CUDA_ERROR_INVALID_VALUE);
    auto stream = std::make_shared<Stream>(Stream{&context, !(flags & CU_STREAM_NON_BLOCKING), flags, false, 0, {}});
    context.streams.push_back(stream);
    state().streams[*out = state().handle()] = stream;
}

void attribute(void *out, int which, CUdeviceptr pointer)
{
    const Allocation *a = find(static_cast<uintptr_t>(pointer));
    check(a && out, CUDA_ERROR_INVALID_VALUE);
    bool on_device = a->kind != Kind::Pinned;
    switch (which) {
    case 1: *static_cast<CUcontext *>(out) = a->context; break;
    case 2: *static_cast<unsigned *>(out) = on_device ? CU_MEMORYTYPE_DEVICE : CU_MEMORYTYPE_HOST; break;
    case 3: *static_cast<CUdeviceptr *>(out) = pointer; break;
    case 4:
        check(a->kind != Kind::Device, CUDA_ERROR_INVALID_VALUE);
        *static_cast<CUdeviceptr *>(out) = pointer;
        break;
    case 7: *static_cast<unsigned long long *>(out) = a->start; break;
    case 8: *static_cast<unsigned *>(out) = a->kind == Kind::Managed; break;
    case 9: *static_cast<int *>(out) = a->device; break;
    case 11: *static_cast<CUdeviceptr *>(out) = a->start; break;
    case 12: *static_cast<size_t *>(out) = a->size; break;
    case 13: *static_cast<unsigned *>(out) = 1; break;
    default: throw Error{CUDA_ERROR_NOT_SUPPORTED};
    }
}

/// Text behind a word in a PTX, to be read with sscanf.
const char *after(const char *text, const char *word)
{
    const char *found = strstr(text, word);
    check(found, CUDA_ERROR_INVALID_PTX);
    return found + strlen(word);
}

void load_module(Context &context, CUmodule *out, const void *image)
{
    check(out && image, CUDA_ERROR_INVALID_VALUE);
    auto *text = static_cast<const char *>(image);
    int major = 0, minor = 0, target = 0;
    check(sscanf(after(text, "\n.version"), "%d.%d", &major, &minor) == 2, CUDA_ERROR_INVALID_PTX);
    check(sscanf(after(text, "\n.target"), " sm_%d", &target) == 1, CUDA_ERROR_INVALID_PTX);
    // PTX 8.x came with CUDA 12.x, and 7.x with 11.x.
    int newest = (state().version / 1000 - 4) * 10 + state().version % 1000 / 10;
    check(major * 10 + minor <= newest, CUDA_ERROR_UNSUPPORTED_PTX_VERSION);
    check(target <= 86, CUDA_ERROR_NO_BINARY_FOR_GPU);
    Module module{&context, {}};
    for (const char *at = text; (at = strstr(at, ".visible .entry "));) {
        at += strlen(".visible .entry ");
        std::string name(at, strcspn(at, "(\n "));
        const Kernel *kernel = find_kernel(name.c_str());
        size_t size = 0;
        const char *end = strchr(at, ')'), *bracket = strstr(at, "_param_0[");
        if (bracket && end && bracket < end)
            size = strtoul(bracket + strlen("_param_0["), nullptr, 10);
        if (!kernel || argument_size(*kernel) != size) {
            complain("kernel " + name + " of the PTX is not that of the sources: build both again");
            throw Error{CUDA_ERROR_INVALID_PTX};
        }
        module.kernels[name] = kernel;
    }
    state().modules[*out = state().handle()] = module;
}

double now()
{
    using namespace std::chrono;
    return duration<double, std::milli>(steady_clock::now().time_since_epoch()).count();
}

struct Name {
    CUresult code;
    const char *name, *text;
};
#define NAME(code, text) {code, #code, text}
constexpr Name NAMES[] = {
    NAME(CUDA_SUCCESS, "no error"),
    NAME(CUDA_ERROR_INVALID_VALUE, "invalid argument"),
    NAME(CUDA_ERROR_OUT_OF_MEMORY, "out of memory"),
    NAME(CUDA_ERROR_NOT_INITIALIZED, "initialization error"),
    NAME(CUDA_ERROR_NO_DEVICE, "no CUDA-capable device is detected"),
    NAME(CUDA_ERROR_INVALID_DEVICE, "invalid device ordinal"),
    NAME(CUDA_ERROR_INVALID_CONTEXT, "invalid device context"),
    NAME(CUDA_ERROR_NO_BINARY_FOR_GPU, "no kernel image is available for execution on the device"),
    NAME(CUDA_ERROR_PEER_ACCESS_UNSUPPORTED, "peer access is not supported between these two devices"),
    NAME(CUDA_ERROR_INVALID_PTX, "a PTX JIT compilation failed"),
    NAME(CUDA_ERROR_UNSUPPORTED_PTX_VERSION, "the provided PTX was compiled with an unsupported toolchain."),
    NAME(CUDA_ERROR_OPERATING_SYSTEM, "OS call failed or operation not supported on this OS"),
    NAME(CUDA_ERROR_INVALID_HANDLE, "invalid resource handle"),
    NAME(CUDA_ERROR_NOT_FOUND, "named symbol not found"),
    NAME(CUDA_ERROR_NOT_READY, "device not ready"),
    NAME(CUDA_ERROR_ILLEGAL_ADDRESS, "an illegal memory access was encountered"),
    NAME(CUDA_ERROR_CONTEXT_IS_DESTROYED, "context is destroyed"),
    NAME(CUDA_ERROR_LAUNCH_FAILED, "unspecified launch failure"),
    NAME(CUDA_ERROR_NOT_PERMITTED, "operation not permitted"),
    NAME(CUDA_ERROR_NOT_SUPPORTED, "operation not supported"),
    NAME(CUDA_ERROR_UNKNOWN, "unknown error"),
};

CUresult name_of(CUresult code, const char **out, const char *Name::*field)
{
    for (const Name &name : NAMES)
        if (name.code == code) {
            *out = name.*field;
            return CUDA_SUCCESS;
        }
    *out = nullptr;
    return CUDA_ERROR_INVALID_VALUE;
}

} // namespace

// Devices.

API CUresult cuInit(unsigned flags)
{
    return guarded(__func__, [&] {
        inject("cuInit", nullptr);
        check(!flags, CUDA_ERROR_INVALID_VALUE);
        check(state().devices > 0, CUDA_ERROR_NO_DEVICE);
        state().initialised = true;
    });
}

API CUresult cuDriverGetVersion(int *version)
{
    return guarded(__func__, [&] {
        inject("cuDriverGetVersion", nullptr);
        *version = state().version;
    });
}

API CUresult cuGetErrorName(CUresult code, const char **out) { return name_of(code, out, &Name::name); }
API CUresult cuGetErrorString(CUresult code, const char **out) { return name_of(code, out, &Name::text); }

ANYWHERE(cuDeviceGetCount, (int *count), { *count = state().devices; })

ANYWHERE(cuDeviceGet, (CUdevice *device, int ordinal), {
    check_device(ordinal);
    *device = ordinal;
})

ANYWHERE(cuDeviceGetName, (char *name, int size, CUdevice device), {
    check_device(device);
    snprintf(name, static_cast<size_t>(size), "CUDA stand-in %d", device);
})

ANYWHERE(cuDeviceGetPCIBusId, (char *id, int size, CUdevice device), {
    check_device(device);
    snprintf(id, static_cast<size_t>(size), "0000:%02X:00.0", device + 1);
})

ANYWHERE(cuDeviceGetUuid_v2, (char *uuid, CUdevice device), {
    check_device(device);
    memset(uuid, device + 1, 16);
})

API CUresult cuDeviceGetUuid(char *uuid, CUdevice device) { return cuDeviceGetUuid_v2(uuid, device); }

ANYWHERE(cuDeviceTotalMem_v2, (size_t *bytes, CUdevice device), {
    check_device(device);
    *bytes = state().memory;
})

ANYWHERE(cuDeviceGetAttribute, (int *value, int which, CUdevice device), {
    check_device(device);
    switch (which) {
    case 1: case 2: case 3: *value = 1024; break; // threads per block, also in x and y
    case 4: *value = 64; break;                      // threads per block in z
    case 5: case 11: *value = 0x7fffffff; break;     // grid in x, pitch of copies
    case 6: case 7: *value = 65535; break;           // grid in y and z
    case 8: *value = 49152; break;                   // shared memory per block
    case 10: *value = 32; break;                     // warp
    case 16: *value = 16; break;                     // multiprocessors
    case 19: case 41: case 83: *value = 1; break;    // mapped host, unified addressing, managed
    case 102: case 103: *value = 1; break;           // virtual memory, with file descriptors
    case 33: *value = device + 1; break;             // PCI bus
    case 39: *value = 2048; break;                   // threads per multiprocessor
    case 40: *value = 2; break;                      // copy engines
    case 75: *value = 8; break;                      // compute capability
    case 76: *value = 6; break;
    default: *value = 0;                             // among them: memory pools
    }
})

ANYWHERE(cuDeviceCanAccessPeer, (int *can, CUdevice device, CUdevice peer), {
    check_device(device);
    check_device(peer);
    *can = 0;
})

// Contexts.

ANYWHERE(cuDevicePrimaryCtxRetain, (CUcontext *out, CUdevice device), {
    check_device(device);
    for (auto &[handle, context] : state().contexts)
        if (context->alive && context->primary && context->device == device) {
            context->retained++;
            *out = handle;
            return;
        }
    *out = create_context(device, true)->handle;
})

ANYWHERE(cuDevicePrimaryCtxRelease_v2, (CUdevice device), {
    check_device(device);
    for (auto &[handle, context] : state().contexts)
        if (context->alive && context->primary && context->device == device) {
            if (!--context->retained)
                destroy_context(*context);
            return;
        }
    throw Error{CUDA_ERROR_INVALID_CONTEXT};
})

ANYWHERE(cuDevicePrimaryCtxGetState, (CUdevice device, unsigned *flags, int *active), {
    check_device(device);
    *flags = 0;
    *active = 0;
    for (auto &[handle, context] : state().contexts)
        *active |= context->alive && context->primary && context->device == device;
})

ANYWHERE(cuCtxCreate_v2, (CUcontext *out, unsigned, CUdevice device), {
    check_device(device);
    push_current(*out = create_context(device, false)->handle);
})

API CUresult cuCtxCreate_v3(CUcontext *out, void *, int, unsigned flags, CUdevice device)
{
    return cuCtxCreate_v2(out, flags, device);
}

ANYWHERE(cuCtxDestroy_v2, (CUcontext handle), {
    Context &context = context_of(handle);
    check(!context.primary, CUDA_ERROR_INVALID_CONTEXT);
    destroy_context(context);
    if (current_handle() == handle)
        pop_current();
})

ANYWHERE(cuCtxGetCurrent, (CUcontext *out), { *out = current_handle(); })

ANYWHERE(cuCtxSetCurrent, (CUcontext handle), {
    if (handle)
        context_of(handle);
    set_current(handle);
})

ANYWHERE(cuCtxPushCurrent_v2, (CUcontext handle), { push_current(context_of(handle).handle); })

ANYWHERE(cuCtxPopCurrent_v2, (CUcontext *out), {
    CUcontext handle = pop_current();
    if (out)
        *out = handle;
})

ANYWHERE(cuCtxGetDevice, (CUdevice *out), { *out = current().device; })

WITHIN(cuCtxSynchronize, (), {
    run_all(context);
    check(!context.error, context.error);
})

WITHIN(cuCtxGetStreamPriorityRange, (int *least, int *greatest), {
    if (least)
        *least = 0;
    if (greatest)
        *greatest = -5;
})

WITHIN(cuCtxEnablePeerAccess, (CUcontext, unsigned), { throw Error{CUDA_ERROR_PEER_ACCESS_UNSUPPORTED}; })

// Memory.

WITHIN(cuMemGetInfo_v2, (size_t *free, size_t *total), {
    *total = state().memory;
    *free = state().memory - allocated(context.device);
})

WITHIN(cuMemAlloc_v2, (CUdeviceptr *out, size_t size), { allocate_for(context, Kind::Device, size, out); })

WITHIN(cuMemAllocPitch_v2, (CUdeviceptr *out, size_t *pitch, size_t width, size_t height, unsigned), {
    *pitch = (width + 511) / 512 * 512;
    allocate_for(context, Kind::Device, *pitch * height, out);
})

WITHIN(cuMemAllocManaged, (CUdeviceptr *out, size_t size, unsigned), {
    allocate_for(context, Kind::Managed, size, out);
})

WITHIN(cuMemHostAlloc, (void **out, size_t size, unsigned), {
    allocate_for(context, Kind::Pinned, size, out);
})

WITHIN(cuMemAllocHost_v2, (void **out, size_t size), { allocate_for(context, Kind::Pinned, size, out); })
WITHIN(cuMemFree_v2, (CUdeviceptr pointer), { free_memory(function, pointer, false); })
WITHIN(cuMemFreeHost, (void *pointer), { free_memory(function, address(pointer), true); })

WITHIN(cuMemHostGetDevicePointer_v2, (CUdeviceptr *out, void *pointer, unsigned), {
    const Allocation *a = find(address(pointer));
    check(a && a->kind == Kind::Pinned, CUDA_ERROR_INVALID_VALUE);
    *out = address(pointer);
})

WITHIN(cuMemGetAddressRange_v2, (CUdeviceptr *base, size_t *size, CUdeviceptr pointer), {
    const Allocation *a = find(static_cast<uintptr_t>(pointer));
    check(a, CUDA_ERROR_NOT_FOUND);
    if (base)
        *base = a->start;
    if (size)
        *size = a->size;
})

ANYWHERE(cuPointerGetAttribute, (void *out, int which, CUdeviceptr pointer), {
    attribute(out, which, pointer);
})

ANYWHERE(cuPointerGetAttributes, (unsigned count, const int *which, void **out, CUdeviceptr pointer), {
    for (unsigned i = 0; i < count; i++) {
        try {
            attribute(out[i], which[i], pointer);
        } catch (Error error) {
            // This one call answers with zeros for pointers that it does not know.
            check(error.code == CUDA_ERROR_INVALID_VALUE, error.code);
            bool wide = which[i] != 2 && which[i] != 8 && which[i] != 9 && which[i] != 13;
            memset(out[i], 0, wide ? 8 : 4);
            if (which[i] == 9)
                *static_cast<int *>(out[i]) = -2;
        }
    }
})

// Copies and sets. Most exist as a call and with a stream.

#define COPIES(name, suffix, parameters, what)                                                     \
    WITHIN(name##suffix, (UNPACK parameters), { copy(function, context, what, nullptr); })         \
    WITHIN(name##Async##suffix, (UNPACK parameters, CUstream stream),                              \
           { copy(function, context, what, &stream); })
#define UNPACK(...) __VA_ARGS__

COPIES(cuMemcpy, , (CUdeviceptr to, CUdeviceptr from, size_t size),
       linear(to, CU_MEMORYTYPE_UNIFIED, from, CU_MEMORYTYPE_UNIFIED, size))
COPIES(cuMemcpyHtoD, _v2, (CUdeviceptr to, const void *from, size_t size),
       linear(to, CU_MEMORYTYPE_DEVICE, address(from), CU_MEMORYTYPE_HOST, size))
COPIES(cuMemcpyDtoH, _v2, (void *to, CUdeviceptr from, size_t size),
       linear(address(to), CU_MEMORYTYPE_HOST, from, CU_MEMORYTYPE_DEVICE, size))
COPIES(cuMemcpyDtoD, _v2, (CUdeviceptr to, CUdeviceptr from, size_t size),
       linear(to, CU_MEMORYTYPE_DEVICE, from, CU_MEMORYTYPE_DEVICE, size))
COPIES(cuMemcpy2D, _v2, (const CUDA_MEMCPY2D *what), rectangle(what))
WITHIN(cuMemcpy2DUnaligned_v2, (const CUDA_MEMCPY2D *what), {
    copy(function, context, rectangle(what), nullptr);
})

WITHIN(cuMemcpy3DPeer, (const CUDA_MEMCPY3D_PEER *what), { peer_copy(function, context, what, nullptr); })

WITHIN(cuMemcpy3DPeerAsync, (const CUDA_MEMCPY3D_PEER *what, CUstream stream), {
    peer_copy(function, context, what, &stream);
})

WITHIN(cuMemcpyPeer, (CUdeviceptr to, CUcontext tc, CUdeviceptr from, CUcontext fc, size_t size), {
    peer_copy(function, context, to, tc, from, fc, size, nullptr);
})

WITHIN(cuMemcpyPeerAsync, (CUdeviceptr to, CUcontext tc, CUdeviceptr from, CUcontext fc, size_t size,
                           CUstream stream), {
    peer_copy(function, context, to, tc, from, fc, size, &stream);
})

#define SETS(name, type)                                                                           \
    WITHIN(name##_v2, (CUdeviceptr to, type value, size_t count),                                  \
           { fill(function, context, to, 0, value, sizeof value, count, 1, nullptr); })            \
    WITHIN(name##Async, (CUdeviceptr to, type value, size_t count, CUstream stream),               \
           { fill(function, context, to, 0, value, sizeof value, count, 1, &stream); })
SETS(cuMemsetD8, unsigned char)
SETS(cuMemsetD16, unsigned short)
SETS(cuMemsetD32, unsigned)

WITHIN(cuMemsetD2D8_v2, (CUdeviceptr to, size_t pitch, unsigned char value, size_t width, size_t height), {
    fill(function, context, to, pitch, value, 1, width, height, nullptr);
})

WITHIN(cuMemsetD2D8Async, (CUdeviceptr to, size_t pitch, unsigned char value, size_t width, size_t height,
                           CUstream stream), {
    fill(function, context, to, pitch, value, 1, width, height, &stream);
})

// Kernels.

WITHIN(cuModuleLoadData, (CUmodule *out, const void *image), { load_module(context, out, image); })

WITHIN(cuModuleLoadDataEx, (CUmodule *out, const void *image, unsigned, int *, void **), {
    load_module(context, out, image);
})

WITHIN(cuModuleUnload, (CUmodule handle), {
    lookup(state().modules, handle);
    auto &functions = state().functions;
    for (auto f = functions.begin(); f != functions.end();)
        f = f->second.module == handle ? functions.erase(f) : std::next(f);
    state().modules.erase(handle);
})

WITHIN(cuModuleGetFunction, (CUfunction *out, CUmodule handle, const char *name), {
    Module &module = lookup(state().modules, handle);
    auto found = module.kernels.find(name);
    check(found != module.kernels.end(), CUDA_ERROR_NOT_FOUND);
    state().functions[*out = state().handle()] = {handle, module.context, found->second, name};
})

WITHIN(cuModuleGetGlobal_v2, (CUdeviceptr *, size_t *, CUmodule, const char *), {
    throw Error{CUDA_ERROR_NOT_FOUND};
})

WITHIN(cuFuncGetAttribute, (int *value, int which, CUfunction handle), {
    lookup(state().functions, handle);
    *value = which == 0 ? 1024 : 0; // threads per block
})

WITHIN(cuOccupancyMaxActiveBlocksPerMultiprocessor, (int *blocks, CUfunction handle, int threads, size_t), {
    lookup(state().functions, handle);
    check(threads > 0, CUDA_ERROR_INVALID_VALUE);
    *blocks = std::min(2048 / threads, 16);
})

WITHIN(cuLaunchKernel, (CUfunction handle, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by,
                        unsigned bz, unsigned shared, CUstream stream_handle, void **parameters, void **extra), {
    const Function f = lookup(state().functions, handle);
    check(f.context == &context, CUDA_ERROR_INVALID_HANDLE);
    auto stream = stream_of(context, stream_handle);
    bool fits = gx && gy && gz && bx && by && bz && gx <= 0x7fffffff && gy <= 65535 && gz <= 65535 &&
                bx <= 1024 && by <= 1024 && bz <= 64 && uint64_t(bx) * by * bz <= 1024;
    check(fits && shared <= 49152 && parameters && parameters[0] && !extra, CUDA_ERROR_INVALID_VALUE);
    std::vector<uint64_t> argument(argument_size(*f.kernel) / 8);
    memcpy(argument.data(), parameters[0], argument.size() * 8);
    Grid grid{{gx, gy, gz}, {bx, by, bz}};
    submit(*stream, [=, &context] {
        execute("run-kernel", context, [&] {
            state().counts["run-" + f.name]++;
            CUresult code;
            std::string trouble = run_kernel(*f.kernel, argument.data(), grid, context.device, code);
            if (!trouble.empty())
                break_context(context, code, "kernel " + f.name + ": " + trouble);
        });
    });
})

// Streams and events.

WITHIN(cuStreamCreate, (CUstream *out, unsigned flags), { create_stream(context, out, flags); })

WITHIN(cuStreamCreateWithPriority, (CUstream *out, unsigned flags, int), {
    create_stream(context, out, flags);
})

WITHIN(cuStreamDestroy_v2, (CUstream handle), {
    // What it holds still runs, later.
    lookup(state().streams, handle)->destroyed = true;
    state().streams.erase(handle);
})

WITHIN(cuStreamSynchronize, (CUstream handle), { wait(*any_stream(context, handle)); })

WITHIN(cuStreamQuery, (CUstream handle), {
    auto stream = any_stream(context, handle);
    uint64_t last = stream->queue.empty() ? 0 : stream->queue.back().number;
    bool again = stream->polled == last;
    stream->polled = last;
    check(!pending(*stream, last, again), CUDA_ERROR_NOT_READY);
    check(!stream->context->error, stream->context->error);
})

WITHIN(cuStreamWaitEvent, (CUstream handle, CUevent event, unsigned), {
    auto record = lookup(state().events, event).record;
    auto stream = any_stream(context, handle);
    if (record && !record->done)
        submit(*stream, nullptr, record);
})

WITHIN(cuStreamGetCtx, (CUstream handle, CUcontext *out), {
    *out = any_stream(context, handle)->context->handle;
})

WITHIN(cuStreamGetFlags, (CUstream handle, unsigned *out), { *out = any_stream(context, handle)->flags; })

WITHIN(cuEventCreate, (CUevent *out, unsigned flags), {
    state().events[*out = state().handle()] = {&context, flags, nullptr};
})

WITHIN(cuEventDestroy_v2, (CUevent handle), {
    lookup(state().events, handle);
    state().events.erase(handle);
})

WITHIN(cuEventRecord, (CUevent handle, CUstream stream_handle), {
    Event &event = lookup(state().events, handle);
    auto stream = any_stream(context, stream_handle);
    check(event.context == stream->context, CUDA_ERROR_INVALID_HANDLE);
    auto record = std::make_shared<Record>();
    record->stream = stream;
    record->number = submit(*stream, [record] {
        record->done = true;
        record->milliseconds = now();
    });
    event.record = record;
})

WITHIN(cuEventQuery, (CUevent handle), {
    Event &event = lookup(state().events, handle);
    if (!event.record)
        return;
    bool again = std::exchange(event.record->polled, true);
    check(!pending(*event.record->stream, event.record->number, again), CUDA_ERROR_NOT_READY);
    check(!event.context->error, event.context->error);
})

WITHIN(cuEventSynchronize, (CUevent handle), {
    Event &event = lookup(state().events, handle);
    if (event.record)
        wait(*event.record->stream, event.record->number);
})

WITHIN(cuEventElapsedTime, (float *milliseconds, CUevent start, CUevent end), {
    Event &a = lookup(state().events, start), &b = lookup(state().events, end);
    check(a.record && b.record && !((a.flags | b.flags) & CU_EVENT_DISABLE_TIMING), CUDA_ERROR_INVALID_HANDLE);
    check(a.record->done && b.record->done, CUDA_ERROR_NOT_READY);
    *milliseconds = static_cast<float>(b.record->milliseconds - a.record->milliseconds);
})

// For tests.

/// The `nth` call from now on (0: each) fails with `code`; `sticky`: and breaks its context. A code
/// of 0 takes back what was asked for this function.
API void standin_fail(const char *function, unsigned nth, int code, int sticky)
{
    std::lock_guard lock(state().mutex);
    auto &faults = state().faults;
    auto same = [&](const Fault &fault) { return fault.function == plain(function); };
    if (code)
        faults.push_back({plain(function), nth, static_cast<CUresult>(code), sticky != 0});
    else
        faults.erase(std::remove_if(faults.begin(), faults.end(), same), faults.end());
}

/// Calls of a function, or one of the counters in README.md.
API uint64_t standin_count(const char *name)
{
    std::lock_guard lock(state().mutex);
    auto found = state().counts.find(plain(name));
    return found == state().counts.end() ? 0 : found->second;
}

API void standin_reset_counts()
{
    std::lock_guard lock(state().mutex);
    state().counts.clear();
}

/// Bytes of device memory in use.
API uint64_t standin_allocated(int device)
{
    std::lock_guard lock(state().mutex);
    return allocated(device);
}

/// Live allocations of all kinds.
API uint64_t standin_allocations()
{
    std::lock_guard lock(state().mutex);
    return allocations();
}
