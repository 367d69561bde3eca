"""A job from the doorbell to the interrupt, with everything around it played by the test."""

from dataclasses import replace

import pytest

from stillflow.compiler.lower import pack
from stillflow.hw.control import job as job_module
from stillflow.hw.control.job import JobControl
from stillflow.hw.csr import ErrorCode
from stillflow.hw.descriptor import BYTES, MAGIC
from stillflow.sim import bench
from tests.hw.control.core import CONFIG, GOOD, PROGRAM, RECORDS, Core


async def start(ctx, dut, length, address=PROGRAM, record=RECORDS, watchdog=0):
    ctx.set(dut.i_program_address, address)
    ctx.set(dut.i_program_length, length)
    ctx.set(dut.i_record_address, record)
    ctx.set(dut.i_watchdog, watchdog)
    ctx.set(dut.i_start, 1)


def check_report(ctx, dut, code, address):
    assert ErrorCode(ctx.get(dut.o_error_code)) == code
    assert ctx.get(dut.o_error_address) == address


def simulate(scenario, cycles=2000, config=CONFIG):
    dut = JobControl(config)

    async def drive(ctx):
        await scenario(ctx, dut)

    bench.run(dut, drive, cycles=cycles)


@pytest.mark.parametrize("record", [RECORDS, 0])
def test_layers_run_in_order_each_with_its_record(record):
    layers = [GOOD | {"pn": n, "op": n % 2} for n in (1, 2, 3)]

    async def scenario(ctx, dut):
        core = Core([pack(layer) for layer in layers])
        await start(ctx, dut, 3, record=record)
        assert await core.run(ctx, dut, 1000) == (1, 0)
        assert core.layers == layers
        wanted = ["counters clear"]
        for number in range(4):
            wanted += [("record", RECORDS + 128 * number)] * bool(record)
            if number < 3:
                wanted += [("fetch", PROGRAM + number * BYTES), "begin", "end"]
        assert core.log == [*wanted, "done"]
        assert ctx.get(dut.o_layers) == 3

    simulate(scenario)


def test_counters_are_swept_when_a_record_begins():
    async def scenario(ctx, dut):
        core = Core([pack(GOOD)] * 2)
        await start(ctx, dut, 2)
        assert await core.run(ctx, dut, 1000) == (1, 0)
        assert len(core.swept) == 3
        assert core.recorded == core.swept

    simulate(scenario)


def test_without_records_counters_are_swept_at_the_doorbell_alone():
    async def scenario(ctx, dut):
        core = Core([pack(GOOD)] * 2)
        await start(ctx, dut, 2, record=0)
        assert await core.run(ctx, dut, 1000) == (1, 0)
        assert core.swept == [1]

    simulate(scenario)


def broken(change):
    """Return a good descriptor with a word changed: the checksum no longer fits."""
    image = bytearray(pack(GOOD))
    image[change] ^= 1
    return bytes(image)


@pytest.mark.parametrize(
    "image",
    [
        pack(GOOD | {"magic": MAGIC ^ 1}),
        pack(GOOD | {"op": 2}),
        pack(GOOD | {"tile_pixels": 0}),
        pack(GOOD | {"tile_pixels": CONFIG.ofmap_depth + 1}),
        pack(GOOD | {"slots": 0}),
        broken(17),
        broken(BYTES - 1),
    ],
    ids=["magic", "op", "no pixels", "too many pixels", "no slot", "checksum", "last byte"],
)
def test_a_bad_descriptor_is_refused_where_it_lies(image):
    async def scenario(ctx, dut):
        core = Core([pack(GOOD), image])
        await start(ctx, dut, 2)
        assert await core.run(ctx, dut, 1000) == (0, 1)
        check_report(ctx, dut, ErrorCode.DESCRIPTOR, PROGRAM + BYTES)
        assert core.log.count("begin") == 1
        assert core.log[-2:] == ["clear", "failed"]
        assert ctx.get(dut.o_layers) == 1
        # And the next job runs.
        core = Core([pack(GOOD)])
        await start(ctx, dut, 1)
        assert await core.run(ctx, dut, 1000) == (1, 0)

    simulate(scenario)


@pytest.mark.parametrize(
    ("address", "length", "record"),
    [(PROGRAM + 4, 1, RECORDS), (PROGRAM, 0, 0), (PROGRAM, 1, RECORDS + 64)],
)
def test_a_program_that_cannot_be_is_refused(address, length, record):
    refuses(CONFIG, address, length, record)


@pytest.mark.parametrize(
    ("address", "record"), [(0x8000_0040, RECORDS), (0x40, 0x8000_0000), (0x40, 0xFFFF_FF80)]
)
def test_programs_and_records_are_not_in_the_activation_memory(address, record):
    refuses(replace(CONFIG, activation_kib=1), address, 1, record)


def refuses(config, address, length, record):
    async def scenario(ctx, dut):
        core = Core([])
        await start(ctx, dut, length, address=address, record=record)
        assert await core.run(ctx, dut, 100) == (0, 1)
        check_report(ctx, dut, ErrorCode.PROGRAM, address)
        assert core.log == ["counters clear", "clear", "failed"]

    simulate(scenario, config=config)


async def fail_while_reading(ctx, dut, core):
    """Run into an error whose answers stay out."""
    await start(ctx, dut, 1)
    await core.run(ctx, dut, 100)
    assert not ctx.get(dut.o_abort)
    core.reader_idle = False
    ctx.set(dut.i_error, 1)
    ctx.set(dut.i_error_code, ErrorCode.READ_DECERR)
    ctx.set(dut.i_error_address, 0x1234)
    assert await core.run(ctx, dut, 1) == (0, 0)
    # What comes now belongs to the same failure.
    ctx.set(dut.i_error_code, ErrorCode.WRITE_SLVERR)
    assert await core.run(ctx, dut, 20) == (0, 0)
    ctx.set(dut.i_error, 0)
    assert ctx.get(dut.o_abort)
    assert ctx.get(dut.o_busy)
    assert "clear" not in core.log


def test_an_error_aborts_drains_and_clears():
    async def scenario(ctx, dut):
        core = Core([pack(GOOD)], hang=True)
        await fail_while_reading(ctx, dut, core)
        core.reader_idle = True
        assert await core.run(ctx, dut, 10) == (0, 1)
        assert core.log[-2:] == ["clear", "failed"]
        assert not ctx.get(dut.o_busy)
        check_report(ctx, dut, ErrorCode.READ_DECERR, 0x1234)

    simulate(scenario)


def test_a_soft_reset_keeps_an_error_from_being_reported():
    async def scenario(ctx, dut):
        core = Core([pack(GOOD)], hang=True)
        await fail_while_reading(ctx, dut, core)
        ctx.set(dut.i_soft_reset, 1)
        assert await core.run(ctx, dut, 20) == (0, 0)
        assert ctx.get(dut.o_abort)
        core.reader_idle = True
        assert await core.run(ctx, dut, 10) == (0, 0)
        assert core.log[-1] == "clear"
        assert not ctx.get(dut.o_busy)

    simulate(scenario)


@pytest.mark.parametrize("gives_up", [False, True])
def test_answers_that_stay_out_delay_the_end_and_not_the_report(gives_up, monkeypatch):
    monkeypatch.setattr(job_module, "DRAIN_CYCLES", 64)

    async def scenario(ctx, dut):
        core = Core([pack(GOOD)], hang=True)
        await fail_while_reading(ctx, dut, core)
        assert await core.run(ctx, dut, 60) == (0, 1)
        check_report(ctx, dut, ErrorCode.READ_DECERR, 0x1234)
        assert await core.run(ctx, dut, 200) == (0, 0)
        assert ctx.get(dut.o_abort)
        assert ctx.get(dut.o_busy)
        assert "clear" not in core.log
        core.reader_idle = not gives_up
        ctx.set(dut.i_soft_reset, gives_up)
        assert await core.run(ctx, dut, 10) == (0, 0)
        assert core.log[-1] == "clear"
        assert not ctx.get(dut.o_busy)
        # The next failure gets its full time again.
        core = Core([pack(GOOD)], hang=True)
        await fail_while_reading(ctx, dut, core)

    simulate(scenario)


def test_the_watchdog_barks_when_nothing_moves():
    async def scenario(ctx, dut):
        core = Core([pack(GOOD)], hang=True)
        await start(ctx, dut, 1, watchdog=40)
        ctx.set(dut.i_progress, 1)
        await core.run(ctx, dut, 100)
        for _ in range(5):
            ctx.set(dut.i_progress, 0)
            assert await core.run(ctx, dut, 39) == (0, 0)
            ctx.set(dut.i_progress, 1)
            await core.run(ctx, dut, 1)
        ctx.set(dut.i_progress, 0)
        assert await core.run(ctx, dut, 50) == (0, 1)
        check_report(ctx, dut, ErrorCode.WATCHDOG, PROGRAM)

    simulate(scenario)


def test_a_watchdog_of_zero_never_barks():
    async def scenario(ctx, dut):
        core = Core([pack(GOOD)], hang=True)
        await start(ctx, dut, 1, watchdog=0)
        assert await core.run(ctx, dut, 500) == (0, 0)
        assert ctx.get(dut.o_busy)

    simulate(scenario)


@pytest.mark.parametrize("after", [0, 3, 20, 100])
def test_a_soft_reset_ends_any_state_without_a_report(after):
    async def scenario(ctx, dut):
        core = Core([pack(GOOD)], hang=True)
        if after:
            await start(ctx, dut, 1)
            await core.run(ctx, dut, after)
        ctx.set(dut.i_soft_reset, 1)
        assert await core.run(ctx, dut, 20) == (0, 0)
        assert not ctx.get(dut.o_busy)
        assert core.log[-1] == "clear"
        core = Core([pack(GOOD)])
        await start(ctx, dut, 1)
        assert await core.run(ctx, dut, 300) == (1, 0)
        assert core.log.count("begin") == 1

    simulate(scenario)
