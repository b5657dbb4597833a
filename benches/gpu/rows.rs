// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What is measured, against what, and how much it shall be.

use std::cell::RefCell;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use gst::prelude::*;
use gst_video::{VideoFormat, VideoFrame, VideoInfo};
use gstdsframe::codec::{CardEncoder, EncodeSettings, JpegDecoder};
use gstdsframe::frame::{CardFrame, ViewMut};
use gstdsframe::mem::cuda::{Gpu, Kind, MemoryPool, Stream};
use gstdsframe::mem::nvmm::{NvmmPool, Pixels, Place, Surfaces};
use gstdsframe::mem::sys::Generation;

use super::feed::{self, Feed, Prepared};
use super::material::{HEIGHT, Material, WIDTH, frame_size};
use super::peer::Peer;
use super::run::{self, Line, WINDOW};
use super::{Res, across, card};

/// Of all JPEGs, ours and theirs.
const QUALITY: u8 = 85;

/// Files are written for so long at a time: they fill memory.
const FILES_WINDOW: Duration = Duration::from_millis(600);

/// How a figure is shown. Rates are better the higher they are, the others the lower.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    PerSecond,
    Micros,
    MiB,
}

#[derive(Debug, Clone, Copy)]
pub enum Goal {
    /// Of the peer's rate, at least.
    Share(f64),
    /// Frames per second, at least.
    Rate(f64),
    /// Microseconds, at most.
    Micros(f64),
    /// Microseconds more than the peer, at most.
    MicrosMore(f64),
    /// MiB, at most.
    Growth(f64),
    /// Measured to be known.
    None,
}

type Measure<'a> = Box<dyn FnMut() -> Res<f64> + 'a>;

/// A row that is set up.
pub struct Ready<'a> {
    /// What it is compared with.
    pub peer: String,
    pub ours: Measure<'a>,
    pub theirs: Option<Measure<'a>>,
    /// What else is to be known.
    pub note: Option<String>,
}

pub struct Row<'a> {
    pub work: &'static str,
    pub unit: Unit,
    pub goal: Goal,
    /// Measured once only: it is a difference over a long run.
    pub once: bool,
    pub make: Box<dyn FnOnce() -> Res<Ready<'a>> + 'a>,
}

impl<'a> Row<'a> {
    fn new(
        work: &'static str,
        unit: Unit,
        goal: Goal,
        make: impl FnOnce() -> Res<Ready<'a>> + 'a,
    ) -> Self {
        Self {
            work,
            unit,
            goal,
            once: false,
            make: Box::new(make),
        }
    }
}

pub fn all(material: &Material) -> Vec<Row<'_>> {
    use Unit::*;
    vec![
        Row::new(
            "NVMM RGB to JPEG in host memory",
            PerSecond,
            Goal::Share(0.87),
            || encode(material, "RGB"),
        ),
        Row::new(
            "NVMM NV12 to JPEG in host memory",
            PerSecond,
            Goal::Share(0.87),
            || encode(material, "NV12"),
        ),
        Row::new(
            "NVMM RGB to JPEG files in memory",
            PerSecond,
            Goal::Rate(6000.0),
            || {
                Ok(Ready {
                    peer: String::new(),
                    ours: files(material, "RGB")?,
                    theirs: None,
                    note: None,
                })
            },
        ),
        Row::new(
            "NVMM RGB to JPEG files, documented pattern",
            PerSecond,
            Goal::Share(60.0),
            || documented_save(material),
        ),
        Row::new(
            "NVMM batch of 16, not selected",
            Micros,
            Goal::MicrosMore(5.0),
            || not_selected(material),
        ),
        Row::new(
            "inject gradient into NVMM RGB",
            PerSecond,
            Goal::Rate(50_000.0),
            || {
                Ok(Ready {
                    peer: String::new(),
                    ours: Box::new(|| inject("pattern=gradient", "RGB")),
                    theirs: None,
                    note: None,
                })
            },
        ),
        Row::new(
            "inject frames into NVMM, documented pattern",
            PerSecond,
            Goal::None,
            || documented_inject(material),
        ),
        Row::new(
            "inject a raw file, prefetch=4",
            PerSecond,
            Goal::Share(0.8),
            || raw_file(material, 4),
        ),
        Row::new(
            "inject a raw file, prefetch=8",
            PerSecond,
            Goal::Share(0.8),
            || raw_file(material, 8),
        ),
        Row::new(
            "inject JPEGs into NVMM RGB",
            PerSecond,
            Goal::Share(0.9),
            || jpegs(material),
        ),
        Row::new(
            "save every frame of nvh264dec",
            PerSecond,
            Goal::None,
            || decoder(material, "fakesink", DECODED_ONLY),
        ),
        Row::new(
            "save every frame of nvh264dec, jpegenc",
            PerSecond,
            Goal::None,
            || {
                decoder(
                    material,
                    "cudadownload ! queue ! jpegenc ! multifilesink",
                    JPEGENC,
                )
            },
        ),
        Row::new(
            "NVMM to NVMM through a channel across processes: one way",
            Micros,
            Goal::Micros(200.0),
            || across(|| across::one_way(50)),
        ),
        Row {
            once: true,
            ..Row::new(
                "NVMM to NVMM through a channel across processes: one way, 99 of 100",
                Micros,
                Goal::None,
                || across(|| across::one_way(99)),
            )
        },
        Row::new(
            "NVMM to NVMM through a channel across processes: rate",
            PerSecond,
            Goal::None,
            || across(across::rate),
        ),
        Row {
            once: true,
            ..Row::new(
                "device memory over 200 000 frames",
                MiB,
                Goal::Growth(1.0),
                || memory_over_frames(material),
            )
        },
        Row {
            once: true,
            ..Row::new(
                "device memory over 100 state cycles",
                MiB,
                Goal::Growth(1.0),
                || memory_over_cycles(material),
            )
        },
    ]
}

/// Properties of our elements, from the environment.
pub fn extra(variable: &str) -> String {
    std::env::var(variable).unwrap_or_default()
}

fn capture(location: &str) -> String {
    format!(
        "dsframecapture name=capture quality={QUALITY} location={location} {}",
        extra("DSFRAME_GPU_CAPTURE")
    )
}

fn capture_all(folder: &Path) -> String {
    capture(&format!("{}/%06d.jpg interval=1", folder.display()))
}

/// Frames per second that our source pushes into NVMM.
fn inject(properties: &str, format: &str) -> Res<f64> {
    let line = Line::start(&format!(
        "dsframeinject name=source device=gpu {properties} {} ! \
         video/x-raw(memory:NVMM),format={format},width={WIDTH},height={HEIGHT} ! \
         fakesink async=false enable-last-sample=false",
        extra("DSFRAME_GPU_INJECT")
    ))?;
    let source = line.find("source")?;
    let frames = || run::stat(&source, "frames");
    run::rate(line.bus(), frames, 200, WINDOW)
}

/// Frames per second that become JPEGs in host memory by the parts of the sink that make them: its
/// snapshots on one thread, a queue as long as its own, its encoder on each worker. What is left out
/// is the order, the statistics and the files.
fn to_host_memory(surfaces: &Prepared) -> Res<f64> {
    // Those of the sink.
    const QUEUE: usize = 8;
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let workers = extra("DSFRAME_GPU_WORKERS").parse().unwrap_or(cores);
    let info = VideoInfo::from_caps(&surfaces.caps)?;
    let settings = EncodeSettings {
        quality: QUALITY,
        ..Default::default()
    };
    let encoded = AtomicU64::new(0);
    let stop = AtomicBool::new(false);
    let (queue, waiting) = mpsc::sync_channel::<CardFrame>(QUEUE);
    let waiting = Mutex::new(waiting);
    let next = || waiting.lock().ok()?.recv().ok();
    let work = || -> Res<()> {
        let (mut encoder, mut jpeg) = (CardEncoder::default(), Vec::new());
        while let Some(frame) = next() {
            encoder.encode(&frame, &settings, &mut jpeg)?;
            if let Some(reason) = encoder.take_fallback() {
                return Err(reason.into());
            }
            encoded.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    };
    let push = |queue: mpsc::SyncSender<CardFrame>| -> Res<()> {
        let gpu = Gpu::get(0)?;
        let (stream, pool) = (Stream::ordered(gpu)?, MemoryPool::new(gpu, Kind::Device));
        let _bound = gpu.bind()?;
        for buffer in surfaces.buffers.iter().cycle() {
            let all = Surfaces::read(buffer, &info)?;
            let Pixels::Card(pixels) = all.surface(0)?.pixels else {
                return Err("the surfaces are not on the card".into());
            };
            let mut frame = CardFrame::acquire(&pool, &info)?;
            pixels.copy_to(&mut frame.view_mut()?, &stream)?;
            stream.synchronize()?;
            if stop.load(Ordering::Relaxed) || queue.send(frame).is_err() {
                break;
            }
        }
        Ok(())
    };
    let done = |result: Res<()>| {
        // Whoever fails ends the others.
        stop.store(true, Ordering::Relaxed);
        result.map_err(|error| error.to_string())
    };
    thread::scope(|scope| {
        let worker = || {
            let result = done(work());
            // Or the one that pushes would wait for room for ever.
            while next().is_some() {}
            result
        };
        let mut threads: Vec<_> = (0..workers).map(|_| scope.spawn(worker)).collect();
        threads.push(scope.spawn(|| done(push(queue))));
        let count = || match stop.load(Ordering::Relaxed) {
            true => Err("it ended early".into()),
            false => Ok(encoded.load(Ordering::Relaxed)),
        };
        let rate = run::rate(&gst::Bus::new(), count, 300, WINDOW);
        stop.store(true, Ordering::Relaxed);
        for thread in threads {
            thread.join().map_err(|_| "a thread panicked")??;
        }
        rate
    })
}

fn encode<'a>(material: &'a Material, format: &'static str) -> Res<Ready<'a>> {
    let surfaces = material.surfaces(format)?;
    let mut peer = Peer::program(
        "nvjpeg_loop",
        &[
            material.frames(format)?.to_str().ok_or("no UTF-8")?,
            if format == "RGB" { "rgb" } else { "nv12" },
            &WIDTH.to_string(),
            &HEIGHT.to_string(),
            &QUALITY.to_string(),
        ],
    )?;
    // The ceiling is the best that it can do.
    let mut tried = Vec::new();
    for threads in [1, 2, 4, 8, 16] {
        for pinned in [0, 1] {
            let answer = peer.ask(&format!("0.3 {threads} {pinned}"))?;
            tried.push((answer.rate, threads, pinned, answer.bytes));
        }
    }
    let best = tried.iter().copied().max_by(|a, b| a.0.total_cmp(&b.0));
    let (_, threads, pinned, bytes) = best.ok_or("nothing tried")?;
    let scan: Vec<_> = tried
        .iter()
        .map(|(rate, threads, pinned, _)| {
            let output = if *pinned == 1 { "page-locked" } else { "plain" };
            format!("{threads} threads, {output} output {rate:.0}/s")
        })
        .collect();
    Ok(Ready {
        peer: format!("bare nvJPEG loop, {threads} threads"),
        ours: Box::new(move || to_host_memory(&surfaces)),
        theirs: Some(Box::new(move || {
            Ok(peer.ask(&format!("1 {threads} {pinned}"))?.rate)
        })),
        note: Some(format!(
            "bare nvJPEG loop, {format}, {bytes:.0} bytes a frame: {}",
            scan.join("; ")
        )),
    })
}

/// Frames per second that end as JPEG files in a folder in memory.
fn files<'a>(material: &'a Material, format: &'static str) -> Res<Measure<'a>> {
    let surfaces = material.surfaces(format)?;
    Ok(Box::new(move || {
        let folder = material.empty()?;
        let sink = gst::parse::bin_from_description(&capture_all(folder.path()), true)?;
        let capture = sink.by_name("capture").ok_or("no sink")?;
        let feed = Feed::start(sink.upcast(), &surfaces)?;
        run::rate(
            &feed.bus,
            || run::stat(&capture, "captured"),
            300,
            FILES_WINDOW,
        )
    }))
}

fn documented(material: &Material, mode: &str, folder: &Path) -> Res<Peer> {
    Peer::python(
        "documented.py",
        &[
            mode,
            material.frames("RGB")?.to_str().ok_or("no UTF-8")?,
            &WIDTH.to_string(),
            &HEIGHT.to_string(),
            folder.to_str().ok_or("no UTF-8")?,
        ],
    )
}

fn documented_save(material: &Material) -> Res<Ready<'_>> {
    let folder = material.empty()?;
    let mut peer = documented(material, "save", folder.path())?;
    Ok(Ready {
        peer: "torch, cv2.imwrite".into(),
        ours: files(material, "RGB")?,
        theirs: Some(Box::new(move || {
            let _files = &folder;
            Ok(peer.ask("1")?.rate)
        })),
        note: None,
    })
}

fn documented_inject(material: &Material) -> Res<Ready<'_>> {
    let folder = material.empty()?;
    let mut peer = documented(material, "inject", folder.path())?;
    let ours = raw_source(material, 4)?;
    Ok(Ready {
        peer: "torch.from_numpy(frame).cuda()".into(),
        ours: Box::new(move || inject(&ours, "RGB")),
        theirs: Some(Box::new(move || Ok(peer.ask("1")?.rate))),
        note: None,
    })
}

fn raw_source(material: &Material, prefetch: usize) -> Res<String> {
    Ok(format!(
        "location={} format=RGB width={WIDTH} height={HEIGHT} loop=true prefetch={prefetch}",
        material.long()?.display()
    ))
}

fn raw_file(material: &Material, threads: usize) -> Res<Ready<'_>> {
    let file = material.long()?.to_str().ok_or("no UTF-8")?;
    let mut peer = Peer::program("pinned_read", &[file, &frame_size("RGB").to_string()])?;
    let uploaded = peer.ask(&format!("0.5 {threads} 1"))?.rate;
    let ours = raw_source(material, threads)?;
    Ok(Ready {
        peer: format!("{threads} threads reading into page-locked memory"),
        ours: Box::new(move || inject(&ours, "RGB")),
        theirs: Some(Box::new(move || {
            Ok(peer.ask(&format!("1 {threads} 0"))?.rate)
        })),
        note: Some(format!(
            "{threads} threads that read and upload to the card: {uploaded:.0}/s"
        )),
    })
}

/// Frames per second that so many threads decode, and do nothing else. Each into several frames in
/// turn, as frames that are handed on are not the same again at once.
fn decode(pictures: &[Vec<u8>], threads: usize) -> Res<f64> {
    let (next, decoded) = (AtomicU64::new(0), AtomicU64::new(0));
    let stop = AtomicBool::new(false);
    let work = || -> Res<()> {
        const FRAMES: usize = 4;
        let info = VideoInfo::builder(VideoFormat::Rgb, WIDTH, HEIGHT).build()?;
        let mut frames = Vec::new();
        for _ in 0..FRAMES {
            let buffer = gst::Buffer::with_size(info.size())?;
            let frame = VideoFrame::from_buffer_writable(buffer, &info);
            frames.push(frame.map_err(|_| "a buffer cannot be mapped")?);
        }
        let mut decoder = JpegDecoder::new();
        for turn in 0.. {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            let frame = &mut frames[turn % FRAMES];
            let number = next.fetch_add(1, Ordering::Relaxed) as usize;
            let picture = &pictures[number % pictures.len()];
            decoder.decode(picture, &mut ViewMut::of_frame(frame)?)?;
            decoded.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    };
    thread::scope(|scope| {
        let run = || work().map_err(|error| error.to_string());
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
        thread::sleep(Duration::from_millis(200));
        let (begun, first) = (Instant::now(), decoded.load(Ordering::Relaxed));
        thread::sleep(WINDOW);
        let frames = decoded.load(Ordering::Relaxed) - first;
        let rate = frames as f64 / begun.elapsed().as_secs_f64();
        stop.store(true, Ordering::Relaxed);
        for worker in workers {
            worker.join().map_err(|_| "a decoder panicked")??;
        }
        Ok(rate)
    })
}

fn jpegs(material: &Material) -> Res<Ready<'_>> {
    let folder = material.pictures()?;
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let mut files: Vec<_> = std::fs::read_dir(folder)?
        .map(|entry| Ok(entry?.path()))
        .collect::<Res<_>>()?;
    files.sort();
    let pictures: Vec<_> = files.iter().map(std::fs::read).collect::<Result<_, _>>()?;
    let ahead = 2 * threads;
    let ours = format!("location={} loop=true prefetch={ahead}", folder.display());
    Ok(Ready {
        peer: format!("libjpeg-turbo on {threads} threads, into host memory"),
        ours: Box::new(move || inject(&ours, "RGB")),
        theirs: Some(Box::new(move || decode(&pictures, threads))),
        note: Some(format!("JPEGs: prefetch={ahead}, two for each core")),
    })
}

/// The least that a buffer can cost, and what it costs if our sink does not want it.
fn not_selected(material: &Material) -> Res<Ready<'_>> {
    const COUNT: u32 = 200_000;
    const BATCH: u32 = 16;
    let info = VideoInfo::builder(VideoFormat::Nv12, WIDTH, HEIGHT)
        .fps(gst::Fraction::new(30, 1))
        .build()?;
    let place = Place::Card {
        gpu: Gpu::get(0)?,
        kind: Kind::Device,
    };
    let pool = NvmmPool::new(&info, Generation::C, place, BATCH, 1)?;
    pool.set_active(true)?;
    let mut buffer = pool.acquire_buffer(None)?;
    let writable = buffer.get_mut().ok_or("not writable")?;
    writable.set_pts(gst::ClockTime::ZERO);
    let mut caps = info.to_caps()?;
    caps.get_mut()
        .ok_or("not writable")?
        .set_features_simple(Some(gst::CapsFeatures::new(["memory:NVMM"])));
    let batch = Prepared {
        caps,
        buffers: vec![buffer],
    };
    let theirs = batch.clone();
    Ok(Ready {
        peer: "fakesink".into(),
        ours: Box::new(move || {
            let folder = material.empty()?;
            let sink = gst::ElementFactory::make("dsframecapture")
                .property("interval", 1_000_000_000u32)
                .property("location", format!("{}/%d.jpg", folder.path().display()))
                .build()?;
            let spent = feed::push(&sink, &batch, COUNT)?;
            Ok(spent * 1e6)
        }),
        theirs: Some(Box::new(move || {
            let sink = gst::ElementFactory::make("fakesink")
                .property("async", false)
                .property("enable-last-sample", false)
                .build()?;
            Ok(feed::push(&sink, &theirs, COUNT)? * 1e6)
        })),
        note: None,
    })
}

/// A frame of 1080 rows into shared memory, to another process, and out of it.
fn across<'a>(measure: impl Fn() -> Res<f64> + 'a) -> Res<Ready<'a>> {
    Ok(Ready {
        peer: String::new(),
        ours: Box::new(measure),
        theirs: None,
        note: None,
    })
}

const DECODED_ONLY: &str = "fakesink name=end async=false enable-last-sample=false";
const JPEGENC: &str = "cudadownload ! queue ! jpegenc quality=85 ! \
                       multifilesink name=end async=false location=FOLDER/%06d.jpg";

/// Frames per second of a line behind the decoder of the card.
fn decoded(material: &Material, rest: &str, count: impl Fn(&Line) -> Res<u64>) -> Res<f64> {
    let line = Line::start(&format!(
        "multifilesrc location={} ! h264parse ! nvh264dec ! \
         video/x-raw(memory:CUDAMemory) ! {rest}",
        material.stream("natural")?.display()
    ))?;
    run::rate(line.bus(), || count(&line), 100, FILES_WINDOW)
}

fn decoder<'a>(material: &'a Material, peer: &str, rest: &'static str) -> Res<Ready<'a>> {
    Ok(Ready {
        peer: peer.into(),
        ours: Box::new(move || {
            let folder = material.empty()?;
            decoded(material, &capture_all(folder.path()), |line| {
                run::stat(&line.find("capture")?, "captured")
            })
        }),
        theirs: Some(Box::new(move || {
            let folder = material.empty()?;
            let rest = rest.replace("FOLDER", &folder.path().display().to_string());
            decoded(material, &rest, |line| {
                run::stat(&line.find("end")?, "rendered")
            })
        })),
        note: None,
    })
}

fn mib(bytes: f64) -> f64 {
    bytes / f64::from(1 << 20)
}

/// What the card has in use more after 200 000 frames than after the first 10 000.
fn memory_over_frames(material: &Material) -> Res<Ready<'_>> {
    const WARM: u64 = 10_000;
    const ALL: u64 = 200_000;
    let ours = move || {
        let folder = material.empty()?;
        let capture = capture(&format!("{}/%06d.jpg interval=50", folder.path().display()));
        let line = Line::start(&format!(
            "dsframeinject pattern=gradient device=gpu {} ! \
             video/x-raw(memory:NVMM),format=RGB,width={WIDTH},height={HEIGHT} ! {capture}",
            extra("DSFRAME_GPU_INJECT")
        ))?;
        let sink = line.find("capture")?;
        let seen = || run::stat(&sink, "seen");
        run::wait_for(line.bus(), seen, WARM)?;
        let before = card::used()?;
        run::wait_for(line.bus(), seen, ALL)?;
        Ok(mib(card::used()? as f64 - before as f64))
    };
    Ok(Ready {
        peer: String::new(),
        ours: Box::new(ours),
        theirs: None,
        note: None,
    })
}

/// What the card has in use more after 110 runs of a pipeline than after 10.
fn memory_over_cycles(material: &Material) -> Res<Ready<'_>> {
    let ours = move || {
        let folder = material.empty()?;
        let before = RefCell::new(0);
        for cycle in 0..110 {
            if cycle == 10 {
                *before.borrow_mut() = card::used()?;
            }
            Line::start(&format!(
                "dsframeinject num-buffers=5 device=gpu {} ! \
                 video/x-raw(memory:NVMM),format=RGB,width=640,height=360 ! {}",
                extra("DSFRAME_GPU_INJECT"),
                capture(&format!(
                    "{}/{cycle}-%d.jpg interval=1",
                    folder.path().display()
                ))
            ))?
            .to_end()?;
        }
        Ok(mib(card::used()? as f64 - before.take() as f64))
    };
    Ok(Ready {
        peer: String::new(),
        ours: Box::new(ours),
        theirs: None,
        note: None,
    })
}
