// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Bytes of frames on a card, without leaving it earlier than need be: JPEGs are made there, and
//! what the CPU encodes is scaled and converted before it is fetched.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use gst_video::{VideoFormat, VideoInfo};

use super::{
    CardJpeg, Change, CodecError, EncodeSettings, Encoding, NvJpegError, Picture, PictureEncoder,
};
use crate::frame::map::sibling;
use crate::frame::paint::Rect;
use crate::frame::planar::{PlanarMap, resolve};
use crate::frame::stats::{CardStatistics, PictureStats};
use crate::frame::{CardConverter, CardFrame, CardPlanar, Frame, HostPool, ViewMut};
use crate::mem::cuda::kernels::annotate::Annotator;
use crate::mem::cuda::{CudaError, Gpu, Kind, MemoryPool, Stream, copy};

/// Converters that are kept: streams of a batch may differ in size.
const KEPT: usize = 8;

/// Encodes frames of cards, one after the other: one for each thread.
#[derive(Debug, Default)]
pub struct CardEncoder {
    /// Of the GPU that the last frame was on.
    tools: Option<Arc<Tools>>,
    on_cpu: PictureEncoder,
    fallback: Option<String>,
}

/// What all threads and elements of the process use on a GPU, freed when none does any more.
#[derive(Debug)]
struct Tools {
    gpu: Gpu,
    jpeg: Result<Arc<CardJpeg>, NvJpegError>,
    /// Those that nobody is at. There are never more than threads that convert at the same time.
    benches: Mutex<Vec<Bench>>,
    converted: MemoryPool,
    /// Of parts, which are of any size.
    parts: MemoryPool,
    /// Pictures that nvJPEG does not make: to be refused costs it an encoder each time.
    refused: Mutex<BTreeMap<(u32, u32), String>>,
}

/// What one conversion at a time needs.
#[derive(Debug)]
struct Bench {
    stream: Stream,
    converters: Converters,
    statistics: CardStatistics,
    /// Made when the first boxes are drawn.
    annotator: Option<Annotator>,
    fetched: Option<HostPool>,
}

/// What a frame is that is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent {
    Whole,
    /// Of any size: what is made for it is not worth keeping.
    Part,
}

#[derive(Debug)]
struct Converters {
    planar: CardPlanar,
    /// The one used last is at the end.
    kept: Vec<CardConverter>,
    /// Of the last part, until the next one: its memory must not go back while it is at work.
    passing: Option<CardConverter>,
}

impl Tools {
    fn pool(&self, extent: Extent) -> &MemoryPool {
        match extent {
            Extent::Whole => &self.converted,
            Extent::Part => &self.parts,
        }
    }

    fn of(gpu: Gpu) -> Arc<Self> {
        static ALL: Mutex<BTreeMap<u32, Weak<Tools>>> = Mutex::new(BTreeMap::new());
        let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shared) = all.get(&gpu.ordinal()).and_then(Weak::upgrade) {
            return shared;
        }
        let shared = Arc::new(Self {
            gpu,
            jpeg: CardJpeg::get(gpu),
            benches: Mutex::default(),
            converted: MemoryPool::new(gpu, Kind::Device),
            parts: MemoryPool::rounding(gpu, Kind::Device),
            refused: Mutex::default(),
        });
        all.insert(gpu.ordinal(), Arc::downgrade(&shared));
        shared
    }

    fn take_bench(&self) -> Result<Bench, CudaError> {
        let mut benches = self.benches.lock().unwrap_or_else(PoisonError::into_inner);
        let bench = benches.pop();
        drop(benches);
        match bench {
            Some(bench) => Ok(bench),
            None => Bench::new(self.gpu),
        }
    }

    fn refusal(&self, size: (u32, u32)) -> Option<String> {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.get(&size).cloned()
    }

    fn refuse(&self, size: (u32, u32), reason: String) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        // Streams have few sizes; should they not, it is only the time that is lost.
        if refused.len() < KEPT {
            refused.insert(size, reason);
        }
    }

    /// What was queued with its converters must be done.
    fn give_back(&self, bench: Bench) {
        let mut benches = self.benches.lock().unwrap_or_else(PoisonError::into_inner);
        benches.push(bench);
    }

    /// Works at a bench, and waits for what was queued there.
    fn at_bench<T, E: From<CudaError>>(
        &self,
        work: impl FnOnce(&mut Bench) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut bench = self.take_bench()?;
        let done = work(&mut bench);
        bench.stream.synchronize()?;
        self.give_back(bench);
        done
    }
}

impl Converters {
    /// Queues the conversion of a frame.
    fn convert(
        &mut self,
        (frame, extent): (&CardFrame, Extent),
        to: &VideoInfo,
        into: &MemoryPool,
        stream: &Stream,
    ) -> Result<CardFrame, CudaError> {
        let from = frame.info();
        let is_it = |c: &CardConverter| c.from() == from && c.to() == to;
        if extent == Extent::Part {
            let mut converted = CardFrame::acquire(into, to)?;
            let converter = match self.passing.take().filter(is_it) {
                Some(converter) => converter,
                None => CardConverter::in_pool(into, from, to, false)?,
            };
            let done = converter.convert(&frame.view()?, &mut converted.view_mut()?, stream);
            self.passing = Some(converter);
            return done.map(|()| converted);
        }
        let converter = match self.kept.iter().position(is_it) {
            Some(index) => self.kept.remove(index),
            None => {
                if self.kept.len() == KEPT {
                    self.kept.remove(0);
                }
                CardConverter::new(into.gpu(), from, to, false)?
            }
        };
        let mut converted = CardFrame::acquire(into, to)?;
        converter.convert(&frame.view()?, &mut converted.view_mut()?, stream)?;
        self.kept.push(converter);
        Ok(converted)
    }
}

impl Bench {
    fn new(gpu: Gpu) -> Result<Self, CudaError> {
        Ok(Self {
            stream: Stream::independent(gpu)?,
            converters: Converters {
                planar: CardPlanar::new(gpu)?,
                kept: Vec::new(),
                passing: None,
            },
            statistics: CardStatistics::new(gpu)?,
            annotator: None,
            fetched: None,
        })
    }

    /// The frame as one of `info`, drawn over if there is something to be drawn, in host memory.
    fn fetch_as(
        &mut self,
        (frame, extent): (&CardFrame, Extent),
        info: &VideoInfo,
        rects: Option<&[Rect]>,
        pool: &MemoryPool,
    ) -> Result<Frame, CodecError> {
        if info == frame.info() && rects.is_none() {
            return self.fetch(frame, extent);
        }
        let Self {
            converters,
            annotator,
            stream,
            ..
        } = self;
        let mut converted = converters.convert((frame, extent), info, pool, stream)?;
        if let Some(rects) = rects {
            draw(annotator, rects, &mut converted, stream)?;
        }
        self.fetch(&converted, extent)
    }

    /// The frame in host memory.
    fn fetch(&mut self, frame: &CardFrame, extent: Extent) -> Result<Frame, CodecError> {
        let info = frame.info();
        let pool = match self.fetched.take() {
            Some(pool) if pool.info() == info => pool,
            // Making pinned memory takes longer than it saves once.
            kept if extent == Extent::Part => {
                self.fetched = kept;
                let mut fetched = HostPool::new(info)?.acquire()?;
                let to = &mut ViewMut::of_frame(&mut fetched)?;
                copy::download(&frame.view()?, to, &self.stream)?;
                return Ok(fetched.into());
            }
            _ => HostPool::pinned(info, frame.gpu())?,
        };
        let mut fetched = pool.acquire()?;
        let to = &mut ViewMut::of_frame(&mut fetched)?;
        copy::download(&frame.view()?, to, &self.stream)?;
        self.fetched = Some(pool);
        Ok(fetched.into())
    }
}

/// Queues the drawing over a frame of RGB.
fn draw(
    annotator: &mut Option<Annotator>,
    rects: &[Rect],
    frame: &mut CardFrame,
    stream: &Stream,
) -> Result<(), CudaError> {
    let ready = match annotator.take() {
        Some(ready) => ready,
        None => Annotator::new(frame.gpu())?,
    };
    let ready = annotator.insert(ready);
    ready.paint(rects, &mut frame.view_mut()?, stream)
}

/// What nvJPEG is given: frames of `info`, or what they are converted to first.
fn jpeg_target(settings: &EncodeSettings, info: &VideoInfo) -> Result<VideoInfo, CodecError> {
    let target = super::target(settings, info)?;
    let packed = match target.format() {
        VideoFormat::Rgba | VideoFormat::Rgbx => VideoFormat::Rgb,
        VideoFormat::Bgra | VideoFormat::Bgrx => VideoFormat::Bgr,
        _ => return Ok(target),
    };
    let (width, height) = (target.width(), target.height());
    sibling(&target, packed, width, height).ok_or(CodecError::TooLarge {
        width: width as usize,
        height: height as usize,
    })
}

/// What becomes of a frame on its way into nvJPEG.
#[derive(Default)]
struct Made {
    bench: Option<Bench>,
    converted: Option<CardFrame>,
    planes: Option<CardFrame>,
}

impl CardEncoder {
    fn tools(&mut self, gpu: Gpu) -> Arc<Tools> {
        match &self.tools {
            Some(tools) if tools.gpu == gpu => tools.clone(),
            _ => self.tools.insert(Tools::of(gpu)).clone(),
        }
    }

    /// Why a picture was left to the CPU that the card could have made.
    pub fn take_fallback(&mut self) -> Option<String> {
        self.fallback.take()
    }

    /// Replaces `out` by `frame` as `settings` say.
    pub fn encode(
        &mut self,
        frame: &CardFrame,
        settings: &EncodeSettings,
        out: &mut Vec<u8>,
    ) -> Result<Picture, CodecError> {
        self.encode_changed(frame, &Change::default(), settings, out)
    }

    /// The same, of the frame after a change. The frame itself stays as it is.
    pub fn encode_changed(
        &mut self,
        frame: &CardFrame,
        change: &Change<'_>,
        settings: &EncodeSettings,
        out: &mut Vec<u8>,
    ) -> Result<Picture, CodecError> {
        let _bound = frame.gpu().bind()?;
        let tools = self.tools(frame.gpu());
        let Change { part, rects } = *change;
        let cut =
            part.map(|part| tools.at_bench(|bench| frame.cut(part, &tools.parts, &bench.stream)));
        let cut = cut.transpose()?;
        let frame = match &cut {
            Some(cut) => (cut, Extent::Part),
            None => (frame, Extent::Whole),
        };
        let info = frame.0.info();
        if settings.encoding == Encoding::Jpeg {
            let size = super::output_size(info, settings);
            if let Some(reason) = tools.refusal(size) {
                self.fallback = Some(reason);
            } else {
                match encode_jpeg(&tools, frame, rects, settings, out) {
                    Err(CodecError::NvJpeg(error)) if !error.is_sticky() => {
                        if error.is_size_refusal() {
                            tools.refuse(size, error.to_string());
                        }
                        self.fallback = Some(error.to_string());
                    }
                    done => return done,
                }
            }
        }
        let target = match rects {
            Some(_) => super::drawn_target(settings, info)?,
            None => super::target(settings, info)?,
        };
        let pool = tools.pool(frame.1);
        let fetched = tools.at_bench(|bench| bench.fetch_as(frame, &target, rects, pool))?;
        self.on_cpu.encode(&fetched, settings, out)
    }

    /// The statistics of the frame as it is delivered, in RGB.
    pub fn statistics(
        &mut self,
        frame: &CardFrame,
        width: u32,
        height: u32,
    ) -> Result<PictureStats, CodecError> {
        let info = frame.info();
        let format = match info.format() {
            VideoFormat::Gray8 => VideoFormat::Gray8,
            _ => VideoFormat::Rgb,
        };
        let too_large = CodecError::TooLarge {
            width: width as usize,
            height: height as usize,
        };
        let _bound = frame.gpu().bind()?;
        let tools = self.tools(frame.gpu());
        let same = (info.format(), info.width(), info.height()) == (format, width, height);
        let target = match same {
            true => info.clone(),
            false => sibling(info, format, width, height).ok_or(too_large)?,
        };
        tools.at_bench(|bench| {
            let Bench {
                stream,
                converters,
                statistics,
                ..
            } = bench;
            if same {
                return Ok(statistics.of(&frame.view()?, stream)?);
            }
            let whole = (frame, Extent::Whole);
            let converted = converters.convert(whole, &target, &tools.converted, stream)?;
            Ok(statistics.of(&converted.view()?, stream)?)
        })
    }
}

fn encode_jpeg(
    tools: &Tools,
    (frame, extent): (&CardFrame, Extent),
    rects: Option<&[Rect]>,
    settings: &EncodeSettings,
    out: &mut Vec<u8>,
) -> Result<Picture, CodecError> {
    let jpeg = tools.jpeg.as_ref().map_err(Clone::clone)?;
    let target = match rects {
        Some(_) => super::drawn_target(settings, frame.info())?,
        None => jpeg_target(settings, frame.info())?,
    };
    let pool = tools.pool(extent);
    let mut made = Made::default();
    let prepare = |made: &mut Made, stream: &Stream| {
        let same = target == *frame.info() && rects.is_none();
        let (format, width, height) = (
            target.format(),
            target.width() as usize,
            target.height() as usize,
        );
        let map = PlanarMap::new(&resolve(&target.colorimetry(), format, width, height));
        let needs_map = !target.is_rgb() && (!map.is_identity() || format == VideoFormat::Nv12);
        if same && !needs_map {
            return Ok(());
        }
        let bench = made.bench.insert(tools.take_bench()?);
        if !same {
            let from = (frame, extent);
            let converted = bench.converters.convert(from, &target, pool, stream)?;
            // Kept until the stream was waited for, also if this fails.
            let converted = made.converted.insert(converted);
            if let Some(rects) = rects {
                draw(&mut bench.annotator, rects, converted, stream)?;
            }
        }
        if needs_map {
            let from = made.converted.as_ref().unwrap_or(frame);
            let planes = match format {
                VideoFormat::Nv12 => VideoFormat::I420,
                other => other,
            };
            let info = sibling(&target, planes, target.width(), target.height())
                .ok_or(CodecError::TooLarge { width, height })?;
            let mut mapped = CardFrame::acquire(pool, &info)?;
            bench
                .converters
                .planar
                .map(&from.view()?, &mut mapped.view_mut()?, &map, stream)?;
            made.planes = Some(mapped);
        }
        Ok::<_, CodecError>(())
    };
    let (quality, subsampling) = (settings.quality, settings.subsampling);
    let encoded = jpeg.encode_prepared(quality, subsampling, out, |stream| {
        prepare(&mut made, stream)?;
        let ready = made.planes.as_ref().or(made.converted.as_ref());
        Ok::<_, CodecError>(ready.unwrap_or(frame).view()?)
    });
    // The stream was waited for.
    if let Some(bench) = made.bench {
        tools.give_back(bench);
    }
    encoded?;
    Ok(Picture {
        width: target.width() as usize,
        height: target.height() as usize,
        channels: match target.format() {
            VideoFormat::Gray8 => 1,
            _ => 3,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nvjpeg_is_given_what_it_takes() {
        gst::init().unwrap();
        for format in crate::frame::FORMATS {
            for subsampling in [
                super::super::Subsampling::S420,
                super::super::Subsampling::S422,
                super::super::Subsampling::S444,
            ] {
                let info = VideoInfo::builder(format, 640, 480).build().unwrap();
                let settings = EncodeSettings {
                    subsampling,
                    ..Default::default()
                };
                let target = jpeg_target(&settings, &info).unwrap();
                let given = match target.format() {
                    VideoFormat::Nv12 => VideoFormat::I420,
                    other => other,
                };
                assert!(
                    crate::mem::nvjpeg::takes(given, subsampling),
                    "{format:?} {subsampling:?}"
                );
            }
        }
    }
}
