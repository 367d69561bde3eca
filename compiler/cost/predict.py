"""Every counter of every layer of a program, as the hardware will show them."""

from collections.abc import Mapping as Fields
from collections.abc import Sequence

from stillflow.compiler.cost.counters import predict_counters
from stillflow.compiler.cost.replay import predict_cycles
from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.csr import Counter
from stillflow.hw.mapping import Mapping


def predict(
    config: AcceleratorConfig,
    layers: Sequence[tuple[Mapping, Fields[str, int]]],
    *,
    program_address: int,
    record_address: int,
    latency: int = 40,
    bytes_per_cycle: int | None = None,
) -> tuple[dict[Counter, int], ...]:
    """Predict what each layer of a program adds to the counters.

    Parameters
    ----------
    config : AcceleratorConfig
        The accelerator.
    layers : sequence of (Mapping, descriptor fields)
        In the order of the program.
    program_address, record_address : int
        Of the first descriptor and of the first record.
    latency, bytes_per_cycle : int
        Of the DRAM; by default it moves a beat per cycle.

    Returns
    -------
    tuple[dict[Counter, int], ...]
        As the driver reads them: the last layer's include what follows its end.
    """
    cycles = predict_cycles(
        config, layers, program_address=program_address, record_address=record_address,
        latency=latency, bytes_per_cycle=bytes_per_cycle,
    )  # fmt: skip
    return tuple(
        {Counter.CYCLES: taken} | predict_counters(mapping, fields, last=index == len(layers) - 1)
        for index, ((mapping, fields), taken) in enumerate(zip(layers, cycles, strict=True))
    )
