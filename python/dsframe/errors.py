# Copyright (C) 2026 The gst-plugin-dsframe authors
# Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
# SPDX-License-Identifier: Apache-2.0 OR MIT
"""What can go wrong between a producer and a reader, beside OSError and TimeoutError."""


class ProtocolError(ConnectionError):
    """The other side sent what the protocol does not allow, or cannot be spoken to."""


class ProducerGone(ConnectionError):
    """The producer died: the connection ended without an END or a STOP."""


class Refused(ConnectionRefusedError):
    """The other side does not want this connection.

    `reason` is the number of docs/channel-protocol.md, `text` what the other side says about it.
    """

    def __init__(self, reason: int, text: str) -> None:
        super().__init__(f"refused: {text or 'no reason given'} (reason {reason})")
        self.reason = reason
        self.text = text
