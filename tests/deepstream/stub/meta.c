// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

// Batch metadata of the stubs: what the muxer makes and the model adds to.

#include <string.h>

#include "stub.h"

enum { BATCH = 1, FRAME = 2, OBJECT = 3, DISPLAY = 4, CLASSIFIER = 5, LABEL = 6, USER = 7, BATCH_GST = 4097 };

static NvDsMetaPool *pool(int type, size_t size) {
  NvDsMetaPool *pool = g_new0(NvDsMetaPool, 1);
  pool->meta_type = type;
  pool->element_size = size;
  return pool;
}

static void frame_free(gpointer data) {
  NvDsFrameMeta *frame = data;
  g_list_free_full(frame->obj_meta_list, g_free);
  g_free(frame);
}

static gboolean meta_init(GstMeta *meta, gpointer params, GstBuffer *buffer) {
  (void)params, (void)buffer;
  memset((char *)meta + sizeof(GstMeta), 0, sizeof(NvDsMeta) - sizeof(GstMeta));
  return TRUE;
}

static void meta_free(GstMeta *meta, GstBuffer *buffer) {
  (void)buffer;
  NvDsBatchMeta *batch = ((NvDsMeta *)meta)->meta_data;
  g_list_free_full(batch->frame_meta_list, frame_free);
  g_free(batch->frame_meta_pool);
  g_free(batch->obj_meta_pool);
  g_free(batch->classifier_meta_pool);
  g_free(batch->display_meta_pool);
  g_free(batch->user_meta_pool);
  g_free(batch->label_info_meta_pool);
  g_rec_mutex_clear(&batch->meta_mutex);
  g_free(batch);
}

static gboolean meta_transform(GstBuffer *to, GstMeta *meta, GstBuffer *from, GQuark type, gpointer data) {
  (void)to, (void)meta, (void)from, (void)type, (void)data;
  return TRUE;
}

static const GstMetaInfo *meta_info(void) {
  static const GstMetaInfo *info;
  static gsize once;
  if (g_once_init_enter(&once)) {
    static const gchar *tags[] = {"nvdsmeta", NULL};
    GType api = gst_meta_api_type_register("NvDsMetaAPI", tags);
    info = gst_meta_register(api, "NvDsMeta", sizeof(NvDsMeta), meta_init, meta_free, meta_transform);
    g_once_init_leave(&once, 1);
  }
  return info;
}

void stub_add_meta(GstBuffer *buffer, const StubFrame *frames, int count) {
  NvDsBatchMeta *batch = g_new0(NvDsBatchMeta, 1);
  batch->base_meta.meta_type = BATCH;
  batch->max_frames_in_batch = batch->num_frames_in_batch = count;
  batch->frame_meta_pool = pool(FRAME, sizeof(NvDsFrameMeta));
  batch->obj_meta_pool = pool(OBJECT, sizeof(NvDsObjectMeta));
  batch->classifier_meta_pool = pool(CLASSIFIER, sizeof(NvDsClassifierMeta));
  batch->display_meta_pool = pool(DISPLAY, sizeof(NvDsDisplayMeta));
  batch->user_meta_pool = pool(USER, sizeof(NvDsUserMeta));
  batch->label_info_meta_pool = pool(LABEL, sizeof(NvDsLabelInfo));
  g_rec_mutex_init(&batch->meta_mutex);
  for (int at = 0; at < count; at++) {
    NvDsFrameMeta *frame = g_new0(NvDsFrameMeta, 1);
    frame->base_meta.meta_type = FRAME;
    frame->base_meta.batch_meta = batch;
    frame->pad_index = frame->source_id = frames[at].source;
    frame->batch_id = frames[at].batch_id;
    frame->frame_num = frames[at].number;
    frame->buf_pts = frames[at].pts;
    frame->num_surfaces_per_frame = 1;
    frame->source_frame_width = frame->pipeline_width = frames[at].width;
    frame->source_frame_height = frame->pipeline_height = frames[at].height;
    batch->frame_meta_list = g_list_append(batch->frame_meta_list, frame);
  }
  NvDsMeta *meta = (NvDsMeta *)gst_buffer_add_meta(buffer, meta_info(), NULL);
  meta->meta_type = BATCH_GST;
  meta->meta_data = batch;
}

NvDsBatchMeta *stub_meta(GstBuffer *buffer) {
  GstMeta *meta = gst_buffer_get_meta(buffer, meta_info()->api);
  return meta ? ((NvDsMeta *)meta)->meta_data : NULL;
}

void stub_add_object(NvDsFrameMeta *frame) {
  NvDsObjectMeta *object = g_new0(NvDsObjectMeta, 1);
  object->base_meta.meta_type = OBJECT;
  object->unique_component_id = 1;
  object->object_id = G_MAXUINT64;
  object->confidence = 0.75;
  object->tracker_confidence = -0.1;
  object->rect_params.left = 10;
  object->rect_params.top = 20;
  object->rect_params.width = 100;
  object->rect_params.height = 50;
  strcpy((char *)object->obj_label, "car");
  frame->obj_meta_list = g_list_prepend(frame->obj_meta_list, object);
  frame->num_obj_meta++;
}
