"""The C driver on the simulated device: compiled, called through ctypes, every return code."""

import ctypes
import subprocess
from enum import IntEnum

import numpy as np
import pytest

from stillflow.boards.engines import open_engine
from stillflow.boards.inputs import random_inputs
from stillflow.compiler.c import driver_files
from stillflow.compiler.driver import Driver
from stillflow.compiler.frontend import load_network, quantize
from stillflow.compiler.header import c_header
from stillflow.compiler.models import DIGITS
from stillflow.compiler.program import compile_network
from stillflow.hw.csr import OFFSETS, Counter, ErrorCode
from stillflow.hw.descriptor import BYTES
from stillflow.hw.presets import EDGE8, TINY
from stillflow.sim.engine.base import DramTiming
from stillflow.sim.golden.network import run_network

GCC = ["gcc", "-std=c99", "-O1", "-Wall", "-Wextra", "-Werror", "-pedantic", "-ffreestanding"]
POLL_CYCLES = 50
MANY = 1 << 20
READ = ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.c_void_p, ctypes.c_uint32)
WRITE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint32)


class Status(IntEnum):
    OK = 0
    NO_DEVICE = 1
    OTHER_ARRAY = 2
    BUSY = 3
    TIMEOUT = 4
    FAILED = 5
    NO_JOB = 6
    ARGUMENT = 7


class Bus(ctypes.Structure):
    _fields_ = [("read", READ), ("write", WRITE), ("context", ctypes.c_void_p)]


class Job(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_uint32)
        for name in ("program_address", "layers", "record_address", "watchdog")
    ]


class Failure(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint32) for name in ("code", "address", "layer")]


def build(folder, config):
    for name, text in driver_files().items():
        (folder / name).write_text(text)
    (folder / "stillflow.h").write_text(c_header(config))
    library = folder / "driver.so"
    source = folder / "stillflow_driver.c"
    subprocess.run([*GCC, "-shared", "-fPIC", str(source), "-o", str(library)], check=True)
    return ctypes.CDLL(str(library))


class Device:
    """A simulated accelerator with the digits network in its memory."""

    def __init__(self, library, engine):
        self.c, self.engine = library, engine
        self.network = load_network(DIGITS)
        self.program = compile_network(self.network, TINY)
        self.network = self.program.network
        self.host = Driver(engine)
        self.host.load(self.program)
        self.bus = Bus(READ(self.read), WRITE(self.write), None)

    def read(self, _, offset):
        if offset in (OFFSETS["STATUS"], OFFSETS["IRQ_STATUS"]):
            self.engine.step(POLL_CYCLES)
        return self.engine.read_csr(offset)

    def write(self, _, offset, value):
        self.engine.write_csr(offset, value)

    def job(self, **changes):
        fields = {
            "program_address": self.program.program_address,
            "layers": len(self.program.layers),
            "record_address": self.program.record_address,
            "watchdog": 1 << 20,
        }
        return Job(**fields | changes)

    def call(self, name, *arguments):
        passed = [ctypes.byref(a) if isinstance(a, ctypes.Structure) else a for a in arguments]
        return Status(getattr(self.c, name)(ctypes.byref(self.bus), *passed))


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return build(tmp_path_factory.mktemp("driver"), TINY)


@pytest.fixture
def device(library):
    _, engine = open_engine(
        TINY, engine="verilator", timing=DramTiming(latency=40), memory_bytes=1 << 20
    )
    with engine:
        yield Device(library, engine)


def test_a_job_classifies_a_digit(device):
    network, program = device.network, device.program
    inputs = random_inputs(network, 1)
    words = {
        port.tensor: quantize(port, network.tensors[port.tensor], inputs[port.name])
        for port in network.inputs
    }
    for name, tensor in words.items():
        device.host.write_tensor(program, name, tensor)
    failure = Failure(code=99)
    assert device.call("sf_probe") == Status.OK
    assert device.call("sf_run", device.job(), MANY, failure) == Status.OK
    assert failure.code == 99
    assert not device.engine.irq
    golden = run_network(network, words)
    for layer in network.layers:
        assert np.array_equal(device.host.read_tensor(program, layer.ofmap), golden[layer.ofmap])
    value = ctypes.c_uint64()
    assert device.call("sf_counter", int(Counter.LAYERS), ctypes.byref(value)) == Status.OK
    assert value.value == len(network.layers)
    assert device.call("sf_counter", int(Counter.CYCLES), ctypes.byref(value)) == Status.OK
    assert 10_000 < value.value < 1_000_000
    assert device.call("sf_counter", len(Counter), ctypes.byref(value)) == Status.ARGUMENT


@pytest.mark.parametrize(
    "changes",
    [{"layers": 0}, {"layers": 1 << 16}, {"program_address": 4}, {"record_address": 64}],
    ids=str,
)
def test_arguments_out_of_range_start_nothing(device, changes):
    assert device.call("sf_start", device.job(**changes)) == Status.ARGUMENT
    assert device.call("sf_wait", 3, None) == Status.NO_JOB


def test_a_second_job_waits_for_the_first(device):
    assert device.call("sf_start", device.job()) == Status.OK
    assert device.call("sf_start", device.job()) == Status.BUSY
    assert device.call("sf_wait", 3, None) == Status.TIMEOUT
    assert device.call("sf_wait", MANY, None) == Status.OK
    assert device.call("sf_wait", MANY, None) == Status.NO_JOB


def test_a_job_can_be_abandoned(device):
    assert device.call("sf_start", device.job()) == Status.OK
    assert device.call("sf_reset", 0) == Status.TIMEOUT
    assert device.call("sf_reset", MANY) == Status.OK
    assert device.call("sf_wait", 3, None) == Status.NO_JOB
    assert device.call("sf_run", device.job(), MANY, None) == Status.OK


def test_an_error_says_what_and_where(device):
    second = device.program.program_address + BYTES
    device.engine.write_memory(second, bytes(BYTES))
    failure = Failure()
    assert device.call("sf_run", device.job(), MANY, failure) == Status.FAILED
    assert (failure.code, failure.address, failure.layer) == (ErrorCode.DESCRIPTOR, second, 1)
    assert device.call("sf_run", device.job(), MANY, None) == Status.FAILED
    assert not device.engine.irq


def test_another_device_is_refused(device, tmp_path):
    device.c = build(tmp_path, EDGE8)
    assert device.call("sf_probe") == Status.OTHER_ARRAY
    device.bus = Bus(READ(lambda context, offset: 0), device.bus.write, None)
    assert device.call("sf_probe") == Status.NO_DEVICE
