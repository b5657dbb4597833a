// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Other processes: this binary again, which does what it is told by lines on its standard input and
//! answers by lines on its standard output.

use std::io::{BufRead, BufReader, Write};
use std::ops::Range;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use gst::prelude::*;
use gst_video::{VideoFormat, VideoFrame, VideoInfo};
use gstdsframe::frame::View;

use crate::common::rig::{Rig, STEP, memory, numbered_bytes};
use crate::common::{self, pending};
use crate::kit::{self, Counts, Line, Reader};

/// The watchdog: no answer takes this long.
const PATIENCE: Duration = Duration::from_secs(100);

const CHANNEL: &str = "DSFRAME_TEST_CHANNEL";

/// Another process, which is killed when it is dropped.
pub struct Peer {
    child: Child,
    stdin: Option<ChildStdin>,
    heard: Receiver<String>,
}

/// What starts a peer.
pub fn command(channel: &str) -> Command {
    let mut command = common::child("peers::act");
    command.arg("--ignored").env(CHANNEL, channel);
    command
}

impl Peer {
    pub fn start(channel: &str) -> Self {
        Self::of(command(channel)).expect("a process")
    }

    pub fn of(mut command: Command) -> std::io::Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, heard) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                // The rest is what the test runner says.
                if let Some(said) = line.strip_prefix("> ") {
                    let _ = sender.send(said.to_owned());
                }
            }
        });
        let stdin = child.stdin.take();
        Ok(Self {
            child,
            stdin,
            heard,
        })
    }

    /// A producer that plays.
    pub fn producer(channel: &str, properties: &str) -> Self {
        let peer = Self::start(channel);
        peer.done(&format!("open {properties}"));
        peer
    }

    /// A reader that plays.
    pub fn reader(channel: &str, properties: &str) -> Self {
        let peer = Self::start(channel);
        peer.done(&format!("read {properties}"));
        peer
    }

    pub fn tell(&self, what: &str) {
        let mut stdin = self.stdin.as_ref().unwrap();
        // That it is gone is seen when it is asked.
        let _ = writeln!(stdin, "{what}");
    }

    #[track_caller]
    pub fn hear(&self) -> String {
        match self.heard.recv_timeout(PATIENCE) {
            Ok(said) => said,
            Err(RecvTimeoutError::Timeout) => panic!("process {} hangs", self.child.id()),
            Err(RecvTimeoutError::Disconnected) => panic!("process {} is gone", self.child.id()),
        }
    }

    #[track_caller]
    pub fn ask(&self, what: &str) -> String {
        self.tell(what);
        self.hear()
    }

    /// Has it do something that cannot fail.
    #[track_caller]
    pub fn done(&self, what: &str) {
        assert_eq!(self.ask(what), "done", "{what}");
    }

    #[track_caller]
    pub fn numbers<const N: usize>(&self, what: &str) -> [u64; N] {
        let said = self.ask(what);
        let numbers: Vec<_> = said.split(' ').map(|it| it.parse().unwrap()).collect();
        numbers.try_into().expect(what)
    }

    #[track_caller]
    pub fn counts(&self) -> Counts {
        let [readers, sent, received, dropped, in_flight, unread] = self.numbers("counts");
        Counts {
            readers,
            sent,
            received,
            dropped,
            in_flight,
            unread,
        }
    }

    #[track_caller]
    pub fn wait_for_readers(&self, readers: u64) {
        common::until("its readers", || self.counts().readers == readers);
    }

    /// Of a reader: sent, received and dropped.
    #[track_caller]
    pub fn stats(&self) -> (u64, u64, u64) {
        let [sent, received, dropped] = self.numbers("stats");
        (sent, received, dropped)
    }

    #[track_caller]
    pub fn usage(&self) -> Usage {
        let [fds, threads, shared, resident] = self.numbers("usage");
        Usage {
            fds,
            threads,
            shared,
            resident,
        }
    }

    #[track_caller]
    pub fn report(&self, what: &str) -> Report {
        Report::parse(&self.ask(what))
    }

    /// What it has to report.
    #[track_caller]
    pub fn told(&self) -> Report {
        Report::parse(&self.hear())
    }

    /// Without a word, and waits until nothing of it is left.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Ends it in good order.
    #[track_caller]
    pub fn leave(mut self) {
        self.done("stop");
        drop(self.stdin.take());
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a process takes up.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    /// Descriptors, without those of shared memory.
    pub fds: u64,
    pub threads: u64,
    /// Pieces of shared memory that it has mapped.
    pub shared: u64,
    /// KiB.
    pub resident: u64,
}

impl Usage {
    /// Of this process.
    pub fn own() -> Self {
        let entries = |path| std::fs::read_dir(path).unwrap().count() as u64;
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let shared = maps.lines().filter(|line| line.contains("memfd:"));
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let resident = resident.unwrap().split_whitespace().next().unwrap();
        // Those of a producer are open.
        let fds = std::fs::read_dir("/proc/self/fd").unwrap();
        let names = fds.filter_map(|fd| std::fs::read_link(fd.unwrap().path()).ok());
        let fds = names.filter(|name| !name.to_string_lossy().contains("memfd:"));
        Self {
            fds: fds.count() as u64,
            threads: entries("/proc/self/task"),
            shared: shared.count() as u64,
            resident: resident.parse().unwrap(),
        }
    }

    pub fn most(&self, other: &Self) -> Self {
        Self {
            fds: self.fds.max(other.fds),
            threads: self.threads.max(other.threads),
            shared: self.shared.max(other.shared),
            resident: self.resident.max(other.resident),
        }
    }

    /// Nothing was added since `before`, within what allocators keep.
    #[track_caller]
    pub fn check(&self, before: &Self) {
        let text = format!("before {before:?}, now {self:?}");
        assert!(self.fds <= before.fds, "descriptors: {text}");
        assert!(self.threads <= before.threads, "threads: {text}");
        // What readers may keep, and what was on its way.
        assert!(self.shared <= 64 + 32, "shared memory: {text}");
        assert!(
            self.resident <= before.resident + 8 * 1024,
            "memory: {text}"
        );
    }
}

/// What a reader got.
#[derive(Debug, PartialEq, Eq)]
pub struct Report {
    pub frames: Vec<Range<u64>>,
    /// Of the pictures, as they changed.
    pub sizes: Vec<String>,
    /// `eos`, an error, or nothing.
    pub how: String,
}

impl Report {
    pub fn parse(text: &str) -> Self {
        let mut parts = text.splitn(3, '|');
        let mut list = || {
            let part = parts.next().unwrap();
            part.split_whitespace().map(str::to_owned).collect()
        };
        let (frames, sizes): (Vec<String>, _) = (list(), list());
        let range = |text: &String| {
            let (start, end) = text.split_once("..").unwrap();
            start.parse().unwrap()..end.parse().unwrap()
        };
        Self {
            frames: frames.iter().map(range).collect(),
            sizes,
            how: parts.next().unwrap().to_owned(),
        }
    }

    pub fn count(&self) -> u64 {
        self.frames
            .iter()
            .map(|range| range.end - range.start)
            .sum()
    }

    /// None comes twice or too early.
    pub fn is_in_order(&self) -> bool {
        self.frames.is_sorted_by(|a, b| a.end < b.start)
    }

    /// These frames and no other, and then this.
    #[track_caller]
    pub fn expect(&self, frames: Range<u64>, how: &str) {
        assert_eq!(self.frames, [frames], "{self:?}");
        assert_eq!(self.how, how);
    }
}

/// What a reader gets, while it comes.
#[derive(Default)]
struct Story {
    frames: Vec<Range<u64>>,
    sizes: Vec<String>,
}

impl Story {
    fn add(&mut self, sample: &gst::Sample) {
        let info = VideoInfo::from_caps(sample.caps().unwrap()).unwrap();
        let size = format!("{}x{}", info.width(), info.height());
        if self.sizes.last() != Some(&size) {
            self.sizes.push(size);
        }
        let number = identify(sample, &info);
        match self.frames.last_mut() {
            Some(last) if last.end == number => last.end += 1,
            _ => self.frames.push(number..number + 1),
        }
    }

    fn end(&self, how: &str) -> String {
        let frames = self
            .frames
            .iter()
            .map(|it| format!("{}..{} ", it.start, it.end));
        let frames: String = frames.collect();
        let how = how.replace('\n', " ");
        format!("{frames}|{}|{how}", self.sizes.join(" "))
    }
}

/// The number that all pixels of a picture spell.
fn identify(sample: &gst::Sample, info: &VideoInfo) -> u64 {
    let frame = VideoFrame::from_buffer_readable(sample.buffer_owned().unwrap(), info).unwrap();
    let mut pixels = Vec::new();
    View::of_frame(&frame).unwrap().append_tight(&mut pixels);
    let first = u64::from_le_bytes(pixels[..8].try_into().unwrap());
    let number = first.wrapping_mul(0xf1de_83e1_9937_733d) / 8;
    let want = numbered_bytes(number);
    for bytes in pixels.chunks(want.len()) {
        assert!(*bytes == want[..bytes.len()], "none of the frames");
    }
    number
}

fn numbered(number: u64, info: &VideoInfo) -> gst::Buffer {
    let (width, stride) = (info.width() as usize, info.stride()[0] as usize);
    let bytes = numbered_bytes(number);
    let mut pixels = bytes.iter().cycle();
    let mut padded = vec![0; info.size()];
    for row in padded.chunks_mut(stride) {
        row[..width].fill_with(|| *pixels.next().unwrap());
    }
    let mut buffer = memory(&padded);
    let time = gst::ClockTime::from_nseconds(number * STEP);
    buffer.get_mut().unwrap().set_pts(time);
    buffer
}

fn info(width: u32, height: u32) -> VideoInfo {
    let info = VideoInfo::builder(VideoFormat::Gray8, width, height);
    info.fps(gst::Fraction::new(10, 1)).build().unwrap()
}

/// What the process is by now.
struct Actor {
    line: Line,
    rig: Option<Rig>,
    info: VideoInfo,
    reader: Option<Reader>,
    /// Per frame.
    delay: Duration,
    halt: Arc<AtomicBool>,
    pushing: Option<JoinHandle<u64>>,
}

impl Actor {
    fn rig(&self) -> &Rig {
        self.rig.as_ref().unwrap()
    }

    fn act(&mut self, what: &str) -> String {
        let words: Vec<_> = what.split_whitespace().collect();
        let number = |at: usize| words[at].parse::<u64>().unwrap();
        match words[0] {
            "open" => return self.open(&words[1..]),
            "size" => {
                self.info = info(number(1) as u32, number(2) as u32);
                let segment = gst::FormattedSegment::new();
                self.rig().begin(&self.info, &segment);
            }
            "push" => {
                for number in number(1)..number(2) {
                    self.rig().pad.push(numbered(number, &self.info)).unwrap();
                }
            }
            // From a number on, with so many microseconds between frames, until `halt`.
            "stream" => self.stream(number(1), Duration::from_micros(number(2))),
            "halt" => {
                self.halt.store(true, Ordering::Release);
                return self.pushing.take().unwrap().join().unwrap().to_string();
            }
            "end" => {
                let messages = self.rig().finish();
                assert!(messages.eos(), "{:?}", messages.errors());
                assert!(messages.warnings().is_empty(), "{:?}", messages.warnings());
            }
            "stop" => {
                if let Some(rig) = &self.rig {
                    rig.stop();
                    common::check_accounts(&rig.element);
                }
                self.reader = None;
            }
            "counts" => {
                let c = kit::counts(&self.rig().element);
                let counts = [c.readers, c.sent, c.received, c.dropped, c.in_flight];
                return join(counts.into_iter().chain([c.unread]));
            }
            "count" => return self.rig().count(words[1]).to_string(),
            "read" => return self.read(&words[1..].join(" ")),
            // All that comes, and lets go of nothing.
            "keep" => {
                let reader = self.line.reader_of("! appsink name=sink sync=false").play();
                self.reader = Some(reader);
            }
            "take" => return self.take(number(1)),
            "rest" => return self.take(u64::MAX),
            "watch" => self.watch(),
            "delay" => self.delay = Duration::from_micros(number(1)),
            "stats" => {
                let (sent, received, dropped) = kit::reader_counts(&self.reader().source());
                return join([sent, received, dropped]);
            }
            "usage" => {
                let own = Usage::own();
                return join([own.fds, own.threads, own.shared, own.resident]);
            }
            _ => panic!("{what}?"),
        }
        "done".into()
    }

    fn open(&mut self, properties: &[&str]) -> String {
        let properties: Vec<_> = properties
            .iter()
            .map(|it| it.split_once('=').unwrap())
            .collect();
        let rig = self.line.stopped(&properties);
        rig.pad.set_active(true).unwrap();
        if rig.element.set_state(gst::State::Playing).is_err() {
            return format!("error {}", rig.messages().errors()[0].1);
        }
        rig.begin(&self.info, &gst::FormattedSegment::new());
        self.rig = Some(rig);
        "done".into()
    }

    fn stream(&mut self, from: u64, pause: Duration) {
        let (pad, info, halt) = (self.rig().pad.clone(), self.info.clone(), self.halt.clone());
        halt.store(false, Ordering::Release);
        self.pushing = Some(std::thread::spawn(move || {
            let mut next = from;
            while !halt.load(Ordering::Acquire) && pad.push(numbered(next, &info)).is_ok() {
                next += 1;
                std::thread::sleep(pause);
            }
            next
        }));
    }

    fn reader(&self) -> &Reader {
        self.reader.as_ref().unwrap()
    }

    fn read(&mut self, properties: &str) -> String {
        let reader = self.line.reader(properties);
        let started = reader.pipeline.set_state(gst::State::Playing);
        let text = started.is_err().then(|| first_error(&reader));
        self.reader = Some(reader);
        match text {
            None => "done".into(),
            Some(text) => format!("error {text}"),
        }
    }

    fn take(&self, most: u64) -> String {
        let mut story = Story::default();
        let bus = self.reader().pipeline.bus().unwrap();
        let sink = self.reader().sink();
        for _ in 0..most {
            std::thread::sleep(self.delay);
            let waited = Instant::now();
            let sample = loop {
                match sink.try_pull_sample(gst::ClockTime::from_seconds(5)) {
                    Some(sample) => break sample,
                    None if sink.is_eos() => {
                        let errors = pending(&bus).errors();
                        let how = errors.first().map_or("eos", |(_, text)| text);
                        return story.end(how);
                    }
                    None => assert!(waited.elapsed() < PATIENCE, "{}", story.end("hangs")),
                }
            };
            story.add(&sample);
        }
        story.end("")
    }

    /// Tells how each producer ended, and goes on with the next until there is an end of the stream.
    fn watch(&mut self) {
        let own = Self {
            line: Line::at(&self.line.channel),
            rig: None,
            info: self.info.clone(),
            reader: self.reader.take(),
            delay: self.delay,
            halt: self.halt.clone(),
            pushing: None,
        };
        std::thread::spawn(move || {
            loop {
                let told = own.take(u64::MAX);
                say(&told);
                if told.ends_with("|eos") {
                    return;
                }
                let pipeline = &own.reader().pipeline;
                pipeline.set_state(gst::State::Null).unwrap();
                pipeline.set_state(gst::State::Playing).unwrap();
            }
        });
    }
}

fn first_error(reader: &Reader) -> String {
    let errors = reader.messages().errors();
    errors.first().map(|(_, text)| text.clone()).unwrap()
}

fn join(numbers: impl IntoIterator<Item = u64>) -> String {
    let numbers: Vec<_> = numbers.into_iter().map(|it| it.to_string()).collect();
    numbers.join(" ")
}

fn say(what: &str) {
    // The test runner does not end its line before a test.
    let mut out = std::io::stdout().lock();
    write!(out, "\n> {}\n", what.replace('\n', " ")).unwrap();
    out.flush().unwrap();
}

#[test]
#[ignore = "the other process of the tests around it"]
fn act() {
    if !common::is_child() {
        return;
    }
    common::init();
    let (sender, told) = channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            sender.send(line).unwrap();
        }
        // Whoever started this is done with it, or gone.
        std::process::exit(0);
    });
    let mut actor = Actor {
        line: Line::at(&std::env::var(CHANNEL).unwrap()),
        rig: None,
        info: info(32, 2),
        reader: None,
        delay: Duration::ZERO,
        halt: Arc::default(),
        pushing: None,
    };
    for what in told {
        say(&actor.act(&what));
    }
}

/// Moments to do something at, the same for the same seed.
pub struct Dice(u64);

impl Dice {
    /// Of `DSFRAME_SEED`, or of the time; says which.
    pub fn new() -> Self {
        let given = std::env::var("DSFRAME_SEED").ok();
        let seed = given.map_or_else(
            || {
                let time = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
                time.as_nanos() as u64
            },
            |seed| seed.parse().expect("DSFRAME_SEED is a number"),
        );
        println!("DSFRAME_SEED={seed}");
        Self(seed)
    }

    /// Below `end`.
    pub fn roll(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }

    pub fn pause(&mut self, longest: Duration) {
        let micros = self.roll(longest.as_micros() as u64);
        std::thread::sleep(Duration::from_micros(micros));
    }
}

/// Nothing is left where a channel was.
#[track_caller]
pub fn check_clean(folder: &Path) {
    assert_eq!(common::files(folder), Vec::<String>::new());
}
