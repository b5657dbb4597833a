// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Headers of streams: YUV4MPEG2 and npy.

use gstdsframe::codec::y4m::{self, Marker};
use gstdsframe::codec::{MAX_DECODED, NpyStack};

use super::input::Input;

pub fn run(data: &[u8]) {
    crate::abi::init();
    let mut rest = data;
    match y4m::Header::read(&mut rest) {
        Err(error) => assert!(!error.to_string().is_empty()),
        Ok(header) => {
            let info = &header.info;
            assert!(info.width() > 0 && info.height() > 0);
            assert!(info.size() <= 2 * MAX_DECODED);
            while let Ok(Marker::Frame(bytes)) = y4m::read_marker(&mut rest) {
                assert!(bytes >= 6);
            }
        }
    }
    let mut rest = data;
    match NpyStack::read(&mut rest) {
        Err(error) => assert!(!error.to_string().is_empty()),
        Ok(stack) => {
            assert!((1..=MAX_DECODED).contains(&stack.frame_bytes()));
            assert!([1, 3, 4].contains(&stack.channels));
            let _ = stack.format();
        }
    }
    // Behind a beginning that is right.
    let (text, _) = Input::text_and_rest(data);
    let _ = y4m::Header::read(&mut format!("YUV4MPEG2 W8 H8 {text}\n").as_bytes());
    let mut npy = b"\x93NUMPY\x01\x00".to_vec();
    let len = data.len().min(9999);
    npy.extend((len as u16).to_le_bytes());
    npy.extend(&data[..len]);
    let _ = NpyStack::read(&mut npy.as_slice());
}
