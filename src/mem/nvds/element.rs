// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The elements of a batch: frames, objects, and what hangs on these.

use std::marker::PhantomData;
use std::mem::offset_of;

use super::list::{Ending, List};
use super::memory::Memory;
use super::wrapped;
use super::{MAX_CLASSIFIERS, MAX_LABELS, MAX_OBJECTS, MAX_USERS};
use crate::mem::sys::nvds::{self as sys, Address, BaseMeta, MetaType, Places, Plain};

/// What reading takes.
#[derive(Debug, Clone, Copy)]
pub struct Tools<'a> {
    pub(super) memory: Memory<'a>,
    pub(super) places: Places,
}

/// A kind of element.
pub trait Element<'a>: Sized {
    /// What is read of it at once.
    type Head: Plain;
    /// What it must say to be; `None` if the kind has many types.
    const TYPE: Option<MetaType>;

    fn new(tools: Tools<'a>, at: Address, head: Self::Head) -> Self;
}

/// The elements of one list. Each is `None` where there is none of the right type.
pub struct Elements<'a, E> {
    tools: Tools<'a>,
    elements: &'a [Address],
    ending: Ending,
    kind: PhantomData<E>,
}

impl<'a, E: Element<'a>> Elements<'a, E> {
    pub(super) fn walk(tools: Tools<'a>, head: Address, bound: usize, list: &'a mut List) -> Self {
        let ending = list.walk(tools.memory, head, bound);
        Self {
            tools,
            elements: list.elements(),
            ending,
            kind: PhantomData,
        }
    }

    pub fn len(&self) -> usize {
        self.elements.len()
    }

    pub fn is_empty(&self) -> bool {
        self.elements.is_empty()
    }

    pub fn ending(&self) -> Ending {
        self.ending
    }

    /// As the list has them.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Option<E>> + use<'a, '_, E> {
        let tools = self.tools;
        self.elements.iter().map(move |at| read(tools, *at))
    }

    /// DeepStream puts new elements at the front of all lists but that of frames.
    pub fn oldest_first(&self) -> impl Iterator<Item = Option<E>> + use<'a, '_, E> {
        self.iter().rev()
    }
}

#[inline]
fn read<'a, E: Element<'a>>(tools: Tools<'a>, at: Address) -> Option<E> {
    // The type before the rest, which something else may not have.
    let base: BaseMeta = tools.memory.peek(at)?;
    if E::TYPE.is_some_and(|wanted| wanted != base.meta_type) {
        return None;
    }
    Some(E::new(tools, at, tools.memory.peek(at)?))
}

macro_rules! element {
    ($(#[$doc:meta])* $name:ident: $head:ty, $type:expr) => {
        $(#[$doc])*
        pub struct $name<'a> {
            tools: Tools<'a>,
            at: Address,
            head: $head,
        }

        impl<'a> Element<'a> for $name<'a> {
            type Head = $head;
            const TYPE: Option<MetaType> = $type;

            #[inline]
            fn new(tools: Tools<'a>, at: Address, head: $head) -> Self {
                Self { tools, at, head }
            }
        }

        impl $name<'_> {
            /// The fields, as they are.
            pub fn head(&self) -> &$head {
                &self.head
            }

            /// Tells it from others of the same batch.
            pub fn address(&self) -> usize {
                self.at.0
            }
        }
    };
}

element!(
    /// One frame.
    Frame: sys::FrameHead, Some(MetaType::FRAME)
);
element!(
    /// One object in a frame.
    Object: sys::ObjectHead, Some(MetaType::OBJECT)
);
element!(
    /// What one classifier says about an object.
    Classifier: sys::ClassifierMeta, Some(MetaType::CLASSIFIER)
);
element!(
    /// One result of a classifier.
    LabelInfo: sys::LabelInfo, Some(MetaType::LABEL_INFO)
);
element!(
    /// What somebody attached to a frame.
    User: sys::UserMeta, None
);

impl<'a> Frame<'a> {
    /// Hands over the name of the camera: its id where it has one, else its name. Nothing before
    /// DeepStream 8.0.
    pub fn sensor<R>(&self, then: impl FnOnce(&[u8]) -> R) -> Option<R> {
        let memory = self.tools.memory;
        let at = Address(self.at.0 + self.tools.places.sensor?);
        let sensor: sys::SensorInfo = memory.peek(at)?;
        let is_set = |text| memory.text(text, |bytes| !bytes.is_empty()) == Some(true);
        let texts = [sensor.sensor_id, sensor.sensor_name];
        let text = texts.into_iter().find(|text| is_set(*text))?;
        memory.text(text, then)
    }

    /// At most `limit` of them.
    pub fn objects<'s>(&self, limit: usize, list: &'s mut List) -> Elements<'s, Object<'s>>
    where
        'a: 's,
    {
        let bound = limit.min(MAX_OBJECTS);
        Elements::walk(self.tools, self.head.objects, bound, list)
    }

    pub fn users<'s>(&self, list: &'s mut List) -> Elements<'s, User<'s>>
    where
        'a: 's,
    {
        Elements::walk(self.tools, self.head.users, MAX_USERS, list)
    }
}

impl<'a> Object<'a> {
    /// The address of the object that this one was found in, 0 if there is none.
    pub fn parent(&self) -> usize {
        self.head.parent.0
    }

    #[inline]
    pub fn label<R>(&self, then: impl FnOnce(&[u8]) -> R) -> Option<R> {
        let at = Address(self.at.0 + self.tools.places.label);
        self.tools.memory.label(at, then)
    }

    /// At most `limit` of them.
    #[inline]
    pub fn classifiers<'s>(&self, limit: usize, list: &'s mut List) -> Elements<'s, Classifier<'s>>
    where
        'a: 's,
    {
        let at = Address(self.at.0 + self.tools.places.classifiers);
        let head = self.tools.memory.peek(at).unwrap_or(Address(0));
        Elements::walk(self.tools, head, limit.min(MAX_CLASSIFIERS), list)
    }
}

impl<'a> Classifier<'a> {
    /// Hands over what the classifier tells apart, if it says so.
    pub fn kind<R>(&self, then: impl FnOnce(&[u8]) -> R) -> Option<R> {
        self.tools.memory.text(self.head.kind, then)
    }

    /// At most `limit` of them.
    pub fn labels<'s>(&self, limit: usize, list: &'s mut List) -> Elements<'s, LabelInfo<'s>>
    where
        'a: 's,
    {
        let bound = limit.min(MAX_LABELS);
        Elements::walk(self.tools, self.head.labels, bound, list)
    }
}

impl LabelInfo<'_> {
    /// Hands over the label: the long one where there is one.
    pub fn label<R>(&self, then: impl FnOnce(&[u8]) -> R) -> Option<R> {
        let memory = self.tools.memory;
        if Memory::may_be_mapped(self.head.long_label) {
            return memory.text(self.head.long_label, then);
        }
        let at = Address(self.at.0 + offset_of!(sys::LabelInfo, label));
        memory.label(at, then)
    }
}

impl User<'_> {
    /// The buffer that the frame came in, if that is what was attached. It is kept alive.
    pub fn buffer(&self) -> Option<gst::Buffer> {
        if self.head.base.meta_type != MetaType::GST_BUFFER {
            return None;
        }
        wrapped::buffer(self.tools.memory, self.head.data)
    }
}
