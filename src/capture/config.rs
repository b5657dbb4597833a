// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Properties as they were set ([`Settings`]), and what they mean once checked ([`Config`]).

mod channel;
mod endpoint;
pub mod file;
mod limits;
mod objects;
mod rules;
mod settings;

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use crate::codec;
use crate::fault::{SettingsError, bad};
use crate::monitor::Listen;

use super::deliver::channel::ChannelRules;
use super::deliver::endpoint::EndpointRules;
use super::deliver::labels::{Form, LabelRules, Place, TextFormat};
use super::deliver::objects::Bucket;
use super::deliver::quota::Limits;
use super::enums::{Annotate, Crop, Encoding, Labels, OnError, OnExists, Overflow, Subsampling};
use super::name::Template;
use super::picture::region::CropRules;
use super::select::{Rules, Size};
use channel::channel;
use endpoint::endpoint;
pub use limits::GpuFloor;
use limits::{gpu_floor, limits};
use objects::bucket;
use rules::rules;
pub use settings::Settings;

/// Where pictures go.
#[derive(Debug, Clone)]
pub struct Pictures {
    /// Of their files; none for those that are only posted.
    pub template: Option<Template>,
    /// They are objects there, not files.
    pub bucket: Option<Bucket>,
    pub encode: codec::EncodeSettings,
    pub on_exists: OnExists,
    /// One picture for each object, not of the frame.
    pub crop: Option<CropRules>,
    pub drawing: Drawing,
}

/// Whether boxes and labels are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drawing {
    Never,
    Always,
    /// Into a copy, beside the clean picture.
    Beside,
}

/// Properties that make sense together.
#[derive(Debug, Clone)]
pub struct Config {
    pub rules: Rules,
    /// Of the streams that have their own.
    pub stream_rules: BTreeMap<u32, Rules>,
    pub eos_after_max: bool,
    pub pictures: Option<Pictures>,
    pub log: Option<PathBuf>,
    pub labels: Option<LabelRules>,
    pub statistics: bool,
    /// Of the picture that statistics are made of, also where none is written.
    pub size: (u32, u32),
    pub channel: Option<ChannelRules>,
    pub endpoint: Option<EndpointRules>,
    pub post_messages: bool,
    pub monitor: Option<Listen>,
    pub queue_size: usize,
    pub overflow: Overflow,
    pub workers: usize,
    pub on_error: OnError,
    pub drain_timeout: Duration,
    pub limits: Option<Limits>,
    pub gpu_floor: Option<GpuFloor>,
    pub fsync: bool,
    /// The only GPU to take frames of.
    pub gpu_id: Option<u32>,
    pub unique_id: u32,
}

impl TryFrom<&Settings> for Config {
    type Error = SettingsError;

    fn try_from(set: &Settings) -> Result<Self, SettingsError> {
        let location = set.location.as_deref().filter(|text| !text.is_empty());
        let (bucket, location) = bucket(set, location)?;
        let log = set.log_location.as_deref().filter(|text| !text.is_empty());
        let with_labels = set.labels != Labels::None;
        let channel = channel(set)?;
        let endpoint = endpoint(set)?;
        let to_disk = location.is_some() || log.is_some() || with_labels;
        let has_pictures = location.is_some() || endpoint.is_some();
        if !to_disk && channel.is_none() && endpoint.is_none() && !set.post_messages {
            return bad(
                "location",
                "nothing would be captured: set location=out/%06d.jpg for pictures, \
                 log-location=out/log.jsonl for records, labels and labels-location for label \
                 files, channel=name for other pipelines, endpoint=https://host/captures for a \
                 server, or post-messages=true",
            );
        }
        if set.eos_after_max && set.max_captures == 0 {
            return bad("eos-after-max", "needs max-captures, after how many to end");
        }
        if set.statistics && log.is_none() && endpoint.is_none() {
            return bad(
                "statistics",
                "needs log-location or endpoint, where they go",
            );
        }
        let rules = rules(set, location.is_some())?;
        let crop = crop(set)?;
        let pictures = match has_pictures {
            true => Some(pictures(set, location, bucket, crop, &rules)?),
            false if set.crop != Crop::None => return bad("crop", NO_LOCATION),
            false if set.annotate != Annotate::None => return bad("annotate", NO_LOCATION),
            false => None,
        };
        let template = pictures.as_ref().and_then(|it| it.template.as_ref());
        if let (Some(template), Some(log)) = (template, log)
            && !template.varies()
            && is_same(location.unwrap_or_default(), log)
        {
            return bad("log-location", "is the same file as location");
        }
        let limits = limits(set, pictures.as_ref())?;
        let labels = labels(set, location, log, &rules)?;
        let workers = match set.workers {
            // They have nothing to do.
            _ if !to_disk && endpoint.is_none() && !set.post_messages => 1,
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            workers => workers as usize,
        };
        Ok(Self {
            rules,
            stream_rules: BTreeMap::new(),
            eos_after_max: set.eos_after_max,
            pictures,
            log: log.map(PathBuf::from),
            labels,
            statistics: set.statistics,
            size: (set.width, set.height),
            channel,
            endpoint,
            post_messages: set.post_messages,
            monitor: Listen::of(set.monitor_address.as_deref())?,
            queue_size: set.queue_size as usize,
            overflow: set.overflow,
            workers,
            on_error: set.on_error,
            drain_timeout: Duration::from_nanos(set.drain_timeout),
            limits,
            gpu_floor: gpu_floor(set),
            fsync: set.fsync,
            gpu_id: u32::try_from(set.gpu_id).ok(),
            unique_id: set.unique_id,
        })
    }
}

/// However the current folder is written into it.
fn is_same(path: &str, other: &str) -> bool {
    let plain = |path| {
        let parts = Path::new(path).components();
        parts
            .filter(|part| *part != Component::CurDir)
            .collect::<PathBuf>()
    };
    plain(path) == plain(other)
}

const NO_LOCATION: &str = "is for pictures, and there are none without location or endpoint";

fn crop(set: &Settings) -> Result<Option<CropRules>, SettingsError> {
    let min_size = set
        .crop_min_size
        .as_deref()
        .map(str::trim)
        .filter(|text| !text.is_empty());
    if set.crop == Crop::None {
        for (property, is_set) in [
            ("crop-padding", set.crop_padding != 0.0),
            ("crop-square", set.crop_square),
            ("crop-min-size", min_size.is_some()),
        ] {
            if is_set {
                return bad(property, "needs crop=objects");
            }
        }
        return Ok(None);
    }
    let min_size = match min_size {
        None => (0, 0),
        Some(text) => match Size::parse(text) {
            Ok(size) => (size.width, size.height),
            Err(reason) => return bad("crop-min-size", reason),
        },
    };
    Ok(Some(CropRules {
        padding: set.crop_padding.into(),
        square: set.crop_square,
        min_size,
    }))
}

fn pictures(
    set: &Settings,
    location: Option<&str>,
    bucket: Option<Bucket>,
    crop: Option<CropRules>,
    rules: &Rules,
) -> Result<Pictures, SettingsError> {
    let template = location.map(|it| template(set, it, rules)).transpose()?;
    // Those that are only posted have no suffix.
    let location = location.unwrap_or_default();
    let encoding = match set.encoding {
        Encoding::Jpg => codec::Encoding::Jpeg,
        Encoding::Png => codec::Encoding::Png,
        Encoding::Npy => codec::Encoding::Npy,
        Encoding::Raw => codec::Encoding::Raw,
        Encoding::Auto => match Path::new(location).extension() {
            None => codec::Encoding::Jpeg,
            Some(suffix) => {
                let Some(encoding) = codec::Encoding::from_suffix(Path::new(location)) else {
                    return bad(
                        "location",
                        format!(
                            "the suffix \"{}\" names no encoding: use .jpg, .png, .npy or .raw, \
                             or set the property encoding",
                            suffix.to_string_lossy()
                        ),
                    );
                };
                encoding
            }
        },
    };
    let subsampling = match set.subsampling {
        Subsampling::S420 => codec::Subsampling::S420,
        Subsampling::S422 => codec::Subsampling::S422,
        Subsampling::S444 => codec::Subsampling::S444,
    };
    let drawing = match set.annotate {
        Annotate::None => Drawing::Never,
        Annotate::Boxes | Annotate::True => Drawing::Always,
        Annotate::Both => Drawing::Beside,
    };
    if drawing != Drawing::Never && encoding == codec::Encoding::Raw {
        return bad(
            "annotate",
            "cannot be combined with raw pictures, which are frames as they are: \
             use .jpg, .png or .npy",
        );
    }
    Ok(Pictures {
        template,
        bucket,
        encode: codec::EncodeSettings {
            encoding,
            quality: set.quality.clamp(1, 100) as u8,
            subsampling,
            width: set.width,
            height: set.height,
        },
        on_exists: set.on_exists,
        crop,
        drawing,
    })
}

fn template(set: &Settings, location: &str, rules: &Rules) -> Result<Template, SettingsError> {
    let template = Template::parse(location).or_else(|error| bad("location", error.to_string()))?;
    if !template.varies() && rules.max_captures != 1 {
        return bad(
            "location",
            format!(
                "\"{location}\" is one name for many captures: add %06d, {{frame}} or {{pts}}, \
                 or set max-captures=1"
            ),
        );
    }
    if set.on_exists == OnExists::Continue && !template.has_number() {
        return bad(
            "on-exists",
            format!("continue goes on with a number, and location \"{location}\" has no %d"),
        );
    }
    Ok(template)
}

fn labels(
    set: &Settings,
    location: Option<&str>,
    log: Option<&str>,
    rules: &Rules,
) -> Result<Option<LabelRules>, SettingsError> {
    const PROPERTY: &str = "labels-location";
    let given = set.labels_location.as_deref().filter(|t| !t.is_empty());
    let format = match set.labels {
        Labels::None if given.is_some() => {
            return bad(PROPERTY, "needs labels, which says what to write there");
        }
        Labels::None => return Ok(None),
        Labels::Kitti => Some(TextFormat::Kitti),
        Labels::KittiTao => Some(TextFormat::KittiTao),
        Labels::Yolo => Some(TextFormat::Yolo),
        Labels::Coco | Labels::Mot => None,
    };
    if set.crop == Crop::Objects && set.labels != Labels::Mot {
        return bad(
            "labels",
            "say where objects are in whole frames, and crop=objects makes pictures of the \
             objects alone: unset one, or take labels=mot, which needs no pictures",
        );
    }
    let clash = |other: &str| is_same(other, given.unwrap_or_default());
    for (property, other) in [("location", location), ("log-location", log)] {
        if given.is_some() && other.is_some_and(clash) {
            return bad(PROPERTY, format!("is the same as {property}"));
        }
    }
    let template = |text: &str| Template::parse(text).or_else(|e| bad(PROPERTY, e.to_string()));
    let form = match (set.labels, format, given) {
        (_, Some(format), Some(given)) => {
            let template = template(given)?;
            if !template.varies() && rules.max_captures != 1 {
                return bad(
                    PROPERTY,
                    format!(
                        "\"{given}\" is one name for many captures: add %06d, {{frame}} or \
                         {{pts}}, or set max-captures=1"
                    ),
                );
            }
            if set.on_exists == OnExists::Continue && !template.has_number() && location.is_none() {
                return bad(
                    "on-exists",
                    format!(
                        "continue goes on with a number, and labels-location \"{given}\" has no %d"
                    ),
                );
            }
            Form::Text(format, Place::Named(template))
        }
        (_, Some(format), None) => {
            let Some(location) = location else {
                return bad(
                    PROPERTY,
                    "must be set, such as labels/{frame:06}.txt: there are no pictures \
                     (property location) that labels could be beside of",
                );
            };
            let suffix = Path::new(location).extension();
            if suffix.is_some_and(|suffix| suffix == "txt") {
                return bad(
                    "location",
                    "ends in .txt, as the label files do: take another suffix, or set \
                     labels-location",
                );
            }
            let template = Template::parse(location).or_else(|e| bad("location", e.to_string()))?;
            let (folder, has_suffix) = (template.folder(), suffix.is_some());
            Form::Text(format, Place::Beside { folder, has_suffix })
        }
        (Labels::Coco, _, Some(given)) => match template(given)?.literal() {
            Some(path) => Form::Coco(path.into()),
            None => {
                return bad(
                    PROPERTY,
                    format!(
                        "\"{given}\": labels=coco writes one file, so nothing can be filled in \
                         its name"
                    ),
                );
            }
        },
        (Labels::Coco, _, None) => {
            return bad(
                PROPERTY,
                "must be set: labels=coco writes one file, such as out/coco.json",
            );
        }
        (_, _, Some(given)) => {
            let template = template(given)?;
            if !template.is_of_stream() {
                return bad(
                    PROPERTY,
                    format!(
                        "\"{given}\": labels=mot writes a file for each stream, so only {{stream}}, \
                         {{pad}} and {{sensor}} can be in its name"
                    ),
                );
            }
            Form::Mot(template)
        }
        (_, _, None) => {
            return bad(
                PROPERTY,
                "must be set: labels=mot writes a file for each stream, such as \
                 out/{stream}.txt",
            );
        }
    };
    Ok(Some(LabelRules {
        form,
        of_frames: set.crop == Crop::Objects,
        on_exists: set.on_exists,
        fsync: set.fsync,
    }))
}

#[cfg(test)]
pub mod tests {
    use super::super::select::{Every, When};
    use super::*;
    use std::num::NonZeroU64;

    pub fn check(change: impl FnOnce(&mut Settings)) -> Result<Config, SettingsError> {
        let mut settings = Settings {
            location: Some("out/%06d.jpg".into()),
            ..Settings::default()
        };
        change(&mut settings);
        Config::try_from(&settings)
    }

    #[test]
    fn the_encoding_follows_the_suffix() {
        let encoding = |location: &str| {
            check(|s| s.location = Some(location.into()))
                .map(|config| config.pictures.unwrap().encode.encoding)
        };
        assert_eq!(encoding("%d.JPEG"), Ok(codec::Encoding::Jpeg));
        assert_eq!(encoding("{pts}.png"), Ok(codec::Encoding::Png));
        assert_eq!(encoding("%d.npy"), Ok(codec::Encoding::Npy));
        assert_eq!(encoding("a.b/%d"), Ok(codec::Encoding::Jpeg));
        assert_eq!(encoding("%d.webp").unwrap_err().property, "location");
        let forced = check(|s| {
            s.location = Some("%d.webp".into());
            s.encoding = Encoding::Raw;
        });
        let forced = forced.unwrap().pictures.unwrap().encode.encoding;
        assert_eq!(forced, codec::Encoding::Raw);
    }

    #[test]
    fn what_contradicts_itself_names_the_property() {
        type Change = fn(&mut Settings);
        let cases: [(&str, Change); 17] = [
            ("location", |s| s.location = None),
            ("location", |s| s.location = Some("out.jpg".into())),
            ("location", |s| s.location = Some("{nonsense}.jpg".into())),
            ("eos-after-max", |s| s.eos_after_max = true),
            ("statistics", |s| s.statistics = true),
            ("on-exists", |s| {
                s.location = Some("{pts}.jpg".into());
                s.on_exists = OnExists::Continue;
            }),
            ("crop", |s| {
                s.location = None;
                s.post_messages = true;
                s.crop = Crop::Objects;
            }),
            ("annotate", |s| {
                s.location = None;
                s.post_messages = true;
                s.annotate = Annotate::Both;
            }),
            ("annotate", |s| {
                s.location = Some("%d.raw".into());
                s.annotate = Annotate::True;
            }),
            ("annotate", |s| {
                s.encoding = Encoding::Raw;
                s.annotate = Annotate::Boxes;
            }),
            ("crop-padding", |s| s.crop_padding = 0.5),
            ("crop-square", |s| s.crop_square = true),
            ("crop-min-size", |s| s.crop_min_size = Some("64x64".into())),
            ("crop-min-size", |s| {
                s.crop = Crop::Objects;
                s.crop_min_size = Some("64".into());
            }),
            ("crop-min-size", |s| {
                s.crop = Crop::Objects;
                s.crop_min_size = Some("0x64".into());
            }),
            ("crop-min-size", |s| {
                s.crop = Crop::Objects;
                s.crop_min_size = Some("-1x-1".into());
            }),
            ("log-location", |s| {
                s.location = Some("one.jpg".into());
                s.max_captures = 1;
                s.log_location = Some("one.jpg".into());
            }),
        ];
        for (property, change) in cases {
            assert_eq!(check(change).unwrap_err().property, property);
        }
    }

    #[test]
    fn labels_that_cannot_be_written_name_the_property() {
        type Change = fn(&mut Settings);
        let cases: [(&str, Labels, Change); 17] = [
            ("labels-location", Labels::None, |s| {
                s.labels_location = Some("l".into());
            }),
            ("labels-location", Labels::Kitti, |s| s.location = None),
            ("labels-location", Labels::Yolo, |s| {
                s.labels_location = Some("l.txt".into());
            }),
            ("labels-location", Labels::Yolo, |s| {
                s.labels_location = Some("{nonsense}".into());
            }),
            ("labels-location", Labels::Coco, |_| ()),
            ("labels-location", Labels::Mot, |_| ()),
            ("labels-location", Labels::Mot, |s| {
                s.labels_location = Some("{stream}-{frame}.txt".into());
            }),
            ("labels-location", Labels::Coco, |s| {
                s.labels_location = Some("log".into());
                s.log_location = Some("log".into());
            }),
            ("labels-location", Labels::Coco, |s| {
                s.labels_location = Some("./out//log".into());
                s.log_location = Some("out/./log".into());
            }),
            ("labels-location", Labels::Coco, |s| {
                s.labels_location = Some("co/{stream}.json".into());
            }),
            ("labels-location", Labels::Coco, |s| {
                s.labels_location = Some("co/%06d.json".into());
            }),
            ("labels-location", Labels::Coco, |s| {
                s.labels_location = Some("co/%6d.json".into());
            }),
            ("labels-location", Labels::KittiTao, |s| {
                s.labels_location = s.location.clone();
            }),
            ("location", Labels::Kitti, |s| {
                s.location = Some("%d.txt".into());
                s.encoding = Encoding::Raw;
            }),
            ("labels", Labels::Kitti, |s| s.crop = Crop::Objects),
            ("labels", Labels::Coco, |s| {
                s.crop = Crop::Objects;
                s.labels_location = Some("l".into());
            }),
            ("on-exists", Labels::Kitti, |s| {
                s.location = None;
                s.labels_location = Some("{frame}.txt".into());
                s.on_exists = OnExists::Continue;
            }),
        ];
        for (property, labels, change) in cases {
            let error = check(|s| {
                s.labels = labels;
                change(s);
            });
            assert_eq!(error.unwrap_err().property, property, "{labels:?}");
        }
    }

    #[test]
    fn labels_alone_are_enough() {
        let config = check(|s| {
            s.location = None;
            s.labels = Labels::Mot;
            s.labels_location = Some("out/{stream}.txt".into());
        })
        .unwrap();
        let every = Every::Frames(NonZeroU64::MIN);
        assert_eq!(config.rules.when, When::Interval(every));
        let labels = config.labels.unwrap();
        assert!(!labels.of_frames && matches!(labels.form, Form::Mot(_)));
    }

    #[test]
    fn crops_and_drawings_are_as_set() {
        let pictures = |change: fn(&mut Settings)| check(change).unwrap().pictures.unwrap();
        let plain = pictures(|_| ());
        assert_eq!((plain.crop, plain.drawing), (None, Drawing::Never));
        let crop = pictures(|s| {
            s.crop = Crop::Objects;
            s.crop_padding = 0.5;
            s.crop_square = true;
            s.crop_min_size = Some("64x48".into());
        });
        let rules = CropRules {
            padding: 0.5,
            square: true,
            min_size: (64, 48),
        };
        assert_eq!(crop.crop, Some(rules));
        for (annotate, drawing) in [
            (Annotate::Boxes, Drawing::Always),
            (Annotate::True, Drawing::Always),
            (Annotate::Both, Drawing::Beside),
        ] {
            let pictures = check(|s| s.annotate = annotate).unwrap().pictures;
            assert_eq!(pictures.unwrap().drawing, drawing);
        }
        let wrong = check(|s| {
            s.crop = Crop::Objects;
            s.crop_min_size = Some("big".into());
        });
        assert!(wrong.unwrap_err().to_string().contains("\"big\""));
    }

    #[test]
    fn one_name_is_enough_for_one_capture() {
        let one = check(|s| {
            s.location = Some("out.jpg".into());
            s.max_captures = 1;
        });
        assert!(one.is_ok());
    }
}
