// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What is posted: a picture and what is known about it, in one of three forms.

use std::borrow::Cow;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use crate::capture::deliver::log::Line;
use crate::capture::enums::EndpointBody;
use crate::capture::picture::Subject;
use crate::codec::Encoding;

/// A request, but for what is secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    /// The same for each try: by it a server knows what it has already.
    pub key: String,
    pub content_type: Option<String>,
    pub headers: Vec<(String, String)>,
    pub body: Body,
}

/// Its middle is the same in all posts of a capture, however many there are, and in memory once.
#[derive(Debug, Clone, Default)]
pub struct Body {
    start: Vec<u8>,
    shared: Option<Arc<[u8]>>,
    rest: Vec<u8>,
}

impl Body {
    pub fn parts(&self) -> [&[u8]; 3] {
        let shared = self.shared.as_deref().unwrap_or_default();
        [&self.start, shared, &self.rest]
    }

    pub fn size(&self) -> usize {
        self.parts().iter().map(|part| part.len()).sum()
    }

    pub fn joined(&self) -> Cow<'_, [u8]> {
        match self.parts() {
            [[], [], rest] => Cow::Borrowed(rest),
            parts => Cow::Owned(parts.concat()),
        }
    }
}

impl From<Vec<u8>> for Body {
    fn from(rest: Vec<u8>) -> Self {
        Self {
            rest,
            ..Self::default()
        }
    }
}

impl PartialEq for Body {
    fn eq(&self, other: &Self) -> bool {
        self.joined() == other.joined()
    }
}

impl Eq for Body {}

/// A picture that is to be posted.
#[derive(Debug)]
pub struct Image {
    pub subject: Subject,
    /// Boxes and labels are drawn into it, and it has a twin without.
    pub is_copy: bool,
    pub encoding: Encoding,
    /// Of raw pixels.
    pub format: Option<&'static str>,
    /// Height, width and channels.
    pub shape: [usize; 3],
    pub bytes: Vec<u8>,
}

/// What a post says besides the line of the log. Field names are API.
#[derive(Debug, Serialize)]
struct More<'a> {
    /// Of the capture, within the element.
    number: u64,
    /// Of the picture, within the capture.
    seq: usize,
    /// The place in `objects` of the one that the picture shows alone.
    object: Option<usize>,
    /// It is the one of two pictures with boxes and labels.
    is_annotated: bool,
    content_type: Option<&'static str>,
    encoding: Option<&'static str>,
    /// Of raw pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<&'a str>,
    image_shape: Option<[usize; 3]>,
}

pub fn content_type(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Jpeg => "image/jpeg",
        Encoding::Png => "image/png",
        Encoding::Npy | Encoding::Raw => "application/octet-stream",
    }
}

/// A request for each picture of a capture, or one without any.
pub fn posts(
    form: EndpointBody,
    line: &Line<'_>,
    number: u64,
    images: Vec<Image>,
) -> Result<Vec<Post>, serde_json::Error> {
    let mut images: Vec<_> = images.into_iter().map(Some).collect();
    if images.is_empty() {
        images.push(None);
    }
    let known = match form {
        EndpointBody::Binary => None,
        EndpointBody::Json | EndpointBody::Multipart => Some(Arc::from(open_object(line)?)),
    };
    let post = |(seq, image): (usize, Option<Image>)| {
        let more = More {
            number,
            seq,
            object: image.as_ref().and_then(|image| match image.subject {
                Subject::Frame => None,
                Subject::Object(place) => Some(place),
            }),
            is_annotated: image.as_ref().is_some_and(|image| image.is_copy),
            content_type: image.as_ref().map(|image| content_type(image.encoding)),
            encoding: image.as_ref().map(|image| image.encoding.suffix()),
            format: image.as_ref().and_then(|image| image.format),
            image_shape: image.as_ref().map(|image| image.shape),
        };
        let key = format!("{}-{number}-{seq}", line.run);
        let bytes = image.map(|image| image.bytes);
        // What goes on after what is known of all.
        let facts = || -> Result<Vec<u8>, serde_json::Error> {
            let mut facts = open_object(&more)?;
            facts[0] = b',';
            Ok(facts)
        };
        Ok(match form {
            EndpointBody::Json => Post {
                key,
                content_type: Some("application/json".into()),
                headers: Vec::new(),
                body: Body {
                    start: Vec::new(),
                    shared: known.clone(),
                    rest: json(facts()?, bytes.as_deref()),
                },
            },
            EndpointBody::Multipart => {
                let mut facts = facts()?;
                facts.push(b'}');
                let (shared, bytes) = (known.clone(), bytes.as_deref());
                // Nobody can have it in a picture.
                let boundary = format!("dsframe-{}", uuid::Uuid::new_v4().simple());
                Post {
                    key,
                    content_type: Some(format!("multipart/form-data; boundary={boundary}")),
                    headers: Vec::new(),
                    body: multipart(&boundary, shared, &facts, &more, bytes),
                }
            }
            EndpointBody::Binary => Post {
                key,
                content_type: more.content_type.map(str::to_owned),
                headers: headers(line, &more),
                body: bytes.unwrap_or_default().into(),
            },
        })
    };
    images.into_iter().enumerate().map(post).collect()
}

/// A JSON object without its end.
fn open_object(of: &impl Serialize) -> Result<Vec<u8>, serde_json::Error> {
    let mut text = serde_json::to_vec(of)?;
    text.pop();
    Ok(text)
}

fn json(mut body: Vec<u8>, image: Option<&[u8]>) -> Vec<u8> {
    match image {
        None => body.extend_from_slice(b",\"image\":null}"),
        Some(image) => {
            let text = STANDARD.encode(image);
            body.reserve_exact(text.len() + 16);
            body.extend_from_slice(b",\"image\":\"");
            body.extend_from_slice(text.as_bytes());
            body.extend_from_slice(b"\"}");
        }
    }
    body
}

fn multipart(
    boundary: &str,
    shared: Option<Arc<[u8]>>,
    facts: &[u8],
    more: &More<'_>,
    image: Option<&[u8]>,
) -> Body {
    let mut body = Vec::with_capacity(facts.len() + image.map_or(0, <[u8]>::len) + 512);
    let start = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"facts\"\r\n\
         Content-Type: application/json\r\n\r\n"
    );
    body.extend_from_slice(facts);
    if let (Some(image), Some(content_type), Some(suffix)) =
        (image, more.content_type, more.encoding)
    {
        let head = format!(
            "\r\n--{boundary}\r\nContent-Disposition: form-data; name=\"image\"; \
             filename=\"image.{suffix}\"\r\nContent-Type: {content_type}\r\n\r\n"
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(image);
    }
    body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    Body {
        start: start.into_bytes(),
        shared,
        rest: body,
    }
}

/// The facts that are one word. Those that are not known are left out.
fn headers(line: &Line<'_>, more: &More<'_>) -> Vec<(String, String)> {
    let mut all = Vec::new();
    let mut add = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            all.push((format!("Dsframe-{name}"), value));
        }
    };
    add("Run", Some(line.run.to_owned()));
    add("Unique-Id", Some(line.unique_id.to_string()));
    add("Number", Some(more.number.to_string()));
    add("Seq", Some(more.seq.to_string()));
    add("Stream", Some(line.stream.to_string()));
    add("Sensor", line.sensor.map(escaped));
    add("Frame-Number", Some(line.frame_number.to_string()));
    add("Pts", line.pts.map(|pts| pts.to_string()));
    add("Ntp", line.ntp.map(|ntp| ntp.to_string()));
    add("Timestamp", Some(line.timestamp.clone()));
    add("Reason", Some(line.reason.to_owned()));
    add("File", line.file.as_deref().map(escaped));
    add("Objects-Detected", Some(line.objects_detected.to_string()));
    add("Object", more.object.map(|place| place.to_string()));
    add("Is-Annotated", Some(more.is_annotated.to_string()));
    add("Encoding", more.encoding.map(str::to_owned));
    add("Format", more.format.map(str::to_owned));
    let shape = more.image_shape;
    add("Shape", shape.map(|[h, w, c]| format!("{h},{w},{c}")));
    all
}

/// What a header may hold, with all else as `%41`: names come from metadata.
fn escaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'%' => plain.push_str("%25"),
            _ if byte.is_ascii_graphic() => plain.push(byte.into()),
            _ => plain.push_str(&format!("%{byte:02X}")),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use crate::capture::deliver::log::Entry;
    use crate::capture::job::Facts;
    use crate::capture::select::Reason;
    use crate::meta::{Detection, FrameMeta};

    use super::*;

    #[test]
    fn whatever_a_name_holds_is_safe_in_a_header() {
        assert_eq!(escaped("front door"), "front%20door");
        assert_eq!(escaped("a\r\nX: y%é"), "a%0D%0AX:%20y%25%C3%A9");
        assert!(ureq::http::HeaderValue::from_str(&escaped("\0\u{7f}\n")).is_ok());
    }

    #[test]
    fn what_is_known_of_a_frame_is_in_memory_once() {
        let car = Detection {
            label: "car".into(),
            ..Detection::default()
        };
        let facts = Facts {
            number: 1,
            stream: 3,
            frame: 42,
            pts: None,
            duration: None,
            discont: false,
            taken_at: "2026-01-02T03:04:05Z".parse().unwrap(),
            reason: Reason::Interval,
            meta: FrameMeta {
                detections: vec![car; 100],
                ..FrameMeta::default()
            },
            matches: Vec::new(),
        };
        let line = Line::from(Entry {
            run: "r",
            unique_id: 7,
            facts: &facts,
            frame_size: [64, 48],
            pictures: &[],
            shape: [24, 32, 3],
            statistics: None,
        });
        for form in [EndpointBody::Json, EndpointBody::Multipart] {
            let image = |place| Image {
                subject: Subject::Object(place),
                is_copy: false,
                encoding: Encoding::Jpeg,
                format: None,
                shape: [2, 2, 3],
                bytes: vec![0; 10],
            };
            let posts = posts(form, &line, 1, (0..100).map(image).collect()).unwrap();
            let shared = posts[0].body.shared.as_ref().unwrap();
            assert_eq!(posts.len(), 100);
            for post in &posts {
                let Body { start, rest, .. } = &post.body;
                assert!(start.len() + rest.len() < 1000 && post.body.size() > 10_000);
                assert!(Arc::ptr_eq(post.body.shared.as_ref().unwrap(), shared));
            }
        }
    }
}
