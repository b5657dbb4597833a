# Copyright (C) 2026 The gst-plugin-dsframe authors
# Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Reads the frame code (src/frame/code.rs) from npy pictures, with the standard library alone."""

import ast
import struct

ACROSS, DOWN = 64, 36
COLUMNS, ROWS = 16, 4


class Picture:
    """Height x width x channels, or height x width, of bytes."""

    def __init__(self, data):
        if data[:6] != b"\x93NUMPY":
            raise ValueError("not an npy file")
        wide = data[6] > 1
        (length,) = struct.unpack_from("<I" if wide else "<H", data, 8)
        start = 12 if wide else 10
        header = ast.literal_eval(data[start:start + length].decode("latin-1"))
        if header["descr"] not in ("|u1", "<u1", "u1") or header["fortran_order"]:
            raise ValueError(f"not bytes in C order: {header}")
        shape = header["shape"]
        self.height, self.width = shape[0], shape[1]
        self.channels = shape[2] if len(shape) > 2 else 1
        self.data = data[start + length:]
        if len(self.data) != self.height * self.width * self.channels:
            raise ValueError("the picture is cut short")

    def at(self, x, y):
        start = (y * self.width + x) * self.channels
        used = min(self.channels, 3)
        return sum(self.data[start:start + used]) / used


def crc8(data):
    crc = 0xFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = ((crc << 1) ^ (0x07 if crc & 0x80 else 0)) & 0xFF
    return crc


def level(picture, row, column):
    """How bright the middle of a cell is."""

    def middle(cell, size, cells):
        first = int((cell + 0.25) * size / cells)
        last = int((cell + 0.75) * size / cells)
        return range(first, max(min(last, size), first + 1))

    xs = middle(column, picture.width, ACROSS)
    ys = middle(row, picture.height, DOWN)
    return sum(picture.at(x, y) for y in ys for x in xs) / (len(xs) * len(ys))


def read(picture):
    """Stream and frame number, or None if there is no code."""
    if picture.width < ACROSS or picture.height < DOWN:
        return None
    levels = [[level(picture, row, column) for column in range(COLUMNS)] for row in range(ROWS)]
    ends = [(row[0], row[-1]) if at % 2 == 0 else (row[-1], row[0]) for at, row in enumerate(levels)]
    white = sum(bright for bright, _ in ends) / ROWS
    black = sum(dark for _, dark in ends) / ROWS
    if white - black < 64:
        return None
    message = 0
    for at, row in enumerate(levels):
        bits = [value > (white + black) / 2 for value in row]
        if (bits[0], bits[-1]) != (at % 2 == 0, at % 2 == 1):
            return None
        for bit in bits[1:-1]:
            message = message << 1 | bit
    payload = message >> 8
    if crc8(payload.to_bytes(6, "big")) != message & 0xFF:
        return None
    return payload >> 32, payload & 0xFFFFFFFF


def read_file(path):
    with open(path, "rb") as file:
        return read(Picture(file.read()))
