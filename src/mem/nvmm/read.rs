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
use crate::mem::cuda::pointer::{self, Known};
use crate::mem::cuda::{self, CardPlane, CardView, CardViewMut, CudaError, Gpu, Stream};
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
    pub pixels: Pixels<'a>,
    /// By the caps where they say something, else by the surface.
    pub colorimetry: VideoColorimetry,
    pub gpu_id: u32,
}

/// Pixels, by who can read them.
#[derive(Debug, Clone)]
pub enum Pixels<'a> {
    Host(View<'a>),
    Card(CardPixels<'a>),
}

/// Pixels that a GPU reaches.
#[derive(Debug, Clone)]
pub struct CardPixels<'a> {
    view: CardView<'a>,
    gpu: Gpu,
    known: Known,
}

impl CardPixels<'_> {
    pub fn view(&self) -> &CardView<'_> {
        &self.view
    }

    /// The GPU whose memory it is, or that is to fetch it from the host.
    pub fn gpu(&self) -> Gpu {
        self.gpu
    }

    /// Queues a copy. The buffer must be kept until the stream was synchronised.
    pub fn copy_to(&self, to: &mut CardViewMut<'_>, stream: &Stream) -> Result<(), CudaError> {
        let known = &self.known;
        // Memory of the driver's own pools belongs to no context.
        let ours = known.context.is_null() || known.context == self.gpu.context();
        if known.in_host || known.managed || ours {
            return cuda::copy::copy(&self.view, to, stream);
        }
        // SAFETY: the context has memory that is in use, so it is alive as long as the buffer.
        unsafe { cuda::copy::copy_from_context(&self.view, known.context, to, stream) }
    }
}

impl<'a> Surface<'a> {
    pub fn width(&self) -> usize {
        match &self.pixels {
            Pixels::Host(view) => view.width(),
            Pixels::Card(card) => card.view.width(),
        }
    }

    pub fn height(&self) -> usize {
        match &self.pixels {
            Pixels::Host(view) => view.height(),
            Pixels::Card(card) => card.view.height(),
        }
    }

    /// The picture, if the CPU is to read it.
    pub fn host(&self) -> Option<&View<'a>> {
        match &self.pixels {
            Pixels::Host(view) => Some(view),
            Pixels::Card(_) => None,
        }
    }
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
            MemType::SYSTEM
            | MemType::CUDA_PINNED
            | MemType::CUDA_UNIFIED
            | MemType::CUDA_DEVICE
            | MemType::DEFAULT => {}
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
        let params = self.params(index)?;
        self.checked(&params)
            .map_err(|fault| NvmmError::Surface { index, fault })
    }

    /// Width and height of one of the filled surfaces, without a look at its pixels.
    pub fn size(&self, index: usize) -> Option<(u32, u32)> {
        let params = self.params(index).ok()?;
        let sound = |side: u32| (1..=MAX_SIDE).contains(&side);
        (sound(params.width) && sound(params.height)).then_some((params.width, params.height))
    }

    fn params(&self, index: usize) -> Result<ParamsHead, NvmmError> {
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
        Ok(unsafe { read_unaligned(params.cast::<ParamsHead>()) })
    }

    fn checked(&self, params: &ParamsHead) -> Result<Surface<'_>, SurfaceFault> {
        let extents = extents(params, &self.caps)?;
        let pixels = match self.known(params.data_ptr as u64)? {
            Some((gpu, known)) => self.card_pixels(params, &extents, gpu, known)?,
            None => self.host_pixels(params, &extents)?,
        };
        Ok(Surface {
            pixels,
            colorimetry: colorimetry(params.color_format, &self.caps),
            gpu_id: self.head.gpu_id,
        })
    }

    /// What CUDA knows of the pixels, and the GPU that is to read them; `None` if the CPU is.
    fn known(&self, address: u64) -> Result<Option<(Gpu, Known)>, SurfaceFault> {
        let ask = || {
            let said = Gpu::get(self.head.gpu_id)?;
            let known = pointer::ask(said, address)?;
            // Memory of the host is for any GPU, other memory for the one it is on.
            let gpu = match known.in_host || known.managed {
                true => said,
                false => Gpu::get(known.ordinal)?,
            };
            Ok((gpu, known))
        };
        match self.head.mem_type {
            MemType::SYSTEM => Ok(None),
            // The CPU can read these, where there is no GPU that knows them.
            MemType::CUDA_PINNED | MemType::CUDA_UNIFIED => Ok(ask().ok()),
            _ => ask().map(Some).map_err(SurfaceFault::Unreachable),
        }
    }

    fn card_pixels(
        &self,
        params: &ParamsHead,
        extents: &[Extent],
        gpu: Gpu,
        known: Known,
    ) -> Result<Pixels<'_>, SurfaceFault> {
        let place = |extent: &Extent| CardPlane {
            address: (params.data_ptr as u64).saturating_add(extent.offset as u64),
            pitch: extent.pitch,
        };
        let planes: Vec<_> = extents.iter().map(place).collect();
        let size = (params.width as usize, params.height as usize);
        let view = CardView::new(self.caps.format(), size, &planes, known.range.clone())?;
        Ok(Pixels::Card(CardPixels { view, gpu, known }))
    }

    fn host_pixels(
        &self,
        params: &ParamsHead,
        extents: &[Extent],
    ) -> Result<Pixels<'_>, SurfaceFault> {
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
        Ok(Pixels::Host(View::new(
            self.caps.format(),
            params.width as usize,
            params.height as usize,
            planes,
        )?))
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
