"""A block under test: clock, reset, and ports as numbers or lists of numbers."""

import random
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, Timer

from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.descriptor import FIELDS
from stillflow.hw.unit import port_signals
from stillflow.sim.cocotb_tb.blocks.catalogue import PREFIX, block_benches
from stillflow.sim.cocotb_tb.settings import Settings

PERIOD_NS = 10


def inputs_of(handle: Any, config: AcceleratorConfig) -> list[str]:
    """Names of a block's inputs, clock and reset apart; the top is called after the block."""
    component = block_benches(config)[handle._name.removeprefix(PREFIX)].make(config)
    return [name for name, is_input, _ in port_signals(component) if is_input]


class Dut:
    """Make it with `start`, inside a cocotb test.

    Attributes
    ----------
    config : AcceleratorConfig
        What the block was made for.
    random : Random
        Seeded with the run's seed.
    """

    def __init__(self, handle: Any) -> None:
        settings = Settings.load()
        self.handle, self.config = handle, settings.config
        self.random = random.Random(settings.seed)
        self.rng = np.random.default_rng(settings.seed)

    @staticmethod
    async def start(handle: Any, **inputs: int) -> "Dut":
        """Drive all inputs, start the clock and reset the block."""
        dut = Dut(handle)
        for name in inputs_of(handle, dut.config):
            getattr(handle, name).value = 0
        dut.set(**inputs)
        has_reset = hasattr(handle, "rst")
        if has_reset:
            handle.rst.value = 1
        if hasattr(handle, "clk"):
            Clock(handle.clk, PERIOD_NS, unit="ns").start(start_high=False)
            await dut.tick()
            await dut.tick()
        if has_reset:
            handle.rst.value = 0
        return dut

    def has(self, name: str) -> bool:
        """Whether there is such a port."""
        return hasattr(self.handle, name)

    def set(self, **values: Any) -> None:
        """Drive ports that exist; a list fills a packed vector, its first word lowest."""
        for name, value in values.items():
            signal = getattr(self.handle, name)
            width = len(signal)
            if isinstance(value, Sequence | np.ndarray):
                bits = width // len(value)
                mask = (1 << bits) - 1
                value = sum((int(word) & mask) << (bits * i) for i, word in enumerate(value))
            signal.value = int(value) & ((1 << width) - 1)

    def set_layer(self, fields: Mapping[str, Any]) -> None:
        """Drive the ports of ``i_layer``; fields that are not given are zero."""
        for field in FIELDS:
            if self.has(port := f"i_layer_{field.name}"):
                self.set(**{port: fields.get(field.name, 0)})

    def get(self, name: str) -> int:
        """Read a port as an unsigned number."""
        value = getattr(self.handle, name).value
        return value.to_unsigned() if hasattr(value, "to_unsigned") else int(value)

    def words(self, name: str, count: int) -> list[int]:
        """Read a packed vector of signed words."""
        value = self.get(name)
        bits = len(getattr(self.handle, name)) // count
        words = [value >> (bits * i) & ((1 << bits) - 1) for i in range(count)]
        return [word - (word >> (bits - 1) << bits) for word in words]

    async def tick(self) -> None:
        """Let a rising edge pass: inputs were driven before it, outputs are those after it."""
        await FallingEdge(self.handle.clk)

    async def settle(self) -> None:
        """Let combinational outputs follow the inputs of this cycle."""
        await Timer(1, "ns")

    def word(self, bits: int) -> int:
        """Draw a signed word, its ends more often."""
        half = 1 << (bits - 1)
        return self.random.choice([-half, half - 1, self.random.randrange(-half, half)])

    def coin(self, chance: float) -> bool:
        """Draw whether something happens."""
        return self.random.random() < chance
