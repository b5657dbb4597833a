// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

// nvstreammux as far as the self-test needs it: one frame of each source that has not ended makes a
// batch, surfaces are taken over without a copy, and the end of each source is told.

#include <stdio.h>

#include "stub.h"

enum { STREAM_EOS = 402 << 8 | 0x1e };

typedef struct {
  GstPad *pad;
  unsigned number;
  GstBuffer *buffer;
  int frames;
  bool ended, told;
} Input;

typedef struct {
  GstElement parent;
  GstPad *src;
  GMutex lock;
  GCond room;
  Input inputs[MAX_BATCH];
  int count;
  GstCaps *caps;
  gint stopping;
  bool started, done;
} StubMux;

typedef GstElementClass StubMuxClass;
G_DEFINE_TYPE(StubMux, stub_mux, GST_TYPE_ELEMENT)

enum { PROP_0, BATCH_SIZE, WIDTH, HEIGHT, PUSH_TIMEOUT, LIVE, MEMORY, GPU };

static GstStaticPadTemplate sink_template =
    GST_STATIC_PAD_TEMPLATE("sink_%u", GST_PAD_SINK, GST_PAD_REQUEST,
                            GST_STATIC_CAPS("video/x-raw(memory:NVMM), format={NV12,RGBA,I420}"));
static GstStaticPadTemplate src_template =
    GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS,
                            GST_STATIC_CAPS("video/x-raw(memory:NVMM), format={NV12,RGBA,I420}"));

static void start(StubMux *self) {
  if (self->started) return;
  self->started = true;
  gst_pad_push_event(self->src, gst_event_new_stream_start("stub"));
  GstCaps *caps = gst_caps_copy(self->caps);
  gst_caps_set_simple(caps, "batch-size", G_TYPE_INT, self->count, "num-surfaces-per-frame", G_TYPE_INT, 1, NULL);
  gst_caps_set_features(caps, 0, gst_caps_features_new("memory:NVMM", NULL));
  gst_pad_push_event(self->src, gst_event_new_caps(caps));
  gst_caps_unref(caps);
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  gst_pad_push_event(self->src, gst_event_new_segment(&segment));
}

// With the lock held, pushing too: nothing else goes on in a stub.
static GstFlowReturn advance(StubMux *self) {
  GstBuffer *buffers[MAX_BATCH];
  StubFrame frames[MAX_BATCH];
  int filled = 0;
  for (int at = 0; at < self->count; at++) {
    if (!self->inputs[at].buffer && !self->inputs[at].ended) return GST_FLOW_OK;
  }
  for (int at = 0; at < self->count; at++) {
    Input *input = &self->inputs[at];
    if (!input->buffer) continue;
    NvBufSurface *surface = stub_surfaces(input->buffer);
    if (!surface) {
      GST_ELEMENT_ERROR(self, STREAM, FORMAT, ("a buffer that is no surface of this release"), (NULL));
      return GST_FLOW_ERROR;
    }
    frames[filled] = (StubFrame){
        .source = input->number, .batch_id = filled, .number = input->frames++, .pts = GST_BUFFER_PTS(input->buffer),
        .width = surface->surfaceList[0].width, .height = surface->surfaceList[0].height};
    buffers[filled++] = g_steal_pointer(&input->buffer);
  }
  if (stub_fault("lose") && filled > 1 && frames[1].number == 5) gst_clear_buffer(&buffers[--filled]);
  if (stub_fault("swap") && filled > 1) {
    frames[0].batch_id = 1;
    frames[1].batch_id = 0;
  }
  GstFlowReturn flow = GST_FLOW_OK;
  if (filled > 0) {
    start(self);
    GstBuffer *batch = stub_batch(buffers, filled);
    GST_BUFFER_PTS(batch) = frames[0].pts;
    stub_add_meta(batch, frames, filled);
    flow = gst_pad_push(self->src, batch);
  }
  bool all = true;
  for (int at = 0; at < self->count; at++) {
    Input *input = &self->inputs[at];
    if (input->ended && !input->buffer && !input->told) {
      input->told = true;
      GstStructure *told = gst_structure_new("nv-stream-eos", "source-id", G_TYPE_UINT, input->number, NULL);
      start(self);
      if (!stub_fault("no-stream-eos")) gst_pad_push_event(self->src, gst_event_new_custom((GstEventType)STREAM_EOS, told));
      else gst_structure_free(told);
    }
    all = all && input->told;
  }
  if (all && !self->done) {
    self->done = true;
    gst_pad_push_event(self->src, gst_event_new_eos());
  }
  g_cond_broadcast(&self->room);
  return flow;
}

static Input *input_of(StubMux *self, GstPad *pad) {
  for (int at = 0; at < self->count; at++) {
    if (self->inputs[at].pad == pad) return &self->inputs[at];
  }
  return NULL;
}

static GstFlowReturn chain(GstPad *pad, GstObject *parent, GstBuffer *buffer) {
  StubMux *self = (StubMux *)parent;
  g_mutex_lock(&self->lock);
  Input *input = input_of(self, pad);
  while (input->buffer && !g_atomic_int_get(&self->stopping)) {
    g_cond_wait_until(&self->room, &self->lock, g_get_monotonic_time() + G_TIME_SPAN_MILLISECOND * 50);
  }
  GstFlowReturn flow = GST_FLOW_FLUSHING;
  if (g_atomic_int_get(&self->stopping)) {
    gst_buffer_unref(buffer);
  } else {
    input->buffer = buffer;
    flow = advance(self);
  }
  g_mutex_unlock(&self->lock);
  return flow;
}

static gboolean event(GstPad *pad, GstObject *parent, GstEvent *event) {
  StubMux *self = (StubMux *)parent;
  g_mutex_lock(&self->lock);
  if (GST_EVENT_TYPE(event) == GST_EVENT_CAPS) {
    GstCaps *caps;
    gst_event_parse_caps(event, &caps);
    gst_caps_replace(&self->caps, caps);
  } else if (GST_EVENT_TYPE(event) == GST_EVENT_EOS) {
    input_of(self, pad)->ended = true;
    advance(self);
  }
  g_mutex_unlock(&self->lock);
  gst_event_unref(event);
  return TRUE;
}

static GstPad *request(GstElement *element, GstPadTemplate *template, const gchar *name, const GstCaps *caps) {
  (void)caps;
  StubMux *self = (StubMux *)element;
  unsigned number;
  if (!name || sscanf(name, "sink_%u", &number) != 1 || self->count == MAX_BATCH) return NULL;
  GstPad *pad = gst_pad_new_from_template(template, name);
  gst_pad_set_chain_function(pad, chain);
  gst_pad_set_event_function(pad, event);
  self->inputs[self->count++] = (Input){.pad = pad, .number = number};
  gst_element_add_pad(element, pad);
  return pad;
}

static GstStateChangeReturn change_state(GstElement *element, GstStateChange change) {
  StubMux *self = (StubMux *)element;
  if (change == GST_STATE_CHANGE_PAUSED_TO_READY) {
    g_atomic_int_set(&self->stopping, 1);
    g_cond_broadcast(&self->room);
  }
  return GST_ELEMENT_CLASS(stub_mux_parent_class)->change_state(element, change);
}

static void set_property(GObject *object, guint id, const GValue *value, GParamSpec *spec) {
  (void)object, (void)id, (void)value, (void)spec;
}

static void finalize(GObject *object) {
  StubMux *self = (StubMux *)object;
  for (int at = 0; at < self->count; at++) gst_clear_buffer(&self->inputs[at].buffer);
  gst_clear_caps(&self->caps);
  G_OBJECT_CLASS(stub_mux_parent_class)->finalize(object);
}

static void stub_mux_class_init(StubMuxClass *klass) {
  GObjectClass *object = G_OBJECT_CLASS(klass);
  object->set_property = set_property;
  object->finalize = finalize;
  const struct { int id; const char *name; } numbers[] = {
      {BATCH_SIZE, "batch-size"}, {WIDTH, "width"}, {HEIGHT, "height"},
      {PUSH_TIMEOUT, "batched-push-timeout"}, {LIVE, "live-source"}, {MEMORY, "nvbuf-memory-type"}, {GPU, "gpu-id"}};
  for (unsigned at = 0; at < G_N_ELEMENTS(numbers); at++) {
    g_object_class_install_property(object, numbers[at].id,
        g_param_spec_int(numbers[at].name, NULL, NULL, -1, G_MAXINT, 0, G_PARAM_WRITABLE));
  }
  GstElementClass *element = GST_ELEMENT_CLASS(klass);
  element->request_new_pad = request;
  element->change_state = change_state;
  gst_element_class_add_static_pad_template(element, &sink_template);
  gst_element_class_add_static_pad_template(element, &src_template);
  gst_element_class_set_static_metadata(element, "Stub of nvstreammux", "Generic", "Makes batches", "dsframe");
}

static void stub_mux_init(StubMux *self) {
  g_mutex_init(&self->lock);
  g_cond_init(&self->room);
  self->src = gst_pad_new_from_static_template(&src_template, "src");
  gst_element_add_pad(GST_ELEMENT(self), self->src);
}
