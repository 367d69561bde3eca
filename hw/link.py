"""The protocol between a host and a board: frames of bytes.

A request is ``0xA5, op, sequence, words - 1, address (4 bytes), CRC (2 bytes)``, for a write then
its words and their CRC. The answer is ``0x5A, status, sequence``, the words of a read that is
`Status.OK`, and the CRC of all but the first byte. All numbers are little-endian; words have four
bytes; the CRC of a request's head leaves out the first byte, too.

A head whose CRC is wrong is not answered; behind a pause of `PAUSE_BYTES` byte times the board
looks for the next ``0xA5``. So a host that waits a little longer than that and asks again is heard.
A write that comes a second time with the sequence number of the request before it is answered, but
not done again.
"""

from dataclasses import dataclass
from enum import IntEnum

from amaranth.lib.crc import catalog

REQUEST, ANSWER = 0xA5, 0x5A
HEAD_BYTES = 7  # op, sequence, words - 1, address
CRC_BYTES = 2
WORD_BYTES = 4
MOST_WORDS = 256
PAUSE_BYTES = 16  # without a byte, after which a frame is given up

#: The checksum, in hardware and on the host.
CRC = catalog.CRC16_IBM_SDLC


class LinkOp(IntEnum):
    """What is asked for. Bit 0: a write; bit 1: memory."""

    READ_REGISTER = 0
    WRITE_REGISTER = 1
    READ_MEMORY = 2
    WRITE_MEMORY = 3


class Status(IntEnum):
    """What became of a request."""

    OK = 0
    REQUEST = 1  # no such op, or more than one register
    ADDRESS = 2  # no register there, or not within the memory, or not that of a word
    DATA = 3  # the words of a write did not come as they were sent, or too fast; some may be there


def checksum(content: bytes) -> bytes:
    """Checksum of a part of a frame, as it is sent."""
    return CRC(8).compute(content).to_bytes(CRC_BYTES, "little")


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request.

    Parameters
    ----------
    op : LinkOp
        What to do.
    sequence : int
        0 to 255.
    address : int
        Byte address of the first word.
    words : int
        1 to `MOST_WORDS`; one register.
    content : bytes
        Of a write.
    """

    op: LinkOp
    sequence: int
    address: int
    words: int
    content: bytes = b""

    @property
    def answer_bytes(self) -> int:
        """Bytes of the answer that says `Status.OK`."""
        read = 0 if self.op & 1 else self.words * WORD_BYTES
        return 3 + read + CRC_BYTES

    def frame(self) -> bytes:
        """Bytes to send."""
        head = bytes((self.op, self.sequence, self.words - 1)) + self.address.to_bytes(4, "little")
        made = bytes((REQUEST,)) + head + checksum(head)
        return made + self.content + checksum(self.content) if self.op & 1 else made
