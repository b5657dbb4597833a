// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gst_plugin_dsframe_fuzz::targets::config_file::run(data));
