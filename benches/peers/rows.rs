// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What is measured against what.

use std::path::Path;
use std::str::FromStr;

use super::common::table::{Goal, Row, Unit};
use super::material::{HEIGHT, Material, Pixels, WIDTH};
use super::server::Server;
use super::{Effort, Res, picture, run};

/// Of all JPEGs, ours and theirs.
const QUALITY: u8 = 85;

pub fn all(effort: Effort, material: &Material) -> Vec<Row<'_>> {
    let mut rows = vec![not_selected(effort, material)];
    rows.extend(save_test_picture(effort, material));
    rows.extend(save_clip(material));
    rows.extend(post(effort, material));
    rows.extend(inject_pictures(effort, material));
    rows.extend(inject_gradient(effort));
    rows
}

fn per_frame(description: &str, frames: usize) -> Res<f64> {
    Ok(run::pipeline(description)?.wall / frames as f64)
}

fn raw(format: &str) -> String {
    format!("video/x-raw,format={format},width={WIDTH},height={HEIGHT},framerate=30/1")
}

/// Our sink, saving every `every`th frame into a folder.
fn capture(folder: &Path, every: usize) -> String {
    format!(
        "dsframecapture interval={every} quality={QUALITY} location={}/%06d.jpg",
        folder.display()
    )
}

fn not_selected(effort: Effort, material: &Material) -> Row<'_> {
    let count = effort.frames(200_000);
    let push = move |sink: &gst::Element| -> Res<f64> {
        let caps = gst::Caps::from_str(&raw("RGB"))?;
        Ok(run::push(sink, &caps, WIDTH * HEIGHT * 3, count)? / count as f64)
    };
    Row {
        work: "frame not selected, system memory",
        peer: "fakesink",
        unit: Unit::Micros,
        goal: Goal::MicrosMore(1.0),
        ours: Box::new(move || {
            let folder = material.empty()?;
            push(
                &gst::ElementFactory::make("dsframecapture")
                    .property("interval", 1_000_000_000u32)
                    .property("location", format!("{}/%d.jpg", folder.path().display()))
                    .build()?,
            )
        }),
        theirs: Box::new(move || {
            push(
                &gst::ElementFactory::make("fakesink")
                    .property("async", false)
                    .property("enable-last-sample", false)
                    .build()?,
            )
        }),
        note: None,
    }
}

fn save_test_picture(effort: Effort, material: &Material) -> [Row<'_>; 2] {
    let frames = effort.frames(300);
    let ours = move |format: &'static str, frames: usize, folder: &Path| {
        run::pipeline(&format!(
            "videotestsrc pattern=smpte num-buffers={frames} ! {} ! {}",
            raw(format),
            capture(folder, 1)
        ))
    };
    let theirs = move |format: &'static str, frames: usize, folder: &Path| {
        run::pipeline(&format!(
            "videotestsrc pattern=smpte num-buffers={frames} ! {} ! queue ! videoconvert ! \
             video/x-raw,format=I420 ! jpegenc quality={QUALITY} ! \
             multifilesink location={}/%06d.jpg",
            raw(format),
            folder.display()
        ))
    };
    let row = move |work, format: &'static str, goal| Row {
        work,
        peer: "queue ! videoconvert ! I420 ! jpegenc ! multifilesink",
        unit: Unit::PerSecond,
        goal,
        ours: Box::new(move || {
            Ok(ours(format, frames, material.empty()?.path())?.wall / frames as f64)
        }),
        theirs: Box::new(move || {
            Ok(theirs(format, frames, material.empty()?.path())?.wall / frames as f64)
        }),
        note: Some(Box::new(move || {
            let folder = material.empty()?;
            let sub = |name: &str| -> Res<_> {
                let path = folder.path().join(name);
                std::fs::create_dir(&path)?;
                Ok(path)
            };
            let (our_folder, their_folder) = (sub("ours")?, sub("theirs")?);
            ours(format, 1, &our_folder)?;
            theirs(format, 1, &their_folder)?;
            let source = folder.path().join("source");
            run::pipeline(&format!(
                "videotestsrc pattern=smpte num-buffers=1 ! {} ! filesink location={}",
                raw("RGB"),
                source.display()
            ))?;
            let source = std::fs::read(source)?;
            Ok(format!(
                "{work}: the first picture, above the noise, against the frame as RGB: ours {}, \
                 theirs {}.",
                picture::compare(&our_folder.join("000000.jpg"), &source)?,
                picture::compare(&their_folder.join("000000.jpg"), &source)?
            ))
        })),
    };
    [
        row(
            "save every 1080p frame (test picture, RGB)",
            "RGB",
            Goal::TimesFaster(2.5),
        ),
        row(
            "save every 1080p frame (test picture, I420)",
            "I420",
            Goal::None,
        ),
    ]
}

/// Posts take the place of files: what encodes is the same.
fn post(effort: Effort, material: &Material) -> [Row<'_>; 2] {
    let frames = effort.frames(300);
    let source = format!(
        "videotestsrc pattern=smpte num-buffers={frames} ! {}",
        raw("I420")
    );
    let row = |work, body: &'static str| {
        let (posted, saved) = (source.clone(), source.clone());
        Row {
            work,
            peer: "the same to files in memory",
            unit: Unit::PerSecond,
            goal: Goal::TimesFaster(0.9),
            ours: Box::new(move || {
                let server = Server::start()?;
                let line = format!(
                    "{posted} ! dsframecapture interval=1 quality={QUALITY} endpoint={} \
                     endpoint-body={body}",
                    server.url()
                );
                let spent = run::pipeline(&line)?.wall;
                match server.take_received() == frames {
                    true => Ok(spent / frames as f64),
                    false => Err("the server did not receive all".into()),
                }
            }),
            theirs: Box::new(move || {
                let folder = material.empty()?;
                per_frame(&format!("{saved} ! {}", capture(folder.path(), 1)), frames)
            }),
            note: None,
        }
    };
    [
        row("post every 1080p frame as a JPEG (binary)", "binary"),
        row("post every 1080p frame as a JPEG (json)", "json"),
    ]
}

/// The frames of the clip in Python, every `every`th saved.
fn save_in_python(
    material: &Material,
    pixels: Pixels,
    folder: &Path,
    every: usize,
) -> Res<run::Spent> {
    let mut command = material.python("save.py")?;
    command.arg(format!(
        "{} ! videoconvert ! video/x-raw,format=RGB ! appsink name=sink sync=false max-buffers=4",
        material.clip(pixels)?
    ));
    command.arg(folder);
    command.args([every.to_string(), QUALITY.to_string()]);
    run::python(command)
}

fn save_clip(material: &Material) -> [Row<'_>; 3] {
    let frames = material.clip_frames() as f64;
    let ours = move |pixels, every, folder: &Path| {
        let clip = material.clip(pixels)?;
        run::pipeline(&format!("{clip} ! {}", capture(folder, every)))
    };
    let row = move |work, pixels, goal| Row {
        work,
        peer: "Python appsink, cv2.imwrite",
        unit: Unit::PerSecond,
        goal,
        ours: Box::new(move || Ok(ours(pixels, 1, material.empty()?.path())?.wall / frames)),
        theirs: Box::new(move || {
            let folder = material.empty()?;
            Ok(save_in_python(material, pixels, folder.path(), 1)?.wall / frames)
        }),
        note: None,
    };
    let source = move || -> Res<f64> {
        let clip = material.clip(Pixels::I420)?;
        Ok(run::pipeline(&format!("{clip} ! fakesink"))?.cpu)
    };
    [
        Row {
            note: Some(Box::new(move || {
                let folder = material.empty()?;
                let sub = |name: &str| -> Res<_> {
                    let path = folder.path().join(name);
                    std::fs::create_dir(&path)?;
                    Ok(path)
                };
                let (our_folder, their_folder) = (sub("ours")?, sub("theirs")?);
                ours(Pixels::I420, 1, &our_folder)?;
                save_in_python(material, Pixels::I420, &their_folder, 1)?;
                let source = material.first_frame()?;
                Ok(format!(
                    "natural clip: the first picture against the frame as RGB: ours {}, theirs {}.",
                    picture::compare(&our_folder.join("000000.jpg"), &source)?,
                    picture::compare(&their_folder.join("000000.jpg"), &source)?
                ))
            })),
            ..row(
                "save every frame of a natural 1080p clip, as decoded (I420)",
                Pixels::I420,
                Goal::TimesFaster(1.5),
            )
        },
        row(
            "save every frame of a natural 1080p clip, already RGB",
            Pixels::Rgb,
            Goal::TimesFaster(1.5),
        ),
        Row {
            work: "save every 30th frame of a natural 1080p clip, CPU time beyond the source",
            peer: "Python appsink, cv2.imwrite",
            unit: Unit::CpuMillis,
            goal: Goal::TimesFaster(3.0),
            ours: Box::new(move || {
                let source = source()?;
                let whole = ours(Pixels::I420, 30, material.empty()?.path())?.cpu;
                Ok((whole - source) / frames)
            }),
            theirs: Box::new(move || {
                let source = source()?;
                let folder = material.empty()?;
                let whole = save_in_python(material, Pixels::I420, folder.path(), 30)?.cpu;
                Ok((whole - source) / frames)
            }),
            note: None,
        },
    ]
}

fn inject_pictures(effort: Effort, material: &Material) -> [Row<'_>; 2] {
    let frames = effort.frames(600);
    let row = move |peer, goal, theirs| Row {
        work: "inject natural 4:2:0 1080p JPEGs as RGB",
        peer,
        unit: Unit::PerSecond,
        goal: Goal::TimesFaster(goal),
        ours: Box::new(move || {
            let folder = material.pictures()?;
            let description = format!(
                "dsframeinject location={}/%05d.jpg loop=true num-buffers={frames} ! \
                 video/x-raw,format=RGB ! fakesink",
                folder.display()
            );
            per_frame(&description, frames)
        }),
        theirs,
        note: None,
    };
    [
        row(
            "multifilesrc ! jpegdec ! videoconvert",
            2.2,
            Box::new(move || {
                let folder = material.pictures()?;
                let description = format!(
                    "multifilesrc location={}/%05d.jpg loop=true num-buffers={frames} \
                     caps=image/jpeg,framerate=30/1 ! jpegdec ! videoconvert ! \
                     video/x-raw,format=RGB ! fakesink",
                    folder.display()
                );
                per_frame(&description, frames)
            }),
        ),
        row(
            "cv2.imread, cvtColor",
            2.7,
            Box::new(move || {
                let mut command = material.python("read.py")?;
                command.arg(material.pictures()?).arg(frames.to_string());
                Ok(run::python(command)?.wall / frames as f64)
            }),
        ),
    ]
}

fn inject_gradient<'a>(effort: Effort) -> [Row<'a>; 2] {
    let frames = effort.frames(1000);
    let row = move |peer, goal, theirs| Row {
        work: "inject gradient, 1080p RGB",
        peer,
        unit: Unit::PerSecond,
        goal: Goal::TimesFaster(goal),
        ours: Box::new(move || {
            let description = format!(
                "dsframeinject pattern=gradient num-buffers={frames} ! {} ! fakesink",
                raw("RGB")
            );
            per_frame(&description, frames)
        }),
        theirs,
        note: None,
    };
    [
        row(
            "videotestsrc (smpte)",
            3.0,
            Box::new(move || {
                let description = format!(
                    "videotestsrc pattern=smpte num-buffers={frames} ! {} ! fakesink",
                    raw("RGB")
                );
                per_frame(&description, frames)
            }),
        ),
        row(
            "the frame copied into pooled buffers",
            0.5,
            Box::new(move || Ok(run::copies(WIDTH * HEIGHT * 3, frames)? / frames as f64)),
        ),
    ]
}
