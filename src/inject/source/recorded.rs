// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What the property `metadata-location` names: detections of frames, recorded in files, and a
//! source whose frames have them.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use gst_video::VideoInfo;

use super::location::Pattern;
use super::{Facts, Next, Source, SourceError, Target};
use crate::frame::convert::centred;
use crate::meta::records::{Frames, Reader, RecordError, Recorded};
use crate::meta::{Bounds, Detection};

const PROPERTY: &str = "metadata-location";
/// What YOLO tools put beside their labels; no labels itself.
const CLASSES: &str = "classes.txt";

/// The detections of the frames of a source, by the number of the frame.
#[derive(Debug, Clone)]
pub struct Metadata {
    frames: Arc<Frames>,
    /// The numbers of frames whose pictures are there.
    pictures: Arc<HashMap<PathBuf, u64>>,
}

fn named(path: &Path) -> String {
    format!("{PROPERTY} \"{}\"", path.display())
}

fn unreadable(path: &Path, error: &io::Error) -> SourceError {
    let what = named(path);
    match error.kind() {
        io::ErrorKind::NotFound => SourceError::NotFound {
            what,
            reason: "there is no such file; it can be a log of dsframecapture, a MOTChallenge \
                     file, or KITTI labels: a file, a folder, a glob such as 'labels/*.txt' or a \
                     printf pattern such as labels/%06d.txt"
                .into(),
        },
        _ => SourceError::Open {
            what,
            reason: error.to_string(),
        },
    }
}

fn settings(reason: String) -> SourceError {
    SourceError::Settings {
        property: PROPERTY,
        reason,
    }
}

fn open(path: &Path) -> Result<BufReader<File>, SourceError> {
    let failed = |error: io::Error| unreadable(path, &error);
    // Asked first: opening a pipe that nobody writes to would wait.
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err(settings(format!(
            "\"{}\" is not a regular file",
            path.display()
        )));
    }
    Ok(BufReader::new(File::open(path).map_err(failed)?))
}

/// What came of reading a file.
fn checked<T>(path: &Path, read: io::Result<Result<T, RecordError>>) -> Result<T, SourceError> {
    match read {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(error)) => Err(SourceError::BadStream {
            what: named(path),
            reason: error.to_string(),
        }),
        Err(error) => Err(SourceError::Read {
            what: named(path),
            reason: error.to_string(),
        }),
    }
}

impl Metadata {
    /// Reads everything. KITTI files are numbered as pictures are: by the number in a pattern, else
    /// by their place, where `start_index` belongs to the first frame.
    pub fn load(location: &str, start_index: u64) -> Result<Self, SourceError> {
        let path = Path::new(location);
        let files = match fs::metadata(path) {
            Ok(found) if found.is_dir() => in_folder(path)?,
            Ok(_) => {
                let frames = checked(path, Reader::default().read(&mut open(path)?))?;
                return Ok(Self::new(frames, path));
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(unreadable(path, &error));
            }
            Err(error) => several(location).unwrap_or_else(|| Err(unreadable(path, &error)))?,
        };
        let mut reader = Reader::default();
        let mut frames = Frames::new();
        for (number, path) in files {
            let Some(frame) = number.checked_sub(start_index) else {
                continue;
            };
            let detections = checked(&path, reader.read_kitti(&mut open(&path)?))?;
            let size = None;
            frames.insert(
                frame,
                Recorded {
                    size,
                    file: None,
                    detections,
                },
            );
        }
        Ok(Self::new(frames, path))
    }

    fn new(frames: Frames, path: &Path) -> Self {
        let folder = path.parent().unwrap_or(Path::new(""));
        let picture = |(number, frame): (&u64, &Recorded)| {
            let file = frame.file.as_ref()?;
            // As it was written, or moved together with the log.
            let beside = || fs::canonicalize(folder.join(file.file_name()?)).ok();
            Some((fs::canonicalize(file).ok().or_else(beside)?, *number))
        };
        let pictures: HashMap<_, _> = frames.iter().filter_map(picture).collect();
        Self {
            pictures: pictures.into(),
            frames: frames.into(),
        }
    }

    /// What belongs to a frame: by its picture if that is one of those in the log, else by its
    /// number.
    fn of_frame(&self, number: u64, file: Option<&Path>) -> Option<&Recorded> {
        let file = file.filter(|_| !self.pictures.is_empty());
        let by_picture = file
            .and_then(|file| fs::canonicalize(file).ok())
            .and_then(|file| self.pictures.get(&file));
        self.frames.get(by_picture.unwrap_or(&number))
    }
}

type Numbered = Vec<(u64, PathBuf)>;

fn in_order(mut files: Vec<PathBuf>, from: &str) -> Result<Numbered, SourceError> {
    if files.is_empty() {
        return Err(SourceError::NotFound {
            what: named(Path::new(from)),
            reason: "no .txt files with labels are there".into(),
        });
    }
    alphanumeric_sort::sort_path_slice(&mut files);
    Ok((0..).zip(files).collect())
}

fn in_folder(folder: &Path) -> Result<Numbered, SourceError> {
    let mut files = Vec::new();
    let entries = fs::read_dir(folder).map_err(|error| unreadable(folder, &error))?;
    for entry in entries {
        let entry = entry.map_err(|error| unreadable(folder, &error))?;
        let (path, name) = (entry.path(), entry.file_name());
        let is_hidden = name.as_encoded_bytes().starts_with(b".");
        let is_text = path.extension().is_some_and(|suffix| suffix == "txt");
        if is_text && !is_hidden && name != CLASSES {
            files.push(path);
        }
    }
    in_order(files, &folder.to_string_lossy())
}

/// The files of a pattern or a glob; `None` for a text that is neither.
fn several(location: &str) -> Option<Result<Numbered, SourceError>> {
    let is_glob = location.contains(['*', '?', '[']);
    if location.contains('%') {
        match Pattern::parse(location) {
            Ok(pattern) => {
                let mut numbers = pattern.numbers_in_folder();
                numbers.sort_unstable();
                let files: Numbered = numbers.iter().map(|n| (*n, pattern.path(*n))).collect();
                return Some(match files.is_empty() {
                    true => in_order(Vec::new(), location),
                    false => Ok(files),
                });
            }
            Err(SourceError::Settings { reason, .. }) if !is_glob => {
                return Some(Err(settings(reason)));
            }
            Err(_) => (),
        }
    }
    is_glob.then(|| {
        let found = glob::glob(location)
            .map_err(|error| settings(format!("\"{location}\" is no valid glob: {error}")))?;
        let files = found.collect::<Result<Vec<_>, _>>();
        let files = files.map_err(|error| unreadable(error.path(), error.error()))?;
        let of_labels = |path: &PathBuf| path.file_name().is_some_and(|name| name != CLASSES);
        in_order(files.into_iter().filter(of_labels).collect(), location)
    })
}

/// From pixels of the picture that was recorded to those of the one that is pushed.
#[derive(Debug, Clone, Copy)]
pub struct BoxFit {
    across: f32,
    down: f32,
    left: f32,
    top: f32,
    right: f32,
    bottom: f32,
}

impl BoxFit {
    /// `within` is the picture that is put between borders, if one is.
    pub fn new(of: (u32, u32), to: &VideoInfo, within: Option<&VideoInfo>) -> Self {
        let (left, top, width, height) = match within {
            Some(native) => {
                let (x, y, width, height) = centred(native, to);
                (x as f32, y as f32, width as f32, height as f32)
            }
            None => (0.0, 0.0, to.width() as f32, to.height() as f32),
        };
        Self {
            across: width / of.0.max(1) as f32,
            down: height / of.1.max(1) as f32,
            left,
            top,
            right: left + width,
            bottom: top + height,
        }
    }

    /// The detections that are in the picture at all, with their boxes cut to it.
    pub fn apply_all(&self, mut detections: Vec<Detection>) -> Vec<Detection> {
        for detection in &mut detections {
            detection.bounds = self.apply(detection.bounds);
        }
        let is_there = |d: &Detection| d.bounds.width > 0.0 && d.bounds.height > 0.0;
        if detections.iter().all(is_there) {
            return detections;
        }
        // Parents are places in the list.
        let mut next = 0;
        let places: Vec<Option<usize>> = detections
            .iter()
            .map(|detection| {
                let place = is_there(detection).then_some(next);
                next += usize::from(place.is_some());
                place
            })
            .collect();
        detections.retain(is_there);
        for detection in &mut detections {
            let parent = detection.parent.and_then(|parent| places.get(parent));
            detection.parent = parent.copied().flatten();
        }
        detections
    }

    /// The box, cut to the picture.
    fn apply(&self, bounds: Bounds) -> Bounds {
        let left = self.left + bounds.left * self.across;
        let top = self.top + bounds.top * self.down;
        let right = (left + bounds.width * self.across).min(self.right);
        let bottom = (top + bounds.height * self.down).min(self.bottom);
        let (left, top) = (left.max(self.left), top.max(self.top));
        Bounds {
            left,
            top,
            width: (right - left).max(0.0),
            height: (bottom - top).max(0.0),
        }
    }
}

/// A source whose frames have recorded detections instead of its own.
pub struct Annotated {
    inner: Box<dyn Source>,
    metadata: Metadata,
    looping: bool,
    /// Of the next frame, as far as counting tells.
    number: u64,
}

impl Annotated {
    pub fn around(inner: Box<dyn Source>, metadata: Metadata, looping: bool) -> Box<dyn Source> {
        Box::new(Self {
            inner,
            metadata,
            looping,
            number: 0,
        })
    }

    /// The number within one pass.
    fn in_pass(&self, number: u64) -> u64 {
        let frames = self.inner.facts().frames.filter(|_| self.looping);
        frames.map_or(number, |frames| number % frames.max(1))
    }
}

impl Source for Annotated {
    fn facts(&self) -> &Facts {
        self.inner.facts()
    }

    fn set_target(&mut self, target: &Target) -> Result<(), SourceError> {
        self.inner.set_target(target)
    }

    fn next(&mut self, limit: Option<Duration>) -> Result<Next, SourceError> {
        match self.inner.next(limit) {
            Ok(Next::Frame(mut fetched)) => {
                let number = fetched.number.unwrap_or(self.number);
                self.number = number.wrapping_add(1);
                let number = self.in_pass(number);
                let recorded = self.metadata.of_frame(number, self.inner.file(number));
                let native = self.inner.facts().native.as_ref();
                fetched.detections = recorded.map_or(Vec::new(), |r| r.detections.clone());
                fetched.boxes_of = recorded
                    .and_then(|recorded| recorded.size)
                    .or(native.map(|native| (native.width(), native.height())));
                Ok(Next::Frame(fetched))
            }
            Err(error) if error.is_one_frame() => {
                self.number = self.number.wrapping_add(1);
                Err(error)
            }
            other => other,
        }
    }

    fn seek(&mut self, frame: u64, time: gst::ClockTime) -> Result<(), SourceError> {
        self.number = frame;
        self.inner.seek(frame, time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "car 0 0 0 1 2 3 4 0 0 0 0 0 0 0 0.5\n";

    #[test]
    fn what_is_outside_is_left_out_and_parents_follow() {
        gst::init().unwrap();
        let target = VideoInfo::builder(gst_video::VideoFormat::Rgb, 100, 50);
        let fit = BoxFit::new((200, 100), &target.build().unwrap(), None);
        let detection = |left: f32, parent| Detection {
            bounds: Bounds {
                left,
                top: 10.0,
                width: 40.0,
                height: 20.0,
            },
            parent,
            ..Detection::default()
        };
        let given = vec![
            detection(-20.0, Some(2)),
            detection(300.0, None),
            detection(180.0, Some(0)),
            detection(0.0, Some(1)),
        ];
        let kept = fit.apply_all(given);
        let boxes: Vec<_> = kept
            .iter()
            .map(|d| (d.bounds.left, d.bounds.width))
            .collect();
        assert_eq!(boxes, [(0.0, 10.0), (90.0, 10.0), (0.0, 20.0)]);
        let parents: Vec<_> = kept.iter().map(|d| d.parent).collect();
        assert_eq!(parents, [Some(1), Some(0), None]);
    }

    fn numbers(location: &Path, start: u64) -> Vec<u64> {
        let metadata = Metadata::load(location.to_str().unwrap(), start).unwrap();
        metadata.frames.keys().copied().collect()
    }

    #[test]
    fn kitti_files_are_numbered_as_pictures_are() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["f_2.txt", "f_10.txt", "f_7.txt", ".f_1.txt", "classes.txt"] {
            fs::write(folder.path().join(name), LINE).unwrap();
        }
        assert_eq!(numbers(folder.path(), 0), [0, 1, 2]);
        assert_eq!(numbers(&folder.path().join("f_*.txt"), 1), [0, 1]);
        assert_eq!(numbers(&folder.path().join("f_%d.txt"), 0), [2, 7, 10]);
        assert_eq!(numbers(&folder.path().join("f_%d.txt"), 5), [2, 5]);
        assert_eq!(numbers(&folder.path().join("f_10.txt"), 0), [0]);
    }

    #[test]
    fn what_cannot_be_read_names_property_file_and_line() {
        let folder = tempfile::tempdir().unwrap();
        let bad = folder.path().join("3.txt");
        fs::write(&bad, format!("{LINE}{LINE}car 1 2\n")).unwrap();
        let empty = folder.path().join("empty");
        fs::create_dir(&empty).unwrap();
        for (location, part) in [
            (bad.clone(), "3.txt\": line 3: 3 columns"),
            (folder.path().join("%d.txt"), "3.txt\": line 3: 3 columns"),
            (folder.path().into(), "3.txt\": line 3: 3 columns"),
            (folder.path().join("none"), "there is no such file"),
            (folder.path().join("n*.txt"), "no .txt files"),
            (folder.path().join("n%d.txt"), "no .txt files"),
            (folder.path().join("%s.txt"), "only %d and %0Nd"),
            (folder.path().join("[a.txt"), "no valid glob"),
            (empty, "no .txt files"),
            (PathBuf::from("/dev/null"), "not a regular file"),
        ] {
            let error = Metadata::load(location.to_str().unwrap(), 0).unwrap_err();
            let text = error.to_string();
            assert!(text.contains(part) && text.contains(PROPERTY), "{text}");
        }
    }

    #[test]
    fn boxes_go_where_the_picture_goes() {
        gst::init().unwrap();
        let info = |width, height| {
            VideoInfo::builder(gst_video::VideoFormat::Rgb, width, height)
                .build()
                .unwrap()
        };
        let bounds = |left, top, width, height| Bounds {
            left,
            top,
            width,
            height,
        };
        let stretched = BoxFit::new((100, 50), &info(200, 200), None);
        let fitted = stretched.apply(bounds(10.0, 5.0, 20.0, 10.0));
        assert_eq!(fitted, bounds(20.0, 20.0, 40.0, 40.0));
        let cut = stretched.apply(bounds(-10.0, 45.0, 20.0, 10.0));
        assert_eq!(cut, bounds(0.0, 180.0, 20.0, 20.0));
        // 100x50 between borders in 200x200 is 200x100, 50 from the top.
        let bordered = BoxFit::new((100, 50), &info(200, 200), Some(&info(100, 50)));
        let fitted = bordered.apply(bounds(10.0, 5.0, 20.0, 10.0));
        assert_eq!(fitted, bounds(20.0, 60.0, 40.0, 20.0));
    }
}
