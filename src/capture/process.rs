// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What happens to a captured frame on the worker threads: encode, stage, then in order publish,
//! log and tell.

mod full;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use gst_video::{VideoFormat, VideoInfo};

use crate::codec::{self, CardEncoder, CodecError, PictureEncoder, Scaler};
use crate::fault::Fault;
use crate::frame::Snapshot;
use crate::frame::stats::PictureStats;

use super::config::{Config, Drawing};
use super::deliver::channel::Channels;
use super::deliver::endpoint::Poster;
use super::deliver::endpoint::queue::Slip;
use super::deliver::endpoint::request::{Image, Post, posts};
use super::deliver::files::{ANNOTATED, Companion, Files, Published, Staged, sync_names};
use super::deliver::labels::{Labels, Outcome, StagedLabels};
use super::deliver::log::{Entry, Line, Log};
use super::deliver::message::Outlet;
use super::deliver::quota::Quota;
use super::deliver::report::Reporter;
use super::deliver::{DeliverError, OpenError};
use super::enums::EndpointBody;
use super::job::{Capture, Job};
use super::name::Template;
use super::picture::region::CropRules;
use super::picture::statistics::picture_statistics;
use super::picture::{Saved, Subject, boxes, shots};
use super::stats::{Fate, Stats, Ticket};
use super::watch::{Shown, Viewer};
use super::worker::Process;

/// A capture that is ready to be committed.
#[derive(Debug)]
pub struct Output {
    /// They are published together, in this order.
    pictures: Vec<Waiting>,
    labels: Option<StagedLabels>,
    shape: [usize; 3],
    statistics: Option<PictureStats>,
    shown: Shown,
}

/// A picture that waits for its name.
#[derive(Debug)]
struct Waiting {
    subject: Subject,
    /// With boxes and labels, beside one without.
    is_copy: bool,
    /// Where it is written.
    staged: Option<Staged>,
    /// Where it is posted.
    image: Option<Image>,
}

/// What pictures are made, and where they go.
struct Pictures {
    files: Option<Files>,
    quota: Option<Quota>,
    encode: codec::EncodeSettings,
    crop: Option<CropRules>,
    drawing: Drawing,
}

#[derive(Default)]
pub struct Scratch {
    encoder: PictureEncoder,
    scaler: Scaler,
    card: CardEncoder,
    bytes: Vec<u8>,
}

/// Where captures go, for one run of the element.
pub struct Delivery {
    pictures: Option<Pictures>,
    /// Committed one at a time, so never contended.
    log: Option<Mutex<Log>>,
    labels: Option<Labels>,
    /// Of the picture of a whole frame, also where none is written.
    sizing: codec::EncodeSettings,
    with_statistics: bool,
    post_messages: bool,
    run: String,
    unique_id: u32,
    pub reporter: Arc<Reporter>,
    fsync: bool,
    pub outlet: Arc<Outlet>,
    stats: Arc<Stats>,
    channels: OnceLock<Arc<Channels>>,
    /// How posts are made.
    body: Option<EndpointBody>,
    poster: OnceLock<Arc<Poster>>,
    viewer: OnceLock<Viewer>,
    /// No further capture will come, and then EOS is to be posted.
    last_taken: AtomicBool,
    last_submitted: AtomicBool,
    eos_posted: AtomicBool,
    fallback_said: AtomicBool,
    left_out_said: AtomicBool,
}

impl Delivery {
    /// Opens what is written to. Also returns the first capture number.
    pub fn open(
        config: &Config,
        stats: Arc<Stats>,
        outlet: Arc<Outlet>,
    ) -> Result<(Self, u64), OpenError> {
        let mut first = 0;
        let pictures = match &config.pictures {
            None => None,
            Some(pictures) => {
                let failed = OpenError::of("location");
                let open = |template: &Template| {
                    let (template, on_exists) = (template.clone(), pictures.on_exists);
                    let files = match &pictures.bucket {
                        None => Files::open(template, on_exists, config.fsync),
                        Some(bucket) => Files::open_bucket(bucket, template, on_exists),
                    };
                    files.map_err(&failed)
                };
                let files = pictures.template.as_ref().map(open).transpose()?;
                if let Some(files) = &files {
                    first = files.first_number().map_err(&failed)?;
                }
                Some(Pictures {
                    quota: match &files {
                        Some(files) => full::quota(config, files)?,
                        None => None,
                    },
                    files,
                    encode: pictures.encode,
                    crop: pictures.crop,
                    drawing: pictures.drawing,
                })
            }
        };
        let log = match &config.log {
            None => None,
            Some(path) => {
                let (log, repaired) =
                    Log::open(path, config.fsync).map_err(OpenError::of("log-location"))?;
                if repaired {
                    stats.log_repairs.fetch_add(1, Ordering::Relaxed);
                    outlet.warn(&Fault::resource(
                        gst::ResourceError::Write,
                        format!(
                            "{} ended within a line, which was cut off: an earlier run was killed",
                            path.display()
                        ),
                    ));
                }
                Some(Mutex::new(log))
            }
        };
        let labels = match &config.labels {
            None => None,
            Some(rules) => {
                let failed = OpenError::of(rules.property());
                let (labels, repaired) = Labels::open(rules).map_err(&failed)?;
                if let Some(repaired) = repaired {
                    let mut text = format!(
                        "{} was completed from its journal: an earlier run was killed",
                        repaired.path.display()
                    );
                    if repaired.bad_lines > 0 {
                        let more = format!(
                            "; {} lines of it could not be read and are left out",
                            repaired.bad_lines
                        );
                        text.push_str(&more);
                    }
                    outlet.warn(&Fault::resource(gst::ResourceError::Write, text));
                }
                if config
                    .pictures
                    .as_ref()
                    .is_none_or(|it| it.template.is_none())
                {
                    first = labels.first_number().map_err(&failed)?;
                }
                Some(labels)
            }
        };
        let sizing = pictures.as_ref().map_or_else(
            || codec::EncodeSettings {
                encoding: codec::Encoding::Raw,
                width: config.size.0,
                height: config.size.1,
                ..Default::default()
            },
            |pictures| match pictures.crop {
                None => pictures.encode,
                // Those are the sizes of crops.
                Some(_) => codec::EncodeSettings {
                    width: 0,
                    height: 0,
                    ..pictures.encode
                },
            },
        );
        let delivery = Self {
            pictures,
            log,
            labels,
            sizing,
            with_statistics: config.statistics,
            post_messages: config.post_messages,
            run: uuid::Uuid::new_v4().to_string(),
            unique_id: config.unique_id,
            reporter: Arc::new(Reporter::new(config.on_error, outlet.clone())),
            fsync: config.fsync,
            outlet,
            stats,
            channels: OnceLock::new(),
            body: config.endpoint.as_ref().map(|endpoint| endpoint.body),
            poster: OnceLock::new(),
            viewer: OnceLock::new(),
            last_taken: AtomicBool::new(false),
            last_submitted: AtomicBool::new(false),
            eos_posted: AtomicBool::new(false),
            fallback_said: AtomicBool::new(false),
            left_out_said: AtomicBool::new(false),
        };
        Ok((delivery, first))
    }

    /// Whether anything is made of captures.
    pub fn is_needed(&self) -> bool {
        self.pictures.is_some() || self.log.is_some() || self.labels.is_some() || self.post_messages
    }

    /// Whether anything is made from the pixels.
    pub fn needs_pixels(&self) -> bool {
        self.pictures.is_some() || self.with_statistics
    }

    /// Whether pictures can be made of such frames.
    pub fn check(&self, info: &VideoInfo) -> Result<(), CodecError> {
        codec::check(&self.sizing, info)
    }

    /// Whether an error was posted by which the element is to stop.
    pub fn has_failed(&self) -> bool {
        self.reporter.has_failed()
    }

    /// A job by which what is written in parts becomes whole, where something is. As a job it holds
    /// up no lock of the streaming thread, and ends with `drain-timeout` as others do.
    pub fn last_job(&self) -> Option<Job> {
        let is_needed = self.labels.as_ref().is_some_and(Labels::is_finished_late);
        is_needed.then(|| Job {
            captures: Vec::new(),
            ticket: Arc::new(Ticket::new([])),
        })
    }

    /// `max-captures` is reached and EOS wanted: it follows the last commit.
    pub fn end_after_last(&self, submit: impl FnOnce(Job), left: impl FnOnce() -> usize) {
        if !self.last_submitted.swap(true, Ordering::AcqRel)
            && let Some(job) = self.last_job()
        {
            submit(job);
        }
        self.last_taken.store(true, Ordering::SeqCst);
        // Asked afterwards: a commit before this did not know, one after it will.
        self.post_eos_if_done(left());
    }

    /// A bin forgets the EOS of its sinks when it is paused.
    pub fn repeat_eos(&self) {
        if self.eos_posted.load(Ordering::Acquire) {
            self.outlet.eos();
        }
    }

    fn finish(&self) {
        if let Some(Err(error)) = self.labels.as_ref().map(Labels::finish) {
            self.report((&error).into());
        }
    }

    /// Whose frames are to be received before the end.
    pub fn know_channels(&self, channels: Arc<Channels>) {
        // Once for each run.
        let _ = self.channels.set(channels);
    }

    /// Who shows what is captured.
    pub fn show(&self, viewer: Viewer) {
        // Once for each run.
        let _ = self.viewer.set(viewer);
    }

    /// What is committed is posted by it.
    pub fn know_poster(&self, poster: Arc<Poster>) {
        // Once for each run.
        let _ = self.poster.set(poster);
    }

    /// Whether a frame is captured when it is posted, and not when it is committed.
    fn only_posts(&self) -> bool {
        let has_files = self.pictures.as_ref().is_some_and(|it| it.files.is_some());
        let has_others = has_files || self.log.is_some() || self.labels.is_some();
        self.body.is_some() && !has_others
    }

    /// `left` jobs are not committed.
    pub fn post_eos_if_done(&self, left: usize) {
        if self.last_taken.load(Ordering::SeqCst)
            && left == 0
            && self.channels.get().is_none_or(|it| it.in_flight() == 0)
            && self.poster.get().is_none_or(|it| it.left_by(None) == 0)
            && !self.eos_posted.swap(true, Ordering::AcqRel)
        {
            self.outlet.saved_summary();
            self.outlet.sum_up(&self.stats.total());
            if let Some(poster) = self.poster.get() {
                poster.say_end();
            }
            self.outlet.eos();
        }
    }

    fn encode(&self, scratch: &mut Scratch, capture: &mut Capture) -> Result<Output, DeliverError> {
        let encode_error = |error: CodecError| DeliverError::Encode {
            stream: capture.facts.stream,
            frame: capture.facts.frame,
            error,
        };
        let (width, height) = codec::output_size(&capture.info, &self.sizing);
        let channels = match capture.info.format() {
            VideoFormat::Gray8 => 1,
            VideoFormat::Rgba | VideoFormat::Bgra => 4,
            _ => 3,
        };
        let mut output = Output {
            pictures: Vec::new(),
            labels: None,
            shape: [height as usize, width as usize, channels],
            statistics: None,
            shown: Shown::default(),
        };
        let Some(frame) = capture.frame.take() else {
            return Ok(output);
        };
        let begun = Instant::now();
        if self.with_statistics {
            let stats = match &frame {
                Snapshot::Host(frame) => {
                    picture_statistics(&mut scratch.scaler, frame, width, height)
                }
                Snapshot::Card(frame) => scratch.card.statistics(frame, width, height),
            };
            output.statistics = Some(stats.map_err(encode_error)?);
        }
        if let Some(pictures) = &self.pictures {
            self.picture(scratch, pictures, capture, frame, begun, &mut output)?;
        }
        Ok(output)
    }

    /// Makes and stages all pictures of a frame.
    fn picture(
        &self,
        scratch: &mut Scratch,
        pictures: &Pictures,
        capture: &Capture,
        frame: Snapshot,
        begun: Instant,
        output: &mut Output,
    ) -> Result<(), DeliverError> {
        let facts = &capture.facts;
        let info = frame.info().clone();
        let size = (info.width(), info.height());
        let (shots, skipped) = shots(facts, pictures.crop.as_ref(), info.format(), size);
        self.stats
            .objects_skipped
            .fetch_add(skipped, Ordering::Relaxed);
        let takes: &[bool] = match pictures.drawing {
            Drawing::Never => &[false],
            Drawing::Always => &[true],
            Drawing::Beside => &[false, true],
        };
        let takes = || takes.iter().copied();
        let mut takes = shots
            .iter()
            .flat_map(|shot| takes().map(move |drawn| (shot, drawn)))
            .peekable();
        let mut frame = Some(frame);
        let mut encoding = begun.elapsed();
        while let (Some(source), Some((shot, drawn))) = (&frame, takes.next()) {
            let begun = Instant::now();
            let settings = shot.settings(&pictures.encode);
            let rects = drawn.then(|| {
                let picture = (settings.width, settings.height);
                let detections = &facts.meta.detections;
                boxes::rects(detections, &facts.matches, size, shot.part, picture)
            });
            let change = shot.change(rects.as_deref());
            let bytes = &mut scratch.bytes;
            let picture = match source {
                Snapshot::Host(frame) => {
                    let encoder = &mut scratch.encoder;
                    encoder.encode_changed(frame, &change, &settings, bytes)
                }
                Snapshot::Card(frame) => {
                    let encoder = &mut scratch.card;
                    encoder.encode_changed(frame, &change, &settings, bytes)
                }
            };
            if takes.peek().is_none() {
                // The next frame can have its memory.
                frame = None;
            }
            let picture = picture.map_err(|error| DeliverError::Encode {
                stream: facts.stream,
                frame: facts.frame,
                error,
            })?;
            encoding += begun.elapsed();
            if let Some(reason) = scratch.card.take_fallback() {
                self.say_fallback(&reason);
            }
            let is_copy = drawn && pictures.drawing == Drawing::Beside;
            if shot.subject == Subject::Frame && !is_copy {
                output.shape = [picture.height, picture.width, picture.channels];
            }
            let encoding = settings.encoding;
            let shown = &mut output.shown;
            shown.add(
                self.viewer.get(),
                &scratch.bytes,
                encoding,
                shot.subject,
                drawn,
            );
            let name = facts.name(shot);
            let bytes = &scratch.bytes;
            let stage = |files: &Files| {
                self.with_room(bytes.len(), || match is_copy {
                    false => files.stage(&name, bytes),
                    true => files.stage_beside(&name, ANNOTATED, bytes),
                })
            };
            let staged = pictures.files.as_ref().map(stage).transpose()?;
            let is_raw = encoding == codec::Encoding::Raw;
            let image = self.body.map(|_| Image {
                subject: shot.subject,
                is_copy,
                encoding,
                format: is_raw.then(|| info.format().to_str().as_str()),
                shape: [picture.height, picture.width, picture.channels],
                bytes: bytes.clone(),
            });
            output.pictures.push(Waiting {
                subject: shot.subject,
                is_copy,
                staged,
                image,
            });
        }
        if !output.pictures.is_empty() {
            self.stats.record_encode_time(encoding);
        }
        Ok(())
    }

    /// Writes the label file that the picture is to have.
    fn label(&self, capture: &Capture, mut output: Output) -> Result<Output, DeliverError> {
        if let Some(labels) = &self.labels {
            let labelled = capture.labelled(output.shape);
            let of_frame = |picture: &&Waiting| picture.subject == Subject::Frame;
            let picture = output.pictures.iter().find(of_frame);
            let picture = picture.and_then(|picture| picture.staged.as_ref());
            let mut outcome = self.with_room(0, || labels.stage(&labelled, picture))?;
            output.labels = outcome.staged.take();
            self.count_left_out(&outcome);
        }
        Ok(output)
    }

    fn count_left_out(&self, outcome: &Outcome) {
        let left_out = &self.stats.labels_left_out;
        left_out.fetch_add(outcome.left_out, Ordering::Relaxed);
        if let Some(warning) = &outcome.warning {
            self.outlet.warn_often(&warning.into());
        }
        if outcome.without_class && !self.left_out_said.swap(true, Ordering::AcqRel) {
            let text = "objects without a class id have no YOLO labels: they are left out and \
                        counted in stats as labels-left-out";
            self.outlet
                .warn(&Fault::stream(gst::StreamError::Format, text));
        }
    }

    /// Said once: the pictures are the same, only slower to make.
    fn say_fallback(&self, reason: &str) {
        if !self.fallback_said.swap(true, Ordering::AcqRel) {
            let text = format!("JPEGs are made by the CPU: {reason}");
            self.outlet
                .warn(&Fault::library(gst::LibraryError::Init, text));
        }
    }

    /// Names the pictures and their labels, and logs them: all of it, or no file stays.
    fn publish(
        &self,
        capture: &Capture,
        output: Output,
    ) -> Result<(Vec<Saved>, Vec<Post>), DeliverError> {
        let staged = output.pictures.iter().filter_map(|p| p.staged.as_ref());
        let bytes = staged.map(|staged| staged.bytes).sum();
        let room = self.admit(&output)?;
        let mut named = Vec::new();
        let published = self.publish_into(&mut named, capture, output);
        match &published {
            Err(_) => named.iter().for_each(Files::take_back),
            Ok((saved, _)) => {
                let renamed = named.iter().filter(|file| file.renamed).count();
                let stats = &self.stats;
                let pictures = saved.len() as u64;
                stats.pictures.fetch_add(pictures, Ordering::Relaxed);
                stats.bytes.fetch_add(bytes, Ordering::Relaxed);
                stats.renamed.fetch_add(renamed as u64, Ordering::Relaxed);
                self.keep(room, &named, saved);
            }
        }
        published
    }

    /// `named` are the files that got their names, also if others did not.
    fn publish_into(
        &self,
        named: &mut Vec<Published>,
        capture: &Capture,
        mut output: Output,
    ) -> Result<(Vec<Saved>, Vec<Post>), DeliverError> {
        let facts = &capture.facts;
        let images = output.pictures.iter_mut();
        let images: Vec<_> = images.filter_map(|picture| picture.image.take()).collect();
        let labelled = capture.labelled(output.shape);
        let (mut beside, mut apart) = (None, None);
        match output.labels.map(StagedLabels::companion) {
            Some(Ok(companion)) => beside = Some(companion),
            Some(Err(staged)) => apart = Some(staged),
            None => (),
        }
        let saved = match self.pictures.as_ref().and_then(|it| it.files.as_ref()) {
            Some(files) => self.name(named, files, output.pictures, beside)?,
            None => Vec::new(),
        };
        if let (Some(labels), Some(staged)) = (&self.labels, apart) {
            named.extend(labels.publish(staged)?);
        }
        if self.fsync {
            sync_names(named)?;
        }
        if let Some(labels) = &self.labels {
            let of_frame = saved.iter().find(|s| s.subject == Subject::Frame);
            let file = of_frame.map(|picture| picture.path.as_path());
            let appended = self.with_room(0, || labels.append(&labelled, file));
            self.count_left_out(&appended?);
        }
        if self.log.is_none() && self.body.is_none() {
            return Ok((saved, Vec::new()));
        }
        let line = Line::from(Entry {
            run: &self.run,
            unique_id: self.unique_id,
            facts,
            frame_size: labelled.frame_size,
            pictures: &saved,
            shape: output.shape,
            statistics: output.statistics.as_ref(),
        });
        // Before the log: nothing is logged that then fails.
        let posts = match self.body {
            Some(body) => posts(body, &line, facts.number, images)?,
            None => Vec::new(),
        };
        if let Some(log) = &self.log {
            let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
            self.with_room(0, || log.append(&line))?;
        }
        drop(line);
        Ok((saved, posts))
    }

    /// `labels` get the name of the first.
    fn name(
        &self,
        named: &mut Vec<Published>,
        files: &Files,
        waiting: Vec<Waiting>,
        mut labels: Option<Companion>,
    ) -> Result<Vec<Saved>, DeliverError> {
        let mut saved = Vec::new();
        for picture in waiting {
            let Some(staged) = picture.staged else {
                continue;
            };
            let file = files.publish_with(staged, labels.take())?;
            saved.push(Saved {
                subject: picture.subject,
                is_copy: picture.is_copy,
                path: file.path.clone(),
            });
            named.push(file);
        }
        Ok(saved)
    }

    /// A capture failed: what that means is up to `on-error`.
    pub fn report(&self, fault: Fault) {
        self.reporter.report(fault);
    }
}

impl Process for Delivery {
    type Job = Job;
    type Done = Vec<Result<Output, DeliverError>>;
    type Scratch = Scratch;

    fn scratch(&self) -> Scratch {
        Scratch::default()
    }

    fn ticket<'a>(&self, job: &'a Job) -> &'a Arc<Ticket> {
        &job.ticket
    }

    fn work(&self, scratch: &mut Scratch, job: &mut Job) -> Self::Done {
        let captures = job.captures.iter_mut();
        captures
            .map(|capture| {
                let output = self.encode(scratch, capture)?;
                self.label(capture, output)
            })
            .collect()
    }

    fn commit(&self, job: Job, done: Option<Self::Done>) {
        if job.captures.is_empty() {
            self.finish();
        }
        let mut done = done.into_iter().flatten();
        let only_posts = self.only_posts();
        // Of the whole job.
        let mut parcel = Vec::new();
        for capture in &job.captures {
            if job.ticket.is_settled() {
                // Given up meanwhile, and reported as such.
                break;
            }
            let facts = &capture.facts;
            let panic = DeliverError::Panic {
                stream: facts.stream,
                frame: facts.frame,
            };
            let mut output = done.next().unwrap_or(Err(panic));
            let shown = output.as_mut().map(|it| std::mem::take(&mut it.shown));
            let shown = shown.unwrap_or_default();
            let delivered = output.and_then(|output| self.publish(capture, output));
            match delivered {
                Ok((pictures, posts)) => {
                    let slip = Slip::new(only_posts.then(|| job.ticket.clone()), posts.len());
                    parcel.extend(posts.into_iter().map(|post| (post, slip.clone())));
                    if !only_posts {
                        job.ticket.settle_one(Fate::Captured);
                    }
                    shown.show(self.viewer.get(), capture);
                    // Whoever reads `stats` on this message finds the capture counted.
                    if self.post_messages {
                        self.outlet.saved(facts, &pictures);
                    }
                }
                Err(error) if self.is_full(&error) => {
                    job.ticket.settle_one(Fate::DroppedFull);
                }
                Err(error) => {
                    job.ticket.settle_one(Fate::Failed);
                    self.report((&error).into());
                }
            }
        }
        if let Some(poster) = self.poster.get().filter(|_| !parcel.is_empty()) {
            poster.push(parcel);
        }
    }

    fn held(&self) -> usize {
        self.poster.get().map_or(0, |poster| poster.held())
    }

    fn committed(&self, left: usize) {
        self.post_eos_if_done(left);
    }
}
