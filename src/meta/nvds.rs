// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! From DeepStream's metadata to ours.

use super::faults::{Fault, Faults};
use super::spare::Spare;
use super::{Bounds, ClassLabel, Classifier, Detection, FrameMeta, probability, set_label};
use crate::mem::nvds::{self, Batch, Frame, List};
use crate::mem::sys::nvds::{Coords, UNTRACKED};

/// Objects, and classifiers with their labels, that are read from one buffer.
const MAX_TOTAL: usize = 262_144;
/// Nothing is this many pixels from anything.
const FAR: f32 = 1e6;

/// Memory that is used again for each buffer.
#[derive(Debug, Default)]
pub(super) struct Nvds {
    frame_list: List,
    object_list: List,
    classifier_list: List,
    label_list: List,
    user_list: List,
    /// Where the frames were that were read last.
    addresses: Vec<usize>,
    /// Where the objects of a frame are, and which of them have parents.
    places: Vec<(usize, usize)>,
    parents: Vec<(usize, usize)>,
    pub(super) frames: Spare<FrameMeta>,
    pub(super) detections: Spare<Detection>,
    classifiers: Spare<Classifier>,
    /// Frames without objects, and the buffers they came in.
    pub(super) wrapped: Vec<(usize, gst::Buffer)>,
}

/// How much may still be read from a buffer.
struct Budget {
    objects: usize,
    classifiers: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            objects: MAX_TOTAL,
            classifiers: MAX_TOTAL,
        }
    }
}

impl Nvds {
    /// Reads all frames of a batch, with or without their objects.
    pub(super) fn read(
        &mut self,
        batch: &Batch<'_>,
        objects: bool,
        surfaces: usize,
        into: &mut Vec<FrameMeta>,
        faults: &mut Faults,
    ) {
        self.wrapped.clear();
        self.addresses.clear();
        let mut budget = Budget::default();
        let mut frame_list = std::mem::take(&mut self.frame_list);
        let frames = batch.frames(&mut frame_list);
        faults.add_ending(frames.ending());
        let alone = surfaces == 1 && frames.len() == 1;
        let mut count = 0;
        for frame in frames.iter() {
            let Some(frame) = frame else {
                faults.add(Fault::Element);
                continue;
            };
            let slot = if alone {
                0
            } else {
                frame.head().batch_id as usize
            };
            if slot >= surfaces {
                faults.add(Fault::Surface);
                continue;
            }
            let meta = self.frames.slot(into, count);
            facts(&frame, slot, meta);
            match objects {
                true => self.objects(&frame, count, &mut meta.detections, &mut budget, faults),
                false => self.detections.keep(&mut meta.detections, 0),
            }
            self.addresses.push(frame.address());
            count += 1;
        }
        self.frames.keep(into, count);
        self.frame_list = frame_list;
    }

    /// Reads the objects of some of the frames that were read before, wherever these are still the
    /// same.
    pub(super) fn read_objects(
        &mut self,
        batch: &Batch<'_>,
        wanted: &[usize],
        into: &mut [FrameMeta],
        faults: &mut Faults,
    ) {
        self.wrapped.clear();
        let mut budget = Budget::default();
        let mut frame_list = std::mem::take(&mut self.frame_list);
        let frames = batch.frames(&mut frame_list);
        let mut next = 0;
        for frame in frames.iter().flatten() {
            // They are where they were, unless somebody has removed one.
            let rest = self.addresses.get(next..).unwrap_or_default();
            let Some(skip) = rest.iter().position(|at| *at == frame.address()) else {
                continue;
            };
            let index = next + skip;
            next = index + 1;
            let Some(meta) = into.get_mut(index) else {
                continue;
            };
            let head = frame.head();
            let same = (meta.source_id, meta.frame_number)
                == (head.source_id, u64::try_from(head.frame_num).ok());
            if same && wanted.contains(&index) {
                self.objects(&frame, index, &mut meta.detections, &mut budget, faults);
            }
        }
        self.frame_list = frame_list;
    }

    fn objects(
        &mut self,
        frame: &Frame<'_>,
        index: usize,
        into: &mut Vec<Detection>,
        budget: &mut Budget,
        faults: &mut Faults,
    ) {
        self.places.clear();
        self.parents.clear();
        let mut object_list = std::mem::take(&mut self.object_list);
        let objects = frame.objects(budget.objects, &mut object_list);
        faults.add_ending(objects.ending());
        budget.objects -= objects.len();
        let mut count = 0;
        for object in objects.oldest_first() {
            let Some(object) = object else {
                faults.add(Fault::Element);
                continue;
            };
            let head = object.head();
            let Some(bounds) = bounds(head.bounds) else {
                faults.add(Fault::Bounds);
                continue;
            };
            let detection = self.detections.slot(into, count);
            detection.bounds = bounds;
            detection.class_id = Some(head.class_id);
            detection.component_id = Some(head.component_id);
            detection.confidence = probability(head.confidence);
            detection.track_id = (head.object_id != UNTRACKED).then_some(head.object_id);
            detection.parent = None;
            object.label(|text| set_label(&mut detection.label, text));
            let classifiers = object.classifiers(budget.classifiers, &mut self.classifier_list);
            budget.classifiers -= classifiers.len();
            faults.add_ending(classifiers.ending());
            let mut classified = 0;
            for classifier in classifiers.oldest_first() {
                let Some(classifier) = classifier else {
                    faults.add(Fault::Element);
                    continue;
                };
                let slot = self
                    .classifiers
                    .slot(&mut detection.classifiers, classified);
                let labels = &mut self.label_list;
                read_classifier(&classifier, slot, labels, budget, faults);
                classified += 1;
            }
            self.classifiers
                .keep(&mut detection.classifiers, classified);
            if object.parent() != 0 {
                self.parents.push((object.parent(), count));
            }
            self.places.push((object.address(), count));
            count += 1;
        }
        self.detections.keep(into, count);
        if objects.is_empty() {
            let users = frame.users(&mut self.user_list);
            faults.add_ending(users.ending());
            let mut buffers = users.iter().flatten().filter_map(|user| user.buffer());
            self.wrapped
                .extend(buffers.next().map(|buffer| (index, buffer)));
        }
        self.object_list = object_list;
        self.find_parents(into);
    }

    fn find_parents(&mut self, detections: &mut [Detection]) {
        if self.parents.is_empty() {
            return;
        }
        self.places.sort_unstable();
        for (address, child) in &self.parents {
            let found = self.places.binary_search_by_key(address, |(at, _)| *at);
            let parent = found.ok().map(|at| self.places[at].1);
            detections[*child].parent = parent.filter(|parent| parent != child);
        }
    }
}

fn facts(frame: &Frame<'_>, slot: usize, meta: &mut FrameMeta) {
    let head = frame.head();
    meta.source_id = head.source_id;
    meta.pad_index = head.pad_index;
    meta.slot = slot;
    meta.frame_number = u64::try_from(head.frame_num).ok();
    meta.pts = (head.buf_pts != u64::MAX).then_some(head.buf_pts);
    meta.ntp = (head.ntp_timestamp != 0).then_some(head.ntp_timestamp);
    let (width, height) = (head.source_width, head.source_height);
    meta.source_size = (width != 0 && height != 0).then_some((width, height));
    let set = |text: &[u8]| set_label(meta.sensor.get_or_insert_default(), text);
    if frame.sensor(set).is_none() {
        meta.sensor = None;
    }
}

fn bounds(coords: Coords) -> Option<Bounds> {
    let Coords {
        left,
        top,
        width,
        height,
    } = coords;
    // Comparisons with what is not a number are false.
    let near = left.abs() <= FAR && top.abs() <= FAR && width <= FAR && height <= FAR;
    (near && width >= 0.0 && height >= 0.0).then_some(Bounds {
        left,
        top,
        width,
        height,
    })
}

fn read_classifier(
    from: &nvds::Classifier<'_>,
    into: &mut Classifier,
    list: &mut List,
    budget: &mut Budget,
    faults: &mut Faults,
) {
    into.component_id = Some(from.head().component_id);
    if from.kind(|text| set_label(&mut into.kind, text)).is_none() {
        into.kind.clear();
    }
    let labels = from.labels(budget.classifiers, list);
    budget.classifiers -= labels.len();
    faults.add_ending(labels.ending());
    let mut count = 0;
    for label in labels.oldest_first() {
        let Some(label) = label else {
            faults.add(Fault::Element);
            continue;
        };
        if count == into.labels.len() {
            into.labels.push(ClassLabel::default());
        }
        let slot = &mut into.labels[count];
        slot.class_id = i32::try_from(label.head().class_id).ok();
        slot.probability = probability(label.head().probability);
        label.label(|text| set_label(&mut slot.label, text));
        count += 1;
    }
    into.labels.truncate(count);
}
