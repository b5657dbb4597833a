// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! In which memory a reader gets a frame of a card.

use crate::frame::CardFrame;
use crate::mem::cuda::{CudaError, Kind};

/// What a reader said that it takes.
#[derive(Debug, Default)]
pub struct Takes {
    pub host: bool,
    /// UUIDs of cards.
    pub devices: Vec<[u8; 16]>,
}

/// Why a frame of a card is not sent as it is.
#[derive(Debug, thiserror::Error)]
pub enum Detour {
    #[error("{0}")]
    NotShared(CudaError),
    #[error(
        "the reader takes frames in system memory only: use dsframeinject device=gpu there, or \
         FrameReceiver(cuda=True), if it is to have them on the GPU"
    )]
    NoCard,
    #[error(
        "the reader is on another GPU: let it use this one (gpu-id, CUDA_VISIBLE_DEVICES, \
         `nvidia-smi -L` shows UUIDs)"
    )]
    OtherCard,
}

impl Takes {
    /// The place of the frame's card in the list of the reader.
    pub fn device(&self, frame: &CardFrame) -> Result<u32, Detour> {
        let (gpu, kind) = (frame.gpu(), frame.memory().kind());
        if kind != Kind::Exportable {
            let cause = gpu.check_export().err();
            return Err(Detour::NotShared(
                cause.unwrap_or(CudaError::NotExportable { kind }),
            ));
        }
        if self.devices.is_empty() {
            return Err(Detour::NoCard);
        }
        let uuid = gpu.uuid().map_err(Detour::NotShared)?;
        let place = self.devices.iter().position(|device| *device == uuid);
        place.map(|place| place as u32).ok_or(Detour::OtherCard)
    }
}
