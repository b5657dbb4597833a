# Copyright (C) 2026 The gst-plugin-dsframe authors
# Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
# SPDX-License-Identifier: Apache-2.0 OR MIT
"""What was detected in a frame."""

from dataclasses import dataclass
from typing import Optional, Tuple


@dataclass(frozen=True)
class Label:
    """One thing that a classifier says of an object."""

    text: str
    class_id: Optional[int] = None
    #: Usually 0 to 1.
    probability: Optional[float] = None


@dataclass(frozen=True)
class Classifier:
    """What a classifier says of an object."""

    #: What it tells apart, such as "colour"; empty if it does not say.
    kind: str = ""
    labels: Tuple[Label, ...] = ()
    component_id: Optional[int] = None


@dataclass(frozen=True)
class Detection:
    """An object in a frame."""

    label: str = ""
    #: (left, top, width, height) in pixels of the frame.
    box: Tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    #: Usually 0 to 1.
    confidence: Optional[float] = None
    class_id: Optional[int] = None
    #: The detector that `class_id` is to be understood by.
    component_id: Optional[int] = None
    track_id: Optional[int] = None
    #: The place in the frame's list of the object that this one was found in.
    parent: Optional[int] = None
    classifiers: Tuple[Classifier, ...] = ()
