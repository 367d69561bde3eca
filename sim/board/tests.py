"""A board at its pins: the cocotb tests that the simulation loads."""

from random import Random
from typing import Any

import cocotb
import numpy as np
import pytest
from cocotb.task import bridge

from stillflow.compiler.driver import Driver
from stillflow.compiler.frontend import load_network
from stillflow.compiler.link import LinkError
from stillflow.compiler.program import compile_network
from stillflow.hw.csr import ID_VALUE, OFFSETS, ErrorCode
from stillflow.hw.link import (
    HEAD_BYTES,
    MOST_WORDS,
    PAUSE_BYTES,
    REQUEST,
    LinkOp,
    Request,
    Status,
    checksum,
)
from stillflow.sim.board.bench import Board
from stillflow.sim.execute import execute


@cocotb.test()
async def digits_are_classified(dut: Any) -> None:
    """Load the network over the UART, run it, compare every tensor and the classes."""
    board = await Board.start(dut)
    settings = board.settings
    program = compile_network(
        load_network(settings.model), settings.system.accelerator, alignment=settings.alignment
    )
    assert program.size <= settings.system.memory_bytes
    images = np.load(settings.inputs)
    (port,) = program.network.inputs

    def classify() -> list[int]:
        driver = Driver(board.link)
        driver.load(program)
        classes = []
        for image in images:
            outcome = execute(driver, program, {port.tensor: image})
            for layer in program.network.layers:
                assert outcome.mismatches(layer.ofmap) == 0, layer.name
            assert outcome.counters is not None
            (scores,) = program.network.outputs
            classes.append(int(outcome.tensors[scores.tensor].argmax()))
        return classes

    classes = await bridge(classify)()
    dut._log.warning("classes: %s", classes)
    assert board.link.repeated == 0
    board.check()


@cocotb.test()
async def link_recovers_from_noise(dut: Any) -> None:
    """Read and write registers and memory through a line that turns bits over."""
    board = await Board.start(dut)
    random = Random(board.settings.seed)
    board.line.noise = 0.002  # of bytes

    def work() -> None:
        content = {}
        for _ in range(20):
            address = random.randrange(0, min(1 << 15, board.settings.system.memory_bytes - 256))
            words = random.randbytes(random.randrange(1, 200))
            board.link.write_memory(address, words)
            content |= {address + n: byte for n, byte in enumerate(words)}
            board.link.write_csr(OFFSETS["WATCHDOG"], address)
            assert board.link.read_csr(OFFSETS["WATCHDOG"]) == address
            assert board.link.read_csr(OFFSETS["ID"]) == ID_VALUE
        for address, byte in random.sample(sorted(content.items()), 20):
            assert board.link.read_memory(address, 1) == bytes((byte,))

    await bridge(work)()
    assert board.line.disturbed > 0
    assert board.link.repeated > 0
    board.check()


@cocotb.test()
async def link_hears_behind_any_rubbish(dut: Any) -> None:
    """Half frames and random bytes leave no trace."""
    board = await Board.start(dut)
    random = Random(board.settings.seed)
    write = Request(op=LinkOp.WRITE_MEMORY, sequence=7, address=64, words=2, content=b"stillflo")
    for length in range(1, len(write.frame())):
        await board.line.send(write.frame()[:length])
        await board.line.rest(2 * PAUSE_BYTES)
        assert await bridge(board.link.read_csr)(OFFSETS["ID"]) == ID_VALUE
    for _ in range(20):
        await board.line.send(random.randbytes(random.randrange(1, 40)))
        await board.line.send(bytes((REQUEST,)) + random.randbytes(HEAD_BYTES))
        await board.line.rest(2 * PAUSE_BYTES)
        assert await bridge(board.link.read_csr)(OFFSETS["ID"]) == ID_VALUE
    board.dut.i_rx.value = 0  # a break
    await board.line.rest(3 * PAUSE_BYTES)
    board.dut.i_rx.value = 1
    await board.line.rest(2 * PAUSE_BYTES)
    assert await bridge(board.link.read_csr)(OFFSETS["ID"]) == ID_VALUE
    assert board.link.repeated == 0
    board.check()


@cocotb.test()
async def repeated_write_is_done_once(dut: Any) -> None:
    """Send a write again whose answer was lost, and one whose words were spoilt."""
    board = await Board.start(dut)
    first = Request(op=LinkOp.WRITE_REGISTER, sequence=1, address=OFFSETS["WATCHDOG"], words=1,
                    content=(11).to_bytes(4, "little"))  # fmt: skip
    spoilt = bytearray(first.frame())
    spoilt[-3] ^= 1
    await board.line.send(bytes(spoilt))
    assert (await board.line.take(first.answer_bytes))[1] == Status.DATA
    for _ in range(2):
        await board.line.send(first.frame())
        assert (await board.line.take(first.answer_bytes))[1] == Status.OK
        assert await bridge(board.link.read_csr)(OFFSETS["WATCHDOG"]) == 11
    # The transport's numbers come between; straight after its own, a frame is a repetition.
    again = Request(op=first.op, sequence=2, address=first.address, words=1,
                    content=(12).to_bytes(4, "little"))  # fmt: skip
    other = Request(op=first.op, sequence=2, address=first.address, words=1,
                    content=(13).to_bytes(4, "little"))  # fmt: skip
    for request in (again, other):
        await board.line.send(request.frame())
        assert (await board.line.take(request.answer_bytes))[1] == Status.OK
    assert await bridge(board.link.read_csr)(OFFSETS["WATCHDOG"]) == 12
    board.check()


@cocotb.test()
async def impossible_requests_are_refused(dut: Any) -> None:
    """No such op, no such register, beside the memory or across its end."""
    board = await Board.start(dut)
    size = board.settings.system.memory_bytes

    async def status(request: Request, op: int | None = None) -> int:
        frame = request.frame()
        if op is not None:
            head = bytes((op,)) + frame[2 : 1 + HEAD_BYTES]
            frame = bytes((REQUEST,)) + head + checksum(head)
        await board.line.send(frame)
        answer = await board.line.take(5)
        assert answer[2] == request.sequence
        return answer[1]

    def read(address: int, words: int = 1, op: LinkOp = LinkOp.READ_MEMORY) -> Request:
        return Request(op=op, sequence=9, address=address, words=words)

    assert await status(read(0), op=4) == Status.REQUEST
    assert await status(read(0, 2, LinkOp.READ_REGISTER)) == Status.REQUEST
    assert await status(read(size - 4, 2)) == Status.ADDRESS
    assert await status(read(size)) == Status.ADDRESS
    assert await status(read(0xFFFF_FFFC, 2)) == Status.ADDRESS
    assert await status(read(2)) == Status.ADDRESS
    assert await status(read(0x7C, 1, LinkOp.READ_REGISTER)) == Status.ADDRESS
    assert await status(read(0x1000, 1, LinkOp.READ_REGISTER)) == Status.ADDRESS

    def last() -> None:
        board.link.write_memory(size - 4, b"last")
        assert board.link.read_memory(size - 4, 4) == b"last"
        many = bytes(range(256)) * 5
        board.link.write_memory(3, many)
        assert len(many) > MOST_WORDS * 4
        assert board.link.read_memory(3, len(many)) == many
        with pytest.raises(LinkError, match="ADDRESS"):
            board.link.read_memory(size, 4)

    await bridge(last)()
    board.check()


@cocotb.test()
async def program_outside_the_memory_is_a_read_error(dut: Any) -> None:
    """Let the accelerator read beyond the memory: its job ends with an error code."""
    board = await Board.start(dut)

    def run() -> tuple[int, int]:
        link = board.link
        link.write_csr(OFFSETS["PROGRAM_ADDRESS"], board.settings.system.memory_bytes)
        link.write_csr(OFFSETS["PROGRAM_LENGTH"], 1)
        link.write_csr(OFFSETS["CONTROL"], 1)
        while not link.read_csr(OFFSETS["IRQ_STATUS"]):
            pass
        return link.read_csr(OFFSETS["ERROR_CODE"]), link.read_csr(OFFSETS["ERROR_ADDRESS"])

    code, address = await bridge(run)()
    # Where there are no address bits beyond the memory, the program itself is impossible.
    space = 1 << board.settings.system.accelerator.address_bits
    inside = board.settings.system.memory_bytes < space
    assert code == (ErrorCode.READ_DECERR if inside else ErrorCode.PROGRAM)
    assert address == board.settings.system.memory_bytes
    board.check()


@cocotb.test()
async def memory_keeps_what_is_written(dut: Any) -> None:
    """Words that lie in several rows and banks come back as they were written."""
    board = await Board.start(dut)
    random = Random(board.settings.seed)
    content = random.randbytes(20_000)

    def work() -> bytes:
        board.link.write_memory(1000, content)
        return board.link.read_memory(1000, len(content))

    read = await bridge(work)()
    assert board.link.repeated == 0
    wrong = [n for n, pair in enumerate(zip(read, content, strict=True)) if pair[0] != pair[1]]
    assert not wrong, f"{len(wrong)} bytes differ, the first at {1000 + wrong[0]:#x}"
    board.check()


@cocotb.test()
async def memory_that_is_not_ready_is_waited_for(dut: Any) -> None:
    """Send again what comes before an SDRAM is set up."""
    board = await Board.start(dut, ready=False)
    content = bytes(range(200))

    def work() -> bytes:
        board.link.write_memory(0, content)
        return board.link.read_memory(0, len(content))

    assert await bridge(work)() == content
    assert (board.link.repeated > 0) == (board.sdram is not None)
    board.check()


@cocotb.test()
async def words_of_a_request_that_was_given_up_disturb_nothing(dut: Any) -> None:
    """Give up a write whose word still waits for the memory, and read elsewhere."""
    board = await Board.start(dut)
    words = bytes(range(256))
    await bridge(board.link.write_memory)(0, words)
    await board.reset()
    write = Request(op=LinkOp.WRITE_MEMORY, sequence=3, address=8, words=3, content=bytes(12))
    await board.line.send(write.frame()[:-5])  # up to two of its words
    await board.line.rest(2 * PAUSE_BYTES)
    assert await bridge(board.link.read_memory)(128, 4) == words[128:132]
    board.check()
