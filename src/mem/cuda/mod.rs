// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! CUDA, through the driver, which is opened at run time: a machine without it is normal, and never
//! a reason to crash.
//!
//! A [`Gpu`] is a device with its primary context, the one that the CUDA runtime and DeepStream use
//! too. [`Memory`] is owned memory that it reaches, [`CardView`] a picture in such memory, a
//! [`Stream`] the order in which it works. Work is queued and done later: what it reads and writes
//! must be left alone until its stream was synchronised. Freeing memory waits for that by itself.
//!
//! [`Memory`] that is [`Exportable`](Kind::Exportable) can be given to other processes as a file
//! descriptor. They read it; that it is complete then, and not written while they do, is up to both.

pub mod copy;
mod driver;
mod foreign;
mod gpu;
pub mod kernels;
mod memory;
pub mod pointer;
mod pool;
mod shared;
mod staging;
mod stream;
mod view;

pub use driver::{CudaError, Driver, probe};
pub use foreign::{CudaBuffer, CudaMemoryError};
pub use gpu::{Bound, Gpu};
pub use memory::{Kind, Memory, Pinned};
pub use pool::{MemoryPool, Pooled};
pub use stream::{Event, Stream};
pub use view::{CardPlane, CardView, CardViewMut};
