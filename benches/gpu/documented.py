# Copyright (C) 2026 The gst-plugin-dsframe authors
# Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
# SPDX-License-Identifier: Apache-2.0 OR MIT

"""The documented Python pattern without Service Maker: what remains is done as the documents do it.

documented.py save|inject FILE WIDTH HEIGHT FOLDER: FILE has raw RGB frames, used in turns.

save: a BufferRetriever's consume(), from a tensor on the card: clone, cpu, numpy, cvtColor, imwrite.
inject: a BufferProvider's generate(), from a frame that is there already: from_numpy, cuda.

For each line `SECONDS` on stdin, one line of JSON.
"""

import json
import os
import sys
import time

import cv2
import numpy as np
import torch

QUALITY = [cv2.IMWRITE_JPEG_QUALITY, 85]

mode, path, width, height, folder = sys.argv[1:]
width, height = int(width), int(height)
size = width * height * 3
count = min(16, os.path.getsize(path) // size)
frames = np.fromfile(path, np.uint8, count * size).reshape(count, height, width, 3)
tensors = [torch.from_numpy(frame).cuda() for frame in frames]


def save(number):
    tensor = tensors[number % count].clone()
    frame = tensor.cpu().numpy()
    bgr = cv2.cvtColor(frame, cv2.COLOR_RGB2BGR)
    # Each name once more in every round: as many files as ours would have fill a memory.
    cv2.imwrite(f"{folder}/frame_{number % 100:06d}.jpg", bgr, QUALITY)


def inject(number):
    # Held until the next one is there, as the pipeline would.
    inject.last = torch.from_numpy(frames[number % count]).cuda()


work = {"save": save, "inject": inject}[mode]
for number in range(10):
    work(number)
torch.cuda.synchronize()
for line in sys.stdin:
    begun = time.perf_counter()
    end = begun + float(line)
    number = 0
    while time.perf_counter() < end:
        work(number)
        number += 1
    torch.cuda.synchronize()
    print(json.dumps({"rate": number / (time.perf_counter() - begun), "bytes": size}), flush=True)
