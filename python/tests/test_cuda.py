# Copyright (C) 2026 The gst-plugin-dsframe authors
# Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Memory on a card: on a GPU, or on the stand-in for its driver (LD_LIBRARY_PATH=target/standin)."""

import ctypes
import os
import threading
import unittest

import numpy as np
from kit import PATIENCE, Case, Process, number_of, picture

from dsframe import FrameReceiver, FrameSender, _cuda


def a_card():
    try:
        return _cuda.cards()[0]
    except _cuda.CudaError as error:
        raise unittest.SkipTest(str(error)) from None


class OnCard:
    """A tensor on a card, as another library would have it."""

    def __init__(self, array, pitch=None):
        self.card = _cuda.cards()[0]
        self.array = array
        row = int(np.prod(array.shape[1:]))
        self.pitch = pitch or row
        step = self.card.granularity()
        size = (self.pitch * array.shape[0] + step - 1) // step * step
        self.slot = _cuda.CudaSlot(self.card, 1, size)
        self.row = row
        source = np.ascontiguousarray(array)
        self.card.copy(_cuda._Memcpy2D(
            src_type=1, src_host=source.ctypes.data, src_pitch=row, dst_type=2,
            dst_device=self.slot.mapping.address, dst_pitch=self.pitch, width=row, height=array.shape[0],
        ))

    def __dlpack_device__(self):
        return (2, self.card.ordinal)

    def __dlpack__(self, *, stream=None):
        assert stream == 1
        shape = self.array.shape
        strides = (self.pitch, *(int(np.prod(shape[i + 1:])) for i in range(1, len(shape))))
        return _cuda.make_capsule(self.slot.mapping.address, self.card.ordinal, shape, strides, self)


class Taken:
    """What another library makes of a frame."""

    def __init__(self, frame):
        self.capsule = frame.__dlpack__()
        self.tensor = _cuda.Tensor(self)

    def __dlpack__(self, *, stream):
        return self.capsule

    def to_host(self):
        return _cuda.cards()[self.tensor.ordinal].to_host(self.tensor)


def send_from_card(queue, path, count, options):
    with FrameSender(path, timeout=PATIENCE, **options) as sender:
        for number in range(count):
            pitch = 256 if number % 2 else None
            sender.send(OnCard(picture(number), pitch), number=number)
    queue.put(tuple(sender.stats))


class Capsules(unittest.TestCase):
    """No card is needed for these."""

    class Keep:
        pass

    def capsule(self, keep, address=1 << 40):
        return _cuda.make_capsule(address, 3, (4, 5, 3), (16, 3, 1), keep)

    def test_a_capsule_that_nobody_takes(self):
        keep = self.Keep()
        before = len(_cuda._handed_out)
        capsule = self.capsule(keep)
        self.assertEqual(len(_cuda._handed_out), before + 1)
        del capsule
        self.assertEqual(len(_cuda._handed_out), before)

    def test_a_capsule_that_is_taken(self):
        before = len(_cuda._handed_out)
        capsule = self.capsule(None)
        address = _cuda._pointer(capsule, b"dltensor")
        managed = ctypes.cast(address, ctypes.POINTER(_cuda._DLManagedTensor)).contents
        rename = ctypes.pythonapi.PyCapsule_SetName
        rename.argtypes = [ctypes.py_object, ctypes.c_char_p]
        name = b"used_dltensor"
        rename(capsule, name)
        del capsule
        self.assertEqual(len(_cuda._handed_out), before + 1)
        tensor = managed.tensor
        self.assertEqual((tensor.data, tensor.device_type, tensor.device_id), (1 << 40, 2, 3))
        self.assertEqual((tensor.code, tensor.bits, tensor.lanes, tensor.byte_offset), (1, 8, 1, 0))
        self.assertEqual((tensor.shape[:3], tensor.strides[:3]), ([4, 5, 3], [16, 3, 1]))
        ctypes.CFUNCTYPE(None, ctypes.c_void_p)(managed.deleter)(address)
        self.assertEqual(len(_cuda._handed_out), before)

    def test_tensors_that_are_wrong(self):
        class Source:
            def __init__(self, shape, strides):
                self.shape, self.strides = shape, strides

            def __dlpack__(self, *, stream):
                return _cuda.make_capsule(4096, 0, self.shape, self.strides, None)

        self.assertEqual(_cuda.Tensor(Source((4, 5, 3), (16, 3, 1))).size("RGB"), (5, 4))
        self.assertEqual(_cuda.Tensor(Source((4, 5), (5, 1))).size("GRAY8"), (5, 4))
        for shape, strides, format, text in (
            ((3, 4, 5), (20, 5, 1), "RGB", "transpose"),
            ((4, 5, 3), (5, 1, 20), "RGB", "contiguous"),
            ((4, 5, 3), (1, 3, 1), "RGB", "contiguous"),
            ((6, 4), (4, 1), "NV12", "cannot be sent from a card"),
        ):
            with self.assertRaisesRegex(ValueError, text):
                _cuda.Tensor(Source(shape, strides)).size(format)

    def test_structures(self):
        self.assertEqual(_cuda._Memcpy2D.src_device.offset, 32)
        self.assertEqual(_cuda._Memcpy2D.dst_x.offset, 56)
        self.assertEqual(_cuda._Memcpy2D.width.offset, 112)
        self.assertEqual(_cuda._AllocationProp.flags.offset, 24)
        self.assertEqual(_cuda._DLTensor.shape.offset, 24)


class Host(Case):
    def test_without_a_card(self):
        """Frames in host memory go to other libraries as well."""
        sender, receiver = self.sender(), self.receiver()
        thread = threading.Thread(target=sender.send, args=(picture(7),))
        thread.start()
        frame = next(receiver)
        thread.join()
        self.assertEqual(frame.__dlpack_device__(), (1, 0))
        array = np.from_dlpack(frame)
        self.assertEqual(number_of(array), 7)
        self.assertFalse(hasattr(frame, "__cuda_array_interface__"))
        del frame, array


class Card(Case):
    def setUp(self):
        a_card().synchronize()
        super().setUp()

    def test_through_a_card_across_processes(self):
        sender = Process(send_from_card, self.path, 100, {})
        with self.receiver(cuda=True) as receiver:
            number = -1
            for frame in receiver:
                number += 1
                self.assertTrue(frame.is_cuda)
                self.assertEqual((frame.number, number_of(frame.array)), (number, number))
                self.assertEqual(frame.__dlpack_device__(), (2, 0))
                taken = Taken(frame)
                interface = frame.__cuda_array_interface__
                self.assertEqual(interface["shape"], (48, 64, 3))
                self.assertEqual(interface["data"], (taken.tensor.address, True))
                del frame
                # The tensor keeps the memory.
                self.assertEqual(receiver.stats.in_use, 1)
                self.assertEqual(number_of(taken.to_host()), number)
                del taken
                self.assertEqual(receiver.stats.in_use, 0)
            self.assertEqual(receiver.stats.received, 100)
        self.assertEqual(sender.get(), (100, 100, 0, 0, 0, 0))
        sender.close()

    def test_readers_with_and_without_cards(self):
        with self.sender(format="GRAY8") as sender:
            came = {}

            def read(cuda):
                with FrameReceiver(self.path, timeout=PATIENCE, cuda=cuda) as receiver:
                    came[cuda] = [(f.is_cuda, number_of(f.to_numpy())) for f in receiver]

            threads = [threading.Thread(target=read, args=(cuda,)) for cuda in (True, False)]
            for thread in threads:
                thread.start()
            self.eventually(lambda: sender.stats.readers == 2)
            for number in range(20):
                if number % 3:
                    sender.send(OnCard(picture(number, channels=1)))
                else:
                    sender.send(picture(number, channels=1))
            sender.end()
            for thread in threads:
                thread.join()
        self.assertEqual(came[False], [(False, n) for n in range(20)])
        self.assertEqual(came[True], [(bool(n % 3), n) for n in range(20)])

    def test_what_is_no_memory_of_cuda(self):
        card = a_card()
        fd = os.memfd_create("x", os.MFD_CLOEXEC)
        self.addCleanup(os.close, fd)
        from dsframe._memory import BadMemory

        for size in (4096, card.granularity()):
            with self.assertRaises(BadMemory):
                card.import_slot(fd, size)

    def test_torch(self):
        try:
            import torch
        except ImportError:
            self.skipTest("there is no torch")
        if not torch.cuda.is_available():
            self.skipTest("torch has no card")
        # Torch opens the driver's devices, and keeps them.
        image = torch.from_numpy(picture(9)).cuda()
        self.count_from_here()
        sender, receiver = self.sender(), self.receiver(cuda=True)
        thread = threading.Thread(target=sender.send, args=(image,))
        thread.start()
        frame = next(receiver)
        thread.join()
        tensor = torch.from_dlpack(frame)
        del frame
        self.assertTrue(torch.equal(tensor, image))
        self.assertEqual(receiver.stats.in_use, 1)
        del tensor
        self.assertEqual(receiver.stats.in_use, 0)


if __name__ == "__main__":
    unittest.main()
