// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

// What libgstcuda looks for and the plugin does not use: textures, OpenGL, peers.

#include "cuda.h"

#define NOT_SUPPORTED(name) \
    API CUresult name() { return CUDA_ERROR_NOT_SUPPORTED; }

NOT_SUPPORTED(cuCtxDisablePeerAccess)
NOT_SUPPORTED(cuGLGetDevices)
NOT_SUPPORTED(cuGLGetDevices_v2)
NOT_SUPPORTED(cuGraphicsGLRegisterBuffer)
NOT_SUPPORTED(cuGraphicsGLRegisterImage)
NOT_SUPPORTED(cuGraphicsMapResources)
NOT_SUPPORTED(cuGraphicsResourceGetMappedPointer)
NOT_SUPPORTED(cuGraphicsResourceGetMappedPointer_v2)
NOT_SUPPORTED(cuGraphicsResourceSetMapFlags)
NOT_SUPPORTED(cuGraphicsResourceSetMapFlags_v2)
NOT_SUPPORTED(cuGraphicsSubResourceGetMappedArray)
NOT_SUPPORTED(cuGraphicsUnmapResources)
NOT_SUPPORTED(cuGraphicsUnregisterResource)
NOT_SUPPORTED(cuTexObjectCreate)
NOT_SUPPORTED(cuTexObjectDestroy)

// Under its first name.
API CUresult cuStreamDestroy_v2(CUstream);
API CUresult cuStreamDestroy(CUstream stream) { return cuStreamDestroy_v2(stream); }
