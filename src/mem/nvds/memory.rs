// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Reading memory at addresses that others wrote down. The one place where they are followed.

#![allow(unsafe_code)]

use std::marker::PhantomData;
use std::ptr::with_exposed_provenance;

use super::MAX_TEXT;
use crate::mem::sys::nvds::{Address, LABEL_SIZE, Plain};

/// No allocation lies below, on any system with DeepStream.
const LOWEST: usize = 64 * 1024;
/// The addresses of programs have no more bits, without asking the system for more.
const BITS: u32 = if cfg!(target_arch = "x86_64") { 47 } else { 48 };

/// Permission to follow the pointers of a batch: who has it knows that the batch is alive.
#[derive(Debug, Clone, Copy)]
pub struct Memory<'a>(PhantomData<&'a ()>);

impl Memory<'_> {
    /// # Safety
    ///
    /// During the lifetime, what the pointers of the batch lead to must be alive and as large as
    /// their types say, as far as [`Self::is_plausible`] does not rule them out. To be read
    /// without a race, the batch must be locked.
    pub unsafe fn new() -> Self {
        Self(PhantomData)
    }

    /// Whether an address may be that of an allocated struct.
    pub fn is_plausible(address: Address) -> bool {
        address.0.is_multiple_of(8) && Self::may_be_mapped(address)
    }

    pub fn may_be_mapped(address: Address) -> bool {
        address.0 >= LOWEST && address.0 >> BITS == 0
    }

    /// A struct of C, or `None` where there cannot be one.
    #[inline]
    pub fn peek<T: Plain>(self, address: Address) -> Option<T> {
        const { assert!(align_of::<T>() <= 8) };
        if !Self::is_plausible(address) {
            return None;
        }
        let start = with_exposed_provenance::<T>(address.0);
        // SAFETY: aligned and, as who made `self` vouches, alive and large enough; any bytes are a
        // value of `T`.
        Some(unsafe { start.read() })
    }

    /// Hands over a text in a field of fixed size, which may lack its terminator. It is copied
    /// first: nobody can change it while it is looked at.
    #[inline]
    pub fn label<R>(self, address: Address, then: impl FnOnce(&[u8]) -> R) -> Option<R> {
        /// Most labels are shorter; the rest of the field need not be fetched for them.
        const SHORT: usize = 32;
        if !Self::may_be_mapped(address) {
            return None;
        }
        let start = with_exposed_provenance::<[u8; SHORT]>(address.0);
        // SAFETY: the beginning of a field of LABEL_SIZE bytes, alive as who made `self` vouches.
        let short = unsafe { start.read() };
        if let Some(end) = short.iter().position(|byte| *byte == 0) {
            return Some(then(&short[..end]));
        }
        let start = with_exposed_provenance::<[u8; LABEL_SIZE]>(address.0);
        // SAFETY: as above, the whole field.
        let bytes = unsafe { start.read() };
        let end = bytes.iter().position(|byte| *byte == 0);
        Some(then(&bytes[..end.unwrap_or(bytes.len())]))
    }

    /// Hands over a text of any length, cut to [`MAX_TEXT`] bytes.
    pub fn text<R>(self, address: Address, then: impl FnOnce(&[u8]) -> R) -> Option<R> {
        if !Self::may_be_mapped(address) {
            return None;
        }
        let start = with_exposed_provenance::<u8>(address.0);
        let mut bytes = [0; MAX_TEXT];
        let mut len = 0;
        while len < MAX_TEXT {
            // SAFETY: not behind the terminator, as the bytes before were none.
            match unsafe { start.wrapping_add(len).read() } {
                0 => break,
                byte => bytes[len] = byte,
            }
            len += 1;
        }
        Some(then(&bytes[..len]))
    }
}
