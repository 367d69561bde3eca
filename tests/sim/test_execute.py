from contextlib import nullcontext
from random import Random

import numpy as np
import pytest

from stillflow.boards.engines import open_engine
from stillflow.compiler.driver import Driver
from stillflow.compiler.program import compile_network
from stillflow.hw.csr import ID_VALUE, OFFSETS, RECORD_BYTES, Counter
from stillflow.hw.descriptor import BYTES
from stillflow.hw.presets import TINY
from stillflow.sim.execute import execute, execute_layers, golden_outcome
from stillflow.sim.golden.network import run_layer
from tests.networks import draw_network, draw_words

NETWORK = draw_network(Random(31), TINY, layers=4)
PROGRAM = compile_network(NETWORK, TINY)
WORDS = draw_words(Random(31), NETWORK)


class GoldenDevice:
    """Computes with the golden model what lies in its memory; layer n takes 10**n cycles.

    ``spoil`` names a tensor of which one word comes out wrong, ``deaf`` means: nothing computes.
    """

    def __init__(self, spoil="", deaf=False):
        self.memory = np.zeros(PROGRAM.size, np.uint8)
        self.registers = {OFFSETS["ID"]: ID_VALUE, OFFSETS["ARRAY"]: TINY.rows | TINY.cols << 16}
        self.spoil, self.deaf = spoil, deaf

    def write_csr(self, offset, value):
        self.registers[offset] = value

    def read_csr(self, offset):
        return self.registers.get(offset, 0)

    def write_memory(self, address, content):
        self.memory[address : address + len(content)] = np.frombuffer(content, np.uint8)

    def read_memory(self, address, length):
        return self.memory[address : address + length].tobytes()

    def wait_irq(self, max_cycles, *, progress=None):
        first = (self.registers[OFFSETS["PROGRAM_ADDRESS"]] - PROGRAM.program_address) // BYTES
        count = self.registers[OFFSETS["PROGRAM_LENGTH"]]
        host, cycles = Driver(self), 0
        for number in range(first, first + count):
            if not self.deaf:
                self._compute(host, NETWORK.layers[number])
            cycles += 10**number
            place = PROGRAM.record_address + RECORD_BYTES * (number - first + 1)
            self.write_memory(place + 8 * Counter.CYCLES, cycles.to_bytes(8, "little"))
        self.registers |= {0x80: cycles, OFFSETS["IRQ_STATUS"]: 1}
        if progress is not None:
            progress(cycles)
        return cycles

    def _compute(self, host, layer):
        ifmap = host.read_tensor(PROGRAM, layer.ifmap) if layer.ifmap != "t0" else WORDS["t0"]
        tensors = NETWORK.tensors
        ofmap = run_layer(layer, ifmap, tensors[layer.ifmap], tensors[layer.ofmap])
        if layer.ofmap == self.spoil:
            ofmap = ofmap.copy()
            ofmap.flat[-1] ^= 1
        host.write_tensor(PROGRAM, layer.ofmap, ofmap)


def cycles_of(outcome):
    return [layer[Counter.CYCLES] for layer in outcome.counters]


def test_a_run_gives_every_ofmap_the_golden_words_and_the_counters():
    seen = []
    outcome = execute(Driver(GoldenDevice()), PROGRAM, WORDS, progress=seen.append)
    assert set(outcome.tensors) == {layer.ofmap for layer in NETWORK.layers}
    assert cycles_of(outcome) == [1, 10, 100, 1000]
    assert seen == [1111]
    for name, words in outcome.tensors.items():
        assert outcome.mismatches(name) == 0
        assert words.dtype == NETWORK.tensors[name].dtype
        np.testing.assert_array_equal(words, outcome.golden[name])


@pytest.mark.parametrize("tensor", ["t1", "t4"])
def test_one_wrong_word_is_counted(tensor):
    outcome = execute(Driver(GoldenDevice(spoil=tensor)), PROGRAM, WORDS)
    assert outcome.mismatches(tensor) == 1
    # Words that the network computes from the wrong one may differ too.
    assert set(outcome.tensors) == {"t1", "t2", "t3", "t4"}


def test_ofmaps_of_an_earlier_run_do_not_pass_for_results():
    device = GoldenDevice()
    driver = Driver(device)
    assert execute(driver, PROGRAM, WORDS).mismatches("t4") == 0
    device.deaf = True
    outcome = execute(driver, PROGRAM, WORDS)
    for layer in NETWORK.layers:
        size = NETWORK.tensors[layer.ofmap].dtype
        zero = 128 if size == "uint8" else 0
        assert np.all(outcome.tensors[layer.ofmap] == zero)
        assert outcome.mismatches(layer.ofmap) > 0


def test_without_a_device_there_are_golden_words_and_no_counters():
    outcome = golden_outcome(PROGRAM, WORDS)
    expected = execute(Driver(GoldenDevice()), PROGRAM, WORDS).golden
    assert outcome.counters is None
    for layer in NETWORK.layers:
        np.testing.assert_array_equal(outcome.tensors[layer.ofmap], expected[layer.ofmap])
        assert outcome.mismatches(layer.ofmap) == 0


def test_layers_run_side_by_side_each_on_the_golden_ifmap():
    done = []
    outcome = execute_layers(
        lambda: nullcontext(GoldenDevice(spoil="t1")), PROGRAM, WORDS, jobs=2, progress=done.append
    )
    assert done == [layer.name for layer in NETWORK.layers]
    assert cycles_of(outcome) == [1, 10, 100, 1000]
    assert [outcome.mismatches(layer.ofmap) for layer in NETWORK.layers] == [1, 0, 0, 0]


def test_a_layer_costs_the_same_alone_as_in_the_program_on_the_rtl():
    def open_device():
        return open_engine(TINY, engine="verilator", memory_bytes=PROGRAM.size)[1]

    with open_device() as device:
        driver = Driver(device)
        driver.load(PROGRAM)
        together = execute(driver, PROGRAM, WORDS)
    alone = execute_layers(open_device, PROGRAM, WORDS, jobs=2)
    assert alone.counters == together.counters
    for layer in NETWORK.layers:
        assert together.mismatches(layer.ofmap) == 0
        assert alone.mismatches(layer.ofmap) == 0
