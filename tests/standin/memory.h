// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

// Memory that the stand-in hands out, and kernels that run on it.

#pragma once

#include "cuda.h"

#include <string>

enum class Kind { Device, Pinned, Managed };

struct Allocation {
    uintptr_t start;
    size_t size;
    uintptr_t pages; // what surrounds it: `start - pages` bytes in front are poison, and some behind
    size_t pages_size;
    Kind kind;
    int device;
    CUcontext context;
    // Pages of a file, put where addresses were reserved; of no context.
    bool mapped = false;
    bool readable = true, writable = true;

    bool holds(uintptr_t address, size_t bytes) const
    {
        return address >= start && bytes <= size && address - start <= size - bytes;
    }
};

/// Null if the system has no memory left.
Allocation *allocate(Kind, size_t, int device, CUcontext);
/// Its addresses are never used again.
void release(Allocation *);
/// Puts pages of a file at addresses that are reserved. Nobody has access to them yet. Null if the
/// system refuses.
Allocation *map_file(uintptr_t start, size_t, int device, int file);
void set_access(Allocation *, bool readable, bool writable);
/// Memory and addresses that no allocation is, to be counted like them.
void count_apart(int device, long bytes, long allocations);
/// The live allocation that holds this byte, or null.
Allocation *find(uintptr_t address);
/// All of a context.
void release_all(CUcontext);
size_t allocated(int device);
size_t allocations();
/// Where an address lies, for messages.
std::string describe(uintptr_t address);

/// Device memory can be touched while this lives.
class Opened {
    Allocation *allocation;

public:
    explicit Opened(Allocation *);
    ~Opened();
    Opened(const Opened &) = delete;
};

struct Kernel;
const Kernel *find_kernel(const char *name);
size_t argument_size(const Kernel &);
struct Grid {
    unsigned grid[3], block[3];
};
/// Runs a kernel on the memory of one device; what went wrong, or an empty string.
std::string run_kernel(const Kernel &, const void *argument, const Grid &, int device, CUresult &code);
