// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What is measured with: a folder in memory, and frames in it.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{Res, feed, rows, run};

pub const WIDTH: u32 = 1920;
pub const HEIGHT: u32 = 1080;

/// Different frames that are used in turns.
pub const FRAMES: usize = 16;

/// How often the file that is read has them: more than the caches of a processor hold.
const REPEATS: usize = 6;

/// Of memory, for frames and for what is saved in a round.
const ROOM: u64 = 6 << 30;

pub struct Material {
    folder: TempDir,
    clips: Option<PathBuf>,
    frames: RefCell<HashMap<&'static str, PathBuf>>,
    long: OnceCell<PathBuf>,
    pictures: OnceCell<PathBuf>,
}

pub fn frame_size(format: &str) -> usize {
    let luma = (WIDTH * HEIGHT) as usize;
    match format {
        "RGB" => 3 * luma,
        _ => luma * 3 / 2,
    }
}

impl Material {
    pub fn new() -> Res<Self> {
        let memory = Path::new("/dev/shm");
        let has_room = |path: &Path| {
            rustix::fs::statvfs(path).is_ok_and(|fs| fs.f_bavail * fs.f_frsize >= ROOM)
        };
        let parent = if has_room(memory) {
            memory.to_owned()
        } else {
            eprintln!("/dev/shm has no room: files go to the folder for temporary ones");
            std::env::temp_dir()
        };
        let folder = tempfile::Builder::new()
            .prefix("dsframe-gpu-")
            .tempdir_in(parent)?;
        Ok(Self {
            folder,
            clips: std::env::var_os("DSFRAME_GPU_CLIPS").map(PathBuf::from),
            frames: RefCell::default(),
            long: OnceCell::new(),
            pictures: OnceCell::new(),
        })
    }

    /// An empty folder that goes away with the value.
    pub fn empty(&self) -> Res<TempDir> {
        Ok(TempDir::new_in(self.folder.path())?)
    }

    /// A clip as a bare H.264 stream.
    pub fn stream(&self, name: &str) -> Res<PathBuf> {
        let clips = self.clips.as_ref().ok_or("DSFRAME_GPU_CLIPS is not set")?;
        Ok(clips.join(format!("{name}.h264")))
    }

    /// A source of the pictures, in system memory and decoded by the CPU.
    fn source(&self) -> Res<String> {
        Ok(match &self.clips {
            Some(clips) => format!(
                "filesrc location={}/natural.mp4 ! qtdemux ! h264parse ! openh264dec",
                clips.display()
            ),
            None => format!(
                "videotestsrc pattern=smpte num-buffers=120 ! \
                 video/x-raw,format=I420,width={WIDTH},height={HEIGHT},framerate=30/1"
            ),
        })
    }

    /// A file of [`FRAMES`] raw frames.
    pub fn frames(&self, format: &'static str) -> Res<PathBuf> {
        if let Some(file) = self.frames.borrow().get(format) {
            return Ok(file.clone());
        }
        let parts = self.empty()?;
        run::Line::start(&format!(
            "{} ! videoconvert ! video/x-raw,format={format} ! \
             dsframecapture interval=7 max-captures={FRAMES} location={}/%03d.raw",
            self.source()?,
            parts.path().display()
        ))?
        .to_end()?;
        let path = self.folder.path().join(format!("frames.{format}"));
        let mut all = File::create(&path)?;
        for number in 0..FRAMES {
            let part = parts.path().join(format!("{number:03}.raw"));
            io::copy(&mut File::open(part)?, &mut all)?;
        }
        if all.metadata()?.len() != (FRAMES * frame_size(format)) as u64 {
            return Err("the clip has other frames than expected".into());
        }
        self.frames.borrow_mut().insert(format, path.clone());
        Ok(path)
    }

    /// A long file of raw RGB frames.
    pub fn long(&self) -> Res<&Path> {
        if let Some(file) = self.long.get() {
            return Ok(file);
        }
        let frames = self.frames("RGB")?;
        let path = self.folder.path().join("long.RGB");
        let mut long = File::create(&path)?;
        for _ in 0..REPEATS {
            io::copy(&mut File::open(&frames)?, &mut long)?;
        }
        Ok(self.long.get_or_init(|| path))
    }

    /// A folder of JPEGs, 4:2:0.
    pub fn pictures(&self) -> Res<&Path> {
        if let Some(folder) = self.pictures.get() {
            return Ok(folder);
        }
        let folder = self.folder.path().join("pictures");
        fs::create_dir(&folder)?;
        run::Line::start(&format!(
            "{} ! dsframecapture interval=1 max-captures=64 quality=85 location={}/%05d.jpg",
            self.source()?,
            folder.display()
        ))?
        .to_end()?;
        Ok(self.pictures.get_or_init(|| folder))
    }

    /// [`FRAMES`] NVMM buffers on the card.
    pub fn surfaces(&self, format: &'static str) -> Res<feed::Prepared> {
        feed::prepare(&format!(
            "dsframeinject location={} format={format} width={WIDTH} height={HEIGHT} \
             device=gpu pool-size={} {} ! video/x-raw(memory:NVMM) ! \
             fakesink name=sink async=false enable-last-sample=false",
            self.frames(format)?.display(),
            FRAMES + 2,
            rows::extra("DSFRAME_GPU_INJECT")
        ))
    }
}
