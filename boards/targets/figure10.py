"""Energy of AlexNet by level of memory, beside figure 10 of the Eyeriss paper (ISCA 2016)."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from stillflow.boards.targets.figure import Figure
from stillflow.boards.targets.reports import counted, dram_bytes
from stillflow.compiler.counts import EnergyCosts, accesses, layer_macs
from stillflow.compiler.workload import load_workload
from stillflow.hw.presets import EYERISS

BATCH = 16
#: 256 PEs and 128 KiB; psums here have 48 bits, the paper's 16.
CONFIG = replace(EYERISS, name="figure10", rows=16, cols=16, glb_kib=128, requant_lanes=16)
#: DRAM energy of each layer in the figure, in 10^9 MACs.
DRAM = {
    "CONV1": 2.46, "CONV2": 2.27, "CONV3": 2.02, "CONV4": 1.57, "CONV5": 1.05,
    "FC6": 7.78, "FC7": 3.39, "FC8": 0.84,
}  # fmt: skip


def figure10_figures(say: Callable[[str], None]) -> Iterator[Figure]:
    """Scratchpad accesses per MAC, and DRAM energy over the paper's, by counted words."""
    say("figure 10 of ISCA 2016")
    spent, macs, kept = {"conv": 0.0, "fc": 0.0}, 0, 0
    for layer, counters in counted(load_workload("alexnet", batch=BATCH), CONFIG, "dram"):
        words = accesses(counters, CONFIG)
        spent[layer.op] += EnergyCosts().dram * dram_bytes(counters) / CONFIG.act_bytes / 1e9
        macs += layer_macs(layer)
        kept += words.of("spad_reads") + words.spad_writes_psum
    subject = f"ISCA 2016 figure 10, AlexNet, {BATCH} images"
    yield Figure(
        subject=f"{subject}: scratchpad accesses per MAC, fills apart", measured=kept / macs,
        target=4.08, bound=4, unit="ratio", at_most=True,
    )  # fmt: skip
    for kind, target in (("conv", 1.0), ("fc", 1.05)):
        paper = sum(value for name, value in DRAM.items() if name.lower().startswith(kind))
        yield Figure(
            subject=f"{subject}, --objective dram: DRAM energy of {kind.upper()} over the paper's",
            measured=spent[kind] / paper, target=target, unit="ratio", at_most=True,
        )  # fmt: skip
