// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

// Force-included before each kernel: CUDA's words for a CPU that runs one thread after the other.

#pragma once

#include <math.h>
#include <stddef.h>
#include <string.h>

#define __global__
#define __device__
#define __host__
#define __constant__
#define __launch_bounds__(...)
#define __forceinline__ inline __attribute__((always_inline))

struct uint3 {
    unsigned x, y, z;
};
struct dim3 {
    unsigned x = 1, y = 1, z = 1;
};

// Only one kernel runs at a time, under the lock of the stand-in.
extern uint3 threadIdx, blockIdx;
extern dim3 blockDim, gridDim;

#define VECTOR(type, name)                                                                         \
    struct name##2 { type x, y; };                                                                 \
    struct name##3 { type x, y, z; };                                                              \
    struct alignas(4 * sizeof(type)) name##4 { type x, y, z, w; };                                 \
    inline name##2 make_##name##2(type x, type y) { return {x, y}; }                               \
    inline name##3 make_##name##3(type x, type y, type z) { return {x, y, z}; }                    \
    inline name##4 make_##name##4(type x, type y, type z, type w) { return {x, y, z, w}; }
VECTOR(unsigned char, uchar)
VECTOR(int, int)
VECTOR(float, float)
#undef VECTOR
struct alignas(8) uint2 { unsigned x, y; };
struct alignas(16) uint4 { unsigned x, y, z, w; };
inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }

#define EXTREMA(type)                                                                              \
    inline type min(type a, type b) { return a < b ? a : b; }                                      \
    inline type max(type a, type b) { return a > b ? a : b; }
EXTREMA(int)
EXTREMA(unsigned)
EXTREMA(long long)
EXTREMA(unsigned long long)
#undef EXTREMA
// Mixed arguments compare unsigned, as in CUDA.
inline unsigned min(int a, unsigned b) { return min((unsigned)a, b); }
inline unsigned min(unsigned a, int b) { return min(a, (unsigned)b); }
inline unsigned max(int a, unsigned b) { return max((unsigned)a, b); }
inline unsigned max(unsigned a, int b) { return max(a, (unsigned)b); }
// A NaN gives the other argument.
inline float min(float a, float b) { return fminf(a, b); }
inline float max(float a, float b) { return fmaxf(a, b); }
inline double min(double a, double b) { return fmin(a, b); }
inline double max(double a, double b) { return fmax(a, b); }

#define ATOMIC(name, expression)                                                                   \
    template <class T> T name(T *address, decltype(T() + T()) v)                                   \
    {                                                                                              \
        T old = *address, value = (T)v;                                                            \
        *address = expression;                                                                     \
        return old;                                                                                \
    }
ATOMIC(atomicAdd, old + value)
ATOMIC(atomicSub, old - value)
ATOMIC(atomicMin, old < value ? old : value)
ATOMIC(atomicMax, old > value ? old : value)
ATOMIC(atomicAnd, old &value)
ATOMIC(atomicOr, old | value)
ATOMIC(atomicXor, old ^ value)
ATOMIC(atomicExch, value)
#undef ATOMIC
template <class T> T atomicCAS(T *address, T compare, T value)
{
    T old = *address;
    if (old == compare)
        *address = value;
    return old;
}

template <class T> T __ldg(const T *address) { return *address; }
inline float saturated(float x, float low, float high) { return x != x ? 0 : min(max(x, low), high); }
inline float __saturatef(float x) { return saturated(x, 0.0f, 1.0f); }
// The conversions of a GPU saturate, and NaN gives 0; 2147483520 is the float below 2^31.
inline int float_to_int(float x) { return x >= 2147483648.0f ? 0x7fffffff : (int)saturated(x, -2147483648.0f, 2147483520.0f); }
inline unsigned float_to_uint(float x) { return x >= 4294967296.0f ? ~0u : (unsigned)saturated(x, 0.0f, 4294967040.0f); }
inline int __float2int_rn(float x) { return float_to_int(rintf(x)); }
inline int __float2int_rz(float x) { return float_to_int(truncf(x)); }
inline int __float2int_rd(float x) { return float_to_int(floorf(x)); }
inline int __float2int_ru(float x) { return float_to_int(ceilf(x)); }
inline unsigned __float2uint_rn(float x) { return float_to_uint(rintf(x)); }
inline unsigned __float2uint_rz(float x) { return float_to_uint(truncf(x)); }
inline unsigned __float2uint_rd(float x) { return float_to_uint(floorf(x)); }
inline float __int2float_rn(int x) { return (float)x; }
inline float __uint2float_rn(unsigned x) { return (float)x; }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __fsqrt_rn(float a) { return sqrtf(a); }
inline float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }
inline int __float_as_int(float x) { int i; memcpy(&i, &x, 4); return i; }
inline unsigned __float_as_uint(float x) { unsigned i; memcpy(&i, &x, 4); return i; }
inline float __int_as_float(int x) { float f; memcpy(&f, &x, 4); return f; }
inline float __uint_as_float(unsigned x) { float f; memcpy(&f, &x, 4); return f; }
inline unsigned __umulhi(unsigned a, unsigned b) { return (unsigned)((unsigned long long)a * b >> 32); }
inline int __mulhi(int a, int b) { return (int)((long long)a * b >> 32); }
inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) { return (unsigned long long)((unsigned __int128)a * b >> 64); }
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
inline int __clz(int x) { return x ? __builtin_clz((unsigned)x) : 32; }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline unsigned __brev(unsigned x)
{
    unsigned reversed = 0;
    for (int bit = 0; bit < 32; bit++)
        reversed |= (x >> bit & 1) << (31 - bit);
    return reversed;
}
inline unsigned __byte_perm(unsigned a, unsigned b, unsigned selector)
{
    unsigned long long bytes = (unsigned long long)b << 32 | a;
    unsigned result = 0;
    for (int i = 0; i < 4; i++)
        result |= (unsigned)(bytes >> (selector >> 4 * i & 7) * 8 & 255) << 8 * i;
    return result;
}

// All kernels, as the generated files register them.
struct Kernel {
    const char *name;
    size_t argument_size;
    void (*run)(const void *argument); // a whole grid, of gridDim and blockDim
    Kernel *next;
    static Kernel *first;

    Kernel(const char *name, size_t size, void (*run)(const void *))
        : name(name), argument_size(size), run(run), next(first)
    {
        first = this;
    }
};

template <class A, void (*kernel)(A)> void run_grid(const void *argument)
{
    A a;
    memcpy(&a, argument, sizeof a);
    for (blockIdx.z = 0; blockIdx.z < gridDim.z; blockIdx.z++)
        for (blockIdx.y = 0; blockIdx.y < gridDim.y; blockIdx.y++)
            for (blockIdx.x = 0; blockIdx.x < gridDim.x; blockIdx.x++)
                for (threadIdx.z = 0; threadIdx.z < blockDim.z; threadIdx.z++)
                    for (threadIdx.y = 0; threadIdx.y < blockDim.y; threadIdx.y++)
                        for (threadIdx.x = 0; threadIdx.x < blockDim.x; threadIdx.x++)
                            kernel(a);
}

template <auto kernel> struct Registration;
template <class A, void (*kernel)(A)> struct Registration<kernel> : Kernel {
    explicit Registration(const char *name) : Kernel(name, sizeof(A), run_grid<A, kernel>)
    {
        static_assert(sizeof(A) % 8 == 0, "the argument of a kernel is a multiple of 8 bytes");
    }
};
