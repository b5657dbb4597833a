// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

// Contexts, streams and events of the stand-in. Work is queued and runs only when somebody waits.

#pragma once

#include "memory.h"

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

struct Error {
    CUresult code;
};

inline void check(bool fine, CUresult code)
{
    if (!fine)
        throw Error{code};
}

/// One line on stderr.
void complain(const std::string &);

struct Context;
struct Stream;

/// What an event was recorded behind.
struct Record {
    std::shared_ptr<Stream> stream;
    uint64_t number;
    bool done = false;
    bool polled = false;
    double milliseconds = 0;
};

struct Operation {
    uint64_t number; // in order of issue, over all streams
    std::function<void()> run;
    std::shared_ptr<Record> waits_for;
};

struct Stream {
    Context *context;
    bool blocking; // ordered with the legacy stream
    unsigned flags;
    bool destroyed = false;
    uint64_t polled = 0;
    std::deque<Operation> queue;
};

struct Context {
    CUcontext handle;
    int device;
    bool primary;
    unsigned retained = 1;
    bool alive = true; // contexts are never freed, as streams and threads point to them
    CUresult error = CUDA_SUCCESS;
    std::shared_ptr<Stream> legacy;
    std::vector<std::shared_ptr<Stream>> streams;
};

struct Event {
    Context *context;
    unsigned flags;
    std::shared_ptr<Record> record;
};

struct Module {
    Context *context;
    std::map<std::string, const Kernel *> kernels;
};

struct Function {
    CUmodule module;
    Context *context;
    const Kernel *kernel;
    std::string name;
};

struct Fault {
    std::string function;
    unsigned nth; // 0: every call
    CUresult code;
    bool sticky;
    unsigned calls = 0;
};

struct State {
    std::mutex mutex;
    bool initialised = false;
    int devices = 1;
    size_t memory = size_t(2) << 30;
    int version = 12020;
    std::map<std::string, uint64_t> counts;
    std::vector<Fault> faults;
    uintptr_t handles = 0x1000;
    uint64_t issued = 0;
    std::map<CUcontext, Context *> contexts;
    std::map<CUstream, std::shared_ptr<Stream>> streams;
    std::map<CUevent, Event> events;
    std::map<CUmodule, Module> modules;
    std::map<CUfunction, Function> functions;

    State();
    uintptr_t handle() { return handles += 16; }
};

State &state();

/// A name without the suffix of its version.
std::string plain(const char *function);
/// Throws what a test asked for.
void inject(const char *function, Context *);

/// The context of this thread; throws if there is none.
Context &current();
CUcontext current_handle();
void push_current(CUcontext);
CUcontext pop_current();
void set_current(CUcontext);

Context *create_context(int device, bool primary);
/// With its memory, streams, events and modules.
void destroy_context(Context &);
/// From now on every call fails with this code.
void break_context(Context &, CUresult, const std::string &why);

uint64_t submit(Stream &, std::function<void()>, std::shared_ptr<Record> waits_for = nullptr);
/// Runs what a stream was given up to and with an operation, and whatever that waits for.
void advance(Stream &, uint64_t number);
void run_all(Context &);
void run_device(int device);
/// Whether work is still queued up to `number`. The second look at the same work runs it, so that
/// polling ends.
bool pending(Stream &, uint64_t number, bool again);
