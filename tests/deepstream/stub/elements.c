// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

// The other stubs: a converter, a model that sees a car everywhere, a display that draws a square in
// place, and a decoder around one of GStreamer's own.

#include <gst/base/gstbasetransform.h>
#include <stdlib.h>
#include <unistd.h>

#include "stub.h"

static GstStaticPadTemplate any_sink =
    GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS(NVMM_CAPS ";" PLAIN_CAPS));
static GstStaticPadTemplate any_src =
    GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS(NVMM_CAPS ";" PLAIN_CAPS));
static GstStaticPadTemplate nvmm_sink =
    GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS,
                            GST_STATIC_CAPS("video/x-raw(memory:NVMM), format={NV12,RGBA}"));
static GstStaticPadTemplate nvmm_src =
    GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS,
                            GST_STATIC_CAPS("video/x-raw(memory:NVMM), format={NV12,RGBA}"));

// nvvideoconvert

typedef struct {
  GstElement parent;
  GstPad *sink, *src;
  GstVideoInfo in, out;
  bool from_nvmm, to_nvmm;
} StubConvert;
typedef GstElementClass StubConvertClass;
G_DEFINE_TYPE(StubConvert, stub_convert, GST_TYPE_ELEMENT)

static bool is_nvmm(const GstCaps *caps) {
  return gst_caps_features_contains(gst_caps_get_features(caps, 0), "memory:NVMM");
}

static gboolean convert_event(GstPad *pad, GstObject *parent, GstEvent *event) {
  StubConvert *self = (StubConvert *)parent;
  if (GST_EVENT_TYPE(event) != GST_EVENT_CAPS) return gst_pad_event_default(pad, parent, event);
  GstCaps *caps, *wanted = gst_static_pad_template_get_caps(&any_src);
  gst_event_parse_caps(event, &caps);
  self->from_nvmm = is_nvmm(caps);
  gst_video_info_from_caps(&self->in, caps);
  wanted = gst_caps_make_writable(wanted);
  const GstStructure *given = gst_caps_get_structure(caps, 0);
  for (unsigned at = 0; at < gst_caps_get_size(wanted); at++) {
    GstStructure *structure = gst_caps_get_structure(wanted, at);
    const char *names[] = {"width", "height", "framerate"};
    for (int name = 0; name < 3; name++) {
      gst_structure_set_value(structure, names[name], gst_structure_get_value(given, names[name]));
    }
  }
  GstCaps *found = gst_pad_peer_query_caps(self->src, wanted);
  gst_caps_unref(wanted);
  gst_event_unref(event);
  if (gst_caps_is_empty(found)) {
    gst_caps_unref(found);
    return FALSE;
  }
  found = gst_caps_fixate(found);
  self->to_nvmm = is_nvmm(found);
  gst_video_info_from_caps(&self->out, found);
  gboolean taken = gst_pad_push_event(self->src, gst_event_new_caps(found));
  gst_caps_unref(found);
  return taken;
}

static GstFlowReturn convert_chain(GstPad *pad, GstObject *parent, GstBuffer *buffer) {
  (void)pad;
  StubConvert *self = (StubConvert *)parent;
  GstVideoInfo info = self->in;
  GstBuffer *host = gst_buffer_ref(buffer);
  if (self->from_nvmm) {
    NvBufSurface *surface = stub_surfaces(buffer);
    gst_buffer_unref(host);
    if (!surface) {
      GST_ELEMENT_ERROR(self, STREAM, FORMAT, ("a buffer that is no surface of this release"), (NULL));
      gst_buffer_unref(buffer);
      return GST_FLOW_ERROR;
    }
    host = stub_download(surface, 0, &info);
    info.fps_n = self->in.fps_n;
    info.fps_d = self->in.fps_d;
  }
  GstBuffer *made = gst_buffer_new_allocate(NULL, self->out.size, NULL);
  gst_buffer_memset(made, 0, 0, self->out.size);
  if (!stub_fault("black-convert")) {
    GstVideoConverter *converter = gst_video_converter_new(&info, &self->out, NULL);
    GstVideoFrame from, to;
    gst_video_frame_map(&from, &info, host, GST_MAP_READ);
    gst_video_frame_map(&to, &self->out, made, GST_MAP_WRITE);
    gst_video_converter_frame(converter, &from, &to);
    gst_video_frame_unmap(&from);
    gst_video_frame_unmap(&to);
    gst_video_converter_free(converter);
  }
  gst_buffer_unref(host);
  if (self->to_nvmm) {
    GstBuffer *surface = stub_upload(made, &self->out);
    gst_buffer_unref(made);
    made = surface;
  }
  gst_buffer_copy_into(made, buffer, GST_BUFFER_COPY_TIMESTAMPS | GST_BUFFER_COPY_FLAGS, 0, -1);
  gst_buffer_unref(buffer);
  return gst_pad_push(self->src, made);
}

static void stub_convert_class_init(StubConvertClass *klass) {
  GstElementClass *element = GST_ELEMENT_CLASS(klass);
  gst_element_class_add_static_pad_template(element, &any_sink);
  gst_element_class_add_static_pad_template(element, &any_src);
  gst_element_class_set_static_metadata(element, "Stub of nvvideoconvert", "Generic", "Converts", "dsframe");
}

static void stub_convert_init(StubConvert *self) {
  self->sink = gst_pad_new_from_static_template(&any_sink, "sink");
  gst_pad_set_chain_function(self->sink, convert_chain);
  gst_pad_set_event_function(self->sink, convert_event);
  gst_element_add_pad(GST_ELEMENT(self), self->sink);
  self->src = gst_pad_new_from_static_template(&any_src, "src");
  gst_element_add_pad(GST_ELEMENT(self), self->src);
}

// nvinfer and nvdsosd: both change what passes, in place.

typedef struct {
  GstBaseTransform parent;
  char *config;
  int clock, x, y, size;
} StubPass;
typedef GstBaseTransformClass StubPassClass;
G_DEFINE_TYPE(StubPass, stub_pass, GST_TYPE_BASE_TRANSFORM)

static void pass_finalize(GObject *object) {
  g_free(((StubPass *)object)->config);
  G_OBJECT_CLASS(stub_pass_parent_class)->finalize(object);
}

static void stub_pass_class_init(StubPassClass *klass) {
  G_OBJECT_CLASS(klass)->finalize = pass_finalize;
  GstElementClass *element = GST_ELEMENT_CLASS(klass);
  gst_element_class_add_static_pad_template(element, &nvmm_sink);
  gst_element_class_add_static_pad_template(element, &nvmm_src);
  // What is drawn in place is drawn into whatever else refers to the surface, as nvdsosd does.
  GST_BASE_TRANSFORM_CLASS(klass)->transform_ip_on_passthrough = TRUE;
}

static void stub_pass_init(StubPass *self) { gst_base_transform_set_passthrough(&self->parent, TRUE); }

typedef StubPass StubInfer;
typedef StubPassClass StubInferClass;
G_DEFINE_TYPE(StubInfer, stub_infer, stub_pass_get_type())

static void infer_set(GObject *object, guint id, const GValue *value, GParamSpec *spec) {
  (void)id, (void)spec;
  ((StubPass *)object)->config = g_value_dup_string(value);
}

static gboolean infer_start(GstBaseTransform *transform) {
  StubPass *self = (StubPass *)transform;
  if (self->config && access(self->config, R_OK) == 0) return TRUE;
  GST_ELEMENT_ERROR(self, RESOURCE, SETTINGS, ("config-file-path cannot be read"), (NULL));
  return FALSE;
}

static GstFlowReturn infer(GstBaseTransform *transform, GstBuffer *buffer) {
  (void)transform;
  while (stub_fault("hang-infer")) g_usleep(G_USEC_PER_SEC);
  NvDsBatchMeta *batch = stub_meta(buffer);
  for (GList *item = batch ? batch->frame_meta_list : NULL; item; item = item->next) {
    NvDsFrameMeta *frame = item->data;
    frame->bInferDone = 1;
    if (!stub_fault("no-objects")) stub_add_object(frame);
  }
  return GST_FLOW_OK;
}

static void stub_infer_class_init(StubInferClass *klass) {
  G_OBJECT_CLASS(klass)->set_property = infer_set;
  g_object_class_install_property(G_OBJECT_CLASS(klass), 1,
      g_param_spec_string("config-file-path", NULL, NULL, NULL, G_PARAM_WRITABLE));
  GST_BASE_TRANSFORM_CLASS(klass)->start = infer_start;
  GST_BASE_TRANSFORM_CLASS(klass)->transform_ip = infer;
  gst_element_class_set_static_metadata(GST_ELEMENT_CLASS(klass), "Stub of nvinfer", "Generic", "Sees a car", "dsframe");
}

static void stub_infer_init(StubInfer *self) { (void)self; }

typedef StubPass StubOsd;
typedef StubPassClass StubOsdClass;
G_DEFINE_TYPE(StubOsd, stub_osd, stub_pass_get_type())

static void osd_set(GObject *object, guint id, const GValue *value, GParamSpec *spec) {
  (void)spec;
  StubPass *self = (StubPass *)object;
  if (id == 1) self->clock = g_value_get_boolean(value);
  else *(id == 2 ? &self->size : id == 3 ? &self->x : &self->y) = g_value_get_int(value);
}

static GstFlowReturn draw(GstBaseTransform *transform, GstBuffer *buffer) {
  StubPass *self = (StubPass *)transform;
  if (stub_fault("crash-osd")) abort();
  NvBufSurface *surface = stub_surfaces(buffer);
  for (unsigned slot = 0; self->clock && slot < surface->numFilled; slot++) {
    stub_fill(surface, slot, self->x, self->y, self->size, 255);
  }
  return GST_FLOW_OK;
}

static void stub_osd_class_init(StubOsdClass *klass) {
  GObjectClass *object = G_OBJECT_CLASS(klass);
  object->set_property = osd_set;
  g_object_class_install_property(object, 1, g_param_spec_boolean("display-clock", NULL, NULL, FALSE, G_PARAM_WRITABLE));
  const char *names[] = {"clock-font-size", "x-clock-offset", "y-clock-offset"};
  for (int at = 0; at < 3; at++) {
    g_object_class_install_property(object, at + 2, g_param_spec_int(names[at], NULL, NULL, 0, 8192, 0, G_PARAM_WRITABLE));
  }
  GST_BASE_TRANSFORM_CLASS(klass)->transform_ip = draw;
  gst_element_class_set_static_metadata(GST_ELEMENT_CLASS(klass), "Stub of nvdsosd", "Generic", "Draws", "dsframe");
}

static void stub_osd_init(StubOsd *self) { (void)self; }

// nvv4l2decoder

typedef GstBin StubDecoder;
typedef GstBinClass StubDecoderClass;
G_DEFINE_TYPE(StubDecoder, stub_decoder, GST_TYPE_BIN)

static const char *software_decoder(void) {
  const char *names[] = {"avdec_h264", "openh264dec"};
  for (int at = 0; at < 2; at++) {
    GstElementFactory *factory = gst_element_factory_find(names[at]);
    if (factory) {
      gst_object_unref(factory);
      return names[at];
    }
  }
  return NULL;
}

static void stub_decoder_class_init(StubDecoderClass *klass) {
  GstElementClass *element = GST_ELEMENT_CLASS(klass);
  gst_element_class_add_pad_template(element, gst_pad_template_new("sink", GST_PAD_SINK, GST_PAD_ALWAYS,
                                                                   gst_caps_from_string("video/x-h264")));
  gst_element_class_add_pad_template(element, gst_pad_template_new("src", GST_PAD_SRC, GST_PAD_ALWAYS,
                                                                   gst_caps_from_string(NVMM_CAPS)));
  gst_element_class_set_static_metadata(element, "Stub of nvv4l2decoder", "Generic", "Decodes", "dsframe");
}

static void stub_decoder_init(StubDecoder *self) {
  const char *name = software_decoder();
  if (!name) return;
  GstElement *decoder = gst_element_factory_make(name, NULL);
  GstElement *convert = g_object_new(stub_convert_get_type(), NULL);
  GstElement *caps = gst_element_factory_make("capsfilter", NULL);
  gst_util_set_object_arg(G_OBJECT(caps), "caps", "video/x-raw(memory:NVMM), format=NV12");
  gst_bin_add_many(self, decoder, convert, caps, NULL);
  gst_element_link_many(decoder, convert, caps, NULL);
  GstPad *sink = gst_element_get_static_pad(decoder, "sink"), *src = gst_element_get_static_pad(caps, "src");
  gst_element_add_pad(GST_ELEMENT(self), gst_ghost_pad_new("sink", sink));
  gst_element_add_pad(GST_ELEMENT(self), gst_ghost_pad_new("src", src));
  gst_object_unref(sink);
  gst_object_unref(src);
}

static gboolean plugin_init(GstPlugin *plugin) {
  gst_element_register(plugin, "nvstreammux", GST_RANK_NONE, stub_mux_get_type());
  gst_element_register(plugin, "nvvideoconvert", GST_RANK_NONE, stub_convert_get_type());
  gst_element_register(plugin, "nvinfer", GST_RANK_NONE, stub_infer_get_type());
  gst_element_register(plugin, "nvdsosd", GST_RANK_NONE, stub_osd_get_type());
  if (getenv("DSFRAME_STUB_NO_DECODER") == NULL) {
    gst_element_register(plugin, "nvv4l2decoder", GST_RANK_NONE, stub_decoder_get_type());
  }
  return TRUE;
}

#define PACKAGE "dsframe-stubs"
GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, nvdsgst_multistream, "Stubs of DeepStream's elements", plugin_init,
                  RELEASE, "MIT/X11", PACKAGE, "https://example.org")
