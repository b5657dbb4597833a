// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Conversions on a GPU, with the results of those on the CPU.

use gst_video::VideoInfo;

use super::matrix::{Arithmetic, Matrix};
use super::plan::{self, Convert, Place, Plan, Scale, Scaling, Stage};
use crate::frame::ViewError;
use crate::frame::planar::PlanarMap;
use crate::mem::cuda::kernels::convert::{
    Area, Conversion, ConvertKernels, Job, Scratch, Step, Table,
};
use crate::mem::cuda::{CardView, CardViewMut, CudaError, Gpu, Kind, MemoryPool, Stream};

/// Converts pictures of one kind into pictures of another, as [`Converter`](crate::frame::Converter) does.
#[derive(Debug)]
pub struct CardConverter {
    from: VideoInfo,
    to: VideoInfo,
    kernels: ConvertKernels,
    stages: Vec<Ready>,
    scratch: Vec<Scratch>,
}

/// A stage with all that it needs.
#[derive(Debug)]
enum Ready {
    Convert {
        from: Place,
        to: Place,
        conversion: Conversion,
    },
    Scale(Vec<(Scale, Option<Table>)>),
}

/// The tables of a scaling go to the card.
fn table(pool: &MemoryPool, scaling: &Scaling) -> Result<Option<Table>, CudaError> {
    let (Scaling::Across(taps) | Scaling::Down(taps) | Scaling::BetweenRows(taps)) = scaling else {
        return Ok(None);
    };
    Table::new(pool, &taps.offsets, &taps.taps, taps.count, taps.from).map(Some)
}

fn conversion(convert: &Convert) -> Conversion {
    let chroma = |(across, down): plan::Resampling| [across as u32, down as u32];
    Conversion {
        rows: convert.matrix.map_or([[0; 4]; 3], |matrix| matrix.rows),
        matrix: match convert.matrix {
            None => 0,
            Some(Matrix {
                arithmetic: Arithmetic::Plain,
                ..
            }) => 1,
            Some(_) => 2,
        },
        up: chroma(convert.up),
        down: chroma(convert.down),
        x: convert.x,
        y: convert.y,
        border: convert.border,
    }
}

fn step<'a>(scaling: &Scaling, table: Option<&'a Table>) -> Step<'a> {
    match (scaling, table) {
        (Scaling::Across(_), Some(table)) => Step::Across(table),
        (Scaling::Down(_), Some(table)) => Step::Down(table),
        (Scaling::BetweenRows(_), Some(table)) => Step::BetweenRows(table),
        (Scaling::Steps(step), _) => Step::Steps(*step),
        (Scaling::HalveAcross, _) => Step::HalveAcross,
        (Scaling::HalveDown, _) => Step::HalveDown,
        (Scaling::HalveBoth, _) => Step::HalveBoth,
        (Scaling::Copy, _) => Step::Copy,
        // Those with a table have one.
        _ => Step::Fill,
    }
}

impl CardConverter {
    /// With `add_borders` the picture keeps its aspect ratio between black borders; without, it is
    /// stretched. All memory that conversions need is allocated here.
    pub fn new(
        gpu: Gpu,
        from: &VideoInfo,
        to: &VideoInfo,
        add_borders: bool,
    ) -> Result<Self, CudaError> {
        // Of nobody else's: it is freed with the converter.
        Self::in_pool(&MemoryPool::new(gpu, Kind::Device), from, to, add_borders)
    }

    /// The same with memory of a pool, for converters that are not kept for long. It goes back when
    /// the converter is dropped, so what was queued with it must be done by then.
    pub fn in_pool(
        pool: &MemoryPool,
        from: &VideoInfo,
        to: &VideoInfo,
        add_borders: bool,
    ) -> Result<Self, CudaError> {
        let plan = Plan::new(from, to, add_borders).ok_or(ViewError::Format(to.format()))?;
        let scratch = plan
            .scratch
            .iter()
            .map(|scratch| Scratch::new(pool, scratch.format, scratch.width, scratch.height))
            .collect::<Result<_, _>>()?;
        let stages = plan
            .stages
            .into_iter()
            .map(|stage| match stage {
                Stage::Convert(convert) => Ok(Ready::Convert {
                    from: convert.from,
                    to: convert.to,
                    conversion: conversion(&convert),
                }),
                Stage::Scale(planes) => planes
                    .into_iter()
                    .map(|mut scale| {
                        let table = table(pool, &scale.scaling)?;
                        // Only what it is still matters.
                        if let Scaling::Across(taps)
                        | Scaling::Down(taps)
                        | Scaling::BetweenRows(taps) = &mut scale.scaling
                        {
                            (taps.offsets, taps.taps) = (Vec::new(), Vec::new());
                        }
                        Ok((scale, table))
                    })
                    .collect::<Result<_, _>>()
                    .map(Ready::Scale),
            })
            .collect::<Result<_, CudaError>>()?;
        Ok(Self {
            from: from.clone(),
            to: to.clone(),
            kernels: ConvertKernels::load(pool.gpu())?,
            stages,
            scratch,
        })
    }

    /// Whether such pictures can be converted. Fields are left to the CPU.
    pub fn takes(from: &VideoInfo, to: &VideoInfo) -> bool {
        plan::is_input(from.format())
            && plan::is_output(to.format())
            && !from.is_interlaced()
            && !to.is_interlaced()
            && ![from.width(), from.height(), to.width(), to.height()].contains(&0)
    }

    pub fn from(&self) -> &VideoInfo {
        &self.from
    }

    pub fn to(&self) -> &VideoInfo {
        &self.to
    }

    pub fn gpu(&self) -> Gpu {
        self.kernels.gpu()
    }

    /// How many kernels a conversion launches.
    pub fn launches(&self) -> usize {
        self.stages.len()
    }

    /// Queues a conversion. The pictures must be of the format and size that the converter was made
    /// for, and its conversions must all be queued in one stream, as they share memory.
    pub fn convert(
        &self,
        from: &CardView<'_>,
        to: &mut CardViewMut<'_>,
        stream: &Stream,
    ) -> Result<(), CudaError> {
        let is = |info: &VideoInfo, format, width: usize, height: usize| {
            let size = (info.width() as usize, info.height() as usize);
            info.format() == format && size == (width, height)
        };
        if !is(&self.from, from.format(), from.width(), from.height())
            || !is(&self.to, to.format(), to.width(), to.height())
        {
            return Err(ViewError::Format(to.format()).into());
        }
        for stage in &self.stages {
            match stage {
                Ready::Convert {
                    from: source,
                    to: target,
                    conversion,
                } => {
                    let scratch = self.readable(*source)?;
                    let source = scratch.as_ref().unwrap_or(from);
                    match self.writable(*target)? {
                        Some(mut target) => {
                            self.kernels
                                .convert(source, &mut target, conversion, stream)?;
                        }
                        None => self.kernels.convert(source, to, conversion, stream)?,
                    }
                }
                Ready::Scale(planes) => self.scale(planes, from, to, stream)?,
            }
        }
        Ok(())
    }

    fn scale(
        &self,
        planes: &[(Scale, Option<Table>)],
        from: &CardView<'_>,
        to: &CardViewMut<'_>,
        stream: &Stream,
    ) -> Result<(), CudaError> {
        let mut jobs: [Option<Job<'_>>; 3] = [None; 3];
        let sources = self.places(planes.iter().map(|(scale, _)| scale.from.0))?;
        let targets = self.places(planes.iter().map(|(scale, _)| scale.to.0))?;
        for (((scale, table), job), (source, target)) in planes
            .iter()
            .zip(&mut jobs)
            .zip(sources.iter().zip(&targets))
        {
            let source = Area::of(source.as_ref().unwrap_or(from), scale.from.1);
            let target = match target {
                Some(target) => Area::of(target, scale.to.1),
                None => Area::of_mut(to, scale.to.1),
            };
            let (Some(source), Some(target)) = (source, target) else {
                continue;
            };
            *job = Some(Job {
                from: source,
                to: target,
                step: step(&scale.scaling, table.as_ref()),
                elements: scale.elements,
                x: scale.part.x,
                y: scale.part.y,
                width: scale.part.width,
                height: scale.part.height,
                border: scale.border,
            });
        }
        self.kernels.scale(jobs.into_iter().flatten(), stream)
    }

    fn places(
        &self,
        places: impl Iterator<Item = Place>,
    ) -> Result<[Option<CardView<'_>>; 3], CudaError> {
        let mut views = [None; 3];
        for (view, place) in views.iter_mut().zip(places) {
            *view = self.readable(place)?;
        }
        Ok(views)
    }

    /// None for what is not ours.
    fn readable(&self, place: Place) -> Result<Option<CardView<'_>>, CudaError> {
        match place {
            Place::Scratch(index) => self.scratch[index].view().map(Some),
            Place::From | Place::To => Ok(None),
        }
    }

    fn writable(&self, place: Place) -> Result<Option<CardViewMut<'_>>, CudaError> {
        match place {
            Place::Scratch(index) => self.scratch[index].view_mut().map(Some),
            Place::From | Place::To => Ok(None),
        }
    }
}

/// [`PlanarMap`] on a GPU.
#[derive(Debug)]
pub struct CardPlanar {
    kernels: ConvertKernels,
}

impl CardPlanar {
    pub fn new(gpu: Gpu) -> Result<Self, CudaError> {
        Ok(Self {
            kernels: ConvertKernels::load(gpu)?,
        })
    }

    /// Queues the map of an I420, NV12, Y42B, Y444 or GRAY8 picture into planes with the same
    /// chroma. With `to` larger by one column or row, so that it holds whole samples of chroma, the
    /// last ones are repeated.
    pub fn map(
        &self,
        from: &CardView<'_>,
        to: &mut CardViewMut<'_>,
        map: &PlanarMap,
        stream: &Stream,
    ) -> Result<(), CudaError> {
        self.kernels.planar(from, to, &map.coefficients(), stream)
    }
}
