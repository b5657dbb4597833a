// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The metadata that DeepStream's elements attach to a buffer: `NvDsBatchMeta`. Nothing of NVIDIA is
//! linked; the structs are read as they lie in memory.
//!
//! They come from other people's code, perhaps for another release. So the layout is told by the
//! sizes that the batch's own pools name, each element says of which type it is, lists end where
//! they must, and pointers that cannot be right are not followed. What cannot be checked is that
//! the others point to as much as the structs say.
//!
//! Everything is read under the lock of the batch, which its writers take too. Nothing read here
//! refers to the batch when the lock is released.

mod batch;
mod element;
mod find;
mod list;
mod memory;
mod wrapped;

pub use batch::{Batch, Sizes, Unknown};
pub use element::{Classifier, Elements, Frame, LabelInfo, Object, User};
pub use find::{Finder, Found};
pub use list::{Ending, List};

/// No batch has more frames than this.
pub const MAX_FRAMES: usize = 4096;
/// Objects of one frame that are read.
pub const MAX_OBJECTS: usize = 16_384;
/// Classifiers of one object that are read.
pub const MAX_CLASSIFIERS: usize = 64;
/// Labels of one classifier that are read.
pub const MAX_LABELS: usize = 256;
/// User metas of one frame that are looked at.
pub const MAX_USERS: usize = 1024;
/// Bytes of a text that is not in a field of fixed size.
pub const MAX_TEXT: usize = 256;
