"""Runs compiled networks on a device and holds them to the golden model."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np
from numpy.typing import NDArray

from stillflow.compiler.driver import Driver, Transport
from stillflow.compiler.graph import read_tensors
from stillflow.compiler.program import Program
from stillflow.hw.csr import Counter
from stillflow.sim.golden.network import assembled, run_network

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
    counters : tuple[Mapping[Counter, int], ...], optional
        What each layer added to the device's counters; none where there was no device.
    """

    tensors: Mapping[str, Words]
    golden: Mapping[str, Words]
    counters: tuple[Mapping[Counter, int], ...] | None

    def mismatches(self, tensor: str) -> int:
        """Words of a tensor that differ."""
        return int(np.count_nonzero(self.tensors[tensor] != self.golden[tensor]))


def golden_outcome(program: Program, inputs: Mapping[str, Words]) -> Outcome:
    """Run the golden model alone."""
    golden = run_network(program.network, dict(inputs))
    return Outcome(tensors=golden, golden=golden, counters=None)


def execute(
    driver: Driver,
    program: Program,
    inputs: Mapping[str, Words],
    *,
    progress: Callable[[int], None] | None = None,
) -> Outcome:
    """Run the loaded program once from one doorbell, and compute the golden tensors.

    Tensors in the activation memory share their places: each layer that makes such a one runs once
    more, by itself on the golden model's ifmaps, and its ofmap is copied out. What the doorbell's
    run makes of them is seen in what is in DRAM.

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
    network = program.network
    stored = [layer.ofmap for layer in network.layers if not program.on_chip(layer.ofmap)]
    for name in stored:
        driver.clear_tensor(program, name)  # nothing of an earlier run can pass for a result
    counters = driver.run(program, progress=progress)
    made = {name: driver.read_tensor(program, name) for name in stored}
    golden = run_network(program.network, dict(inputs))
    for index, layer in enumerate(network.layers):
        if program.on_chip(layer.ofmap):
            made[layer.ofmap], _ = _alone(driver, program, index, golden)
    tensors = made | assembled(network, made)
    return Outcome(tensors=tensors, golden=golden, counters=counters.layers)


def _alone(
    driver: Driver, program: Program, index: int, golden: Mapping[str, Words]
) -> tuple[Words, Mapping[Counter, int]]:
    """Run a layer by itself on the golden model's ifmaps: its ofmap, and what it adds."""
    layer = program.network.layers[index]
    driver.clear_tensor(program, layer.ofmap)
    for name in read_tensors(layer):
        driver.write_tensor(program, name, golden[name])
    counters = driver.run(program, layers=range(index, index + 1))
    return driver.read_tensor(program, layer.ofmap), counters.layers[0]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Work:
    """What the worker processes inherit: a job's arguments are copied by fork, not pickled."""

    program: Program
    golden: Mapping[str, Words]
    open_device: Callable[[], AbstractContextManager[Transport]]


_inherited: list[_Work] = []


def _run_layer(index: int) -> tuple[int, Words, Mapping[Counter, int]]:
    work = _inherited[-1]
    with work.open_device() as device:
        driver = Driver(device)
        driver.load(work.program)
        return index, *_alone(driver, work.program, index, work.golden)


def execute_layers(
    open_device: Callable[[], AbstractContextManager[Transport]],
    program: Program,
    inputs: Mapping[str, Words],
    *,
    jobs: int,
    progress: Callable[[str], None] | None = None,
) -> Outcome:
    """Run every layer by itself on the golden model's ifmap, several processes side by side.

    A layer costs the same alone as in the program, so the counters are those of `execute`.

    Parameters
    ----------
    open_device : callable
        Opens a device of its own in each process.
    program : Program
        The program.
    inputs : Mapping[str, ndarray]
        Words of the graph inputs by tensor name.
    jobs : int
        Processes, at least 1.
    progress : callable, optional
        Called with the name of each layer that is done.
    """
    golden = run_network(program.network, dict(inputs))
    layers = program.network.layers
    _inherited.append(_Work(program=program, golden=golden, open_device=open_device))
    try:
        results = dict(_results(len(layers), jobs, lambda i: progress and progress(layers[i].name)))
    finally:
        _inherited.pop()
    tensors = {layer.ofmap: results[index][0] for index, layer in enumerate(layers)}
    return Outcome(
        tensors=tensors | assembled(program.network, tensors),
        golden=golden,
        counters=tuple(results[index][1] for index in range(len(layers))),
    )


def _results(
    count: int, jobs: int, done: Callable[[int], object]
) -> Iterator[tuple[int, tuple[Words, Mapping[Counter, int]]]]:
    with ProcessPoolExecutor(jobs, mp_context=get_context("fork")) as pool:
        for index, words, counters in pool.map(_run_layer, range(count)):
            done(index)
            yield index, (words, counters)
