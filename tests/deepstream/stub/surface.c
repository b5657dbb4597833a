// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

// Surfaces of the stubs: in host memory, or with DSFRAME_STUB_DEVICE on what libcuda has.

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "stub.h"

enum { DEFAULT = 0, DEVICE = 2, SYSTEM = 6 };

typedef struct {
  int (*init)(unsigned);
  int (*retain)(void **, int);
  int (*current)(void *);
  int (*alloc)(uint64_t *, size_t);
  int (*release)(uint64_t);
  int (*down)(void *, uint64_t, size_t);
  int (*up)(uint64_t, const void *, size_t);
} Cuda;

static Cuda *cuda(void) {
  static Cuda calls;
  static gsize once;
  static void *context;
  if (g_once_init_enter(&once)) {
    void *library = dlopen("libcuda.so.1", RTLD_NOW);
    if (library) {
      *(void **)&calls.init = dlsym(library, "cuInit");
      *(void **)&calls.retain = dlsym(library, "cuDevicePrimaryCtxRetain");
      *(void **)&calls.current = dlsym(library, "cuCtxSetCurrent");
      *(void **)&calls.alloc = dlsym(library, "cuMemAlloc_v2");
      *(void **)&calls.release = dlsym(library, "cuMemFree_v2");
      *(void **)&calls.down = dlsym(library, "cuMemcpyDtoH_v2");
      *(void **)&calls.up = dlsym(library, "cuMemcpyHtoD_v2");
      calls.init(0);
      calls.retain(&context, 0);
    }
    g_once_init_leave(&once, 1);
  }
  if (!context) g_error("stub: there is no CUDA");
  calls.current(context);
  return &calls;
}

static bool on_device(int memory) { return memory == DEFAULT || memory == DEVICE; }

bool stub_fault(const char *name) {
  const char *faults = getenv("DSFRAME_STUB_FAULT");
  return faults && strcmp(faults, name) == 0;
}

static GstVideoFormat format_of(uint32_t color) {
  switch (color) {
    case 1: return GST_VIDEO_FORMAT_GRAY8;
    case 2: case 4: case 31: case 32: return GST_VIDEO_FORMAT_I420;
    case 6: case 7: case 33: case 34: return GST_VIDEO_FORMAT_NV12;
    case 19: return GST_VIDEO_FORMAT_RGBA;
    case 24: return GST_VIDEO_FORMAT_BGRx;
    case 27: return GST_VIDEO_FORMAT_RGB;
    default: return GST_VIDEO_FORMAT_UNKNOWN;
  }
}

static uint32_t color_of(GstVideoFormat format) {
  switch (format) {
    case GST_VIDEO_FORMAT_GRAY8: return 1;
    case GST_VIDEO_FORMAT_I420: return 2;
    case GST_VIDEO_FORMAT_NV12: return 6;
    case GST_VIDEO_FORMAT_RGBA: return 19;
    case GST_VIDEO_FORMAT_BGRx: return 24;
    default: return 27;
  }
}

NvBufSurface *stub_surfaces(GstBuffer *buffer) {
  GstMapInfo map;
  if (gst_buffer_n_memory(buffer) != 1 || !gst_buffer_map(buffer, &map, GST_MAP_READ)) return NULL;
  // The struct stays where it is: nobody here replaces the memory of a buffer.
  NvBufSurface *surface = map.size == sizeof(NvBufSurface) ? (NvBufSurface *)map.data : NULL;
  gst_buffer_unmap(buffer, &map);
  return surface;
}

static int row_bytes(const GstVideoInfo *info, int plane) {
  int component[GST_VIDEO_MAX_COMPONENTS];
  gst_video_format_info_component(info->finfo, plane, component);
  return GST_VIDEO_INFO_COMP_WIDTH(info, component[0]) * GST_VIDEO_INFO_COMP_PSTRIDE(info, component[0]);
}

static int rows(const GstVideoInfo *info, int plane) {
  int component[GST_VIDEO_MAX_COMPONENTS];
  gst_video_format_info_component(info->finfo, plane, component);
  return GST_VIDEO_INFO_COMP_HEIGHT(info, component[0]);
}

GstBuffer *stub_download(const NvBufSurface *surface, int slot, GstVideoInfo *info) {
  const NvBufSurfaceParams *params = &surface->surfaceList[slot];
  gst_video_info_set_format(info, format_of(params->colorFormat), params->width, params->height);
  GstBuffer *buffer = gst_buffer_new_allocate(NULL, info->size, NULL);
  GstVideoFrame frame;
  gst_video_frame_map(&frame, info, buffer, GST_MAP_WRITE);
  for (unsigned plane = 0; plane < params->planeParams.num_planes; plane++) {
    for (int row = 0; row < rows(info, plane); row++) {
      uint8_t *from = (uint8_t *)params->dataPtr + params->planeParams.offset[plane] +
                      (size_t)row * params->planeParams.pitch[plane];
      uint8_t *to = (uint8_t *)frame.data[plane] + (size_t)row * GST_VIDEO_FRAME_PLANE_STRIDE(&frame, plane);
      if (on_device(surface->memType)) cuda()->down(to, (uint64_t)from, row_bytes(info, plane));
      else memcpy(to, from, row_bytes(info, plane));
    }
  }
  gst_video_frame_unmap(&frame);
  return buffer;
}

typedef struct {
  NvBufSurface surface;
  NvBufSurfaceParams params[MAX_BATCH];
  GstBuffer *kept[MAX_BATCH];
  void *pixels;
} Owner;

static void owner_free(gpointer data) {
  Owner *owner = data;
  if (owner->pixels && owner->surface.memType == DEVICE) cuda()->release((uint64_t)owner->pixels);
  else free(owner->pixels);
  for (int at = 0; at < MAX_BATCH; at++) gst_clear_buffer(&owner->kept[at]);
  g_free(owner);
}

static GstBuffer *owner_buffer(Owner *owner) {
  owner->surface.surfaceList = owner->params;
  GstBuffer *buffer = gst_buffer_new();
  gst_buffer_append_memory(buffer, gst_memory_new_wrapped(0, &owner->surface, sizeof(NvBufSurface), 0,
                                                          sizeof(NvBufSurface), owner, owner_free));
  return buffer;
}

GstBuffer *stub_upload(GstBuffer *host, const GstVideoInfo *info) {
  Owner *owner = g_new0(Owner, 1);
  NvBufSurfaceParams *params = owner->params;
  params->width = info->width;
  params->height = info->height;
  params->colorFormat = color_of(GST_VIDEO_INFO_FORMAT(info));
  params->planeParams.num_planes = GST_VIDEO_INFO_N_PLANES(info);
  uint32_t size = 0;
  for (unsigned plane = 0; plane < params->planeParams.num_planes; plane++) {
    uint32_t pitch = (row_bytes(info, plane) + 255) / 256 * 256;
    int component[GST_VIDEO_MAX_COMPONENTS];
    gst_video_format_info_component(info->finfo, plane, component);
    params->planeParams.width[plane] = GST_VIDEO_INFO_COMP_WIDTH(info, component[0]);
    params->planeParams.height[plane] = rows(info, plane);
    params->planeParams.bytesPerPix[plane] = GST_VIDEO_INFO_COMP_PSTRIDE(info, component[0]);
    params->planeParams.pitch[plane] = pitch;
    params->planeParams.offset[plane] = size;
    params->planeParams.psize[plane] = pitch * rows(info, plane);
    size += pitch * rows(info, plane);
  }
  params->pitch = params->planeParams.pitch[0];
  params->dataSize = size;
  bool device = getenv("DSFRAME_STUB_DEVICE") != NULL;
  if (device) cuda()->alloc((uint64_t *)&owner->pixels, size);
  else owner->pixels = calloc(1, size);
  params->dataPtr = owner->pixels;
  owner->surface.batchSize = owner->surface.numFilled = 1;
  owner->surface.isContiguous = true;
  owner->surface.memType = device ? DEVICE : SYSTEM;
  GstVideoFrame frame;
  gst_video_frame_map(&frame, (GstVideoInfo *)info, host, GST_MAP_READ);
  for (unsigned plane = 0; plane < params->planeParams.num_planes; plane++) {
    for (int row = 0; row < rows(info, plane); row++) {
      const uint8_t *from = (uint8_t *)frame.data[plane] + (size_t)row * GST_VIDEO_FRAME_PLANE_STRIDE(&frame, plane);
      uint8_t *to = (uint8_t *)owner->pixels + params->planeParams.offset[plane] +
                    (size_t)row * params->planeParams.pitch[plane];
      if (device) cuda()->up((uint64_t)to, from, row_bytes(info, plane));
      else memcpy(to, from, row_bytes(info, plane));
    }
  }
  gst_video_frame_unmap(&frame);
  return owner_buffer(owner);
}

void stub_fill(NvBufSurface *surface, int slot, int x, int y, int size, int value) {
  NvBufSurfaceParams *params = &surface->surfaceList[slot];
  g_autofree uint8_t *line = g_malloc(size);
  memset(line, value, size);
  for (int row = y; row < y + size && row < (int)params->height; row++) {
    uint8_t *to = (uint8_t *)params->dataPtr + (size_t)row * params->planeParams.pitch[0] + x;
    if (on_device(surface->memType)) cuda()->up((uint64_t)to, line, size);
    else memcpy(to, line, size);
  }
}

GstBuffer *stub_batch(GstBuffer **buffers, int count) {
  Owner *owner = g_new0(Owner, 1);
  for (int at = 0; at < count; at++) {
    NvBufSurface *surface = stub_surfaces(buffers[at]);
    owner->surface.memType = surface->memType;
    owner->surface.gpuId = surface->gpuId;
    owner->params[at] = surface->surfaceList[0];
    owner->kept[at] = buffers[at];
  }
  owner->surface.batchSize = owner->surface.numFilled = count;
  return owner_buffer(owner);
}
