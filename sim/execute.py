"""Runs a compiled network on a device and holds it to the golden model."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stillflow.compiler.driver import Driver, JobCounters
from stillflow.compiler.program import Program
from stillflow.sim.golden.network import run_network

Words = NDArray[np.integer]


@dataclass(frozen=True, kw_only=True, eq=False)
class Outcome:
    """One run.

    Parameters
    ----------
    tensors : Mapping[str, ndarray]
        Every ofmap, as the device wrote it to DRAM.
    golden : Mapping[str, ndarray]
        The golden model's, from the same inputs.
    counters : JobCounters
        Of the device.
    """

    tensors: Mapping[str, Words]
    golden: Mapping[str, Words]
    counters: JobCounters

    def mismatches(self, tensor: str) -> int:
        """Words of a tensor that differ."""
        return int(np.count_nonzero(self.tensors[tensor] != self.golden[tensor]))


def execute(
    driver: Driver,
    program: Program,
    inputs: Mapping[str, Words],
    *,
    progress: Callable[[int], None] | None = None,
) -> Outcome:
    """Run the loaded program once on these inputs and compute the golden tensors.

    Ofmaps are wiped before the run, so that nothing of an earlier one can pass for a result.

    Parameters
    ----------
    driver : Driver
        With the program loaded.
    program : Program
        The program.
    inputs : Mapping[str, ndarray]
        Words of the graph inputs by tensor name.
    progress : callable, optional
        Called with the cycles so far.
    """
    for name, words in inputs.items():
        driver.write_tensor(program, name, words)
    for layer in program.network.layers:
        size = program.layouts[layer.ofmap].bytes
        driver.transport.write_memory(program.addresses[layer.ofmap], bytes(size))
    counters = driver.run(program, progress=progress)
    tensors = {
        layer.ofmap: driver.read_tensor(program, layer.ofmap) for layer in program.network.layers
    }
    golden = run_network(program.network, dict(inputs))
    return Outcome(tensors=tensors, golden=golden, counters=counters)
