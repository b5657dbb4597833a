// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What is to be captured, told by looking back at the whole history for every single frame.

use crate::batch::ObjectSpec;
use crate::kit::{MS, Shot, Taken, taken};

/// Settings as the model understands them.
#[derive(Clone, Debug)]
pub struct Settings {
    pub mode: &'static str,
    pub interval: usize,
    pub labels: &'static [&'static str],
    pub ids: &'static [i32],
    /// In sixteenths.
    pub min_confidence: i32,
    pub accept_unknown: bool,
    /// The middle of the picture: half of its width and height.
    pub roi: bool,
    pub min_objects: usize,
    pub max_objects: Option<usize>,
    /// ms.
    pub cooldown: u64,
    pub track: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            mode: "metadata",
            interval: 0,
            labels: &[],
            ids: &[],
            min_confidence: 0,
            accept_unknown: true,
            roi: false,
            min_objects: 1,
            max_objects: None,
            cooldown: 0,
            track: false,
        }
    }
}

impl Settings {
    pub fn properties(&self) -> Vec<(&'static str, String)> {
        let ids = self.ids.iter().map(i32::to_string);
        let classes: Vec<_> = self
            .labels
            .iter()
            .map(|l| l.to_string())
            .chain(ids)
            .collect();
        let unknown = if self.accept_unknown {
            "accept"
        } else {
            "reject"
        };
        let mut properties = vec![
            ("mode", self.mode.to_owned()),
            ("interval", self.interval.to_string()),
            ("classes", classes.join(",")),
            (
                "min-confidence",
                (self.min_confidence as f64 / 16.0).to_string(),
            ),
            ("cooldown", (self.cooldown * MS).to_string()),
        ];
        // Where they have no effect, they are errors.
        if self.min_confidence > 0 {
            properties.push(("unknown-confidence", unknown.to_owned()));
        }
        if self.mode != "interval" {
            let most = self.max_objects.map_or(-1, |max| max as i64);
            properties.push(("min-objects", self.min_objects.to_string()));
            properties.push(("max-objects", most.to_string()));
        }
        if self.roi {
            properties.push(("roi", "0.25,0.25,0.5,0.5".to_owned()));
        }
        if self.track {
            properties.push(("dedupe", "track".to_owned()));
        }
        properties
    }

    pub fn passes(&self, shot: &Shot, object: &ObjectSpec) -> bool {
        let label = std::str::from_utf8(&object.label).unwrap();
        let any = self.labels.is_empty() && self.ids.is_empty();
        let class = any || self.labels.contains(&label) || self.ids.contains(&object.class_id);
        let sixteenths = (object.confidence * 16.0).floor() as i32;
        let sure = match object.confidence < 0.0 {
            true => self.accept_unknown || self.min_confidence == 0,
            false => sixteenths >= self.min_confidence,
        };
        class && sure && (!self.roi || half_in_the_middle(shot.size, object.rect))
    }

    pub fn passing<'a>(&self, shot: &'a Shot) -> Vec<&'a ObjectSpec> {
        let objects = shot.objects.iter();
        objects.filter(|object| self.passes(shot, object)).collect()
    }

    fn matches(&self, shot: &Shot) -> bool {
        let count = self.passing(shot).len();
        count >= self.min_objects && self.max_objects.is_none_or(|max| count <= max)
    }

    /// What is captured of all the shots, in their order.
    pub fn predict(&self, shots: &[Shot]) -> Vec<Taken> {
        // Of those before: which were captured by metadata, and how many `both` has counted.
        let mut by_metadata: Vec<&Shot> = Vec::new();
        let mut counted: Vec<u32> = Vec::new();
        let mut takes = Vec::new();
        for (place, shot) in shots.iter().enumerate() {
            let before = shots[..place].iter().filter(|s| s.stream == shot.stream);
            let of_stream: Vec<_> = by_metadata
                .iter()
                .filter(|s| s.stream == shot.stream)
                .collect();
            let by_interval = self.interval > 0 && before.count() % self.interval == 0;
            let known = |object: &&ObjectSpec| {
                object.object_id != u64::MAX
                    && of_stream.iter().any(|earlier| {
                        self.passing(earlier)
                            .iter()
                            .any(|other| other.object_id == object.object_id)
                    })
            };
            let mut wanted = self.matches(shot);
            if self.track {
                wanted &= !self.passing(shot).iter().all(known);
            }
            if wanted && self.mode == "both" {
                let nth = counted.iter().filter(|s| **s == shot.stream).count();
                counted.push(shot.stream);
                wanted = nth.is_multiple_of(self.interval);
            }
            let warm = |earlier: &&&Shot| shot.time < earlier.time + self.cooldown * MS;
            wanted &= !of_stream.iter().any(warm);
            // A frame that is wanted for both is one that matches.
            let reason = match self.mode {
                "metadata" | "either" | "both" if wanted => {
                    by_metadata.push(shot);
                    "metadata"
                }
                "interval" | "either" if by_interval => "interval",
                _ => continue,
            };
            takes.push(taken(shot.stream, shot.number, reason));
        }
        takes
    }
}

/// In whole pixels.
fn half_in_the_middle((width, height): (u32, u32), rect: [f32; 4]) -> bool {
    let [x, y, w, h] = rect.map(|side| side as i64);
    let (width, height) = (i64::from(width), i64::from(height));
    let mut inside = 0;
    for row in y..y + h {
        if (height / 4..height * 3 / 4).contains(&row) {
            inside += ((x + w).min(width * 3 / 4) - x.max(width / 4)).max(0);
        }
    }
    2 * inside >= w * h
}
