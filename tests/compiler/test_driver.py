from dataclasses import replace
from random import Random

import numpy as np
import pytest

from stillflow.compiler.driver import DeviceError, Driver
from stillflow.compiler.program import compile_network
from stillflow.hw.csr import COUNTER_BASE, ID_VALUE, OFFSETS, REGISTERS, Access, Counter, ErrorCode
from stillflow.hw.descriptor import BYTES
from stillflow.hw.presets import TINY
from tests.networks import draw_network, draw_words

NETWORK = draw_network(Random(4), TINY, layers=3)
PROGRAM = compile_network(NETWORK, TINY)


class Device:
    """Registers and memory; a job writes records of counters that the test chose."""

    def __init__(self, *, status=1, done=3, error=(0, 0), **registers):
        self.registers = {register.offset: register.reset for register in REGISTERS}
        self.registers[OFFSETS["ARRAY"]] = TINY.rows | TINY.cols << 16
        self.registers |= {OFFSETS[name]: value for name, value in registers.items()}
        self.memory = np.zeros(PROGRAM.size, np.uint8)
        self.log = []
        self.status, self.done, self.error = status, done, error
        self.rng = np.random.default_rng(8)
        self.records, self.end = np.zeros((0, 16), np.int64), np.zeros(16, np.int64)

    def write_csr(self, offset, value):
        register = next(r for r in REGISTERS if r.offset == offset)
        assert register.access != Access.READ_ONLY
        assert value >> register.bits == 0
        self.log.append((register.name, value))
        if register.access == Access.READ_WRITE:
            self.registers[offset] = value

    def read_csr(self, offset):
        if offset >= COUNTER_BASE:
            counter, high = divmod((offset - COUNTER_BASE) // 4, 2)
            return int(self.end[counter]) >> 32 * high & 0xFFFF_FFFF
        return self.registers[offset]

    def write_memory(self, address, content):
        self.memory[address : address + len(content)] = np.frombuffer(content, np.uint8)

    def read_memory(self, address, length):
        return self.memory[address : address + length].tobytes()

    def wait_irq(self, max_cycles, *, progress=None):
        self.log.append(("wait", max_cycles))
        count = self.registers[OFFSETS["PROGRAM_LENGTH"]] + 1
        steps = self.rng.integers(0, 1 << 40, (count, len(Counter)))
        self.records = steps.cumsum(axis=0)
        self.end = self.records[-1] + 7
        place = self.registers[OFFSETS["RECORD_ADDRESS"]]
        self.write_memory(place, self.records.astype("<u8").tobytes())
        self.registers[OFFSETS["IRQ_STATUS"]] = self.status
        self.registers[OFFSETS["LAYER"]] = self.done
        self.registers[OFFSETS["ERROR_CODE"]], self.registers[OFFSETS["ERROR_ADDRESS"]] = self.error
        return 1


def test_a_job_is_a_sequence_of_register_writes():
    device = Device()
    driver = Driver(device)
    driver.load(PROGRAM)
    assert device.log == []
    driver.run(PROGRAM, max_cycles=77)
    assert device.log == [
        ("PROGRAM_ADDRESS", PROGRAM.program_address),
        ("PROGRAM_LENGTH", 3),
        ("RECORD_ADDRESS", PROGRAM.record_address),
        ("IRQ_STATUS", 3),
        ("IRQ_ENABLE", 3),
        ("CONTROL", 1),
        ("wait", 77),
        ("IRQ_STATUS", 3),
    ]


def test_loading_copies_every_segment():
    device = Device()
    Driver(device).load(PROGRAM)
    expected = np.zeros(PROGRAM.size, np.uint8)
    for address, content in PROGRAM.segments.items():
        expected[address : address + len(content)] = np.frombuffer(content, np.uint8)
    np.testing.assert_array_equal(device.memory, expected)


def test_counters_are_split_by_layer_and_add_up():
    device = Device()
    counted = Driver(device).run(PROGRAM)
    assert len(counted.layers) == 3
    for counter in Counter:
        before, *after = (int(record[counter]) for record in device.records)
        # What comes after the last record belongs to the last layer.
        after[-1] = int(device.end[counter])
        assert counted.total[counter] == after[-1]
        assert [layer[counter] for layer in counted.layers] == [
            now - then for then, now in zip([before, *after], after, strict=False)
        ]
    assert max(counted.total.values()) >> 32, "high words must matter"


def test_narrow_counters_may_start_anew_between_records():
    program = replace(PROGRAM, config=replace(TINY, counter_bits=16))
    device = Device()
    run = device.wait_irq

    def wait_irq(*arguments, **keywords):
        cycles = run(*arguments, **keywords)
        narrow = device.records % (1 << 16)
        device.write_memory(PROGRAM.record_address, narrow.astype("<u8").tobytes())
        for counter in Counter:
            device.registers[COUNTER_BASE + 8 * counter] = int(device.end[counter]) % (1 << 16)
            device.registers[COUNTER_BASE + 8 * counter + 4] = 0
        return cycles

    device.wait_irq = wait_irq
    counted = Driver(device).run(program)
    added = device.records[1:] - device.records[:-1]
    for layer, wanted in zip(counted.layers[:-1], added[:-1], strict=True):
        assert layer == {c: int(wanted[c]) % (1 << 16) for c in Counter}
    assert counted.layers[-1] == {
        c: int(device.end[c] - device.records[-2][c]) % (1 << 16) for c in Counter
    }


def test_some_layers_run_alone():
    device = Device()
    counted = Driver(device).run(PROGRAM, layers=range(1, 2))
    assert ("PROGRAM_ADDRESS", PROGRAM.program_address + BYTES) in device.log
    assert ("PROGRAM_LENGTH", 1) in device.log
    (layer,) = counted.layers
    # Not the last layer: the way from its completion to the interrupt is not its own.
    assert layer == {c: int(device.records[1][c] - device.records[0][c]) for c in Counter}


def test_tensors_come_back_as_they_were_written():
    device = Device()
    driver = Driver(device)
    words = draw_words(Random(9), NETWORK)["t0"]
    for name in ("t1", "t2", "t3"):
        tensor = NETWORK.tensors[name]
        words = np.resize(words, tensor.shape).astype(tensor.dtype)
        driver.write_tensor(PROGRAM, name, words)
        found = driver.read_tensor(PROGRAM, name)
        assert found.dtype == tensor.dtype
        np.testing.assert_array_equal(found, words)


def test_an_unsigned_word_lies_in_memory_less_128():
    device = Device()
    name = next(n for n, t in NETWORK.tensors.items() if t.dtype == "uint8")
    tensor = NETWORK.tensors[name]
    Driver(device).write_tensor(PROGRAM, name, np.full(tensor.shape, 130, np.uint8))
    assert device.memory[PROGRAM.addresses[name]] == 2


def test_another_core_is_refused():
    with pytest.raises(
        DeviceError, match=rf"^the ID register must read {ID_VALUE:#010x}, not 0x00001234$"
    ):
        Driver(Device(ID=0x1234))


def test_a_program_for_another_array_is_refused():
    device = Device(ARRAY=8 | 16 << 16)
    with pytest.raises(DeviceError, match=r"^the program is for a 4x4 array, the device has 8x16$"):
        Driver(device).load(PROGRAM)
    assert not device.memory.any()


@pytest.mark.parametrize(
    ("done", "name"), [(0, "layer1"), (2, "layer3"), (3, "layer3")], ids=["first", "last", "after"]
)
def test_a_failed_job_says_where_and_why(done, name):
    device = Device(status=2, done=done, error=(ErrorCode.WRITE_DECERR, 0xBEEF))
    with pytest.raises(DeviceError, match=rf"^layer {name} failed: WRITE_DECERR at 0x0000beef$"):
        Driver(device).run(PROGRAM)
    # The interrupt is acknowledged all the same.
    assert device.log[-1] == ("IRQ_STATUS", 3)


def test_a_failed_job_of_some_layers_names_the_right_one():
    device = Device(status=2, done=1, error=(ErrorCode.WATCHDOG, 0))
    with pytest.raises(DeviceError, match=r"^layer layer3 failed: WATCHDOG at 0x00000000$"):
        Driver(device).run(PROGRAM, layers=range(1, 3))
