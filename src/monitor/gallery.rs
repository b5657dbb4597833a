// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The latest captures of the process, for as long as a server shows them.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

/// Captures that are kept.
pub const MAX_CAPTURES: usize = 64;
/// Bytes of pictures that are kept.
pub const MAX_BYTES: usize = 64 << 20;
/// Of one picture. Larger ones are said to be too large.
pub const MAX_PICTURE: usize = 16 << 20;
/// Pictures of one capture.
pub const MAX_PICTURES: usize = 8;
/// Objects of one capture.
pub const MAX_OBJECTS: usize = 32;
/// Characters of a text that comes from metadata.
pub const MAX_TEXT: usize = 96;

/// What the page says about a capture.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Capture {
    /// Given by the gallery: each is one more than the one before it.
    pub id: u64,
    pub element: Arc<str>,
    pub stream: u32,
    pub sensor: Option<String>,
    pub frame: u64,
    pub number: u64,
    /// ns.
    pub pts: Option<u64>,
    /// RFC 3339.
    pub time: String,
    pub reason: &'static str,
    /// Of the frame, which boxes are in pixels of.
    pub size: [u32; 2],
    pub objects: Vec<Object>,
    /// Also those that are left out here.
    pub objects_total: usize,
    pub matches_total: usize,
    pub pictures: Vec<Picture>,
    pub pictures_total: usize,
    /// Why there is no picture.
    pub note: Option<&'static str>,
}

#[derive(Debug, Clone, Default, Serialize)]
pub struct Object {
    /// In the frame's list.
    pub place: usize,
    pub label: String,
    pub confidence: Option<f32>,
    /// A number, as text: browsers round what is above 2^53.
    pub track: Option<String>,
    /// It was asked for.
    pub matched: bool,
    /// Left, top, width, height.
    #[serde(rename = "box")]
    pub bounds: [f32; 4],
}

#[derive(Debug, Clone, Serialize)]
pub struct Picture {
    #[serde(skip)]
    pub bytes: Arc<[u8]>,
    #[serde(rename = "type")]
    pub media_type: &'static str,
    /// The object that it shows, by its place in the frame's list; else it is of the frame.
    pub object: Option<usize>,
    /// With boxes and labels in it.
    pub annotated: bool,
}

/// A text of metadata, cut.
pub fn text(text: &str) -> String {
    match text.char_indices().nth(MAX_TEXT) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

#[derive(Debug, Default)]
struct Ring {
    captures: VecDeque<Arc<Capture>>,
    bytes: usize,
    last: u64,
}

#[derive(Debug, Default)]
pub struct Gallery {
    /// Who shows it.
    servers: AtomicUsize,
    ring: Mutex<Ring>,
}

/// What came after a capture.
#[derive(Debug, Default, Serialize)]
pub struct News {
    /// The latest there is; ask for what comes after it.
    pub last: u64,
    /// So many came and are not kept any more.
    pub missed: u64,
    /// Oldest first.
    pub captures: Vec<Arc<Capture>>,
}

fn bytes_of(capture: &Capture) -> usize {
    capture.pictures.iter().map(|it| it.bytes.len()).sum()
}

impl Gallery {
    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether anybody shows it. Otherwise nothing is kept.
    pub fn is_open(&self) -> bool {
        self.servers.load(Ordering::Acquire) > 0
    }

    pub fn open(&self) {
        self.servers.fetch_add(1, Ordering::AcqRel);
    }

    pub fn close(&self) {
        if self.servers.fetch_sub(1, Ordering::AcqRel) == 1 {
            let mut ring = self.ring();
            // Unless it was opened again meanwhile. Numbers go on, so that no page takes one capture
            // for another.
            if !self.is_open() {
                ring.bytes = 0;
                let captures = std::mem::take(&mut ring.captures);
                drop(ring);
                drop(captures);
            }
        }
    }

    pub fn add(&self, mut capture: Capture) {
        let mut gone = Vec::new();
        let mut ring = self.ring();
        if !self.is_open() {
            return;
        }
        ring.last += 1;
        capture.id = ring.last;
        ring.bytes += bytes_of(&capture);
        ring.captures.push_back(Arc::new(capture));
        while ring.captures.len() > MAX_CAPTURES || ring.bytes > MAX_BYTES {
            let Some(oldest) = ring.captures.pop_front() else {
                break;
            };
            ring.bytes -= bytes_of(&oldest);
            gone.push(oldest);
        }
        drop(ring);
        // What was let go of is freed without the lock.
        drop(gone);
    }

    pub fn after(&self, id: u64) -> News {
        let ring = self.ring();
        let oldest = ring.last - ring.captures.len() as u64;
        // One from another process: all there is.
        let id = if id > ring.last { oldest } else { id };
        let skip = id.saturating_sub(oldest) as usize;
        News {
            last: ring.last,
            missed: oldest.saturating_sub(id),
            captures: ring.captures.iter().skip(skip).cloned().collect(),
        }
    }

    pub fn picture(&self, id: u64, picture: usize) -> Option<Picture> {
        let ring = self.ring();
        let oldest = ring.last - ring.captures.len() as u64;
        let place = id.checked_sub(oldest + 1)?;
        let capture = ring.captures.get(usize::try_from(place).ok()?)?;
        capture.pictures.get(picture).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_bytes(bytes: usize) -> Capture {
        let picture = Picture {
            bytes: vec![0; bytes].into(),
            media_type: "image/png",
            object: None,
            annotated: false,
        };
        Capture {
            pictures: vec![picture],
            ..Capture::default()
        }
    }

    fn ids(news: &News) -> Vec<u64> {
        news.captures.iter().map(|it| it.id).collect()
    }

    #[test]
    fn nothing_is_kept_that_nobody_shows() {
        let gallery = Gallery::default();
        gallery.add(with_bytes(1));
        assert_eq!(gallery.after(0).last, 0);
        gallery.open();
        gallery.open();
        gallery.add(with_bytes(1));
        gallery.close();
        assert_eq!(ids(&gallery.after(0)), [1]);
        gallery.close();
        let news = gallery.after(0);
        assert_eq!((news.last, news.missed, news.captures.len()), (1, 1, 0));
        assert!(gallery.picture(1, 0).is_none());
        gallery.open();
        gallery.add(with_bytes(1));
        assert_eq!(ids(&gallery.after(1)), [2]);
    }

    #[test]
    fn the_oldest_make_room() {
        let gallery = Gallery::default();
        gallery.open();
        for _ in 0..MAX_CAPTURES + 6 {
            gallery.add(with_bytes(1));
        }
        let news = gallery.after(2);
        assert_eq!((news.missed, news.captures.len()), (4, MAX_CAPTURES));
        assert_eq!(ids(&gallery.after(68)), [69, 70]);
        assert_eq!(ids(&gallery.after(70)), [0; 0]);
        // A number that was never given.
        assert_eq!(gallery.after(u64::MAX).captures.len(), MAX_CAPTURES);
        assert!(gallery.picture(6, 0).is_none());
        assert!(gallery.picture(7, 0).is_some());
        assert!(gallery.picture(7, 1).is_none());
        assert!(gallery.picture(0, 0).is_none());
        assert!(gallery.picture(71, 0).is_none());
        for _ in 0..9 {
            gallery.add(with_bytes(MAX_BYTES / 8));
        }
        assert_eq!(ids(&gallery.after(0)), (72..=79).collect::<Vec<_>>());
        assert_eq!(gallery.ring().bytes, MAX_BYTES);
    }

    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!(text("übung"), "übung");
        let long = "ü".repeat(MAX_TEXT + 1);
        assert_eq!(text(&long), format!("{}…", "ü".repeat(MAX_TEXT)));
        assert_eq!(text(&long[2..]), long[2..]);
    }
}
