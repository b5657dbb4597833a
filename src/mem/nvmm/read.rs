// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Reading surfaces, whoever made them. Their structs come from other people's code, perhaps for
//! another release: every field is checked before it is relied on. What cannot be checked is that
//! pointers which are not null point to as much as the struct says.

#![allow(unsafe_code)]

use std::ptr::read_unaligned;

use gst::memory::Readable;
use gst_video::{VideoColorimetry, VideoInfo};

use super::color::{colorimetry, video_format};
use super::{MAX_BATCH, MAX_SIDE, NvmmError, SurfaceFault};
use crate::frame::{Plane, View, plane_sizes};
use crate::mem::sys::Generation;
use crate::mem::sys::surface::{Layout, MemType, ParamsHead, SurfaceHead};

/// The surfaces of a buffer, mapped for reading.
pub struct Surfaces<'a> {
    map: gst::MemoryMap<'a, Readable>,
    head: SurfaceHead,
    generation: Generation,
    caps: VideoInfo,
}

/// One picture of a batch.
#[derive(Debug, Clone)]
pub struct Surface<'a> {
    pub view: View<'a>,
    /// By the caps where they say something, else by the surface.
    pub colorimetry: VideoColorimetry,
    pub gpu_id: u32,
}

/// Where a plane lies within a surface.
struct Extent {
    offset: usize,
    len: usize,
    pitch: usize,
}

impl<'a> Surfaces<'a> {
    /// Maps a buffer and checks what concerns all its surfaces. `caps` give the format; sizes are
    /// taken from the surfaces, which may differ from the caps and from each other.
    pub fn read(buffer: &'a gst::BufferRef, caps: &VideoInfo) -> Result<Self, NvmmError> {
        let memories = buffer.n_memory();
        if memories != 1 {
            return Err(NvmmError::Memories(memories));
        }
        let memory = buffer.peek_memory(0);
        let map = memory.map_readable().map_err(|_| NvmmError::Map)?;
        let generation = Generation::of_surface_size(map.size())
            .ok_or_else(|| NvmmError::HeaderSize(map.size()))?;
        let start = map.as_slice().as_ptr().cast::<SurfaceHead>();
        // SAFETY: the map is larger than the head, and all bits are valid for its fields.
        let head = unsafe { read_unaligned(start) };
        if head.batch_size > MAX_BATCH || head.num_filled > head.batch_size {
            return Err(NvmmError::Batch {
                filled: head.num_filled,
                batch: head.batch_size,
            });
        }
        match head.mem_type {
            MemType::SYSTEM | MemType::CUDA_PINNED | MemType::CUDA_UNIFIED => {}
            MemType::CUDA_DEVICE | MemType::DEFAULT => return Err(NvmmError::Device),
            jetson @ (MemType::SURFACE_ARRAY | MemType::HANDLE | MemType::CUDA_ARRAY) => {
                return Err(NvmmError::Jetson(jetson));
            }
            unknown => return Err(NvmmError::MemType(unknown)),
        }
        if head.surface_list.is_null() {
            return Err(NvmmError::NoList);
        }
        Ok(Self {
            map,
            head,
            generation,
            caps: caps.clone(),
        })
    }

    /// How many surfaces are filled. None in the idle batches of nvstreammux.
    pub fn len(&self) -> usize {
        self.head.num_filled as usize
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// By the size of the header; `C` stands for `B` too.
    pub fn generation(&self) -> Generation {
        self.generation
    }

    pub fn mem_type(&self) -> MemType {
        self.head.mem_type
    }

    pub fn gpu_id(&self) -> u32 {
        self.head.gpu_id
    }

    /// The memory that is mapped.
    pub fn memory(&self) -> &gst::MemoryRef {
        self.map.memory()
    }

    /// One of the filled surfaces. Another one of the batch may be sound when this is not.
    pub fn surface(&self, index: usize) -> Result<Surface<'_>, NvmmError> {
        if index >= self.len() {
            return Err(NvmmError::Index {
                index,
                len: self.len(),
            });
        }
        let list = self.head.surface_list.cast::<u8>();
        let params = list.wrapping_add(index * self.generation.params_size());
        // SAFETY: the list is not null and has at least `index + 1` elements of this stride, if
        // its maker keeps to the layout that the size of the header tells.
        let params = unsafe { read_unaligned(params.cast::<ParamsHead>()) };
        self.checked(&params)
            .map_err(|fault| NvmmError::Surface { index, fault })
    }

    fn checked(&self, params: &ParamsHead) -> Result<Surface<'_>, SurfaceFault> {
        let extents = extents(params, &self.caps)?;
        let data = params.data_ptr.cast::<u8>().cast_const();
        let planes = extents
            .iter()
            .map(|extent| {
                let start = data.wrapping_add(extent.offset);
                // SAFETY: within the bytes the struct claims, in memory the CPU can read; the
                // maker keeps them as long as the buffer, and `self` borrows the buffer.
                let data = unsafe { std::slice::from_raw_parts(start, extent.len) };
                Plane {
                    data,
                    pitch: extent.pitch,
                }
            })
            .collect();
        Ok(Surface {
            view: View::new(
                self.caps.format(),
                params.width as usize,
                params.height as usize,
                planes,
            )?,
            colorimetry: colorimetry(params.color_format, &self.caps),
            gpu_id: self.head.gpu_id,
        })
    }
}

/// Checks a surface against the caps and itself; says where the planes lie, as far as they are
/// needed.
fn extents(params: &ParamsHead, caps: &VideoInfo) -> Result<Vec<Extent>, SurfaceFault> {
    let ParamsHead { width, height, .. } = *params;
    let side = 1..=MAX_SIDE;
    if !side.contains(&width) || !side.contains(&height) {
        return Err(SurfaceFault::Size { width, height });
    }
    if params.layout != Layout::PITCH {
        return Err(SurfaceFault::Layout(params.layout));
    }
    let format = caps.format();
    if video_format(params.color_format) != Some(format) {
        return Err(SurfaceFault::Color {
            got: params.color_format,
            caps: format,
        });
    }
    let sizes = plane_sizes(format, width as usize, height as usize);
    let given = &params.plane_params;
    if given.num_planes as usize != sizes.len() {
        return Err(SurfaceFault::Planes {
            got: given.num_planes,
            want: sizes.len(),
        });
    }
    // Makers that leave the size out still cannot have more than the field could say.
    let data_size = match params.data_size {
        0 => u32::MAX as usize,
        size => size as usize,
    };
    let mut used = 0;
    let mut extents = Vec::with_capacity(sizes.len());
    for (plane, size) in sizes.iter().enumerate() {
        let (pitch, offset, psize) = (given.pitch[plane], given.offset[plane], given.psize[plane]);
        if (pitch as usize) < size.row_bytes {
            return Err(SurfaceFault::Pitch {
                plane,
                pitch,
                row_bytes: size.row_bytes,
            });
        }
        // The last row needs no padding behind it.
        let need = (size.rows - 1)
            .saturating_mul(pitch as usize)
            .saturating_add(size.row_bytes);
        if psize != 0 && (psize as usize) < need {
            return Err(SurfaceFault::PlaneSize {
                plane,
                got: psize,
                need,
            });
        }
        if (offset as usize) < used {
            return Err(SurfaceFault::Overlap { plane, offset });
        }
        let end = (offset as usize).saturating_add(need.max(psize as usize));
        if end > data_size {
            return Err(SurfaceFault::Extent {
                plane,
                end,
                size: data_size,
            });
        }
        used = (offset as usize).saturating_add(need);
        extents.push(Extent {
            offset: offset as usize,
            len: need,
            pitch: pitch as usize,
        });
    }
    if params.data_ptr.is_null() {
        return Err(SurfaceFault::NoData);
    }
    Ok(extents)
}
