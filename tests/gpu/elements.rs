// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! From our source to our sink over the card, and the same over system memory.

use gst_video::VideoFormat;
use serde_json::Value;
use tempfile::TempDir;

use crate::common::*;
use crate::shared::pictures::{Picture, convert, converted, info, picture, psnr, read, scene};
use crate::shared::{at, in_child, is_child, lines, play_well};

/// Odd ones, one that is all edge, and a common one.
const SIZES: [(u32, u32); 5] = [(1, 1), (3, 5), (129, 73), (641, 479), (1280, 720)];

fn caps(format: &str, (width, height): (u32, u32)) -> String {
    format!("format={format},width={width},height={height},framerate=30/1")
}

#[test]
fn every_format_and_size_is_exact_in_every_memory() {
    on_card!();
    for format in FORMATS {
        for size in SIZES {
            let caps = caps(format, size);
            let through = Through {
                source: "pattern=noise num-buffers=3",
                caps: &caps,
                sink: "",
                suffix: "raw",
            };
            let expected = through.run(Place::Host);
            for memory in MEMORY {
                let place = Place::Nvmm(memory);
                let what = format!("{memory} {caps}");
                compare(&through.run(place), &expected, 0, &what);
            }
        }
    }
}

#[test]
fn every_pattern_is_the_same_with_frame_codes() {
    on_card!();
    for pattern in PATTERNS {
        for format in FORMATS {
            for size in [(129, 73), (320, 180)] {
                let source = format!("pattern={pattern} num-buffers=4 frame-code=true");
                Through {
                    source: &source,
                    caps: &caps(format, size),
                    sink: "",
                    suffix: "raw",
                }
                .check(Place::CARD, 0);
            }
        }
    }
}

#[test]
fn patterns_move_on_for_long() {
    on_card!();
    let folder = TempDir::new().unwrap();
    let through = Through {
        source: "pattern=gradient num-buffers=300 frame-code=true",
        caps: &caps("GRAY8", (128, 72)),
        sink: "",
        suffix: "raw",
    };
    through.run_into(Place::CARD, folder.path());
    let frames = contents(folder.path());
    assert_eq!(frames.len(), 300);
    for (number, frame) in (0u32..).zip(&frames) {
        assert_eq!(code_in(frame, VideoFormat::Gray8, 128, 72), (0, number));
    }
    compare(&frames, &through.run(Place::Host), 0, "gradient");
}

#[test]
fn npy_and_png_are_the_same_but_for_rounding_of_yuv() {
    on_card!();
    for suffix in ["npy", "png"] {
        for format in FORMATS {
            let caps = caps(format, (161, 91));
            let through = Through {
                source: "pattern=objects num-buffers=2",
                caps: &caps,
                sink: "",
                suffix,
            };
            let levels = if format == "NV12" || format == "I420" {
                1
            } else {
                0
            };
            let (host, card) = (TempDir::new().unwrap(), TempDir::new().unwrap());
            through.run_into(Place::Host, host.path());
            through.run_into(Place::CARD, card.path());
            for number in 0..2 {
                let name = format!("{number:05}.{suffix}");
                let expected = read(&host.path().join(&name));
                let got = read(&card.path().join(&name));
                assert_eq!((got.width, got.format), (expected.width, expected.format));
                let what = format!("{suffix} {format} {number}");
                compare(&[got.bytes], &[expected.bytes], levels, &what);
            }
        }
    }
}

/// A line that writes frames of 328x182, which sources read below.
fn write(encoder: &str, format: &str, location: &str) {
    play_well(&format!(
        "dsframeinject pattern=objects frame-code=true num-buffers=12 ! \
         video/x-raw,format={format},width=328,height=182,framerate=25/1 ! {encoder} \
         location={location}"
    ));
}

/// The same as a file of raw frames without padding.
fn write_raw(folder: &TempDir, format: &str) -> String {
    let parts = TempDir::new().unwrap();
    let sink = "dsframecapture interval=1";
    write(sink, format, &at(&parts, "%03d.raw"));
    let location = at(folder, &format!("{format}.raw"));
    std::fs::write(&location, contents(parts.path()).concat()).unwrap();
    location
}

/// The same in a file that says itself what it holds, and leaves open what becomes of it: an array,
/// or y4m.
fn write_with_header(folder: &TempDir, format: &str) -> String {
    let channels = match format {
        "RGB" => ", 3",
        "RGBA" => ", 4",
        "GRAY8" => "",
        _ => {
            let location = at(folder, "stream.y4m");
            write("y4menc ! filesink", format, &location);
            return location;
        }
    };
    let mut header =
        format!("{{'descr': '|u1', 'fortran_order': False, 'shape': (12, 182, 328{channels}), }}");
    while !(10 + header.len() + 1).is_multiple_of(64) {
        header.push(' ');
    }
    header.push('\n');
    let mut stack = b"\x93NUMPY\x01\x00".to_vec();
    stack.extend((header.len() as u16).to_le_bytes());
    stack.extend(header.as_bytes());
    stack.extend(std::fs::read(write_raw(folder, format)).unwrap());
    let location = at(folder, &format!("{format}.npy"));
    std::fs::write(&location, stack).unwrap();
    location
}

#[test]
fn raw_and_y4m_streams_and_arrays_arrive_unchanged() {
    on_card!();
    let folder = TempDir::new().unwrap();
    for format in FORMATS {
        let raw = write_raw(&folder, format);
        let source = format!("location={raw} format={format} width=328 height=182");
        let through = Through {
            source: &source,
            caps: &format!("format={format}"),
            sink: "",
            suffix: "raw",
        };
        through.check(Place::CARD, 0);
        assert_eq!(through.run(Place::CARD).len(), 12);
    }
    for format in ["RGB", "RGBA", "GRAY8", "I420"] {
        Through {
            source: &format!("location={}", write_with_header(&folder, format)),
            caps: &format!("format={format}"),
            sink: "",
            suffix: "raw",
        }
        .check(Place::CARD, 0);
    }
}

#[test]
fn pictures_arrive_unchanged() {
    on_card!();
    let folder = TempDir::new().unwrap();
    for (suffix, encoder) in [("png", "pngenc"), ("jpg", "jpegenc")] {
        let location = at(&folder, &format!("%03d.{suffix}"));
        write(&format!("{encoder} ! multifilesink"), "RGB", &location);
        for memory in MEMORY {
            Through {
                source: &format!("location={location} prefetch=4"),
                caps: "format=RGB",
                sink: "",
                suffix: "raw",
            }
            .check(Place::Nvmm(memory), 0);
        }
    }
}

#[test]
fn sources_are_converted_within_a_level() {
    on_card!();
    let folder = TempDir::new().unwrap();
    for from in ["RGB", "RGBA", "GRAY8", "I420"] {
        let location = write_with_header(&folder, from);
        for to in FORMATS {
            Through {
                source: &format!("location={location}"),
                caps: &format!("format={to},width=328,height=182"),
                sink: "",
                suffix: "raw",
            }
            .check(Place::CARD, 1);
        }
    }
}

#[test]
fn sources_are_scaled_within_two_levels() {
    on_card!();
    let folder = TempDir::new().unwrap();
    let location = write_with_header(&folder, "RGB");
    for borders in [false, true] {
        for size in [(161, 91), (640, 200), (1280, 720)] {
            for to in ["RGB", "GRAY8", "NV12"] {
                Through {
                    source: &format!("location={location} add-borders={borders}"),
                    caps: &caps(to, size),
                    sink: "",
                    suffix: "raw",
                }
                .check(Place::CARD, 2);
            }
        }
    }
}

#[test]
fn captures_are_scaled_within_two_levels() {
    on_card!();
    for format in FORMATS {
        for sink in ["width=160", "height=50", "width=99 height=101", "width=900"] {
            Through {
                source: "pattern=objects num-buffers=3",
                caps: &caps(format, (328, 182)),
                sink,
                suffix: "raw",
            }
            .check(Place::CARD, 2);
        }
    }
}

/// The statistics in the log of a line.
fn statistics(place: Place, caps: &str) -> Vec<(f64, f64)> {
    let folder = TempDir::new().unwrap();
    let log = at(&folder, "log.jsonl");
    let sink = format!("statistics=true log-location={log}");
    Through {
        source: "pattern=objects num-buffers=5",
        caps,
        sink: &sink,
        suffix: "jpg",
    }
    .run_into(place, &folder.path().join("pictures"));
    let number = |line: &Value, name: &str| line[name].as_f64().unwrap_or_else(|| panic!("{line}"));
    lines(std::path::Path::new(&log))
        .iter()
        .map(|line| {
            (
                number(line, "mean_intensity"),
                number(line, "std_intensity"),
            )
        })
        .collect()
}

#[test]
fn statistics_are_the_same() {
    on_card!();
    for format in FORMATS {
        for size in [(3, 5), (641, 479)] {
            let caps = caps(format, size);
            let expected = statistics(Place::Host, &caps);
            let got = statistics(Place::CARD, &caps);
            assert_eq!((got.len(), expected.len()), (5, 5));
            // YUV becomes RGB by other arithmetic, a level apart at most.
            let close = if format == "NV12" || format == "I420" {
                1.0
            } else {
                1e-6
            };
            for (got, expected) in got.iter().zip(&expected) {
                let far = (got.0 - expected.0).abs().max((got.1 - expected.1).abs());
                assert!(far <= close, "{caps}: {got:?}, not {expected:?}");
            }
        }
    }
}

/// A raw file of one soft picture; and the picture as RGB.
fn soft(folder: &TempDir, format: VideoFormat, width: u32, height: u32) -> (String, Picture) {
    let own = info(format, width, height);
    let rgb = info(VideoFormat::Rgb, width, height);
    let scene_rgb = scene(&rgb);
    let buffer = convert(&scene_rgb, &rgb, &own);
    let location = at(folder, &format!("{format}-{width}.raw"));
    std::fs::write(&location, picture(&buffer, &own).bytes).unwrap();
    let source = match format {
        // What is gray has lost its colours before it is compressed.
        VideoFormat::Gray8 => converted(&buffer, &own, &rgb),
        _ => picture(&scene_rgb, &rgb),
    };
    (location, source)
}

fn psnr_of(place: Place, location: &str, caps: &str, sink: &str, source: &Picture) -> f64 {
    let folder = TempDir::new().unwrap();
    Through {
        source: &format!("location={location} {}", caps.replace(',', " ")),
        caps,
        sink,
        suffix: "jpg",
    }
    .run_into(place, folder.path());
    psnr(&read(&folder.path().join("00000.jpg")), source)
}

#[test]
fn jpegs_of_the_card_are_as_good_as_those_of_the_cpu() {
    on_card!(has_nvjpeg() => "no nvJPEG here");
    let folder = TempDir::new().unwrap();
    for format in FORMATS {
        let video: VideoFormat = format.parse().unwrap();
        for (width, height) in [(640, 360), (641, 363), (1920, 1080)] {
            let (location, source) = soft(&folder, video, width, height);
            for subsampling in ["420", "422", "444"] {
                for quality in [85, 95] {
                    let caps = format!("format={format},width={width},height={height}");
                    let sink = format!("quality={quality} subsampling={subsampling}");
                    let psnr = |place| psnr_of(place, &location, &caps, &sink, &source);
                    let (card, cpu) = (psnr(Place::CARD), psnr(Place::Host));
                    let what = format!("{caps} {sink}: {card:.2} dB, {cpu:.2} dB by the CPU");
                    assert!(card >= cpu - 1.0, "{what}");
                    assert!(card > 35.0, "{what}");
                }
            }
        }
    }
}

#[test]
fn jpegs_are_those_of_the_cpu_without_nvjpeg() {
    on_card!();
    if !is_child() {
        let test = "elements::jpegs_are_those_of_the_cpu_without_nvjpeg";
        let output = in_child(test, &[("DSFRAME_DISABLE_NVJPEG", "1")]);
        let text = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(text.contains("1 passed"), "{text}{errors}");
        return;
    }
    for format in FORMATS {
        let caps = caps(format, (641, 363));
        let through = Through {
            source: "pattern=gradient num-buffers=3",
            caps: &caps,
            sink: "",
            suffix: "jpg",
        };
        through.check(Place::CARD, 0);
    }
    let folder = TempDir::new().unwrap();
    let messages = play_well(&format!(
        "dsframeinject num-buffers=20 device=gpu ! video/x-raw(memory:NVMM) ! \
         dsframecapture interval=1 location={}/%d.jpg",
        folder.path().display()
    ));
    let said: Vec<_> = messages
        .warnings()
        .into_iter()
        .filter(|(_, text)| text.to_lowercase().contains("nvjpeg"))
        .collect();
    assert_eq!(said.len(), 1, "once, not for each picture: {said:?}");
}

/// What checkers that slow everything down look at: each kernel, briefly.
mod short {
    use super::*;

    #[test]
    fn patterns_and_captures() {
        on_card!();
        let count = if is_short() { 1 } else { 3 };
        for format in FORMATS {
            for (pattern, sink) in [("gradient", ""), ("noise", "width=65"), ("objects", "")] {
                for suffix in ["raw", "npy", "jpg"] {
                    let source = format!("pattern={pattern} num-buffers={count} frame-code=true");
                    let got = Through {
                        source: &source,
                        caps: &caps(format, (131, 75)),
                        sink,
                        suffix,
                    }
                    .run(Place::CARD);
                    assert_eq!(got.len(), count);
                }
            }
        }
    }

    #[test]
    fn sources_of_another_kind() {
        on_card!();
        let folder = TempDir::new().unwrap();
        for from in ["RGB", "GRAY8", "I420"] {
            let location = write_with_header(&folder, from);
            for to in FORMATS {
                for borders in [false, true] {
                    let got = Through {
                        source: &format!("location={location} num-buffers=1 add-borders={borders}"),
                        caps: &format!("format={to},width=99,height=101"),
                        sink: "",
                        suffix: "raw",
                    }
                    .run(Place::CARD);
                    assert_eq!(got.len(), 1);
                }
            }
        }
    }
}
