#!/usr/bin/env python3
# Copyright (C) 2026 The gst-plugin-dsframe authors
# Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Reads label files as others do and compares them with the log of the same run.

labels.py coco LOG FILE | kitti LOG FOLDER | yolo LOG FOLDER | mot LOG FILE
Label files in a FOLDER are named after the number of the frame: 000012.txt.
"""

import json
import sys
from pathlib import Path

import numpy as np


def logged(path):
    """Frames by number: their size and their objects."""
    lines = [json.loads(line) for line in Path(path).read_text().splitlines()]
    return {line["frame_number"]: line for line in lines}


def boxes(objects):
    return np.array([o["box"] for o in objects], dtype=float).reshape(-1, 4)


def same(found, wanted, tolerance):
    np.testing.assert_allclose(found, wanted, rtol=0, atol=tolerance)


def coco(frames, path):
    from pycocotools.coco import COCO

    data = COCO(path)
    images = data.loadImgs(data.getImgIds())
    assert len(images) == len(frames), (len(images), len(frames))
    for image in images:
        line = frames[image["frame_number"]]
        assert [image["width"], image["height"]] == line["frame_size"]
        annotations = data.loadAnns(data.getAnnIds(imgIds=image["id"]))
        objects = line["objects"]
        assert len(annotations) == len(objects)
        found = np.array([a["bbox"] for a in annotations]).reshape(-1, 4)
        same(found, boxes(objects), 1e-3)
        names = [data.cats[a["category_id"]]["name"] for a in annotations]
        assert names == [o["label"] for o in objects], names
        assert all(abs(a["area"] - a["bbox"][2] * a["bbox"][3]) < 1e-2 for a in annotations)
    # Detections as an evaluation takes them.
    results = [
        {key: a[key] for key in ("image_id", "category_id", "bbox", "score")}
        for a in data.loadAnns(data.getAnnIds())
    ]
    assert len(data.loadRes(results).anns) == len(results)


def rows(frames, folder):
    for number, line in frames.items():
        text = (Path(folder) / f"{number:06}.txt").read_text()
        yield line, [row.split() for row in text.splitlines()]


def kitti(frames, folder):
    for line, table in rows(frames, folder):
        objects = line["objects"]
        assert len(table) == len(objects)
        for row, o in zip(table, objects):
            tracked = o["track_id"] is not None
            assert len(row) == 16 + tracked, row
            if tracked:
                assert int(row.pop(1)) == o["track_id"]
            left, top, width, height = o["box"]
            same(np.array(row[4:8], float), [left, top, left + width, top + height], 1e-5)
            assert row[0] == o["label"]
            same(float(row[15]), o["confidence"], 1e-6)


def yolo(frames, folder):
    names = (Path(folder) / "classes.txt").read_text().splitlines()
    for line, table in rows(frames, folder):
        objects = line["objects"]
        table = np.array(table, float).reshape(-1, 5)
        assert len(table) == len(objects)
        assert (table[:, 1:] >= 0).all() and (table[:, 1:] <= 1).all()
        centre, size = table[:, 1:3], table[:, 3:5]
        pixels = np.hstack([centre - size / 2, size]) * (line["frame_size"] * 2)
        same(pixels, boxes(objects), 1e-2)
        assert [names[int(c)] for c in table[:, 0]] == [o["label"] for o in objects]


def mot(frames, path):
    table = np.loadtxt(path, delimiter=",", ndmin=2)
    assert table.shape[1] == 10
    for number, line in frames.items():
        rows_of = table[table[:, 0] == number + 1]
        same(rows_of[:, 2:6], boxes(line["objects"]), 1e-3)
        assert [int(i) for i in rows_of[:, 1]] == [o["track_id"] for o in line["objects"]]
        same(rows_of[:, 6], [o["confidence"] for o in line["objects"]], 1e-6)
        assert (rows_of[:, 7:] == -1).all()


if __name__ == "__main__":
    kind, log, where = sys.argv[1:]
    {"coco": coco, "kitti": kitti, "yolo": yolo, "mot": mot}[kind](logged(log), where)
    print(f"read: {kind}")
