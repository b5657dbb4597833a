// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

// Kernels for selftest.cpp.

struct FillArgs {
    unsigned char *data;
    int from; // may lie outside, for the tests that want that
    int to;
    unsigned int value;
    unsigned int pad;
};

extern "C" __global__ void standin_fill(FillArgs a)
{
    int i = a.from + (int)(blockIdx.x * blockDim.x + threadIdx.x);
    if (i < a.to)
        a.data[i] = (unsigned char)a.value;
}

struct WordArgs {
    unsigned char *from;
    unsigned int *sum;
};

extern "C" __global__ void standin_add_word(WordArgs a) { atomicAdd(a.sum, *(unsigned int *)a.from); }
