// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

#include "common.h"

struct CopyPlaneArgs {
    Plane from;
    Plane to;
    u32 row_bytes;
    u32 rows;
};

// One plane to another pitch: a thread per byte.
extern "C" __global__ void copy_plane(CopyPlaneArgs a)
{
    u32 x = column(), y = row();
    if (x < a.row_bytes && y < a.rows)
        row_of(a.to, y)[x] = row_of(a.from, y)[x];
}
