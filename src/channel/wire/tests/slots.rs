// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Both sides remember the same.

use super::*;

fn naming(slot: u64) -> FrameHead {
    FrameHead {
        slot,
        ..example().0
    }
}

#[test]
fn the_slot_that_was_named_longest_ago_is_forgotten() {
    let mut slots = Slots::default();
    for id in 0..MAX_SLOTS as u64 {
        assert_eq!(slots.add(&naming(id), id), Ok(None));
    }
    assert_eq!(slots.find(&naming(0)), Ok(&0));
    assert_eq!(slots.add(&naming(99), 99), Ok(Some((1, 1))));
    assert!(slots.knows(0) && !slots.knows(1) && slots.knows(99));
    assert_eq!(slots.find(&naming(1)), Err(WireError::SlotUnknown(1)));
    assert_eq!(slots.add(&naming(0), 0), Err(WireError::SlotKnown(0)));
    // Errors leave it as it was.
    assert_eq!(slots.add(&naming(1), 1), Ok(Some((2, 2))));
}

#[test]
fn a_slot_stays_what_it_is() {
    let mut slots = Slots::default();
    slots.add(&naming(1), ()).unwrap();
    let larger = FrameHead {
        slot_size: 16385,
        ..naming(1)
    };
    assert_eq!(slots.find(&larger), Err(WireError::SlotChanged(1)));
    let memory = Memory::Cuda { device: 0 };
    let elsewhere = FrameHead {
        memory,
        ..naming(1)
    };
    assert_eq!(slots.find(&elsewhere), Err(WireError::SlotChanged(1)));
    assert_eq!(slots.find(&naming(1)), Ok(&()));
}

proptest! {
    #[test]
    fn a_reader_knows_what_its_producer_thinks_it_knows(
        ids in prop::collection::vec(0..100_u64, 0..600),
    ) {
        let (mut producer, mut reader) = (Slots::default(), Slots::default());
        let mut named: Vec<u64> = Vec::new();
        for id in ids {
            let head = FrameHead { new_slot: !producer.knows(id), ..naming(id) };
            // The last ones that differ.
            named.retain(|other| *other != id);
            let first = named.len().saturating_sub(MAX_SLOTS - 1);
            named.drain(..first);
            named.push(id);
            if head.new_slot {
                let forgotten = producer.add(&head, ()).unwrap().map(|(id, ())| id);
                prop_assert_eq!(reader.add(&head, id).unwrap().map(|(id, _)| id), forgotten);
            } else {
                producer.find(&head).unwrap();
                prop_assert_eq!(reader.find(&head), Ok(&id));
            }
            for id in 0..100 {
                prop_assert_eq!(reader.knows(id), named.contains(&id));
            }
        }
    }
}
