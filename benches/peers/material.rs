// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What is measured with: a folder in memory, a natural clip in it, and the peers.

use std::cell::OnceCell;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::{Effort, Res, run};

pub const WIDTH: usize = 1920;
pub const HEIGHT: usize = 1080;

pub struct Material {
    /// In memory: no disk is measured.
    folder: TempDir,
    peers: PathBuf,
    frames: usize,
    clips: [OnceCell<PathBuf>; 2],
    pictures: OnceCell<PathBuf>,
}

/// How the frames of the clip lie in their file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pixels {
    /// As decoders give them out.
    I420,
    Rgb,
}

impl Pixels {
    pub fn name(self) -> &'static str {
        match self {
            Self::I420 => "i420",
            Self::Rgb => "rgb",
        }
    }

    fn frame_size(self) -> usize {
        match self {
            Self::I420 => WIDTH * HEIGHT * 3 / 2,
            Self::Rgb => WIDTH * HEIGHT * 3,
        }
    }
}

/// What has been made already, or what `make` makes now.
fn once(cell: &OnceCell<PathBuf>, make: impl FnOnce() -> Res<PathBuf>) -> Res<&Path> {
    if let Some(made) = cell.get() {
        return Ok(made);
    }
    let made = make()?;
    Ok(cell.get_or_init(|| made))
}

impl Material {
    pub fn new(effort: Effort) -> Res<Self> {
        let memory = Path::new("/dev/shm");
        let folder = tempfile::Builder::new()
            .prefix("dsframe-bench-")
            .tempdir_in(if memory.is_dir() {
                memory.to_owned()
            } else {
                std::env::temp_dir()
            })?;
        Ok(Self {
            folder,
            peers: Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench-peers"),
            frames: effort.frames(240),
            clips: Default::default(),
            pictures: OnceCell::new(),
        })
    }

    /// An empty folder that goes away with the value.
    pub fn empty(&self) -> Res<TempDir> {
        Ok(TempDir::new_in(self.folder.path())?)
    }

    /// Frames in the clip.
    pub fn clip_frames(&self) -> usize {
        self.frames
    }

    fn peer(&self, path: &str) -> Res<PathBuf> {
        let path = self.peers.join(path);
        if path.exists() {
            return Ok(path);
        }
        Err("benches/peers/setup.sh was not run".into())
    }

    /// Elements that give out the natural clip from memory, with sizes and times.
    pub fn clip(&self, pixels: Pixels) -> Res<String> {
        let file = once(&self.clips[pixels as usize], || self.decode(pixels))?;
        Ok(format!(
            "filesrc location={} blocksize={} ! rawvideoparse format={} width={WIDTH} \
             height={HEIGHT} framerate=30/1",
            file.display(),
            pixels.frame_size(),
            pixels.name()
        ))
    }

    /// The first frame of the clip, as RGB.
    pub fn first_frame(&self) -> Res<Vec<u8>> {
        self.clip(Pixels::Rgb)?;
        let mut frame = vec![0; Pixels::Rgb.frame_size()];
        let path = self.folder.path().join(Pixels::Rgb.name());
        File::open(path)?.read_exact(&mut frame)?;
        Ok(frame)
    }

    fn decode(&self, pixels: Pixels) -> Res<PathBuf> {
        let mp4 = self.peer("clip.mp4")?;
        let raw = self.folder.path().join(pixels.name());
        let format = match pixels {
            Pixels::I420 => "yuv420p",
            Pixels::Rgb => "rgb24",
        };
        let done = Command::new("ffmpeg")
            .args(["-v", "error", "-nostdin", "-stream_loop", "-1", "-i"])
            .arg(mp4)
            .args(["-frames:v", &self.frames.to_string()])
            .args(["-vf", &format!("scale={WIDTH}:{HEIGHT}:flags=bicubic")])
            .args(["-pix_fmt", format, "-f", "rawvideo"])
            .arg(&raw)
            .stdout(Stdio::null())
            .output()?;
        if !done.status.success() {
            return Err(String::from_utf8_lossy(&done.stderr).into());
        }
        Ok(raw)
    }

    /// A folder of natural 4:2:0 JPEGs, `00000.jpg` and on.
    pub fn pictures(&self) -> Res<&Path> {
        once(&self.pictures, || {
            let folder = self.folder.path().join("pictures");
            fs::create_dir(&folder)?;
            run::pipeline(&format!(
                "{} ! queue ! jpegenc quality=85 ! multifilesink location={}/%05d.jpg",
                self.clip(Pixels::I420)?,
                folder.display()
            ))?;
            Ok(folder)
        })
    }

    /// A script of ours in the environment of the peers.
    pub fn python(&self, script: &str) -> Res<Command> {
        let mut command = Command::new(self.peer("venv/bin/python")?);
        command
            .arg(
                Path::new(env!("CARGO_MANIFEST_DIR"))
                    .join("benches/peers")
                    .join(script),
            )
            .stdin(Stdio::null());
        Ok(command)
    }
}
