# Copyright (C) 2026 The gst-plugin-dsframe authors
# Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
# SPDX-License-Identifier: Apache-2.0 OR MIT
"""The checks, in the order of the report. Each returns facts, or raises Fail or NotRun."""

import json
import os
import re

import machine
from lab import CAPS, Fail, NotRun

NVMM = f"video/x-raw(memory:NVMM),format={{}},{CAPS}"
FRAMES = 12
GENERATIONS = {"A": (2, 7), "B": (8, 8), "C": (9, 99)}


def versions(lab, report):
    found = machine.versions(lab.options.deepstream)
    report["versions"] = found
    if found["plugin"] is None:
        raise Fail("the plugin does not load: is its folder in GST_PLUGIN_PATH?")
    if found["deepstream"] is None:
        raise Fail("there is no DeepStream: neither its version file nor its plugins were found")
    if not found["gpus"] and lab.options.memory != "nvbuf-mem-system":
        raise NotRun("nvidia-smi lists no GPU: everything else is tried all the same")
    return {}


def release(report):
    found = report["versions"]["deepstream"]
    if not found:
        raise NotRun("the release of DeepStream is not known")
    return found


def structs(lab, report):
    path = lab.options.abi
    if not os.path.exists(path):
        raise NotRun("deepstream-abi.json is not beside the self-test: --abi names it")
    with open(path, encoding="utf-8") as file:
        facts = json.load(file)
    found, why = machine.layouts(lab.options.deepstream, release(report), facts)
    if found is None:
        raise NotRun(why)
    if found["different"]:
        raise Fail("; ".join(found["different"][:12]))
    missing = machine.ESSENTIAL - set(found["measured"])
    if missing:
        raise Fail(f"not measured: {', '.join(sorted(missing))}: {next(iter(found['absent'].values()), '')}")
    return {"measured": found["measured"], "absent": sorted(found["absent"])}


def inject(lab, _report):
    folder = lab.folder()
    outcome = lab.run([*lab.source(FRAMES, stream=0), "!", *lab.capture(folder)], folder).well()
    return outcome.identities({0: FRAMES})


def layout(lab, report):
    """What the plugin takes DeepStream to be, and whether that is the one that is installed."""
    folder = lab.folder()
    outcome = lab.run([*lab.source(2), "!", *lab.capture(folder)], folder).well()
    said = re.search(r"NVMM layout (\w): (.*)", outcome.log)
    if said is None:
        raise Fail("the element does not say which layout its surfaces have")
    facts = {"generation": said.group(1), "by": said.group(2)}
    major = int(release(report).split(".")[0])
    low, high = GENERATIONS[facts["generation"]]
    if not low <= major <= high:
        raise Fail(f"surfaces are laid out for generation {facts['generation']}, found by {facts['by']}")
    return facts


def mux(lab, _report):
    lab.need("nvstreammux")
    folder = lab.folder()
    line = [*lab.source(FRAMES), "!", "mux.sink_0", *lab.mux(1), "!", *lab.capture(folder)]
    outcome = lab.run(line, folder).well()
    unknown = [text for text in outcome.report["warnings"] if "layout" in text]
    if unknown:
        raise Fail(unknown[0])
    return outcome.identities({0: FRAMES})


def config(lab):
    path = lab.options.infer_config
    if not os.path.exists(path):
        raise NotRun("there is no configuration of a model: --infer-config names one")
    return path


def infer(lab, _report):
    lab.need("nvstreammux", "nvinfer")
    model = config(lab)
    folder = lab.folder()
    line = [
        *lab.source(FRAMES), "!", "mux.sink_0", *lab.mux(1), "!", "nvinfer", f"config-file-path={model}", "!",
        *lab.capture(folder),
    ]
    # The first run may build an engine.
    outcome = lab.run(line, folder, limit=lab.options.infer_timeout).well()
    return outcome.identities({0: FRAMES})


def detections(lab, _report):
    """A street of NVIDIA's samples has cars in it."""
    lab.need("nvstreammux", "nvinfer")
    model = config(lab)
    picture = lab.options.picture
    if not os.path.exists(picture):
        raise NotRun("there is no sample picture: --picture names one with cars or persons in it")
    folder = lab.folder()
    line = [
        "dsframeinject", f"location={picture}", "loop=true", "num-buffers=4", "framerate=30/1", "device=gpu",
        f"nvbuf-memory-type={lab.options.memory}", "!", NVMM.format("NV12"), "!", "mux.sink_0", *lab.mux(1), "!",
        "nvinfer", f"config-file-path={model}", "!", *lab.capture(folder, suffix="jpg"),
    ]
    outcome = lab.run(line, folder, limit=lab.options.infer_timeout).well()
    lines = outcome.lines()
    counts = [line["objects_detected"] for line in lines]
    if not any(counts):
        raise Fail(f"{len(lines)} frames with {counts} objects: the detections were not read, or the model saw none")
    for item in (item for line in lines for item in line["objects"]):
        left, top, width, height = item["box"]
        confidence = item["confidence"]
        sane = width > 0 and height > 0 and -1 <= left and -1 <= top and left + width <= 642 and top + height <= 362
        if not sane or not (confidence is None or 0 <= confidence <= 1) or not item["label"]:
            raise Fail(f"an object that cannot be: {item}")
    return {"objects": counts, "labels": sorted({item["label"] for line in lines for item in line["objects"]})}


def convert_ours(lab, _report):
    """nvvideoconvert takes our surfaces: into another format, and into system memory."""
    lab.need("nvvideoconvert")
    facts = {}
    for name, form, caps in (
        ("rgb-to-nv12", "RGB", NVMM.format("NV12")),
        ("rgba-to-nv12", "RGBA", NVMM.format("NV12")),
        ("nv12-to-system", "NV12", f"video/x-raw,format=I420,{CAPS}"),
    ):
        folder = lab.folder()
        line = [*lab.source(FRAMES, form=form), "!", "nvvideoconvert", "!", caps, "!", *lab.capture(folder)]
        try:
            facts[name] = lab.run(line, folder).well().identities({0: FRAMES})["frames"]
        except Fail as error:
            raise Fail(f"{name}: {error}") from error
    return facts


def convert_theirs(lab, _report):
    """We take the surfaces of nvvideoconvert."""
    lab.need("nvvideoconvert")
    facts = {}
    for form in ("NV12", "RGBA", "I420"):
        folder = lab.folder()
        line = [*lab.plain_source(FRAMES, "I420"), "!", "nvvideoconvert", "!", NVMM.format(form), "!", *lab.capture(folder)]
        try:
            facts[form] = lab.run(line, folder).well().identities({0: FRAMES})["frames"]
        except Fail as error:
            raise Fail(f"{form}: {error}") from error
    return facts


def decoder(lab, _report):
    """We take the surfaces of the decoder."""
    lab.need("nvv4l2decoder", "h264parse")
    if lab.has("x264enc"):
        encoder, source = ["x264enc", "bframes=0", "tune=zerolatency"], lab.plain_source(FRAMES, "I420")
    elif lab.has("nvv4l2h264enc"):
        encoder, source = ["nvv4l2h264enc"], lab.source(FRAMES)
    else:
        raise NotRun("there is neither x264enc nor nvv4l2h264enc to make a stream with codes")
    folder = lab.folder()
    line = [*source, "!", *encoder, "!", "h264parse", "!", "nvv4l2decoder", "!", *lab.capture(folder)]
    return {"encoder": encoder[0], **lab.run(line, folder).well().identities({0: FRAMES})}


def batch_line(lab, folder, frames, tail=()):
    line = []
    for stream, count in frames.items():
        line += [*lab.source(count, stream=stream), "!", f"mux.sink_{stream}"]
    return [*line, *lab.mux(len(frames)), "!", *tail, *lab.capture(folder)]


def batch(lab, _report):
    """The right frame under each name, out of batches of four."""
    lab.need("nvstreammux")
    folder = lab.folder()
    frames = {stream: FRAMES for stream in range(4)}
    return lab.run(batch_line(lab, folder, frames), folder).well().identities(frames)


def stream_eos(lab, _report):
    """Streams that end one after the other: all frames come, and the muxer says so for each."""
    lab.need("nvstreammux")
    folder = lab.folder()
    frames = {0: 4, 1: 8, 2: 12}
    outcome = lab.run(batch_line(lab, folder, frames), folder, debug="GST_EVENT:5,dsframe*:5,2").well()
    facts = outcome.identities(frames)
    numbers, made, ended, events = {}, {}, set(), 0
    for line in outcome.log.splitlines():
        new = re.search(r"creating new event (0x[0-9a-f]+) \S+ (\d+)", line)
        come = re.search(r"<capture:sink> have event type .*?(0x[0-9a-f]+), .*?seq-num \d+, (.*)", line)
        if new:
            made[new.group(1)] = int(new.group(2))
        if come is None:
            continue
        events += 1
        number, structure = made.get(come.group(1), 0), come.group(2)
        # DeepStream's own start at 400; the lowest byte holds flags.
        if number >> 8 >= 400:
            numbers.setdefault(number, structure.split(",")[0])
        source = re.search(r"source-id=\(\w+\)(\d+)", structure)
        if number >> 8 == 402 and source:
            ended.add(int(source.group(1)))
    if not events:
        raise NotRun("all frames came; whether the end of each was told GStreamer's log does not say")
    facts["events"] = numbers
    facts["ended"] = sorted(ended)
    if not ended >= set(frames):
        raise Fail(f"the end was told of streams {sorted(ended)} only; events seen: {numbers}")
    return facts


def osd(lab, _report):
    """A capture in the first branch of a tee has clean pictures, whatever nvdsosd draws."""
    lab.need("nvstreammux", "nvdsosd")
    plain = lab.folder()
    head = [*lab.source(FRAMES), "!", "mux.sink_0", *lab.mux(1), "!"]
    lab.run([*head, *lab.capture(plain)], plain).well()
    clean, drawn = lab.folder(), lab.folder()
    draw = ["nvdsosd", "display-clock=true", "clock-font-size=30", "x-clock-offset=250", "y-clock-offset=200"]
    line = [
        *head, "tee", "name=t", "t.", "!", *lab.capture(clean), "t.", "!", "queue", "!", *draw, "!",
        *lab.capture(drawn, name="drawn"),
    ]
    outcome = lab.run(line, clean).well()
    facts = outcome.identities({0: FRAMES})

    def bytes_of(folder):
        names = sorted(name for name in os.listdir(folder) if name.endswith(".npy"))
        result = {}
        for name in names:
            with open(os.path.join(folder, name), "rb") as file:
                result[name] = file.read()
        return result

    wanted, taken, after = bytes_of(plain), bytes_of(clean), bytes_of(drawn)
    differ = [name for name in wanted if wanted[name] != taken.get(name)]
    if differ:
        raise Fail(f"{len(differ)} of {len(wanted)} pictures are not those without an on-screen display")
    if not any(wanted[name] != after.get(name) for name in wanted if name in after):
        raise NotRun("nvdsosd drew nothing that could have been seen; the pictures are clean")
    return facts


def nvjpeg(lab, _report):
    """JPEGs of surfaces: right, and made by nvJPEG."""
    folder, read = lab.folder(), lab.folder()
    outcome = lab.run([*lab.source(FRAMES), "!", *lab.capture(folder, suffix="jpg")], folder).well()
    if len(outcome.pictures("jpg")) != FRAMES:
        raise Fail(f"{len(outcome.pictures('jpg'))} of {FRAMES} pictures")
    back = ["dsframeinject", f"location={folder}/*.jpg", "device=cpu", "!", f"video/x-raw,format=RGB,{CAPS}", "!"]
    facts = lab.run([*back, *lab.capture(read)], read).well().identities({0: FRAMES})
    libraries = [name for name in outcome.libraries if name.startswith("libnvjpeg")]
    said = [text for text in outcome.report["warnings"] if "nvJPEG" in text]
    if said or not libraries:
        why = said[0] if said else "the surfaces are in system memory" if "system" in lab.options.memory else "it was not opened"
        raise NotRun(f"the pictures are right, and the CPU made them: {why}")
    return {**facts, "library": libraries}


def stats(lab, _report):
    """Whatever was run before: every frame that was seen was counted once."""
    if not lab.accounts:
        raise NotRun("no line came as far as to have counters")
    if lab.wrong_accounts:
        raise Fail(f"{len(lab.wrong_accounts)} of {len(lab.accounts)} do not add up: {lab.wrong_accounts[0]}")
    return {"accounts": len(lab.accounts), "frames": sum(lab.accounts)}


CHECKS = [
    ("versions", "DeepStream, driver, CUDA, GStreamer and GPU", versions),
    ("structs", "sizes and offsets in DeepStream's headers", structs),
    ("layout", "the layout that the plugin chose", layout),
    ("inject", "our surfaces into our capture", inject),
    ("mux", "our surfaces through nvstreammux", mux),
    ("infer", "our surfaces through nvstreammux and nvinfer", infer),
    ("detections", "what nvinfer detects in a picture", detections),
    ("convert-ours", "nvvideoconvert takes our surfaces", convert_ours),
    ("convert-theirs", "we take nvvideoconvert's surfaces", convert_theirs),
    ("decoder", "we take the decoder's surfaces", decoder),
    ("batch", "batches of four sources", batch),
    ("stream-eos", "sources that end one after the other", stream_eos),
    ("osd", "clean pictures beside nvdsosd", osd),
    ("nvjpeg", "JPEGs made on the GPU", nvjpeg),
    ("stats", "every frame is counted once", stats),
]
