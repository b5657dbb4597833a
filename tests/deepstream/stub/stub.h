// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

#pragma once

#include <gst/video/video.h>

#include "gstnvdsmeta.h"
#include "nvdsmeta.h"

#define MAX_BATCH 16
#define NVMM_CAPS                                                                    \
  "video/x-raw(memory:NVMM), format={NV12,RGBA,I420,RGB,BGRx,GRAY8}, "               \
  "width=[1,8192], height=[1,8192], framerate=[0/1,240/1]"
#define PLAIN_CAPS                                                                   \
  "video/x-raw, format={NV12,RGBA,I420,RGB,BGRx,GRAY8}, "                            \
  "width=[1,8192], height=[1,8192], framerate=[0/1,240/1]"

/// Whether DSFRAME_STUB_FAULT names this fault.
bool stub_fault(const char *name);

/// The surfaces of a buffer, or NULL if it is not the size of one.
NvBufSurface *stub_surfaces(GstBuffer *buffer);
/// A copy of a surface in host memory, and a surface with what is in host memory.
GstBuffer *stub_download(const NvBufSurface *surface, int slot, GstVideoInfo *info);
GstBuffer *stub_upload(GstBuffer *host, const GstVideoInfo *info);
/// Fills part of the first plane.
void stub_fill(NvBufSurface *surface, int slot, int x, int y, int size, int value);
/// A buffer that is a batch of the first surfaces of others, which it keeps.
GstBuffer *stub_batch(GstBuffer **buffers, int count);

/// The metadata of a batch on its buffer, made with the frames of its sources.
typedef struct {
  unsigned source, batch_id;
  int number;
  guint64 pts;
  int width, height;
} StubFrame;
void stub_add_meta(GstBuffer *buffer, const StubFrame *frames, int count);
NvDsBatchMeta *stub_meta(GstBuffer *buffer);
void stub_add_object(NvDsFrameMeta *frame);

GType stub_mux_get_type(void);
GType stub_convert_get_type(void);
GType stub_infer_get_type(void);
GType stub_osd_get_type(void);
GType stub_decoder_get_type(void);
