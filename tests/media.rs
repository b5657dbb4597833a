// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The source behind `uri`, on clips whose frames carry their number in their pixels.

use std::io::{PipeReader, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use gst::prelude::*;
use gst::{ClockTime, glib};
use gst_video::{VideoFormat, VideoFrame, VideoInfo};
use gstdsframe::frame::View;
use gstdsframe::inject::gate::Gate;
use gstdsframe::inject::source::media::{Media, MediaOptions, PassOver};
use gstdsframe::inject::source::{
    Next, Picture, Rate, Report, Source, SourceError, Surroundings, Target,
};

const WIDTH: u32 = 160;
const HEIGHT: u32 = 96;
const BLOCK: usize = 16;
const BITS: usize = 10;

#[derive(Default)]
struct Said {
    warnings: Mutex<Vec<String>>,
    messages: Mutex<Vec<gst::Message>>,
}

impl Report for Said {
    fn warn(&self, error: SourceError) {
        self.warnings.lock().unwrap().push(error.to_string());
    }

    fn forward(&self, message: gst::Message) {
        self.messages.lock().unwrap().push(message);
    }
}

fn around() -> (Surroundings, Arc<Said>) {
    gst::init().unwrap();
    let said = Arc::new(Said::default());
    let around = Surroundings {
        gate: Arc::new(Gate::default()),
        report: said.clone(),
        prefetch: 4,
        looping: false,
        card: None,
    };
    (around, said)
}

#[derive(Clone, Copy)]
struct Clip {
    frames: u64,
    fps: (i32, i32),
    /// Frames from one key frame to the next; 1 is all-intra, by JPEG.
    gop: u32,
    mux: &'static str,
    /// The index of an MP4 file before its data, so that it survives cutting.
    index_first: bool,
}

impl Default for Clip {
    fn default() -> Self {
        Self {
            frames: 60,
            fps: (30, 1),
            gop: 10,
            mux: "matroskamux",
            index_first: false,
        }
    }
}

fn have(element: &str) -> bool {
    gst::ElementFactory::find(element).is_some()
}

fn encoder(gop: u32) -> String {
    if gop == 1 {
        "jpegenc quality=95".to_owned()
    } else {
        format!("x264enc key-int-max={gop} bframes=2 speed-preset=veryfast ! h264parse")
    }
}

fn info(width: u32, height: u32, fps: (i32, i32)) -> VideoInfo {
    VideoInfo::builder(VideoFormat::I420, width, height)
        .fps(gst::Fraction::new(fps.0, fps.1))
        .build()
        .unwrap()
}

fn numbered(number: u64, info: &VideoInfo) -> gst::Buffer {
    let mut data = vec![128; info.size()];
    for y in 0..info.height() as usize {
        for x in 0..info.width() as usize {
            let bit = x / BLOCK;
            let set = y < BLOCK && bit < BITS && number >> bit & 1 == 1;
            data[y * info.stride()[0] as usize + x] = if set { 220 } else { 30 };
        }
    }
    gst::Buffer::from_mut_slice(data)
}

fn time_of(number: u64, fps: (i32, i32)) -> ClockTime {
    ClockTime::SECOND
        .mul_div_floor(number * fps.1 as u64, fps.0 as u64)
        .unwrap()
}

impl Clip {
    fn make(self, folder: &Path) -> String {
        gst::init().unwrap();
        let path = folder.join(format!("{}-{}.clip", self.mux, self.gop));
        let mux = match self.index_first {
            true => format!("{} faststart=true", self.mux),
            false => self.mux.to_owned(),
        };
        let line = format!(
            "appsrc name=from format=time max-bytes=0 ! videoconvert ! {} ! {} ! filesink location={}",
            encoder(self.gop),
            mux,
            path.display()
        );
        let pipeline = gst::parse::launch(&line).unwrap();
        let pipeline = pipeline.downcast::<gst::Pipeline>().unwrap();
        let from = pipeline.by_name("from").unwrap();
        let from = from.downcast::<gst_app::AppSrc>().unwrap();
        let info = info(WIDTH, HEIGHT, self.fps);
        from.set_caps(Some(&info.to_caps().unwrap()));
        pipeline.set_state(gst::State::Playing).unwrap();
        for n in 0..self.frames {
            let mut buffer = numbered(n, &info);
            let writable = buffer.get_mut().unwrap();
            writable.set_pts(time_of(n, self.fps));
            writable.set_duration(time_of(n + 1, self.fps) - time_of(n, self.fps));
            from.push_buffer(buffer).unwrap();
        }
        from.end_of_stream().unwrap();
        wait_for_eos(&pipeline);
        uri(&path)
    }
}

fn wait_for_eos(pipeline: &gst::Pipeline) {
    let bus = pipeline.bus().unwrap();
    let end = bus.timed_pop_filtered(
        ClockTime::from_seconds(60),
        &[gst::MessageType::Eos, gst::MessageType::Error],
    );
    let end = end.expect("the clip was not finished");
    assert_eq!(end.type_(), gst::MessageType::Eos, "{end:?}");
    pipeline.set_state(gst::State::Null).unwrap();
}

fn uri(path: &Path) -> String {
    glib::filename_to_uri(path, None).unwrap().to_string()
}

fn path(uri: &str) -> PathBuf {
    glib::filename_from_uri(uri).unwrap().0
}

/// The number in the pixels of a frame, whatever its size.
fn number(picture: &Picture) -> u64 {
    let Picture::Ready(frame) = picture else {
        panic!("media do not paint");
    };
    let mapped = VideoFrame::from_buffer_readable(frame.buffer.clone(), &frame.info).unwrap();
    let view = View::of_frame(&mapped).unwrap();
    let step = view.width() / BITS;
    let row = view.rows(0).nth(step / 2).unwrap();
    let pixel = row.len() / view.width();
    (0..BITS).fold(0, |number, bit| {
        let luma = row[(bit * step + step / 2) * pixel];
        number | u64::from(luma > 120) << bit
    })
}

type Frames = Vec<(u64, ClockTime)>;

fn set_native_target(source: &mut dyn Source) {
    let info = source.facts().native.clone().unwrap();
    source
        .set_target(&Target {
            info,
            add_borders: false,
            card: None,
        })
        .unwrap();
}

/// Frames and their timestamps until the end, or `most` of them.
fn collect(source: &mut dyn Source, most: usize) -> (Frames, Option<SourceError>) {
    let mut frames = Vec::new();
    while frames.len() < most {
        match source.next(Some(Duration::from_secs(20))) {
            Ok(Next::Frame(frame)) => frames.push((number(&frame.picture), frame.pts.unwrap())),
            Ok(Next::End) => break,
            Ok(Next::TimedOut) => panic!("no frame after {}", frames.len()),
            Ok(Next::Flushing | Next::Changed) => panic!("nobody asked for that"),
            Err(error) => return (frames, Some(error)),
        }
    }
    (frames, None)
}

fn open(uri: &str, options: MediaOptions) -> Box<dyn Source> {
    let mut source = Media::open(uri, options, around().0).unwrap();
    set_native_target(&mut *source);
    source
}

fn all(uri: &str, options: MediaOptions) -> Frames {
    let (frames, error) = collect(&mut *open(uri, options), usize::MAX);
    assert!(error.is_none(), "{error:?}");
    frames
}

fn numbers(frames: &Frames) -> Vec<u64> {
    frames.iter().map(|(number, _)| *number).collect()
}

fn ms(ms: u64) -> Option<ClockTime> {
    Some(ClockTime::from_mseconds(ms))
}

/// Containers round times to their own unit; matroska's is a millisecond.
fn is_near(a: ClockTime, b: ClockTime) -> bool {
    a.absdiff(b) <= ClockTime::MSECOND
}

#[test]
fn every_frame_comes_in_order_with_its_time() {
    let folder = tempfile::tempdir().unwrap();
    for mux in ["matroskamux", "mp4mux", "qtmux", "avimux"] {
        for gop in [1, 10, 250] {
            if gop == 1 && mux == "mp4mux" || gop != 1 && mux == "avimux" {
                continue;
            }
            let clip = Clip {
                gop,
                mux,
                ..Default::default()
            };
            let frames = all(&clip.make(folder.path()), MediaOptions::default());
            assert_eq!(numbers(&frames), (0..60).collect::<Vec<_>>(), "{mux} {gop}");
            for (number, pts) in &frames {
                let want = time_of(*number, clip.fps);
                assert!(is_near(*pts, want), "{mux} {gop}: {pts} for {want}");
            }
        }
    }
}

#[test]
fn facts_are_exact() {
    let folder = tempfile::tempdir().unwrap();
    let clip = Clip {
        fps: (30000, 1001),
        mux: "mp4mux",
        ..Default::default()
    };
    let source = open(&clip.make(folder.path()), MediaOptions::default());
    let facts = source.facts();
    let fps = gst::Fraction::new(30000, 1001);
    assert_eq!(facts.rate, Rate::Fixed(fps));
    let native = facts.native.as_ref().unwrap();
    assert_eq!((native.width(), native.height()), (WIDTH, HEIGHT));
    assert_eq!(native.fps(), fps);
    assert!(facts.seekable && facts.own_timestamps && !facts.live);
    assert!(is_near(facts.duration.unwrap(), time_of(60, clip.fps)));
}

#[test]
fn frames_are_converted_and_a_new_target_holds_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut source = open(
        &Clip::default().make(folder.path()),
        MediaOptions::default(),
    );
    let target = |format, width, height| Target {
        info: VideoInfo::builder(format, width, height).build().unwrap(),
        add_borders: false,
        card: None,
    };
    source
        .set_target(&target(VideoFormat::Gray8, 320, 192))
        .unwrap();
    let (first, _) = collect(&mut *source, 20);
    assert_eq!(numbers(&first), (0..20).collect::<Vec<_>>());
    source
        .set_target(&target(VideoFormat::Rgb, 160, 96))
        .unwrap();
    let mut seen = Vec::new();
    let mut last = VideoFormat::Unknown;
    while let Next::Frame(frame) = source.next(None).unwrap() {
        seen.push(number(&frame.picture));
        if let Picture::Ready(frame) = &frame.picture {
            last = frame.info.format();
        }
    }
    assert_eq!(seen, (20..60).collect::<Vec<_>>());
    assert_eq!(last, VideoFormat::Rgb);
}

#[test]
fn the_window_is_exact() {
    let folder = tempfile::tempdir().unwrap();
    for (mux, gop) in [("matroskamux", 10), ("mp4mux", 25), ("qtmux", 1)] {
        let clip = Clip {
            gop,
            mux,
            ..Default::default()
        };
        let uri = clip.make(folder.path());
        let whole = all(&uri, MediaOptions::default());
        for (start, stop) in [
            (0, 500),
            (500, 1000),
            (517, 1183),
            (333, 1999),
            (1500, 9000),
        ] {
            let options = MediaOptions {
                start_time: ms(start),
                stop_time: ms(stop),
                ..Default::default()
            };
            let (start, stop) = (ms(start).unwrap(), ms(stop).unwrap());
            let want: Frames = whole
                .iter()
                .filter(|(_, pts)| (start..stop).contains(pts))
                .map(|(number, pts)| (*number, *pts - start))
                .collect();
            assert_eq!(all(&uri, options), want, "{mux} {gop} {start}..{stop}");
        }
    }
}

/// What the definition says, from all frames.
fn sampled(whole: &Frames, start: ClockTime, interval: ClockTime) -> Frames {
    let mut samples: Frames = Vec::new();
    for k in 0..1000 {
        let first = whole.iter().find(|(_, pts)| *pts >= start + interval * k);
        let Some((number, pts)) = first else { break };
        let sample = (*number, *pts - start);
        if samples.last() != Some(&sample) {
            samples.push(sample);
        }
    }
    samples
}

#[test]
fn samples_are_the_same_by_decoding_and_by_seeking() {
    let folder = tempfile::tempdir().unwrap();
    for (mux, gop) in [
        ("matroskamux", 5),
        ("mp4mux", 12),
        ("mp4mux", 250),
        ("matroskamux", 1),
    ] {
        let clip = Clip {
            frames: 150,
            gop,
            mux,
            ..Default::default()
        };
        let uri = clip.make(folder.path());
        let whole = all(&uri, MediaOptions::default());
        for (start, interval) in [(0, 1000), (210, 777), (0, 10), (100, 500)] {
            let want = sampled(&whole, ms(start).unwrap(), ms(interval).unwrap());
            for pass_over in [PassOver::Decoding, PassOver::Seeking, PassOver::Auto] {
                let options = MediaOptions {
                    start_time: ms(start),
                    sample_interval: ms(interval),
                    pass_over,
                    ..Default::default()
                };
                assert_eq!(
                    all(&uri, options),
                    want,
                    "{mux} {gop} {start} {interval} {pass_over:?}"
                );
            }
        }
    }
}

#[test]
fn a_sample_lasts_its_interval() {
    let folder = tempfile::tempdir().unwrap();
    let options = MediaOptions {
        sample_interval: ms(500),
        ..Default::default()
    };
    let mut source = open(&Clip::default().make(folder.path()), options);
    assert_eq!(source.facts().rate, Rate::Fixed(gst::Fraction::new(2, 1)));
    let Next::Frame(frame) = source.next(None).unwrap() else {
        panic!("no frame");
    };
    assert_eq!(frame.duration, ms(500));
}

#[test]
fn key_frames_alone() {
    let folder = tempfile::tempdir().unwrap();
    for mux in ["matroskamux", "mp4mux"] {
        let clip = Clip {
            mux,
            ..Default::default()
        };
        let uri = clip.make(folder.path());
        let options = MediaOptions {
            key_frames_only: true,
            ..Default::default()
        };
        assert_eq!(
            numbers(&all(&uri, options.clone())),
            [0, 10, 20, 30, 40, 50],
            "{mux}"
        );
        let part = MediaOptions {
            start_time: ms(300),
            stop_time: ms(1500),
            ..options.clone()
        };
        assert_eq!(numbers(&all(&uri, part)), [10, 20, 30, 40], "{mux}");
        for pass_over in [PassOver::Decoding, PassOver::Seeking] {
            let sampled = MediaOptions {
                sample_interval: ms(600),
                pass_over,
                ..options.clone()
            };
            assert_eq!(numbers(&all(&uri, sampled)), [0, 20, 40], "{mux}");
        }
    }
}

#[test]
fn a_loop_goes_on_where_it_ended() {
    let folder = tempfile::tempdir().unwrap();
    let clip = Clip {
        frames: 30,
        mux: "mp4mux",
        ..Default::default()
    };
    let uri = clip.make(folder.path());
    for (options, pass) in [
        (MediaOptions::default(), (0..30).collect::<Vec<_>>()),
        (
            MediaOptions {
                start_time: ms(200),
                stop_time: ms(500),
                ..Default::default()
            },
            (6..15).collect(),
        ),
    ] {
        let mut around = around().0;
        around.looping = true;
        let mut source = Media::open(&uri, options, around).unwrap();
        set_native_target(&mut *source);
        let (frames, error) = collect(&mut *source, pass.len() * 3 + 2);
        assert!(error.is_none(), "{error:?}");
        for (n, (number, pts)) in frames.iter().enumerate() {
            assert_eq!(*number, pass[n % pass.len()]);
            assert!(is_near(*pts, time_of(n as u64, clip.fps)), "{n}: {pts}");
        }
    }
}

#[test]
fn what_cannot_be_sought_cannot_loop() {
    let folder = tempfile::tempdir().unwrap();
    let (uri, _reader) = pushed(&Clip::default().make(folder.path()));
    let mut around = around().0;
    around.looping = true;
    match Media::open(&uri, MediaOptions::default(), around) {
        Err(SourceError::Settings { property, .. }) => assert_eq!(property, "loop"),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("a pipe cannot be started again"),
    }
}

/// A pipe that the clip is written into. The reader's end is to live as long as the source.
fn pushed(clip: &str) -> (String, PipeReader) {
    let (reader, mut writer) = std::io::pipe().unwrap();
    let bytes = std::fs::read(path(clip)).unwrap();
    // Ends with the reader: a broken pipe is no matter here.
    thread::spawn(move || {
        let _ = writer.write_all(&bytes);
    });
    (format!("fd://{}", reader.as_raw_fd()), reader)
}

#[test]
fn a_window_of_a_pipe_is_exact_too() {
    let folder = tempfile::tempdir().unwrap();
    let clip = Clip::default().make(folder.path());
    let options = MediaOptions {
        start_time: ms(517),
        stop_time: ms(1183),
        ..Default::default()
    };
    let want = all(&clip, options.clone());
    let (uri, _reader) = pushed(&clip);
    assert_eq!(all(&uri, options), want);
}

#[test]
fn seeking_goes_to_the_frame() {
    let folder = tempfile::tempdir().unwrap();
    let clip = Clip::default();
    let options = MediaOptions {
        start_time: ms(100),
        ..Default::default()
    };
    let mut source = open(&clip.make(folder.path()), options);
    collect(&mut *source, 5);
    for (time, first) in [(1000, 33), (0, 3), (1234, 41)] {
        source.seek(0, ms(time).unwrap()).unwrap();
        let (frames, _) = collect(&mut *source, 3);
        assert_eq!(numbers(&frames), [first, first + 1, first + 2]);
        assert!(frames[0].1 >= ms(time).unwrap());
    }
    let (rest, _) = collect(&mut *source, usize::MAX);
    assert_eq!(rest.last().unwrap().0, 59);
    source.seek(0, ms(1800).unwrap()).unwrap();
    assert_eq!(numbers(&collect(&mut *source, usize::MAX).0), [57, 58, 59]);
    source.seek(0, ms(9000).unwrap()).unwrap();
    assert!(collect(&mut *source, usize::MAX).0.is_empty());
}

fn refused(uri: &str) -> (SourceError, Arc<Said>) {
    let (around, said) = around();
    match Media::open(uri, MediaOptions::default(), around) {
        Err(error) => (error, said),
        Ok(_) => panic!("{uri} was opened"),
    }
}

#[test]
fn what_is_no_video_is_refused_by_name() {
    gst::init().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("text.mp4"), "not a picture in sight\n".repeat(200)).unwrap();
    std::fs::write(at("zero.mp4"), "").unwrap();
    let noise: Vec<u8> = (0..9000_u32)
        .map(|n| (n.wrapping_mul(2654435761) >> 24) as u8)
        .collect();
    std::fs::write(at("noise.mp4"), noise).unwrap();
    let line = format!(
        "audiotestsrc num-buffers=20 ! wavenc ! filesink location={}",
        at("sound.wav").display()
    );
    let sound = gst::parse::launch(&line)
        .unwrap()
        .downcast::<gst::Pipeline>()
        .unwrap();
    sound.set_state(gst::State::Playing).unwrap();
    wait_for_eos(&sound);

    for name in ["text.mp4", "zero.mp4", "noise.mp4", "sound.wav"] {
        let begun = Instant::now();
        let (error, _) = refused(&uri(&at(name)));
        assert!(error.to_string().contains(name), "{error}");
        assert!(begun.elapsed() < Duration::from_secs(5), "{name}");
        eprintln!("{error}");
    }
    let (error, _) = refused(&uri(&at("missing.mp4")));
    assert!(matches!(error, SourceError::NotFound { .. }), "{error}");
    assert!(error.to_string().contains("missing.mp4"), "{error}");
    let (error, _) = refused(&uri(folder.path()));
    eprintln!("{error}");
    let fifo = at("fifo");
    let mode = rustix::fs::Mode::RWXU;
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    let (error, _) = refused(&uri(&fifo));
    assert!(error.to_string().contains("FIFO"), "{error}");
    let (error, _) = refused("clip.mp4");
    assert!(
        matches!(
            error,
            SourceError::Settings {
                property: "uri",
                ..
            }
        ),
        "{error}"
    );
    let (error, said) = refused("nosuchprotocol://host/clip");
    eprintln!("{error}");
    let messages = said.messages.lock().unwrap();
    assert!(
        messages
            .iter()
            .any(|m| m.structure().is_some_and(|s| s.name() == "missing-plugin")),
        "an application could not install it"
    );
}

#[test]
fn a_cut_off_file_gives_its_frames_and_then_says_so() {
    let folder = tempfile::tempdir().unwrap();
    for (mux, gop) in [("mp4mux", 10), ("matroskamux", 10)] {
        let clip = Clip {
            gop,
            mux,
            frames: 120,
            index_first: mux == "mp4mux",
            ..Default::default()
        };
        let uri = clip.make(folder.path());
        let bytes = std::fs::read(path(&uri)).unwrap();
        std::fs::write(path(&uri), &bytes[..bytes.len() * 6 / 10]).unwrap();
        let (around, said) = around();
        let mut source = Media::open(&uri, MediaOptions::default(), around).unwrap();
        set_native_target(&mut *source);
        let (frames, error) = collect(&mut *source, usize::MAX);
        eprintln!(
            "{mux}: {} frames, {error:?}, {:?}",
            frames.len(),
            said.warnings.lock().unwrap()
        );
        assert!(
            frames.len() > 20 && frames.len() < 120,
            "{mux}: {}",
            frames.len()
        );
        assert_eq!(
            numbers(&frames),
            (0..frames.len() as u64).collect::<Vec<_>>(),
            "{mux}"
        );
        assert!(
            matches!(error, Some(SourceError::BadStream { .. })),
            "{mux}: {error:?}"
        );
    }
}

#[test]
fn an_answer_that_never_comes_does_not_hold_the_opening() {
    gst::init().unwrap();
    let (silent, _writer) = std::io::pipe().unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut uris = vec![format!("fd://{}", silent.as_raw_fd())];
    for (source, uri) in [
        ("souphttpsrc", format!("http://127.0.0.1:{port}/clip.mp4")),
        ("rtspsrc", format!("rtsp://127.0.0.1:{port}/clip")),
    ] {
        if have(source) {
            uris.push(uri);
        }
    }
    for uri in uris {
        let around = around().0;
        let gate = around.gate.clone();
        let (done, opened) = std::sync::mpsc::channel();
        let opening = thread::spawn({
            let uri = uri.clone();
            move || {
                let failed = Media::open(&uri, MediaOptions::default(), around).is_err();
                done.send(failed).unwrap();
            }
        });
        assert!(
            opened.recv_timeout(Duration::from_millis(300)).is_err(),
            "{uri}"
        );
        gate.set_flushing(true);
        let begun = Instant::now();
        assert!(
            opened.recv_timeout(Duration::from_secs(5)).unwrap(),
            "{uri}"
        );
        eprintln!("{uri}: {:?}", begun.elapsed());
        assert!(
            begun.elapsed() < Duration::from_secs(1),
            "{uri}: {:?}",
            begun.elapsed()
        );
        opening.join().unwrap();
    }
}

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

#[test]
fn fifty_times_there_and_gone() {
    let folder = tempfile::tempdir().unwrap();
    let uri = Clip::default().make(folder.path());
    let mut before = 0;
    for n in 0..50 {
        let mut source = open(&uri, MediaOptions::default());
        // Left in every state: untouched, in the middle with full queues, and at the end.
        collect(&mut *source, [0, 3, 30, usize::MAX][n % 4]);
        let begun = Instant::now();
        drop(source);
        assert!(
            begun.elapsed() < Duration::from_secs(1),
            "{:?}",
            begun.elapsed()
        );
        if n == 10 {
            before = threads();
        }
    }
    // On a busy machine a pipeline may be left to its closing thread, which takes its time.
    let deadline = Instant::now() + Duration::from_secs(20);
    while threads() > before + 2 {
        assert!(Instant::now() < deadline, "{before} -> {}", threads());
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_flush_ends_the_wait_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let around = around().0;
    let gate = around.gate.clone();
    let uri = Clip::default().make(folder.path());
    let mut source = Media::open(&uri, MediaOptions::default(), around).unwrap();
    set_native_target(&mut *source);
    let (first, _) = collect(&mut *source, 7);
    gate.set_flushing(true);
    assert!(matches!(source.next(None), Ok(Next::Flushing)));
    gate.set_flushing(false);
    let (rest, _) = collect(&mut *source, usize::MAX);
    assert_eq!(
        numbers(&first)
            .into_iter()
            .chain(numbers(&rest))
            .collect::<Vec<_>>(),
        (0..60).collect::<Vec<_>>()
    );
}

#[test]
fn sound_beside_it_is_left_alone() {
    gst::init().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("both.mkv");
    let line = format!(
        "videotestsrc num-buffers=30 ! {} ! matroskamux name=mux ! filesink location={} \
         audiotestsrc num-buffers=200 ! audioconvert ! vorbisenc ! mux. \
         videotestsrc num-buffers=90 ! {} ! mux.",
        encoder(10),
        file.display(),
        encoder(10),
    );
    let pipeline = gst::parse::launch(&line)
        .unwrap()
        .downcast::<gst::Pipeline>()
        .unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    wait_for_eos(&pipeline);
    let (frames, error) = collect(&mut *open(&uri(&file), MediaOptions::default()), usize::MAX);
    // The other streams may be what is longer.
    assert!(error.is_none(), "{error:?}");
    assert_eq!(frames.len(), 30);
}

mod device_decoder {
    use gst::glib;
    use gst::prelude::*;
    use gst::subclass::prelude::*;
    use std::sync::OnceLock;

    /// Like the decoders of DeepStream: first by rank, and of no use without their memory.
    #[derive(Default)]
    pub struct Imp;

    #[glib::object_subclass]
    impl ObjectSubclass for Imp {
        const NAME: &'static str = "TestDeviceDecoder";
        type Type = Decoder;
        type ParentType = gst::Element;
    }

    impl ObjectImpl for Imp {
        fn constructed(&self) {
            self.parent_constructed();
            for template in Self::pad_templates() {
                let pad = gst::Pad::from_template(template);
                self.obj().add_pad(&pad).unwrap();
            }
        }
    }

    impl GstObjectImpl for Imp {}

    impl ElementImpl for Imp {
        fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
            static METADATA: OnceLock<gst::subclass::ElementMetadata> = OnceLock::new();
            Some(METADATA.get_or_init(|| {
                gst::subclass::ElementMetadata::new("Test", "Codec/Decoder/Video", "Test", "Test")
            }))
        }

        fn pad_templates() -> &'static [gst::PadTemplate] {
            static TEMPLATES: OnceLock<Vec<gst::PadTemplate>> = OnceLock::new();
            TEMPLATES.get_or_init(|| {
                let template = |name, direction, caps: &str| {
                    let caps: gst::Caps = caps.parse().unwrap();
                    gst::PadTemplate::new(name, direction, gst::PadPresence::Always, &caps).unwrap()
                };
                vec![
                    template(
                        "sink",
                        gst::PadDirection::Sink,
                        "video/x-h264; video/x-vp8; image/jpeg",
                    ),
                    template("src", gst::PadDirection::Src, "video/x-raw(memory:NVMM)"),
                ]
            })
        }
    }

    glib::wrapper! {
        pub struct Decoder(ObjectSubclass<Imp>) @extends gst::Element, gst::Object;
    }

    pub fn register() {
        let rank = gst::Rank::PRIMARY + 500;
        gst::Element::register(None, "testdevicedecoder", rank, Decoder::static_type()).unwrap();
    }
}

#[test]
fn a_decoder_for_device_memory_is_passed_by() {
    let folder = tempfile::tempdir().unwrap();
    let uri = Clip::default().make(folder.path());
    device_decoder::register();
    assert_eq!(all(&uri, MediaOptions::default()).len(), 60);
}

/// Objects that GStreamer's leaks tracer knows to be alive.
fn alive() -> Vec<String> {
    gst::active_tracers()
        .iter()
        .filter(|tracer| tracer.type_().name() == "GstLeaksTracer")
        .filter_map(|tracer| tracer.emit_by_name::<Option<gst::Structure>>("get-live-objects", &[]))
        .flat_map(|alive| {
            let list = alive.get::<gst::List>("live-objects-list");
            // GStreamer 1.22 hands the objects out without references to them.
            std::mem::forget(alive);
            let list = list.unwrap_or_default();
            list.iter()
                .filter_map(|one| one.get::<gst::Structure>().ok())
                .filter_map(|one| Some(one.value("object").ok()?.type_().name().to_owned()))
                .collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn nothing_stays_behind() {
    if std::env::var("GST_TRACERS").is_err() {
        // The tracer must be there from the start.
        let again = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["nothing_stays_behind", "--exact", "--nocapture"])
            .env("GST_TRACERS", "leaks")
            .output()
            .unwrap();
        assert!(
            again.status.success(),
            "{}",
            String::from_utf8_lossy(&again.stderr)
        );
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let uri = Clip::default().make(folder.path());
    let use_once = |most| {
        let options = MediaOptions {
            start_time: ms(300),
            ..Default::default()
        };
        collect(&mut *open(&uri, options), most);
    };
    // What stays for the life of the process is there after the first time.
    use_once(usize::MAX);
    let before = alive();
    assert!(!before.is_empty(), "the tracer sees nothing");
    (0..12).for_each(|n| use_once(n * 5));
    refused("file:///nowhere/clip.mp4");
    // On a busy machine a pipeline may be left to its closing thread, which takes its time.
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let mut after = alive();
        for one in &before {
            if let Some(at) = after.iter().position(|other| other == one) {
                after.swap_remove(at);
            }
        }
        if after.is_empty() {
            break;
        }
        assert!(Instant::now() < deadline, "{after:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
