// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Streams with rules of their own.

use proptest::prelude::*;

use super::*;

const STREAMS: usize = 4;

/// All kinds of rules, one of which each stream has.
fn kinds() -> Vec<Rules> {
    let person = Filter {
        classes: Classes::parse("person").unwrap(),
        ..Filter::default()
    };
    vec![
        rules(When::Metadata),
        rules(When::Manual),
        rules(When::Interval(frames(3))),
        rules(When::Both(frames(2))),
        Rules {
            filter: Arc::new(person.clone()),
            cooldown: 40 * MS,
            ..rules(When::Either(Every::Time(some(70 * MS))))
        },
        Rules {
            dedupe: Dedupe::Track,
            post_roll: Roll::Frames(some(2)),
            ..rules(When::Metadata)
        },
        Rules {
            dedupe: Dedupe::Best(some(60 * MS)),
            filter: Arc::new(person),
            ..rules(When::Metadata)
        },
        Rules {
            pre_roll: Roll::Frames(some(2)),
            min_objects: 2,
            start: Some(50 * MS),
            ..rules(When::Metadata)
        },
        Rules {
            pre_roll: Roll::Time(some(30 * MS)),
            post_roll: Roll::Time(some(30 * MS)),
            max_objects: Some(1),
            ..rules(When::Either(frames(9)))
        },
    ]
}

proptest! {
    /// Each stream is as if it were alone with its rules.
    #[test]
    fn streams_with_their_own_rules_are_as_if_alone(
        kinds_of in prop::array::uniform4(0usize..9),
        common in 0usize..9,
        steps in prop::collection::vec((0..STREAMS, 0u64..25, 0u64..4, 0u8..40), 1..120),
    ) {
        let kinds = kinds();
        // The last stream has none of its own.
        let of = |stream: usize| match stream == STREAMS - 1 {
            true => kinds[common].clone(),
            false => kinds[kinds_of[stream]].clone(),
        };
        let own = (0..STREAMS - 1).map(|stream| (stream as u32, of(stream)));
        let mut all = Caller::new(RuleBook::new(kinds[common].clone(), own.collect()));
        let mut alone: Vec<_> = (0..STREAMS).map(|stream| Caller::new(of(stream))).collect();
        prop_assert!(alone.iter().all(|it| !it.selector.needs_detections()
            || all.selector.needs_detections()));
        // Of each frame: its stream, and its number there.
        let mut places = Vec::new();
        let mut time = 0;
        for (stream, step, track, kind) in steps {
            time += step * MS;
            match kind {
                0 => {
                    all.selector.end_stream(stream as u32);
                    alone[stream].selector.end_stream(stream as u32);
                }
                1 => {
                    all.selector.request(Some(stream as u32));
                    alone[stream].selector.request(Some(stream as u32));
                }
                _ => (),
            }
            let seen = [tracked(track, f32::from(kind) / 40.0), object("car"), object("person")];
            let facts = FrameFacts {
                stream: stream as u32,
                damaged: kind == 2,
                detections: &seen[..usize::from(kind % 4).min(3)],
                ..frame(0, time)
            };
            places.push((stream, alone[stream].next));
            prop_assert_eq!(all.frame(&facts), alone[stream].frame(&facts));
        }
        all.end();
        for (stream, alone) in alone.iter_mut().enumerate() {
            alone.end();
            let own = all.captures.iter().filter(|it| places[it.number as usize].0 == stream);
            let own: Vec<_> = own
                .map(|it| Capture { number: places[it.number as usize].1, ..it.clone() })
                .collect();
            prop_assert_eq!(&own, &alone.captures, "stream {}", stream);
            alone.assert_settled();
        }
        all.assert_settled();
    }
}
