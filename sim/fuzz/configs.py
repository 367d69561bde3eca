"""Accelerators of any size that works, drawn from a seed."""

from dataclasses import replace
from random import Random

from stillflow.hw.config import AcceleratorConfig, Dataflow

SLICED = 0.25  # part of the accelerators with register slices
REGISTERED = 0.25  # ... with registers before operands
SERIAL = 0.15  # part of the accelerators whose requantiser is serial: they take long
MOST_ROWS = 20  # larger arrays build slowly and find nothing else


def draw_config(random: Random, name: str, dataflow: Dataflow) -> AcceleratorConfig:
    """Draw a configuration: sizes that are no powers of two, narrow and wide words and buses.

    Parameters
    ----------
    random : Random
        Source of choices.
    name : str
        The configuration's.
    dataflow : Dataflow
        What stays in a PE.
    """
    while True:
        act_bits, weight_bits = random.choice([(8, 8), (8, 8), (8, 16), (16, 8), (16, 16)])
        axi_data_bits = random.choice([32, 64, 128])
        try:
            made = AcceleratorConfig(
                name=name,
                rows=random.randint(1, MOST_ROWS),
                cols=random.randint(1, MOST_ROWS),
                dataflow=dataflow,
                act_bits=act_bits,
                weight_bits=weight_bits,
                acc_bits=48 if act_bits + weight_bits > 16 else random.choice([32, 36]),
                glb_kib=random.choice([2, 3, 4, 8, 13, 32, 64]),
                axi_data_bits=axi_data_bits,
                requant_lanes=1,
                requant_serial=random.random() < SERIAL,
                max_burst_beats=random.choice([1, 3, 8, 16, 16]),
                outstanding_reads=random.choice([2, 3, 8, 32]),
                axi_slices=random.random() < SLICED,
                operand_registers=random.random() < REGISTERED,
                pool_windows=random.choice([0, 2, 7, 64]),
                activation_kib=random.choice([0, 0, 1, 16]),
                address_bits=random.choice([27, 32]),
                count_bits=random.choice([13, 16]),
                counter_bits=random.choice([33, 48]),
            )
            if dataflow == Dataflow.ROW_STATIONARY:
                made = replace(made, **_spads(random))
        except ValueError:  # such a memory is too small for such an array
            continue
        lanes = [n for n in range(1, made.m_block + 1) if made.m_block % n == 0]
        return replace(made, requant_lanes=random.choice(lanes))


def _spads(random: Random) -> dict[str, int]:
    """Draw scratchpads, from ones that hold a single word to those of the default."""
    return {
        "ifmap_spad": random.choice([1, 2, 5, 7, 12, 16]),
        "filter_spad": random.choice([2, 9, 45, 100, 224]),
        "psum_spad": random.choice([1, 2, 5, 24]),
    }


def draw_configs(seed: int, count: int) -> tuple[AcceleratorConfig, ...]:
    """Draw so many configurations, each dataflow in turn."""
    random = Random(seed)
    flows = tuple(Dataflow)
    return tuple(
        draw_config(random, f"drawn{i}_{flows[i % len(flows)]}", flows[i % len(flows)])
        for i in range(count)
    )
