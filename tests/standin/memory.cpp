// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

#include "memory.h"
#include "kernel.h"

#include <csetjmp>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <map>
#include <sys/mman.h>
#include <vector>

uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;
Kernel *Kernel::first;

namespace {

constexpr size_t PAGE = 4096;
constexpr size_t ALIGNMENT = 256;
constexpr unsigned char POISON = 0xa5;

// Never destroyed: threads may outlive the destructors of a process.
auto &live = *new std::map<uintptr_t, Allocation>;
// First byte to end of what was freed.
auto &freed = *new std::map<uintptr_t, uintptr_t>;

std::map<int, size_t> apart_bytes;
size_t apart_allocations;

size_t round_up(size_t size, size_t to) { return (size + to - 1) / to * to; }

bool strict()
{
    static const bool value = [] {
        const char *text = getenv("DSFRAME_STANDIN_STRICT");
        return !text || strcmp(text, "0") != 0;
    }();
    return value;
}

bool closed(const Allocation &a) { return strict() && a.kind == Kind::Device; }

int access_of(const Allocation &a)
{
    return (a.readable ? PROT_READ : 0) | (a.writable ? PROT_WRITE : 0);
}

void protect(const Allocation &a, int protection)
{
    mprotect(reinterpret_cast<void *>(a.pages), a.pages_size, protection);
}

bool is_poison(uintptr_t from, uintptr_t to)
{
    for (; from < to; from++)
        if (*reinterpret_cast<unsigned char *>(from) != POISON)
            return false;
    return true;
}

bool damaged(const Allocation &a)
{
    return !is_poison(a.pages, a.start) || !is_poison(a.start + a.size, a.pages + a.pages_size);
}

} // namespace

Allocation *allocate(Kind kind, size_t size, int device, CUcontext context)
{
    if (size > SIZE_MAX / 2)
        return nullptr;
    // At the end of its pages, so that running over the end meets a page that faults.
    size_t data = round_up(size, ALIGNMENT), pages = round_up(data, PAGE);
    void *region = mmap(nullptr, pages + 2 * PAGE, PROT_NONE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (region == MAP_FAILED)
        return nullptr;
    uintptr_t first = reinterpret_cast<uintptr_t>(region) + PAGE;
    Allocation a{first + pages - data, size, first, pages, kind, device, context};
    protect(a, PROT_READ | PROT_WRITE);
    memset(reinterpret_cast<void *>(first), POISON, pages);
    if (closed(a))
        protect(a, PROT_NONE);
    return &(live[a.start] = a);
}

void release(Allocation *a)
{
    // Fresh, inaccessible pages in their place: the memory is given back, the addresses are not.
    mmap(reinterpret_cast<void *>(a->pages), a->pages_size, PROT_NONE,
         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    freed[a->start] = a->start + a->size;
    live.erase(a->start);
}

Allocation *map_file(uintptr_t start, size_t size, int device, int file)
{
    void *at = reinterpret_cast<void *>(start);
    if (mmap(at, size, PROT_NONE, MAP_SHARED | MAP_FIXED, file, 0) == MAP_FAILED)
        return nullptr;
    return &(live[start] = Allocation{start, size, start, size, Kind::Device, device, 0, true, false, false});
}

void set_access(Allocation *a, bool readable, bool writable)
{
    a->readable = readable;
    a->writable = writable;
    if (!closed(*a))
        protect(*a, access_of(*a));
}

void count_apart(int device, long bytes, long allocations)
{
    apart_bytes[device] += static_cast<size_t>(bytes);
    apart_allocations += static_cast<size_t>(allocations);
}

void release_all(CUcontext context)
{
    std::vector<Allocation *> all;
    for (auto &[start, a] : live)
        if (a.context == context && !a.mapped)
            all.push_back(&a);
    for (Allocation *a : all)
        release(a);
}

Allocation *find(uintptr_t address)
{
    auto next = live.upper_bound(address);
    if (next == live.begin())
        return nullptr;
    Allocation &a = std::prev(next)->second;
    return a.holds(address, 1) ? &a : nullptr;
}

size_t allocated(int device)
{
    size_t sum = apart_bytes[device];
    for (auto &[start, a] : live)
        if (a.kind != Kind::Pinned && a.device == device && !a.mapped)
            sum += a.size;
    return sum;
}

size_t allocations() { return live.size() + apart_allocations; }

std::string describe(uintptr_t address)
{
    char hex[32];
    snprintf(hex, sizeof hex, "0x%llx", static_cast<unsigned long long>(address));
    std::string text = hex;
    if (const Allocation *a = find(address)) {
        const char *kinds[] = {"device", "pinned", "managed"};
        return text + ": byte " + std::to_string(address - a->start) + " of " +
               std::to_string(a->size) + " of " + kinds[static_cast<int>(a->kind)] +
               " memory, device " + std::to_string(a->device);
    }
    auto gone = freed.upper_bound(address);
    if (gone != freed.begin() && address < (--gone)->second)
        return text + ": freed memory";
    for (auto &[start, a] : live)
        if (address >= a.pages - PAGE && address < a.pages + a.pages_size + PAGE)
            return text + (address < start ? ": " + std::to_string(start - address) + " bytes before"
                                           : ": " + std::to_string(address - start - a.size) +
                                                 " bytes past the end of") +
                   " an allocation of " + std::to_string(a.size) + " bytes";
    return text + ": not memory of CUDA";
}

Opened::Opened(Allocation *a) : allocation(a && closed(*a) ? a : nullptr)
{
    if (allocation)
        protect(*allocation, access_of(*allocation));
}

Opened::~Opened()
{
    if (allocation)
        protect(*allocation, PROT_NONE);
}

const Kernel *find_kernel(const char *name)
{
    for (const Kernel *kernel = Kernel::first; kernel; kernel = kernel->next)
        if (!strcmp(kernel->name, name))
            return kernel;
    return nullptr;
}

size_t argument_size(const Kernel &kernel) { return kernel.argument_size; }

// Faults in a kernel end it, not the process. All of this is used by one thread at a time.
namespace {

constexpr int SIGNALS[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE};

sigjmp_buf way_out;
thread_local volatile bool in_kernel;
uintptr_t fault_address;
int kernel_device;
std::vector<Allocation *> opened;
struct sigaction previous[sizeof SIGNALS / sizeof *SIGNALS];

void on_fault(int number, siginfo_t *info, void *)
{
    if (!in_kernel) {
        // Of another thread: what was there before shall see it, when it happens again.
        for (size_t i = 0; i < sizeof SIGNALS / sizeof *SIGNALS; i++)
            if (SIGNALS[i] == number)
                sigaction(number, &previous[i], nullptr);
        return;
    }
    fault_address = reinterpret_cast<uintptr_t>(info->si_addr);
    if (number == SIGSEGV) {
        Allocation *a = find(fault_address);
        // Memory of this device opens at the first touch, once.
        bool again = !opened.empty() && opened.back() == a;
        if (a && closed(*a) && a->device == kernel_device && !again && opened.size() < opened.capacity()) {
            opened.push_back(a);
            protect(*a, access_of(*a));
            return;
        }
    }
    siglongjmp(way_out, number);
}

// A pointer that no GPU could follow: of another device, or of the heap, a stack or a library.
std::string bad_pointer(const void *argument, size_t size, int device)
{
    for (size_t offset = 0; offset + 8 <= size; offset += 8) {
        uintptr_t word;
        memcpy(&word, static_cast<const char *>(argument) + offset, 8);
        if (const Allocation *a = find(word)) {
            if (a->kind == Kind::Device && a->device != device)
                return describe(word);
            continue;
        }
        // Pairs of small numbers do not look like this, and even then nothing is mapped there.
        unsigned char resident;
        bool high = word >= 0x550000000000 && word < 0x800000000000;
        if (high && !mincore(reinterpret_cast<void *>(word / PAGE * PAGE), PAGE, &resident)) {
            std::string where = describe(word);
            if (where.find(": not memory of CUDA") != std::string::npos)
                return where;
        }
    }
    return "";
}

} // namespace

std::string run_kernel(const Kernel &kernel, const void *argument, const Grid &g, int device,
                       CUresult &code)
{
    code = CUDA_ERROR_ILLEGAL_ADDRESS;
    if (std::string bad = bad_pointer(argument, kernel.argument_size, device); !bad.empty())
        return "its argument has a bad pointer, " + bad;
    gridDim = {g.grid[0], g.grid[1], g.grid[2]};
    blockDim = {g.block[0], g.block[1], g.block[2]};
    kernel_device = device;
    opened.clear();
    opened.reserve(live.size() + 1);

    struct sigaction action = {};
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO | SA_NODEFER;
    for (size_t i = 0; i < sizeof SIGNALS / sizeof *SIGNALS; i++)
        sigaction(SIGNALS[i], &action, &previous[i]);
    int fault = sigsetjmp(way_out, 1);
    if (!fault) {
        in_kernel = true;
        kernel.run(argument);
    }
    in_kernel = false;
    for (size_t i = 0; i < sizeof SIGNALS / sizeof *SIGNALS; i++)
        sigaction(SIGNALS[i], &previous[i], nullptr);

    std::string trouble;
    char position[96];
    snprintf(position, sizeof position, " (thread %u,%u,%u of block %u,%u,%u)", threadIdx.x,
             threadIdx.y, threadIdx.z, blockIdx.x, blockIdx.y, blockIdx.z);
    if (fault == SIGSEGV || fault == SIGBUS) {
        trouble = "illegal access to " + describe(fault_address) + position;
    } else if (fault) {
        code = CUDA_ERROR_LAUNCH_FAILED;
        trouble = std::string("misaligned access, an index out of an array, a division by zero or a "
                              "float out of an integer's range") +
                  position;
    }
    auto inspect = [&](const Allocation &a) {
        if (trouble.empty() && damaged(a))
            trouble = "wrote outside of an allocation of " + std::to_string(a.size) + " bytes";
    };
    if (!strict())
        opened.clear();
    for (Allocation *a : opened) {
        inspect(*a);
        protect(*a, PROT_NONE);
    }
    for (auto &[start, a] : live)
        if (!closed(a))
            inspect(a);
    return trouble;
}
