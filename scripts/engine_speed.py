#!/usr/bin/env python3
"""Print how many cycles per second of processor time the fast engine runs.

Usage: engine_speed.py [CONFIG]. Runs AlexNet CONV3 with random data.
"""

import sys
import time

from stillflow.boards.engines import open_engine
from stillflow.compiler.driver import Driver
from stillflow.compiler.program import compile_network
from stillflow.compiler.synthetic import synthetic_inputs, synthetic_network
from stillflow.compiler.workload import load_workload
from stillflow.hw.csr import Counter
from stillflow.hw.presets import PRESETS


def main(name: str = "edge16") -> None:
    """Run one layer and print the speed."""
    config = PRESETS[name]
    network = synthetic_network(load_workload("alexnet", layers=["CONV3"]), config, seed=0)
    program = compile_network(network, config)
    engine, device = open_engine(config, engine="verilator", memory_bytes=program.size)
    with device:
        driver = Driver(device)
        driver.load(program)
        for tensor, words in synthetic_inputs(network, seed=0).items():
            driver.write_tensor(program, tensor, words)
        began = time.process_time()
        cycles = driver.run(program).total[Counter.CYCLES]
        seconds = time.process_time() - began
    print(f"{engine}, {name}: {cycles:,} cycles in {seconds:.2f} s of processor time, "
          f"{cycles / seconds / 1000:,.0f} k cycles/s")  # fmt: skip


if __name__ == "__main__":
    main(*sys.argv[1:])
