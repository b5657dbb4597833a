// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What deciding on a batch of 16 frames with 10 objects each costs. Nothing matches, so it is the
//! price of the frames that are not selected.
//!
//! `cargo bench --bench decide`; `DSFRAME_BENCH_SMOKE=1` runs each row briefly.

use std::hint::black_box;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gstdsframe::capture::select::{
    Classes, Condition, Decision, Dedupe, Filter, FrameFacts, Roi, Rules, Selector, When,
};
use gstdsframe::meta::{Bounds, Detection, Label};

const STREAMS: u32 = 16;
const OBJECTS: u64 = 10;

struct Row {
    work: &'static str,
    goal: Option<f64>,
    rules: Rules,
}

fn metadata() -> Rules {
    Rules {
        when: When::Metadata,
        ..Rules::default()
    }
}

fn condition(text: &str) -> Result<Rules, String> {
    Ok(Rules {
        condition: Some(Arc::new(Condition::compile(text)?)),
        ..metadata()
    })
}

fn rows() -> Result<Vec<Row>, String> {
    let goal = |work, goal, rules| Row {
        work,
        goal: Some(goal),
        rules,
    };
    let mut rows = vec![
        goal("count of all", 10.0, {
            Rules {
                min_objects: 99,
                ..metadata()
            }
        }),
        goal("every filter", 10.0, {
            let filter = Filter {
                classes: Classes::parse("bus,truck,person,7")?,
                component: Some(1),
                min_confidence: 0.2,
                max_confidence: 0.99,
                roi: Some(Roi::parse("0.1,0.1,0.8,0.8")?),
                ..Filter::default()
            };
            Rules {
                filter: Arc::new(filter),
                min_objects: 99,
                ..metadata()
            }
        }),
        goal("dedupe=track, all captured before", 10.0, {
            Rules {
                dedupe: Dedupe::Track,
                ..metadata()
            }
        }),
        Row {
            work: "dedupe=best, in the window, no better frame",
            goal: None,
            rules: Rules {
                dedupe: Dedupe::Best(NonZeroU64::MAX),
                ..metadata()
            },
        },
    ];
    for (goal, texts) in [
        (
            15.0,
            &[
                "count > 99",
                "count >= 3 && max_confidence > 0.95",
                "count >= 3 && max_confidence > 0.5 && mean_confidence > 0.99",
                "tracked == count && total_area > 0.9",
            ][..],
        ),
        (
            200.0,
            &[
                "count_of(\"person\") > 9",
                "counts[\"person\"] > 9",
                "objects.exists(o, o.label == \"bus\")",
                "objects.exists(o, o.label == \"person\" && o.confidence > 0.99)",
                "size(objects.filter(o, o.area > 0.5)) > 2",
            ][..],
        ),
    ] {
        for text in texts {
            rows.push(Row {
                work: text,
                goal: Some(goal),
                rules: condition(text)?,
            });
        }
    }
    Ok(rows)
}

fn detections() -> Vec<Detection> {
    (0..OBJECTS)
        .map(|n| Detection {
            label: Label::new(["person", "car", "bicycle"][n as usize % 3]),
            class_id: Some(n as i32 % 3),
            component_id: Some(1),
            confidence: Some(0.5 + 0.04 * n as f32),
            track_id: Some(1000 + n),
            bounds: Bounds {
                left: 100.0 * n as f32,
                top: 300.0,
                width: 80.0,
                height: 200.0,
            },
            ..Detection::default()
        })
        .collect()
}

/// Seconds for each batch: the median of the rounds.
fn measure(rules: &Rules, round: Duration, rounds: usize) -> f64 {
    let detections = detections();
    let mut selector = Selector::<()>::new(rules.clone());
    let mut frame = 0;
    let mut batch = || {
        for stream in 0..STREAMS {
            let decision = selector.decide(black_box(&FrameFacts {
                stream,
                frame,
                time: frame * 33_000_000,
                damaged: false,
                size: (1920, 1080),
                detections: &detections,
            }));
            match black_box(decision) {
                Decision::Hold => selector.hold(stream, (), 1),
                Decision::Skip | Decision::Take(_) => {}
            }
        }
        frame += 1;
    };
    for _ in 0..100 {
        batch();
    }
    let mut times: Vec<f64> = (0..rounds)
        .map(|_| {
            let (begin, mut batches) = (Instant::now(), 0u32);
            while begin.elapsed() < round {
                for _ in 0..16 {
                    batch();
                }
                batches += 16;
            }
            begin.elapsed().as_secs_f64() / f64::from(batches)
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[rounds / 2]
}

fn main() -> Result<(), String> {
    let smoke = std::env::var("DSFRAME_BENCH_SMOKE").is_ok_and(|value| value == "1");
    let (round, rounds) = match smoke {
        true => (Duration::from_millis(5), 1),
        false => (Duration::from_millis(100), 7),
    };
    println!("| {STREAMS} frames, {OBJECTS} objects each | per batch | goal | |");
    println!("|---|---|---|---|");
    for row in rows()? {
        let micros = measure(&row.rules, round, rounds) * 1e6;
        let (goal, met) = match row.goal {
            None => (String::new(), ""),
            Some(goal) if micros <= goal => (format!("at most {goal} µs"), "met"),
            Some(goal) => (format!("at most {goal} µs"), "missed"),
        };
        let work = row.work.replace('|', "\\|");
        println!("| {work} | {micros:.1} µs | {goal} | {met} |");
    }
    Ok(())
}
