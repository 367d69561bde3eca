from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillflow.compiler.link import ATTEMPTS, LinkError, LinkTransport
from stillflow.hw.csr import COUNTER_BASE, OFFSETS, Counter
from stillflow.hw.link import CRC, MOST_WORDS, LinkOp, Request, checksum
from tests.link_device import LinkDevice

SIZE = 8192


class Registers:
    """Registers and memory; counts writes of each register."""

    def __init__(self):
        self.memory = bytearray(SIZE)
        self.registers, self.writes = {}, []

    def write_csr(self, offset, value):
        self.registers[offset] = value
        self.writes.append((offset, value))

    def read_csr(self, offset):
        return self.registers.get(offset, 0)

    def write_memory(self, address, content):
        self.memory[address : address + len(content)] = content

    def read_memory(self, address, length):
        return bytes(self.memory[address : address + length])


class NoisyLine:
    """A line that turns over a bit of some bytes, and loses some."""

    def __init__(self, board, random, share=0.0):
        self.board, self.random, self.share = board, random, share
        self.received = bytearray()

    def _through(self, content):
        out = bytearray()
        for byte in content:
            if self.random.random() < self.share:
                if self.random.random() < 0.3:
                    continue
                byte ^= 1 << self.random.randrange(8)
            out.append(byte)
        return bytes(out)

    def write(self, content):
        self.received += self._through(self.board.feed(self._through(content)))

    def read(self, length):
        taken = bytes(self.received[:length])
        del self.received[:length]
        return taken

    def pause(self, byte_times):
        self.board.pause()
        self.received.clear()


def make(share=0.0, seed=0):
    registers = Registers()
    line = NoisyLine(LinkDevice(registers, SIZE), Random(seed), share)
    return registers, line, LinkTransport(line, seed=seed)


def test_crc_is_the_one_of_the_catalogue():
    assert CRC(8).compute(b"123456789") == 0x906E  # CRC-16/IBM-SDLC's check value
    assert checksum(b"123456789") == b"\x6e\x90"


def test_frames_have_the_documented_bytes():
    request = Request(op=LinkOp.READ_MEMORY, sequence=5, address=0x01020304, words=256)
    head = bytes((2, 5, 255, 4, 3, 2, 1))
    assert request.frame() == b"\xa5" + head + checksum(head)
    assert request.answer_bytes == 3 + 1024 + 2


@given(st.integers(0, SIZE - 1), st.binary(min_size=1, max_size=3000), st.integers(0, 1 << 30))
def test_memory_is_copied_to_the_byte(address, content, seed):
    content = content[: SIZE - address]
    device, _, link = make(seed=seed)
    before = Random(seed).randbytes(SIZE)
    device.memory[:] = before
    link.write_memory(address, content)
    expected = before[:address] + content + before[address + len(content) :]
    assert device.memory == expected
    assert link.read_memory(address, len(content)) == content
    assert link.repeated == 0


@given(st.integers(0, 1 << 30))
def test_noise_costs_time_and_nothing_else(seed):
    device, line, link = make(share=0.004, seed=seed)
    random = Random(seed)
    expected = []
    for value in range(60):
        offset = 4 * random.randrange(16)
        link.write_csr(offset, value)
        expected.append((offset, value))
        assert link.read_csr(offset) == value
    content = random.randbytes(64)
    link.write_memory(3, content)
    assert link.read_memory(3, 64) == content
    assert device.writes == expected  # each once, in order
    assert line.share


@settings(max_examples=25)
@given(st.integers(0, 1 << 30))
def test_long_copies_get_through_noise_in_parts(seed):
    link = make(share=0.004, seed=seed)[-1]  # of requests of 256 words, one in 60
    content = Random(seed).randbytes(4 * MOST_WORDS)
    link.write_memory(0, content)
    assert link.read_memory(0, len(content)) == content
    assert link.repeated


def test_silence_is_an_error_behind_some_attempts(monkeypatch):
    _, line, link = make()
    asked = []
    monkeypatch.setattr(line, "write", asked.append)
    with pytest.raises(LinkError, match="does not answer the read register at 0x0, asked 8 times"):
        link.read_csr(0)
    assert len(asked) == ATTEMPTS


def test_a_refusal_is_an_error_at_once():
    _, _, link = make()
    with pytest.raises(LinkError, match="refuses the read memory at 0x2000: ADDRESS"):
        link.read_memory(SIZE, 4)
    assert link.repeated == 0


def test_waiting_for_the_interrupt_gives_cycles():
    device, _, link = make()
    low = COUNTER_BASE + 8 * Counter.CYCLES
    device.registers |= {low: 7, low + 4: 1}
    seen = []
    ask, count = device.read_csr, iter(range(100))

    def read(offset):
        if offset == OFFSETS["IRQ_STATUS"]:
            return int(next(count) >= 3)
        return ask(offset)

    device.read_csr = read
    assert link.wait_irq(1 << 40, progress=seen.append) == (1 << 32) + 7
    assert seen == [(1 << 32) + 7] * 3
    device.read_csr = lambda offset: 0 if offset == OFFSETS["IRQ_STATUS"] else 1000
    with pytest.raises(TimeoutError, match="no interrupt after 10 cycles"):
        link.wait_irq(10)


def test_long_transfers_are_cut(monkeypatch):
    device, line, link = make()
    frames = []
    write = line.write

    def watch(frame):
        frames.append(len(frame))
        write(frame)

    monkeypatch.setattr(line, "write", watch)
    link.write_memory(0, bytes(4 * MOST_WORDS + 8))
    assert frames == [1 + 7 + 2 + 4 * MOST_WORDS + 2, 1 + 7 + 2 + 8 + 2]
    assert len(device.memory) == SIZE
