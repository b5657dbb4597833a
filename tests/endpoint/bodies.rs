// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What is sent: three forms, read back by other means than they were made with.

use base64::Engine;
use serde_json::{Value, json};

use crate::common::{at, count, launch, lines, play_well, wait_for_end};
use crate::kit::{all, fates, numbers, rig};
use crate::server::{Request, Server};

fn decoded(image: &Value) -> Vec<u8> {
    let engine = base64::engine::general_purpose::STANDARD;
    engine.decode(image.as_str().unwrap()).unwrap()
}

/// The parts of a form: the headers and the body of each.
fn parts(request: &Request) -> Vec<(String, Vec<u8>)> {
    let kind = request.header("Content-Type");
    let boundary = kind.strip_prefix("multipart/form-data; boundary=").unwrap();
    let mark = format!("--{boundary}").into_bytes();
    let body = &request.body;
    let found: Vec<usize> = (0..=body.len() - mark.len())
        .filter(|at| body[*at..].starts_with(&mark))
        .collect();
    assert_eq!(found[0], 0);
    assert!(body.ends_with(b"--\r\n"));
    let part = |ends: &[usize]| {
        let part = &body[ends[0] + mark.len() + 2..ends[1] - 2];
        let split = (0..part.len())
            .find(|at| part[*at..].starts_with(b"\r\n\r\n"))
            .unwrap();
        (
            String::from_utf8(part[..split].to_vec()).unwrap(),
            part[split + 4..].to_vec(),
        )
    };
    found.windows(2).map(part).collect()
}

#[test]
fn frames_arrive_in_order_over_one_connection() {
    let server = Server::new();
    let rig = rig(&server, &[]);
    rig.push_all(0..200);
    let messages = rig.end();
    assert!(messages.warnings().is_empty(), "{:?}", messages.warnings());
    let requests = server.requests();
    assert_eq!(numbers(&requests), all(200));
    assert_eq!(server.connections(), 1);
    assert_eq!(fates(&rig.element), [200, 0, 0, 0, 0]);
    assert_eq!(rig.count("captured"), 200);
    assert_eq!((rig.count("pictures"), rig.count("bytes")), (0, 0));
    assert_eq!(crate::kit::posts(&rig.element, "bytes"), 200 * 64);
    let agent = concat!("gst-plugin-dsframe/", env!("CARGO_PKG_VERSION"));
    let mut keys: Vec<_> = requests.iter().map(|request| request.key()).collect();
    let run = requests[0].header("Dsframe-Run");
    assert_eq!(keys[7], format!("{run}-7-0"));
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 200);
    for request in &requests {
        assert_eq!(request.head, "POST /captures HTTP/1.1");
        assert_eq!(request.header("User-Agent"), agent);
        assert_eq!(request.header("Host"), server.address().to_string());
        assert_eq!(request.header("Content-Type"), "application/octet-stream");
        assert_eq!(request.header("Dsframe-Format"), "GRAY8");
        assert_eq!(request.header("Dsframe-Shape"), "2,32,1");
        assert!(request.find("Authorization").is_none());
    }
    let frame = &requests[3];
    let expected = [
        ("Stream", "0"),
        ("Number", "3"),
        ("Seq", "0"),
        ("Pts", "300000000"),
        ("Reason", "interval"),
        ("Objects-Detected", "0"),
        ("Is-Annotated", "false"),
        ("Unique-Id", "0"),
    ];
    for (name, value) in expected {
        assert_eq!(frame.header(&format!("Dsframe-{name}")), value);
    }
    frame
        .header("Dsframe-Timestamp")
        .parse::<jiff::Timestamp>()
        .unwrap();
}

#[test]
fn the_three_bodies_carry_the_file_and_its_line() {
    for body in ["json", "binary", "multipart"] {
        let server = Server::new();
        let folder = tempfile::tempdir().unwrap();
        play_well(&format!(
            "dsframeinject num-buffers=5 pattern=objects ! video/x-raw,width=320,height=180 ! \
             dsframecapture interval=1 location={} log-location={} endpoint={} endpoint-body={body} \
             unique-id=7 statistics=true",
            at(&folder, "{frame:03}.jpg"),
            at(&folder, "log.jsonl"),
            server.url()
        ));
        let log = lines(&folder.path().join("log.jsonl"));
        let requests = server.requests();
        assert_eq!((log.len(), requests.len()), (5, 5));
        for (n, (line, request)) in log.iter().zip(&requests).enumerate() {
            let file = std::fs::read(folder.path().join(format!("{n:03}.jpg"))).unwrap();
            let facts = match body {
                "json" => {
                    assert_eq!(request.header("Content-Type"), "application/json");
                    let mut facts = request.json();
                    let image = facts.as_object_mut().unwrap().remove("image").unwrap();
                    assert!(decoded(&image) == file);
                    facts
                }
                "multipart" => {
                    let parts = parts(request);
                    assert_eq!(parts.len(), 2);
                    assert!(parts[0].0.contains("form-data; name=\"facts\""));
                    assert!(parts[0].0.contains("Content-Type: application/json"));
                    assert!(
                        parts[1]
                            .0
                            .contains("name=\"image\"; filename=\"image.jpg\"")
                    );
                    assert!(parts[1].0.contains("Content-Type: image/jpeg"));
                    assert!(parts[1].1 == file);
                    serde_json::from_slice(&parts[0].1).unwrap()
                }
                _ => {
                    assert_eq!(request.header("Content-Type"), "image/jpeg");
                    assert!(request.body == file);
                    assert_eq!(request.header("Dsframe-Frame-Number"), n.to_string());
                    let objects = line["objects_detected"].to_string();
                    assert_eq!(request.header("Dsframe-Objects-Detected"), objects);
                    assert_eq!(request.header("Dsframe-Encoding"), "jpg");
                    assert_eq!(request.header("Dsframe-Shape"), "180,320,3");
                    assert_eq!(request.header("Dsframe-Unique-Id"), "7");
                    assert_eq!(
                        request.header("Dsframe-File"),
                        line["file"].as_str().unwrap()
                    );
                    continue;
                }
            };
            let mut expected = line.clone();
            let more = json!({
                "number": n, "seq": 0, "object": null, "is_annotated": false,
                "content_type": "image/jpeg", "encoding": "jpg", "image_shape": [180, 320, 3],
            });
            let more = more.as_object().unwrap().clone();
            expected.as_object_mut().unwrap().extend(more);
            assert_eq!(facts, expected);
        }
    }
}

#[test]
fn each_crop_is_a_request() {
    let server = Server::new();
    let folder = tempfile::tempdir().unwrap();
    play_well(&format!(
        "dsframeinject num-buffers=200 pattern=objects ! video/x-raw,width=320,height=180 ! \
         dsframecapture name=capture mode=interval interval=20 crop=objects classes=person \
         annotate=both location={} endpoint={}",
        at(&folder, "{frame:03}-{seq}.jpg"),
        server.url()
    ));
    let requests = server.requests();
    let mut seen = [0; 2];
    let mut next: Option<(u64, u64)> = None;
    for request in &requests {
        let facts = request.json();
        let place = (
            facts["number"].as_u64().unwrap(),
            facts["seq"].as_u64().unwrap(),
        );
        let follows = match next {
            Some((number, seq)) => place == (number, seq + 1) || place == (number + 1, 0),
            None => place == (0, 0),
        };
        assert!(follows, "{place:?} after {next:?}");
        next = Some(place);
        let run = facts["run"].as_str().unwrap();
        assert_eq!(request.key(), format!("{run}-{}-{}", place.0, place.1));
        let object = &facts["objects"][facts["object"].as_u64().unwrap() as usize];
        let is_annotated = facts["is_annotated"].as_bool().unwrap();
        let file = &object[if is_annotated { "annotated" } else { "crop" }];
        let file = std::fs::read(file.as_str().unwrap()).unwrap();
        assert!(decoded(&facts["image"]) == file);
        seen[usize::from(is_annotated)] += 1;
    }
    assert!(seen[0] > 1 && seen[0] == seen[1], "{seen:?}");
}

#[test]
fn a_capture_without_a_picture_is_posted_in_every_form() {
    for body in ["json", "binary", "multipart"] {
        let server = Server::new();
        play_well(&format!(
            "dsframeinject num-buffers=2 ! video/x-raw,width=64,height=48 ! dsframecapture \
             mode=interval crop=objects endpoint={} endpoint-body={body}",
            server.url()
        ));
        let requests = server.requests();
        assert_eq!(requests.len(), 2, "{body}");
        match body {
            "json" => assert!(requests[1].json()["image"].is_null()),
            "binary" => {
                assert!(requests[1].body.is_empty());
                assert!(requests[1].find("Content-Type").is_none());
                assert_eq!(requests[1].header("Dsframe-Frame-Number"), "1");
            }
            _ => {
                let parts = parts(&requests[1]);
                assert_eq!(parts.len(), 1);
                let facts: Value = serde_json::from_slice(&parts[0].1).unwrap();
                assert_eq!(facts["frame_number"], 1);
            }
        }
    }
}

#[test]
fn a_frame_and_its_annotated_twin_have_keys_of_their_own() {
    let server = Server::new();
    play_well(&format!(
        "dsframeinject num-buffers=3 pattern=objects ! video/x-raw,width=320,height=180 ! \
         dsframecapture annotate=both encoding=png endpoint={}",
        server.url()
    ));
    let keys: Vec<_> = server
        .requests()
        .iter()
        .map(|request| {
            let facts = request.json();
            assert_eq!(facts["content_type"], "image/png");
            let key = request.key().rsplit_once('-').unwrap();
            assert_eq!(facts["is_annotated"], key.1 == "1");
            request.key().to_owned()
        })
        .collect();
    let mut single = keys.clone();
    single.dedup();
    assert_eq!((keys.len(), single.len()), (6, 6));
}

#[test]
fn eos_after_max_follows_the_last_post() {
    let server = Server::new();
    let pipeline = launch(&format!(
        "dsframeinject ! video/x-raw,width=64,height=48 ! dsframecapture name=capture \
         max-captures=20 eos-after-max=true endpoint={}",
        server.url()
    ));
    use gst::prelude::*;
    pipeline.set_state(gst::State::Playing).unwrap();
    let messages = wait_for_end(&pipeline.bus().unwrap());
    assert!(messages.eos());
    assert_eq!(server.requests().len(), 20);
    let capture = pipeline.by_name("capture").unwrap();
    assert_eq!((count(&capture, "captured"), fates(&capture)[0]), (20, 20));
    pipeline.set_state(gst::State::Null).unwrap();
}
