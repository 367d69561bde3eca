"""The 4-state engine: as the others to the cycle, and X where it does harm is reported."""

import os
import re
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from amaranth.lib import wiring

from stillflow.boards.engines import open_engine, verilog_files
from stillflow.compiler.driver import Driver
from stillflow.compiler.graph import ConvLayer, Network, Port, Tensor, clip_range
from stillflow.compiler.program import Program, compile_network
from stillflow.hw.csr import OFFSETS
from stillflow.hw.layer import ConvShape
from stillflow.hw.presets import TINY
from stillflow.hw.top import Accelerator
from stillflow.sim.engine.base import (
    RESET_CYCLES,
    DramTiming,
    EngineUnavailable,
    SimulationError,
    Stalls,
    Traffic,
)
from stillflow.sim.engine.icarus import IcarusEngine
from stillflow.sim.engine.icarus_build import compile_verilog, find_icarus
from stillflow.sim.engine.pysim import PysimEngine
from stillflow.sim.engine.wrapper import ports
from stillflow.sim.execute import execute

RunCopy = Callable[..., int]
Start = Callable[..., IcarusEngine]

BITS = 64
DONE, FAILED = 0b010, 0b110  # STATUS after a job of the copy engine
# What Amaranth writes as a register's value at power-on; an ASIC has none.
_INITIAL_VALUE = re.compile(r"^( *reg (?:signed )?(?:\[\d+:0\] )?\w+) = [^;]+;$", re.MULTILINE)


def _spoilt(bits: int, output: str, driver: str) -> str:
    """Write the module around ``core`` that drives one of its outputs.

    The driver is an expression; ``own`` is what the core gives, ``late`` that of a cycle ago, and
    ``count`` counts cycles.
    """
    head, pins, width = ["input clk"], [".clk(clk)"], 0
    for name, is_input, size in ports(bits):
        head.append(f"{'input' if is_input else 'output'} [{size - 1}:0] {name}")
        pins.append(f".{name}({'own' if name == output else name})")
        width = size if name == output else width
    return (
        f"module stillflow({', '.join(head)});\n"
        f"  wire [{width - 1}:0] own;\n"
        f"  reg [{width - 1}:0] late, count = 0;\n"
        f"  always @(posedge clk) {{late, count}} <= {{own, count + 1'd1}};\n"
        f"  assign {output} = {driver};\n"
        f"  core core({', '.join(pins)});\n"
        "endmodule\n"
    )


@pytest.fixture(scope="session")
def icarus() -> None:
    """Skip without Icarus Verilog; fail where CI or STILLFLOW_CI says that it must be there."""
    try:
        find_icarus()
    except EngineUnavailable as error:
        if os.environ.get("CI") or os.environ.get("STILLFLOW_CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))


@pytest.fixture
def start(
    icarus: None, cache_dir: Path, verilog_file: Callable[[int], Path], tmp_path: Path
) -> Any:
    """Start the engine on the copy engine; ``spoil`` puts another driver at an output."""
    engines: list[IcarusEngine] = []

    def run(
        bits: int = BITS, *, spoil: tuple[str, str] | None = None, **options: Any
    ) -> IcarusEngine:
        file = verilog_file(bits)
        if spoil is not None:
            text = file.read_text() + _spoilt(bits, *spoil)
            file = tmp_path / "stillflow.v"
            file.write_text(text.replace("module stillflow(", "module core(", 1))
        options = {"memory_bytes": 1 << 16, "axi_data_bits": bits} | options
        engines.append(IcarusEngine.from_verilog([file], cache_dir=cache_dir, **options))
        return engines[-1]

    yield run
    for engine in engines:
        engine.close()


# -- as the other engines ------------------------------------------------------------------------


@pytest.mark.parametrize("bits", [32, 64, 512])
@pytest.mark.parametrize("rate", [3, 8, 200])
@pytest.mark.parametrize("seed", [None, 0, 2**63 + 5])
def test_agrees_with_pysim_to_the_cycle(
    start: Start,
    run_copy: RunCopy,
    copy_engine: Callable[..., wiring.Component],
    bits: int,
    rate: int,
    seed: int | None,
) -> None:
    options: dict[str, Any] = {
        "timing": DramTiming(latency=9, bytes_per_cycle=rate * bits // 64),
        "stalls": None if seed is None else Stalls(seed=seed, ar=0.5, aw=0.7, w=0.4, r=0.3, b=0.6),
        "memory_bytes": 1 << 16,
    }
    outcomes = []
    for engine in (start(bits, **options), PysimEngine(copy_engine(bits), **options)):
        waited = run_copy(engine, 75)
        engine.write_csr(OFFSETS["IRQ_STATUS"], 1)
        waited_again = run_copy(engine, 18, source=0x800, target=0x2000)
        status = engine.read_csr(OFFSETS["STATUS"])
        memory = engine.memory.tobytes()
        outcomes.append((waited, waited_again, engine.cycles, engine.traffic, status, memory))
    assert outcomes[0] == outcomes[1]
    assert outcomes[0][4] == DONE


def test_only_bytes_with_strobe_change(start: Start, run_copy: RunCopy) -> None:
    engine = start()
    engine.memory[:] = 0xA5
    engine.write_csr(OFFSETS["IRQ_ENABLE"], 0b0110_0001)
    run_copy(engine, 5)
    expected = engine.memory[:0x28].reshape(5, 8).copy()
    expected[:, [0, 5, 6]] = 0xA5
    assert np.array_equal(engine.memory[0x4000:0x4028].reshape(5, 8), expected)
    assert np.all(engine.memory[0x4028:] == 0xA5)


def test_memory_changed_between_jobs_is_what_the_core_reads(
    start: Start, run_copy: RunCopy
) -> None:
    engine = start(memory_bytes=1 << 15)
    for beats in (16, 15, 16):  # other data each time, but for the last
        run_copy(engine, beats)
        engine.write_csr(OFFSETS["IRQ_STATUS"], 1)
        assert np.array_equal(engine.memory[0x4000:][: beats * 8], engine.memory[: beats * 8])
        engine.memory[:] = 0


def test_memory_reaches_to_4_gib(start: Start, run_copy: RunCopy) -> None:
    engine = start(memory_bytes=1 << 32)
    run_copy(engine, 4, source=0x7FFF_FFE0, target=0xFFFF_FFE0)
    copied = engine.read_memory(0xFFFF_FFE0, 32)
    assert copied == engine.read_memory(0x7FFF_FFE0, 32)
    assert any(copied)


@pytest.mark.parametrize("where", ["source", "target"])
def test_addresses_beyond_the_memory_answer_decerr(
    start: Start, run_copy: RunCopy, where: str
) -> None:
    engine = start(memory_bytes=0x8000)
    engine.memory[:] = 0x11
    names = {"source": "PROGRAM_ADDRESS", "target": "RECORD_ADDRESS"}
    for name in names.values():
        engine.write_csr(OFFSETS[name], 0x8000 if name == names[where] else 0x2000)
    engine.write_csr(OFFSETS["PROGRAM_LENGTH"], 4)
    engine.write_csr(OFFSETS["CONTROL"], 1)
    engine.wait_irq(1000)
    assert engine.read_csr(OFFSETS["STATUS"]) == FAILED
    expected = np.full(0x8000, 0x11, np.uint8)
    if where == "source":
        expected[0x2000:0x2020] = 0
    assert np.array_equal(engine.memory, expected)


@pytest.mark.parametrize("fault", ["slverr", "decerr"])
@pytest.mark.parametrize(("channel", "index"), [("r", 20), ("w", 1)])
def test_an_injected_error_reaches_the_design(
    start: Start, run_copy: RunCopy, fault: str, channel: str, index: int
) -> None:
    engine = start()
    engine.inject(fault, channel, index)
    run_copy(engine, 32)
    assert engine.read_csr(OFFSETS["STATUS"]) == FAILED


@pytest.mark.parametrize(("channel", "index"), [("r", 5), ("w", 0)])
def test_a_silent_channel_goes_on_when_faults_are_cleared(
    start: Start, run_copy: RunCopy, channel: str, index: int
) -> None:
    engine = start()
    engine.inject("silent", channel, index)
    with pytest.raises(TimeoutError, match=r"^no interrupt within 2000 cycles$"):
        run_copy(engine, 32)
    assert (engine.traffic.read_beats if channel == "r" else engine.traffic.acknowledged) == index
    engine.clear_faults()
    engine.wait_irq(200)
    assert engine.read_csr(OFFSETS["STATUS"]) == DONE
    assert engine.read_memory(0x4000, 256) == engine.read_memory(0, 256)


def test_reset_forgets_what_is_in_flight(start: Start, run_copy: RunCopy) -> None:
    engine = start()
    engine.inject("slverr", "r", 3)
    engine.inject("silent", "r", 20)
    with pytest.raises(TimeoutError):
        run_copy(engine, 64)
    cycles = engine.cycles
    engine.reset()
    assert engine.cycles == cycles
    assert engine.traffic == Traffic(0, 0, 0, 0, 0)
    assert run_copy(engine, 8) == 2 * 40 + 15
    assert engine.irq
    engine.reset()
    assert not engine.irq


def test_a_burst_across_4_kib_is_reported_until_reset(start: Start) -> None:
    engine = start()
    engine.write_csr(OFFSETS["PROGRAM_ADDRESS"], 0xFC0)
    engine.write_csr(OFFSETS["PROGRAM_LENGTH"], 9)
    message = r"^cycle 6: read burst at 0x00000fc0 crosses 4 KiB with 9 beats$"
    with pytest.raises(SimulationError, match=message):
        engine.write_csr(OFFSETS["CONTROL"], 1)
    with pytest.raises(SimulationError, match=message):
        engine.wait_irq(100)
    engine.reset()
    engine.step(100)


def test_an_offer_that_changes_before_it_is_taken_is_reported(
    start: Start, run_copy: RunCopy
) -> None:
    engine = start(spoil=("m_axi_araddr", "{count[26:0], 5'd0}"), stalls=Stalls(ar=0.9))
    message = r"^cycle \d+: arvalid or its payload changed before arready$"
    with pytest.raises(SimulationError, match=message):
        run_copy(engine, 64)


def test_a_register_that_answers_an_error_raises(start: Start) -> None:
    engine = start()
    with pytest.raises(SimulationError, match=r"^register read at 0x080 answered SLVERR$"):
        engine.read_csr(0x80)
    with pytest.raises(SimulationError, match=r"^register write at 0x080 answered SLVERR$"):
        engine.write_csr(0x80, 1)


def test_no_answer_is_noticed(start: Start) -> None:
    engine = start(spoil=("s_axil_rvalid", "1'b0"))
    message = r"^no answer to a register read at 0x000 in 1000 cycles$"
    with pytest.raises(SimulationError, match=message):
        engine.read_csr(0)


# -- X -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("output", "driver", "message"),
    [
        ("irq", "1'bx", "cycle 1: irq is X"),
        ("m_axi_rready", "1'bz", "cycle 1: m_axi_rready is X"),
        ("m_axi_arvalid", "1'bx", "cycle 1: m_axi_arvalid is X"),
        ("m_axi_wvalid", "own ? 1'bx : 1'b0", "cycle 48: m_axi_wvalid is X"),
        ("m_axi_araddr", "own | 4'bxxxx", "cycle 8: m_axi_araddr is X"),
        ("m_axi_awlen", "own ^ 8'bx0000000", "cycle 8: m_axi_awlen is X"),
        ("m_axi_wlast", "own & 1'bx", "cycle 63: m_axi_wlast is X"),
        ("m_axi_wstrb", "own & 8'bx1111111", "cycle 48: m_axi_wstrb is X"),
        ("m_axi_wdata", "{own[63:9], 9'h1x1}", "m_axi_wdata[7:0] in write beat 0 is X"),
        (
            "m_axi_wdata",
            "count < 54 ? own : 64'hx << 60",
            "m_axi_wdata[63:56] in write beat 3 is X",
        ),
        ("s_axil_bresp", "own | 2'b0x", "cycle 2: s_axil_bresp is X"),
    ],
)
def test_an_x_that_leaves_the_core_is_named(
    start: Start, run_copy: RunCopy, output: str, driver: str, message: str
) -> None:
    engine = start(spoil=(output, driver))
    with pytest.raises(SimulationError, match=rf"^(cycle \d+: )?{re.escape(message)}$"):
        run_copy(engine, 16)


def test_an_x_in_a_register_that_is_read_is_named(start: Start) -> None:
    engine = start(spoil=("s_axil_rdata", "own | 32'hx"))
    with pytest.raises(SimulationError, match=r"^cycle 2: s_axil_rdata is X$"):
        engine.read_csr(OFFSETS["STATUS"])


def test_an_x_in_a_byte_without_strobe_does_no_harm(start: Start, run_copy: RunCopy) -> None:
    engine = start(spoil=("m_axi_wdata", "{own[63:8], 8'hxx}"))
    engine.memory[:] = 0xA5
    engine.write_csr(OFFSETS["IRQ_ENABLE"], 1)
    run_copy(engine, 16)
    copied = engine.memory[0x4000:0x4080].reshape(16, 8)
    assert np.all(copied[:, 0] == 0xA5)
    assert np.array_equal(copied[:, 1:], engine.memory[:0x80].reshape(16, 8)[:, 1:])


def test_payloads_without_valid_are_x(start: Start, run_copy: RunCopy) -> None:
    engine = start(spoil=("m_axi_wdata", "late"))  # before the first beat there was none
    message = r"^cycle 48: m_axi_wdata\[7:0\] in write beat 0 is X$"
    with pytest.raises(SimulationError, match=message):
        run_copy(engine, 16)


# -- the program and the process -----------------------------------------------------------------


def test_a_stop_in_the_verilog_is_reported_for_good(start: Start, run_copy: RunCopy) -> None:
    engine = start()
    run_copy(engine, 1)
    cycles = engine.cycles
    message = rf"^cycle {cycles}: the design stopped the simulation in line \d+ of .*stillflow\.v$"
    for call in (lambda: engine.write_csr(OFFSETS["WATCHDOG"], 1), engine.step, engine.reset):
        with pytest.raises(SimulationError, match=message):
            call()


def test_a_simulator_that_dies_is_reported(start: Start) -> None:
    engine = start()
    assert engine._process is not None
    engine._process.kill()
    engine._process.wait()
    with pytest.raises(SimulationError, match=r"^cycle 0: vvp ended: it said nothing$"):
        engine.step()


def test_closing_leaves_nothing_behind(start: Start) -> None:
    with start() as engine:
        engine.step(1)
        process, folder = engine._process, engine._folder
        assert process is not None
        assert folder is not None
        assert Path(folder.name).exists()
    assert process.poll() == 0
    assert not Path(folder.name).exists()
    engine.close()
    with pytest.raises(ValueError, match=r"^the engine is closed$"):
        engine.step(1)
    assert not engine.memory.any()  # stays readable


def test_ctrl_c_ends_the_simulator(start: Start) -> None:
    engine = start()
    process = engine._process
    assert process is not None
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        engine.step(1 << 40)
    assert process.poll() == -signal.SIGKILL
    with pytest.raises(ValueError, match=r"^the engine is closed$"):
        engine.step(1)


def test_a_width_that_is_not_the_designs_is_refused(start: Start) -> None:
    message = r"^axi_data_bits must be 64 with this design, not 32$"
    with pytest.raises(ValueError, match=message):
        start(64, axi_data_bits=32)


@pytest.mark.parametrize("suffix", ["vcd", "fst"])
def test_waveform_holds_the_run(
    start: Start, run_copy: RunCopy, tmp_path: Path, suffix: str
) -> None:
    wave = tmp_path / f"run.{suffix}"
    with start(wave=wave) as engine:
        run_copy(engine, 3)
        cycles = RESET_CYCLES + engine.cycles
    if suffix == "fst":
        assert wave.read_bytes()[:1] == b"\0"  # the first block: the header
        assert wave.stat().st_size > 500
        return
    text = wave.read_text()
    assert "m_axi_araddr" in text
    assert "1ps" in re.sub(r"\s", "", text.split("$timescale")[1].split("$end")[0])
    times = [int(line[1:]) for line in text.splitlines() if line.startswith("#")]
    assert times[-1] / 1e12 == pytest.approx(cycles * 10e-9, abs=10e-9)


def test_unknown_waveform_formats_are_refused(start: Start) -> None:
    with pytest.raises(ValueError, match=r"^wave must end in .fst or .vcd, not 'run.txt'$"):
        start(wave="run.txt")


def test_a_waveform_that_cannot_be_written_is_an_oserror(start: Start, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        start(wave=tmp_path / "nowhere" / "run.vcd")


def test_verilog_is_compiled_once(
    icarus: None, cache_dir: Path, verilog_file: Callable[[int], Path]
) -> None:
    said: list[str] = []
    options: dict[str, Any] = {"cache_dir": cache_dir / "once", "progress": said.append}
    first = compile_verilog([verilog_file(BITS)], axi_data_bits=BITS, **options)
    assert compile_verilog([verilog_file(BITS)], axi_data_bits=BITS, **options) == first
    assert said == ["compiling for Icarus Verilog"]
    assert compile_verilog([verilog_file(32)], axi_data_bits=32, **options) != first
    assert [path.suffix for path in (cache_dir / "once").iterdir()] == [".vvp", ".vvp"]


def test_wrong_verilog_is_reported(icarus: None, tmp_path: Path) -> None:
    file = tmp_path / "stillflow.v"
    file.write_text("module stillflow(input clk; endmodule\n")
    with pytest.raises(EngineUnavailable, match=r"^iverilog failed: .*stillflow\.v:1: "):
        compile_verilog([file], tmp_path / "cache", axi_data_bits=32)
    assert not list((tmp_path / "cache").iterdir())


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(EngineUnavailable, match=r"^the icarus engine needs iverilog and vvp$"):
        compile_verilog([], tmp_path, axi_data_bits=32)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            "echo 'Icarus Verilog version 10.3 (stable) ()'",
            "the icarus engine needs iverilog 11 or later, not 10.3",
        ),
        ("exit 3", "the icarus engine cannot run .*/iverilog"),
    ],
)
def test_an_icarus_that_does_not_do_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, body: str, message: str
) -> None:
    for name in ("iverilog", "vvp"):
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineUnavailable, match=f"^{message}$"):
        find_icarus()


# -- the accelerator -----------------------------------------------------------------------------


def _small_layer() -> tuple[Program, dict[str, Any]]:
    """Compile a convolution with padding and a bias; give the program and random inputs."""
    rng = np.random.default_rng(1)
    shape = ConvShape(C=3, H=4, W=4, M=5, R=3, S=3, pad=(1, 1, 1, 1))
    tensors = {
        "x": Tensor(name="x", shape=(1, 3, 4, 4), dtype="int8", scale=1.0, zero_point=3),
        "y": Tensor(name="y", shape=(1, 5, 4, 4), dtype="int8", scale=1.0, zero_point=-4),
    }
    layer = ConvLayer(
        name="conv", op="conv", shape=shape, ifmap="x", ofmap="y",
        filters=rng.integers(-128, 128, (5, 3, 3, 3)).astype(np.int8),
        bias=rng.integers(-1000, 1000, 5), scale=np.full(5, 0.001, np.float32),
        act_min=clip_range("int8")[0], act_max=clip_range("int8")[1],
    )  # fmt: skip
    ports = [
        (Port(name=name, shape=tensor.shape, dtype="int8", tensor=name),)
        for name, tensor in tensors.items()
    ]
    network = Network(
        name="small", inputs=ports[0], outputs=ports[1], tensors=tensors, layers=(layer,)
    )
    words = rng.integers(-128, 128, (1, 3, 4, 4)).astype(np.int8)
    return compile_network(network, TINY), {"x": words}


def test_the_accelerator_runs_as_in_pysim_without_power_on_values(
    icarus: None, cache_dir: Path, tmp_path: Path
) -> None:
    program, inputs = _small_layer()
    files, stripped = [tmp_path / path.name for path in verilog_files(TINY)], 0
    for source, file in zip(verilog_files(TINY), files, strict=True):
        text, count = _INITIAL_VALUE.subn(r"\1;", source.read_text())
        file.write_text(text)
        stripped += count
    assert stripped > 100
    options: dict[str, Any] = {
        "timing": DramTiming(latency=12, bytes_per_cycle=3),
        "stalls": Stalls(seed=5),
        "memory_bytes": 1 << 16,
    }
    outcomes = []
    for engine in (
        IcarusEngine.from_verilog(
            files, axi_data_bits=TINY.axi_data_bits, cache_dir=cache_dir, **options
        ),
        PysimEngine(Accelerator(TINY), **options),
    ):
        with engine:
            driver = Driver(engine)
            driver.load(program)
            outcome = execute(driver, program, inputs)
            assert outcome.mismatches("y") == 0
            memory = engine.memory.tobytes()
            outcomes.append((engine.cycles, engine.traffic, outcome.counters, memory))
    assert outcomes[0] == outcomes[1]


def test_it_can_be_chosen_by_name(icarus: None) -> None:
    said: list[str] = []
    name, engine = open_engine(TINY, engine="icarus", memory_bytes=1, progress=said.append)
    with engine:
        assert name == "icarus"
        assert isinstance(engine, IcarusEngine)
        assert engine.memory.size == 1 << 20
        assert engine.read_csr(OFFSETS["ARRAY"]) == TINY.rows | TINY.cols << 16
