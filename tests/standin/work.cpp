// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

#include "work.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <sstream>

void complain(const std::string &text) { fprintf(stderr, "CUDA stand-in: %s\n", text.c_str()); }

namespace {

long long number_from(const char *name, long long otherwise)
{
    const char *text = getenv(name);
    return text && *text ? strtoll(text, nullptr, 0) : otherwise;
}

// A thread's contexts, the current one last. Plain, so that it outlives the thread's destructors.
constexpr int DEPTH = 32;
thread_local CUcontext stack[DEPTH];
thread_local int depth;

} // namespace

State::State()
{
    devices = static_cast<int>(number_from("DSFRAME_STANDIN_DEVICES", devices));
    memory = static_cast<size_t>(number_from("DSFRAME_STANDIN_MEMORY", static_cast<long long>(memory)));
    version = static_cast<int>(number_from("DSFRAME_STANDIN_VERSION", version));
    // FUNCTION:NTH:CODE[:STICKY],...
    const char *text = getenv("DSFRAME_STANDIN_FAIL");
    std::stringstream list(text ? text : "");
    for (std::string entry; std::getline(list, entry, ',');) {
        char function[128];
        unsigned nth = 0;
        int code = 0, sticky = 0;
        if (sscanf(entry.c_str(), "%127[^:]:%u:%d:%d", function, &nth, &code, &sticky) < 3) {
            complain("DSFRAME_STANDIN_FAIL is not FUNCTION:NTH:CODE[:STICKY]: " + entry);
            abort();
        }
        faults.push_back({plain(function), nth, static_cast<CUresult>(code), sticky != 0});
    }
}

State &state()
{
    static State &only = *new State; // threads may outlive the destructors of a process
    return only;
}

std::string plain(const char *function)
{
    std::string name = function;
    size_t end = name.size();
    if (end > 3 && name[end - 3] == '_' && name[end - 2] == 'v' && isdigit(name[end - 1]))
        name.resize(end - 3);
    return name;
}

void inject(const char *function, Context *context)
{
    for (Fault &fault : state().faults) {
        if (fault.function != plain(function))
            continue;
        fault.calls++;
        if (fault.nth && fault.calls != fault.nth)
            continue;
        if (fault.sticky && context)
            context->error = fault.code;
        throw Error{fault.code};
    }
}

CUcontext current_handle() { return depth ? stack[depth - 1] : 0; }

Context &current()
{
    CUcontext handle = current_handle();
    check(handle, CUDA_ERROR_INVALID_CONTEXT);
    auto found = state().contexts.find(handle);
    check(found != state().contexts.end(), CUDA_ERROR_INVALID_CONTEXT);
    check(found->second->alive, CUDA_ERROR_CONTEXT_IS_DESTROYED);
    return *found->second;
}

void push_current(CUcontext handle)
{
    check(depth < DEPTH, CUDA_ERROR_INVALID_CONTEXT);
    stack[depth++] = handle;
}

CUcontext pop_current()
{
    check(depth, CUDA_ERROR_INVALID_CONTEXT);
    return stack[--depth];
}

void set_current(CUcontext handle)
{
    depth -= depth > 0;
    if (handle)
        push_current(handle);
}

Context *create_context(int device, bool primary)
{
    auto *context = new Context{};
    context->handle = state().handle();
    context->device = device;
    context->primary = primary;
    context->legacy = std::make_shared<Stream>(Stream{context, true, 0, false, 0, {}});
    state().contexts[context->handle] = context;
    return context;
}

void destroy_context(Context &context)
{
    size_t left = context.legacy->queue.size();
    for (auto &stream : context.streams)
        left += stream->queue.size();
    if (left && !context.error)
        complain("a context is destroyed with " + std::to_string(left) + " operations that nobody waited for");
    auto belongs = [&](auto &entry) {
        using T = std::decay_t<decltype(entry.second)>;
        if constexpr (std::is_same_v<T, std::shared_ptr<Stream>>)
            return entry.second->context == &context;
        else
            return entry.second.context == &context;
    };
    auto drop = [&](auto &map) {
        for (auto entry = map.begin(); entry != map.end();)
            entry = belongs(*entry) ? map.erase(entry) : std::next(entry);
    };
    context.legacy->queue.clear();
    for (auto &stream : context.streams)
        stream->queue.clear();
    context.streams.clear();
    drop(state().streams);
    drop(state().events);
    drop(state().functions);
    drop(state().modules);
    release_all(context.handle);
    context.alive = false;
}

void break_context(Context &context, CUresult code, const std::string &why)
{
    complain(why + " (error " + std::to_string(code) + ", the context is unusable from here)");
    context.error = code;
}

uint64_t submit(Stream &stream, std::function<void()> run, std::shared_ptr<Record> waits_for)
{
    stream.queue.push_back({++state().issued, std::move(run), std::move(waits_for)});
    return state().issued;
}

void advance(Stream &stream, uint64_t number)
{
    Context &context = *stream.context;
    while (!stream.queue.empty() && stream.queue.front().number <= number) {
        // Each step goes to smaller numbers, so this ends, and the front stays where it is.
        uint64_t before = stream.queue.front().number - 1;
        if (&stream == context.legacy.get()) {
            for (size_t i = 0; i < context.streams.size(); i++)
                if (context.streams[i]->blocking)
                    advance(*context.streams[i], before);
        } else if (stream.blocking) {
            advance(*context.legacy, before);
        }
        if (auto record = stream.queue.front().waits_for)
            advance(*record->stream, record->number);
        Operation operation = std::move(stream.queue.front());
        stream.queue.pop_front();
        if (!context.error && operation.run)
            operation.run();
    }
}

void run_all(Context &context)
{
    // The youngest first: streams have no order but the one that was asked for.
    for (size_t i = context.streams.size(); i-- > 0;)
        advance(*context.streams[i], UINT64_MAX);
    advance(*context.legacy, UINT64_MAX);
    auto idle = [](auto &stream) { return stream->destroyed && stream->queue.empty(); };
    auto &streams = context.streams;
    streams.erase(std::remove_if(streams.begin(), streams.end(), idle), streams.end());
}

void run_device(int device)
{
    for (auto &[handle, context] : state().contexts)
        if (context->alive && context->device == device)
            run_all(*context);
}

bool pending(Stream &stream, uint64_t number, bool again)
{
    if (again)
        advance(stream, number);
    return !stream.queue.empty() && stream.queue.front().number <= number;
}
