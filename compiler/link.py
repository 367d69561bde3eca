"""The host's end of the link to a board: a transport for the driver over a line of bytes."""

from collections.abc import Callable
from random import Random
from typing import Protocol

from stillflow.compiler.driver import DeviceError
from stillflow.hw.csr import COUNTER_BASE, OFFSETS, Counter
from stillflow.hw.link import (
    ANSWER,
    CRC_BYTES,
    MOST_WORDS,
    PAUSE_BYTES,
    WORD_BYTES,
    LinkOp,
    Request,
    Status,
    checksum,
)

ATTEMPTS = 8


class LinkError(DeviceError):
    """The board does not answer, or refuses what it is asked for."""


class Line(Protocol):
    """A line of bytes, such as a serial port."""

    def write(self, content: bytes) -> object:
        """Send bytes."""
        ...

    def read(self, length: int) -> bytes:
        """Take bytes as they come; fewer if none comes for a while."""
        ...

    def pause(self, byte_times: int) -> None:
        """Send nothing for so long, and forget what has come."""
        ...


class LinkTransport:
    """Registers and memory of a board, over frames (see `stillflow.hw.link`).

    What gets lost or changed on the line is sent again.

    Parameters
    ----------
    line : Line
        The way to the board. Its `read` must wait longer than the board needs for a word.
    seed : int, optional
        Of the first sequence number.
    """

    def __init__(self, line: Line, seed: int | None = None) -> None:
        self._line = line
        self._sequence = Random(seed).randrange(256)
        #: Requests that had to be sent again.
        self.repeated = 0

    def write_csr(self, offset: int, value: int) -> None:
        """Write a 32-bit register."""
        self._ask(LinkOp.WRITE_REGISTER, offset, value.to_bytes(WORD_BYTES, "little"))

    def read_csr(self, offset: int) -> int:
        """Read a 32-bit register."""
        return int.from_bytes(self._ask(LinkOp.READ_REGISTER, offset), "little")

    def write_memory(self, address: int, content: bytes) -> None:
        """Copy bytes into the memory; what shares a word with them stays as it is."""
        before, behind = address % WORD_BYTES, -(address + len(content)) % WORD_BYTES
        if before:
            content = self.read_memory(address - before, before) + content
        if behind:
            content += self.read_memory(address - before + len(content), behind)
        self._copy(LinkOp.WRITE_MEMORY, address - before, len(content) // WORD_BYTES, content)

    def read_memory(self, address: int, length: int) -> bytes:
        """Copy bytes out of the memory."""
        before = address % WORD_BYTES
        words = -(-(before + length) // WORD_BYTES)
        content = self._copy(LinkOp.READ_MEMORY, address - before, words)
        return content[before : before + length]

    def wait_irq(self, max_cycles: int, *, progress: Callable[[int], None] | None = None) -> int:
        """Ask until the interrupt is there; return the cycles of the job.

        Raises
        ------
        TimeoutError
            If it is not there after ``max_cycles``.
        """
        while True:
            pending = self.read_csr(OFFSETS["IRQ_STATUS"])
            low = self.read_csr(COUNTER_BASE + 8 * Counter.CYCLES)
            cycles = self.read_csr(COUNTER_BASE + 8 * Counter.CYCLES + 4) << 32 | low
            if pending:
                return cycles
            if cycles > max_cycles:
                raise TimeoutError(f"no interrupt after {max_cycles} cycles")
            if progress is not None:
                progress(cycles)

    def _ask(self, op: LinkOp, address: int, content: bytes = b"") -> bytes:
        """Send a request of one word until it is answered.

        Raises
        ------
        LinkError
            If there is no sound answer after `ATTEMPTS`, or it says that there is nothing at the
            address.
        """
        request = self._request(op, address, 1, content)
        for _ in range(ATTEMPTS):
            read = self._try(request)
            if read is not None:
                return read
        raise _unanswered(request)

    def _copy(self, op: LinkOp, address: int, words: int, content: bytes = b"") -> bytes:
        """Copy words, many in a request; a quarter as many behind one that did not get through.

        A shorter request has a number of its own: the board takes the same one for done. To write
        a word twice changes nothing.

        Raises
        ------
        LinkError
            As `_ask`, of any of the requests.
        """
        read, done, most, failed = b"", 0, MOST_WORDS, 0
        while done < words:
            part = content[done * WORD_BYTES : (done + most) * WORD_BYTES]
            request = self._request(op, address + done * WORD_BYTES, min(most, words - done), part)
            answer = self._try(request)
            if answer is None:
                most, failed = max(1, request.words // 4), failed + 1
                if failed == ATTEMPTS:
                    raise _unanswered(request)
            else:
                read += answer
                done, most, failed = done + request.words, min(2 * most, MOST_WORDS), 0
        return read

    def _request(self, op: LinkOp, address: int, words: int, content: bytes) -> Request:
        """Make a request with a sequence number of its own."""
        self._sequence = (self._sequence + 1) % 256
        return Request(
            op=op, sequence=self._sequence, address=address, words=words, content=content
        )

    def _try(self, request: Request) -> bytes | None:
        """Send a request once; None, behind a pause, if there is no sound answer."""
        self._line.write(request.frame())
        status, read = self._answer(request) or (Status.DATA, b"")
        if status == Status.OK:
            return read
        if status != Status.DATA:
            raise LinkError(f"the board refuses the {_what(request)}: {status.name}")
        self.repeated += 1
        self._line.pause(2 * PAUSE_BYTES)
        return None

    def _answer(self, request: Request) -> tuple[Status, bytes] | None:
        """Take an answer; None if it is no sound one to this request."""
        head = self._line.read(3)
        if len(head) != 3 or head[0] != ANSWER or head[2] != request.sequence:
            return None
        if head[1] not in tuple(Status):
            return None
        status = Status(head[1])
        length = request.answer_bytes - 3 if status == Status.OK else CRC_BYTES
        rest = self._line.read(length)
        if len(rest) != length or checksum(head[1:] + rest[:-CRC_BYTES]) != rest[-CRC_BYTES:]:
            return None
        return status, rest[:-CRC_BYTES]


def _what(request: Request) -> str:
    return f"{request.op.name.lower().replace('_', ' ')} at {request.address:#x}"


def _unanswered(request: Request) -> LinkError:
    return LinkError(f"the board does not answer the {_what(request)}, asked {ATTEMPTS} times")
