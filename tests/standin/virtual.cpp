// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

// Memory apart from its addresses, which processes can share: files in memory. An exported
// descriptor is another one of the same file.

#include "calls.h"

#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace {

constexpr size_t GRANULARITY = size_t(2) << 20;
constexpr size_t PAGE = 4096;
constexpr unsigned char POISON = 0xa5;
// By the name of the file, that which is imported is known.
constexpr const char *NAME = "CUDA stand-in, device ";

struct Physical {
    int file;
    size_t size;
    int device;
    bool exportable;
    bool own; // created here, not imported

    Physical(int file, size_t size, int device, bool exportable, bool own)
        : file(file), size(size), device(device), exportable(exportable), own(own)
    {
        count_apart(device, own ? static_cast<long>(size) : 0, 1);
    }
    Physical(const Physical &) = delete;
    ~Physical()
    {
        close(file);
        count_apart(device, own ? -static_cast<long>(size) : 0, -1);
    }
};

// Never destroyed: threads may outlive the destructors of a process.
auto &handles = *new std::map<CUmemGenericAllocationHandle, std::shared_ptr<Physical>>;
auto &reservations = *new std::map<uintptr_t, size_t>;
// What is mapped lives on without its handle.
auto &mappings = *new std::map<uintptr_t, std::shared_ptr<Physical>>;

void refuse(bool fine, const char *function, const std::string &why, CUresult code = CUDA_ERROR_INVALID_VALUE)
{
    if (fine)
        return;
    complain(std::string(function) + ": " + why);
    throw Error{code};
}

bool is_granular(size_t value) { return value % GRANULARITY == 0; }

void check_properties(const CUmemAllocationProp *p)
{
    check(p && p->type == CU_MEM_ALLOCATION_TYPE_PINNED && p->location.type == CU_MEM_LOCATION_TYPE_DEVICE &&
              p->requestedHandleTypes <= CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR && !p->win32HandleMetaData,
          CUDA_ERROR_INVALID_VALUE);
    check_device(p->location.id);
}

/// The device that a file is memory of, or -1.
int device_of(int file)
{
    char path[PATH_MAX], link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return -1;
    path[length] = 0;
    const std::string prefix = std::string("/memfd:") + NAME;
    return strncmp(path, prefix.c_str(), prefix.size()) ? -1 : atoi(path + prefix.size());
}

/// A mapping, which must begin and end where these bytes do.
Allocation *whole(const char *function, CUdeviceptr address, size_t size)
{
    Allocation *a = find(static_cast<uintptr_t>(address));
    refuse(a && a->mapped && a->start == address && a->size == size, function,
           describe(static_cast<uintptr_t>(address)) + ": not all of what was mapped, or more");
    return a;
}

CUmemGenericAllocationHandle add(std::shared_ptr<Physical> physical)
{
    CUmemGenericAllocationHandle handle = state().handle();
    handles[handle] = std::move(physical);
    return handle;
}

} // namespace

ANYWHERE(cuMemGetAllocationGranularity, (size_t *out, const CUmemAllocationProp *properties, unsigned option), {
    check(out && option <= 1, CUDA_ERROR_INVALID_VALUE);
    check_properties(properties);
    *out = GRANULARITY;
})

ANYWHERE(cuMemCreate, (CUmemGenericAllocationHandle *out, size_t size, const CUmemAllocationProp *properties,
                       unsigned long long flags), {
    check(out && !flags, CUDA_ERROR_INVALID_VALUE);
    check_properties(properties);
    refuse(size && is_granular(size), "cuMemCreate", std::to_string(size) + " bytes are no multiple of the granularity");
    int device = properties->location.id;
    size_t used = allocated(device);
    check(size <= state().memory && used <= state().memory - size, CUDA_ERROR_OUT_OF_MEMORY);
    int file = memfd_create((NAME + std::to_string(device)).c_str(), MFD_CLOEXEC);
    check(file >= 0, CUDA_ERROR_OPERATING_SYSTEM);
    bool exportable = properties->requestedHandleTypes == CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR;
    auto physical = std::make_shared<Physical>(file, size, device, exportable, true);
    check(!ftruncate(file, static_cast<off_t>(size)), CUDA_ERROR_OUT_OF_MEMORY);
    void *content = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    check(content != MAP_FAILED, CUDA_ERROR_OUT_OF_MEMORY);
    memset(content, POISON, size);
    munmap(content, size);
    *out = add(physical);
})

ANYWHERE(cuMemRelease, (CUmemGenericAllocationHandle handle), {
    lookup(handles, handle, CUDA_ERROR_INVALID_VALUE);
    handles.erase(handle);
})

ANYWHERE(cuMemExportToShareableHandle, (void *out, CUmemGenericAllocationHandle handle, unsigned type,
                                        unsigned long long flags), {
    const char *function = "cuMemExportToShareableHandle";
    check(out && !flags && type == CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR, CUDA_ERROR_INVALID_VALUE);
    auto physical = lookup(handles, handle, CUDA_ERROR_INVALID_VALUE);
    refuse(physical->exportable, function, "not created to be exported");
    int file = dup(physical->file);
    refuse(file >= 0, function, strerror(errno), CUDA_ERROR_OPERATING_SYSTEM);
    *static_cast<int *>(out) = file;
})

ANYWHERE(cuMemImportFromShareableHandle, (CUmemGenericAllocationHandle *out, void *what, unsigned type), {
    const char *function = "cuMemImportFromShareableHandle";
    check(out && type == CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR, CUDA_ERROR_INVALID_VALUE);
    int given = static_cast<int>(reinterpret_cast<intptr_t>(what)), device = device_of(given);
    struct stat facts;
    refuse(device >= 0 && !fstat(given, &facts), function, "no memory of the stand-in");
    check(device < state().devices, CUDA_ERROR_INVALID_DEVICE);
    int file = fcntl(given, F_DUPFD_CLOEXEC, 0);
    refuse(file >= 0, function, strerror(errno), CUDA_ERROR_OPERATING_SYSTEM);
    *out = add(std::make_shared<Physical>(file, static_cast<size_t>(facts.st_size), device, false, false));
})

ANYWHERE(cuMemAddressReserve, (CUdeviceptr *out, size_t size, size_t alignment, CUdeviceptr,
                               unsigned long long flags), {
    check(out && !flags && size && is_granular(size) && size <= SIZE_MAX / 4, CUDA_ERROR_INVALID_VALUE);
    check(!(alignment & (alignment - 1)), CUDA_ERROR_INVALID_VALUE);
    alignment = alignment > GRANULARITY ? alignment : GRANULARITY;
    // Never given back, so that addresses are not used twice; with pages around that fault.
    size_t room = size + alignment + 2 * PAGE;
    void *region = mmap(nullptr, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    check(region != MAP_FAILED, CUDA_ERROR_OUT_OF_MEMORY);
    uintptr_t start = (reinterpret_cast<uintptr_t>(region) + PAGE + alignment - 1) / alignment * alignment;
    reservations[start] = size;
    count_apart(0, 0, 1);
    *out = start;
})

ANYWHERE(cuMemAddressFree, (CUdeviceptr address, size_t size), {
    uintptr_t start = static_cast<uintptr_t>(address);
    auto found = reservations.find(start);
    refuse(found != reservations.end() && found->second == size, "cuMemAddressFree", "not what was reserved");
    auto next = mappings.lower_bound(start);
    refuse(next == mappings.end() || next->first >= start + size, "cuMemAddressFree", "something is mapped there");
    reservations.erase(found);
    count_apart(0, 0, -1);
})

ANYWHERE(cuMemMap, (CUdeviceptr address, size_t size, size_t offset, CUmemGenericAllocationHandle handle,
                    unsigned long long flags), {
    const char *function = "cuMemMap";
    uintptr_t start = static_cast<uintptr_t>(address);
    auto physical = lookup(handles, handle, CUDA_ERROR_INVALID_VALUE);
    check(!flags && !offset, CUDA_ERROR_INVALID_VALUE);
    refuse(size && is_granular(size) && is_granular(start), function, "no multiple of the granularity");
    refuse(size <= physical->size, function,
           std::to_string(size) + " bytes of memory of " + std::to_string(physical->size));
    auto after = reservations.upper_bound(start);
    bool reserved = after != reservations.begin();
    if (reserved) {
        auto [from, all] = *std::prev(after);
        reserved = size <= all && start - from <= all - size;
    }
    refuse(reserved, function, "these addresses are not reserved");
    auto next = mappings.upper_bound(start);
    bool taken = find(start) || (next != mappings.end() && next->first < start + size);
    refuse(!taken, function, "something is mapped there already");
    check(map_file(start, size, physical->device, physical->file), CUDA_ERROR_OPERATING_SYSTEM);
    mappings[start] = physical;
})

ANYWHERE(cuMemUnmap, (CUdeviceptr address, size_t size), {
    // Waits for nothing: what is still queued will find nothing there.
    release(whole("cuMemUnmap", address, size));
    mappings.erase(static_cast<uintptr_t>(address));
})

ANYWHERE(cuMemSetAccess, (CUdeviceptr address, size_t size, const CUmemAccessDesc *descriptions, size_t count), {
    Allocation *a = whole("cuMemSetAccess", address, size);
    check(descriptions && count == 1, CUDA_ERROR_INVALID_VALUE);
    const CUmemAccessDesc &d = *descriptions;
    check(d.location.type == CU_MEM_LOCATION_TYPE_DEVICE &&
              (d.flags == CU_MEM_ACCESS_NONE || d.flags == CU_MEM_ACCESS_READ || d.flags == CU_MEM_ACCESS_READWRITE),
          CUDA_ERROR_INVALID_VALUE);
    check_device(d.location.id);
    // There are no peers.
    refuse(d.location.id == a->device, "cuMemSetAccess", "memory of another device", CUDA_ERROR_INVALID_DEVICE);
    set_access(a, d.flags & 1, d.flags & 2);
})
