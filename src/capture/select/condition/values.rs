// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What an expression can speak of. Values are made when they are asked for: most expressions ask
//! for few.

use cel::ExecutionError;
use cel::common::traits::{Container, Indexer, Iterable, Iterator as ValIterator, Sizer};
use cel::common::types::{CelDouble, CelInt, CelList, CelString, LIST_TYPE, MAP_TYPE, Type};
use cel::common::value::{CowVal, Val};
use cel::context::VariableResolver;

use crate::meta::Detection;

use super::FrameFacts;
use crate::capture::select::filter::known_confidence;

/// As many of a frame's detections are in `objects` at most.
pub const MAX_OBJECTS: usize = 256;

pub const VARIABLES: [&str; 14] = [
    "count",
    "max_confidence",
    "min_confidence",
    "mean_confidence",
    "counts",
    "max_area",
    "total_area",
    "tracked",
    "objects",
    "stream",
    "frame",
    "time",
    "width",
    "height",
];

/// Cannot be written in an expression.
pub const COUNT_OF: &str = "@count_of";

pub const FIELDS: [&str; 13] = [
    "label",
    "class_id",
    "confidence",
    "track_id",
    "left",
    "top",
    "width",
    "height",
    "area",
    "component_id",
    "place",
    "parent",
    "classifiers",
];

/// What there is none of.
const ABSENT: f64 = -1.0;

/// A share, or a number of 32 bits, as it would be written: 0.9 is 0.9.
fn rounded(value: f64) -> f64 {
    (value * 1e7).round() / 1e7
}

/// Of the detections that pass, and of the frame.
pub struct Scope<'a> {
    count: CelInt,
    tracked: CelInt,
    max_confidence: CelDouble,
    min_confidence: CelDouble,
    mean_confidence: CelDouble,
    max_area: CelDouble,
    total_area: CelDouble,
    stream: CelInt,
    frame: CelInt,
    time: CelDouble,
    width: CelInt,
    height: CelInt,
    objects: Objects<'a>,
    counts: Counts<'a>,
    count_of: Counts<'a>,
}

impl<'a> Scope<'a> {
    pub fn new(
        facts: &FrameFacts<'_>,
        passing: &[usize],
        objects: &'a [Object<'a>],
        counts: &'a [(CelString<'a>, CelInt)],
    ) -> Self {
        let picture = picture_area(facts);
        let (mut tracked, mut known) = (0, 0);
        let (mut max, mut min, mut sum) = (f32::NEG_INFINITY, f32::INFINITY, 0.0);
        let (mut max_area, mut total_area) = (0.0f64, 0.0);
        for detection in passing.iter().filter_map(|&n| facts.detections.get(n)) {
            tracked += i64::from(detection.track_id.is_some());
            if let Some(confidence) = known_confidence(detection) {
                known += 1;
                max = max.max(confidence);
                min = min.min(confidence);
                sum += f64::from(confidence);
            }
            let area = share(detection, picture);
            max_area = max_area.max(area);
            total_area += area;
        }
        let or_absent =
            |value: f64| CelDouble::from(if known == 0 { ABSENT } else { rounded(value) });
        Self {
            count: CelInt::from(passing.len() as i64),
            tracked: CelInt::from(tracked),
            max_confidence: or_absent(f64::from(max)),
            min_confidence: or_absent(f64::from(min)),
            mean_confidence: or_absent(sum / f64::from(known)),
            max_area: CelDouble::from(rounded(max_area)),
            total_area: CelDouble::from(rounded(total_area)),
            stream: CelInt::from(i64::from(facts.stream)),
            frame: CelInt::from(i64::try_from(facts.frame).unwrap_or(i64::MAX)),
            time: CelDouble::from(facts.time as f64 / 1e9),
            width: CelInt::from(i64::from(facts.size.0)),
            height: CelInt::from(i64::from(facts.size.1)),
            objects: Objects(objects),
            counts: Counts {
                entries: counts,
                every_label: false,
            },
            count_of: Counts {
                entries: counts,
                every_label: true,
            },
        }
    }
}

/// A value that needs no memory of its own.
#[derive(Debug, Clone, Copy)]
pub enum Simple<'a> {
    Int(i64),
    Double(f64),
    Text(&'a str),
}

impl<'a> Scope<'a> {
    pub fn objects(&self) -> &'a [Object<'a>] {
        self.objects.0
    }

    /// A variable that is a number.
    pub fn number<'v>(&self, variable: &str) -> Option<Simple<'v>> {
        let int = |value: &CelInt| Some(Simple::Int(*value.inner()));
        let double = |value: &CelDouble| Some(Simple::Double(*value.inner()));
        match variable {
            "count" => int(&self.count),
            "tracked" => int(&self.tracked),
            "max_confidence" => double(&self.max_confidence),
            "min_confidence" => double(&self.min_confidence),
            "mean_confidence" => double(&self.mean_confidence),
            "max_area" => double(&self.max_area),
            "total_area" => double(&self.total_area),
            "stream" => int(&self.stream),
            "frame" => int(&self.frame),
            "time" => double(&self.time),
            "width" => int(&self.width),
            "height" => int(&self.height),
            _ => None,
        }
    }
}

impl VariableResolver for Scope<'_> {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        Some(CowVal::Borrowed(match variable {
            "count" => &self.count,
            "tracked" => &self.tracked,
            "max_confidence" => &self.max_confidence,
            "min_confidence" => &self.min_confidence,
            "mean_confidence" => &self.mean_confidence,
            "max_area" => &self.max_area,
            "total_area" => &self.total_area,
            "stream" => &self.stream,
            "frame" => &self.frame,
            "time" => &self.time,
            "width" => &self.width,
            "height" => &self.height,
            "objects" => &self.objects,
            "counts" => &self.counts,
            COUNT_OF => &self.count_of,
            _ => return None,
        }))
    }
}

fn picture_area(facts: &FrameFacts<'_>) -> f64 {
    f64::from(facts.size.0) * f64::from(facts.size.1)
}

/// Of the picture that a box takes.
fn share(detection: &Detection, picture: f64) -> f64 {
    let bounds = &detection.bounds;
    let area = f64::from(bounds.width) * f64::from(bounds.height);
    if picture > 0.0 { area / picture } else { 0.0 }
}

pub fn objects<'a>(facts: &FrameFacts<'a>, passing: &[usize]) -> Vec<Object<'a>> {
    let picture = picture_area(facts);
    passing
        .iter()
        .take(MAX_OBJECTS)
        .filter_map(|&place| {
            Some(Object {
                place,
                picture,
                detection: facts.detections.get(place)?,
            })
        })
        .collect()
}

/// How many there are of each label, in the order of the labels.
pub fn counts<'a>(facts: &FrameFacts<'a>, passing: &[usize]) -> Vec<(CelString<'a>, CelInt)> {
    let mut labels: Vec<&str> = passing
        .iter()
        .filter_map(|&place| Some(facts.detections.get(place)?.label.as_str()))
        .collect();
    labels.sort_unstable();
    labels
        .chunk_by(|a, b| a == b)
        .map(|same| {
            let count = i64::try_from(same.len()).unwrap_or(i64::MAX);
            (CelString::from(same[0]), CelInt::from(count))
        })
        .collect()
}

fn no_such(index: &dyn Val) -> ExecutionError {
    match index.downcast_ref::<CelString>() {
        Some(key) => ExecutionError::no_such_key(key.inner()),
        None => ExecutionError::UnexpectedType {
            got: index.get_type().name().to_owned(),
            want: "string".to_owned(),
        },
    }
}

const PLACE: &str = "place";

fn place(place: Option<usize>) -> i64 {
    place
        .and_then(|place| i64::try_from(place).ok())
        .unwrap_or(-1)
}

static OBJECT: Type = Type::new_unspecified_type("object");

/// One item of `objects`.
#[derive(Debug, Clone, Copy)]
pub struct Object<'a> {
    place: usize,
    picture: f64,
    detection: &'a Detection,
}

impl<'a> Object<'a> {
    /// A field that is a number or a text.
    pub fn simple(&self, field: &str) -> Option<Simple<'a>> {
        let detection = self.detection;
        let id = |id: Option<i32>| Some(Simple::Int(id.map_or(-1, i64::from)));
        let number = |value: f32| Some(Simple::Double(f64::from(value)));
        match field {
            "label" => Some(Simple::Text(detection.label.as_str())),
            "class_id" => id(detection.class_id),
            "component_id" => id(detection.component_id),
            "confidence" => Some(Simple::Double(
                known_confidence(detection).map_or(ABSENT, |value| rounded(f64::from(value))),
            )),
            // All 64 bits, so that different tracks stay different.
            "track_id" => Some(Simple::Int(detection.track_id.map_or(-1, u64::cast_signed))),
            "left" => number(detection.bounds.left),
            "top" => number(detection.bounds.top),
            "width" => number(detection.bounds.width),
            "height" => number(detection.bounds.height),
            "area" => Some(Simple::Double(rounded(share(detection, self.picture)))),
            PLACE => Some(Simple::Int(place(Some(self.place)))),
            "parent" => Some(Simple::Int(place(detection.parent))),
            _ => None,
        }
    }
}

impl Object<'_> {
    fn classifiers<'v>(self) -> CelList<'v>
    where
        Self: 'v,
    {
        let labels = self.detection.classifiers.iter().flat_map(|c| &c.labels);
        CelList::from(
            labels
                .take(MAX_OBJECTS)
                .map(|label| -> Box<dyn Val + 'v> {
                    Box::new(CelString::from(label.label.as_str()))
                })
                .collect::<Vec<_>>(),
        )
    }
}

impl Indexer for Object<'_> {
    fn get<'b, 'v>(&'b self, field: &dyn Val) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        Self: 'v,
    {
        let Some(name) = field.downcast_ref::<CelString>() else {
            return Err(no_such(field));
        };
        match name.inner() {
            "classifiers" => Ok(CowVal::owned(self.classifiers())),
            other => match self.simple(other) {
                Some(Simple::Int(value)) => Ok(CowVal::owned(CelInt::from(value))),
                Some(Simple::Double(value)) => Ok(CowVal::owned(CelDouble::from(value))),
                Some(Simple::Text(text)) => Ok(CowVal::owned(CelString::from(text))),
                None => Err(ExecutionError::no_such_key(other)),
            },
        }
    }

    fn steal<'v>(self: Box<Self>, field: &dyn Val) -> Result<Box<dyn Val + 'v>, ExecutionError>
    where
        Self: 'v,
    {
        self.get(field).map(CowVal::into_owned)
    }
}

impl Val for Object<'_> {
    fn get_type(&self) -> &Type {
        &OBJECT
    }

    fn cel_type() -> &'static Type {
        &OBJECT
    }

    fn as_indexer<'b, 'v>(&'b self) -> Option<&'b (dyn Indexer + 'v)>
    where
        Self: 'v,
    {
        Some(self)
    }

    fn equals(&self, other: &dyn Val) -> bool {
        // What borrows cannot be downcast to.
        other.get_type().name() == OBJECT.name()
            && other
                .as_indexer()
                .and_then(|object| object.get(&CelString::from(PLACE)).ok())
                .is_some_and(|other| {
                    other.downcast_ref::<CelInt>() == Some(&CelInt::from(place(Some(self.place))))
                })
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v>
    where
        Self: 'v,
    {
        Box::new(*self)
    }
}

/// The list of them.
#[derive(Debug, Clone, Copy)]
struct Objects<'a>(&'a [Object<'a>]);

impl Indexer for Objects<'_> {
    fn get<'b, 'v>(&'b self, index: &dyn Val) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        Self: 'v,
    {
        let Some(index) = index.downcast_ref::<CelInt>() else {
            return Err(ExecutionError::UnexpectedType {
                got: index.get_type().name().to_owned(),
                want: "int".to_owned(),
            });
        };
        usize::try_from(*index.inner())
            .ok()
            .and_then(|index| self.0.get(index))
            .map(|object| CowVal::owned(*object))
            .ok_or(ExecutionError::IndexOutOfBounds((*index.inner()).into()))
    }

    fn steal<'v>(self: Box<Self>, index: &dyn Val) -> Result<Box<dyn Val + 'v>, ExecutionError>
    where
        Self: 'v,
    {
        self.get(index).map(CowVal::into_owned)
    }
}

impl Sizer for Objects<'_> {
    fn size(&self) -> CelInt {
        CelInt::from(self.0.len() as i64)
    }
}

impl Iterable for Objects<'_> {
    fn iter<'b, 'v>(&'b self) -> Box<dyn ValIterator<'b, 'v> + 'b>
    where
        Self: 'v,
    {
        Box::new(ObjectsIter(self.0.iter()))
    }
}

struct ObjectsIter<'b, 'a>(std::slice::Iter<'b, Object<'a>>);

impl<'b, 'v, 'a: 'v> ValIterator<'b, 'v> for ObjectsIter<'b, 'a> {
    fn next(&mut self) -> Option<&'b (dyn Val + 'v)> {
        self.0.next().map(|object| object as &'b (dyn Val + 'v))
    }
}

impl Val for Objects<'_> {
    fn get_type(&self) -> &Type {
        &LIST_TYPE
    }

    fn cel_type() -> &'static Type {
        static LIST: Type = LIST_TYPE;
        &LIST
    }

    fn as_indexer<'b, 'v>(&'b self) -> Option<&'b (dyn Indexer + 'v)>
    where
        Self: 'v,
    {
        Some(self)
    }

    fn as_iterable<'b, 'v>(&'b self) -> Option<&'b (dyn Iterable + 'v)>
    where
        Self: 'v,
    {
        Some(self)
    }

    fn as_sizer(&self) -> Option<&dyn Sizer> {
        Some(self)
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v>
    where
        Self: 'v,
    {
        Box::new(*self)
    }
}

/// From labels to how many there are.
#[derive(Debug, Clone, Copy)]
struct Counts<'a> {
    entries: &'a [(CelString<'a>, CelInt)],
    /// 0 for those that are not there, instead of an error.
    every_label: bool,
}

impl Counts<'_> {
    fn find(&self, label: &str) -> Option<CelInt> {
        let find = self
            .entries
            .binary_search_by(|(entry, _)| entry.inner().cmp(label));
        match find {
            Ok(place) => self.entries.get(place).map(|(_, count)| *count),
            Err(_) => self.every_label.then(|| CelInt::from(0)),
        }
    }
}

impl Indexer for Counts<'_> {
    fn get<'b, 'v>(&'b self, label: &dyn Val) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        Self: 'v,
    {
        label
            .downcast_ref::<CelString>()
            .and_then(|label| self.find(label.inner()))
            .map(CowVal::owned)
            .ok_or_else(|| no_such(label))
    }

    fn steal<'v>(self: Box<Self>, label: &dyn Val) -> Result<Box<dyn Val + 'v>, ExecutionError>
    where
        Self: 'v,
    {
        self.get(label).map(CowVal::into_owned)
    }
}

impl Container for Counts<'_> {
    fn contains(&self, label: &dyn Val) -> Result<bool, ExecutionError> {
        match label.downcast_ref::<CelString>() {
            Some(label) => Ok(self.find(label.inner()).is_some()),
            None => Err(no_such(label)),
        }
    }
}

impl Sizer for Counts<'_> {
    fn size(&self) -> CelInt {
        CelInt::from(self.entries.len() as i64)
    }
}

impl Iterable for Counts<'_> {
    fn iter<'b, 'v>(&'b self) -> Box<dyn ValIterator<'b, 'v> + 'b>
    where
        Self: 'v,
    {
        // More labels than objects are walked would take as long.
        let entries = self.entries.get(..MAX_OBJECTS).unwrap_or(self.entries);
        Box::new(LabelsIter(entries.iter()))
    }
}

struct LabelsIter<'b, 'a>(std::slice::Iter<'b, (CelString<'a>, CelInt)>);

impl<'b, 'v, 'a: 'v> ValIterator<'b, 'v> for LabelsIter<'b, 'a> {
    fn next(&mut self) -> Option<&'b (dyn Val + 'v)> {
        self.0.next().map(|(label, _)| label as &'b (dyn Val + 'v))
    }
}

impl Val for Counts<'_> {
    fn get_type(&self) -> &Type {
        &MAP_TYPE
    }

    fn cel_type() -> &'static Type {
        static MAP: Type = MAP_TYPE;
        &MAP
    }

    fn as_container(&self) -> Option<&dyn Container> {
        Some(self)
    }

    fn as_indexer<'b, 'v>(&'b self) -> Option<&'b (dyn Indexer + 'v)>
    where
        Self: 'v,
    {
        Some(self)
    }

    fn as_iterable<'b, 'v>(&'b self) -> Option<&'b (dyn Iterable + 'v)>
    where
        Self: 'v,
    {
        Some(self)
    }

    fn as_sizer(&self) -> Option<&dyn Sizer> {
        Some(self)
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v>
    where
        Self: 'v,
    {
        Box::new(*self)
    }
}
