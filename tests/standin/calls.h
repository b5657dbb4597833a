// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

// What every function of the stand-in begins with.

#pragma once

#include "work.h"

template <class Body> CUresult guarded(const char *function, Body body)
{
    std::lock_guard lock(state().mutex);
    state().counts[plain(function)]++;
    try {
        body();
        return CUDA_SUCCESS;
    } catch (Error error) {
        return error.code;
    }
}

/// A call that needs no context.
template <class Body> CUresult anywhere(const char *function, Body body)
{
    return guarded(function, [&] {
        check(state().initialised, CUDA_ERROR_NOT_INITIALIZED);
        inject(function, nullptr);
        body();
    });
}

/// A call in the context of this thread.
template <class Body> CUresult within(const char *function, Body body)
{
    return guarded(function, [&] {
        check(state().initialised, CUDA_ERROR_NOT_INITIALIZED);
        Context &context = current();
        check(!context.error, context.error);
        inject(function, &context);
        body(context);
    });
}

template <class Map> auto &lookup(Map &map, uintptr_t handle, CUresult otherwise = CUDA_ERROR_INVALID_HANDLE)
{
    auto found = map.find(handle);
    check(found != map.end(), otherwise);
    return found->second;
}

inline Context &context_of(CUcontext handle)
{
    Context &context = *lookup(state().contexts, handle, CUDA_ERROR_INVALID_CONTEXT);
    check(context.alive, CUDA_ERROR_CONTEXT_IS_DESTROYED);
    return context;
}

inline void check_device(CUdevice device)
{
    check(device >= 0 && device < state().devices, CUDA_ERROR_INVALID_DEVICE);
}

// A function of the driver; the last argument is its body.
#define WITHIN(name, parameters, ...)                                                              \
    API CUresult name parameters                                                                   \
    {                                                                                              \
        [[maybe_unused]] const char *function = #name;                                             \
        return within(function, [&]([[maybe_unused]] Context &context) __VA_ARGS__);               \
    }
#define ANYWHERE(name, parameters, ...)                                                            \
    API CUresult name parameters                                                                   \
    {                                                                                              \
        return anywhere(#name, [&] __VA_ARGS__);                                                   \
    }
