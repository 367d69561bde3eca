"""Figures of the ``eyeriss`` preset beside those of the chip (JSSC 2017)."""

from collections.abc import Callable, Iterator

from stillflow.boards.targets.figure import Figure
from stillflow.boards.targets.one_level import OneLevel, least_traffic
from stillflow.boards.targets.reports import counted, dram_bytes, of_type, reported, utilisation
from stillflow.compiler.counts import layer_macs
from stillflow.compiler.workload import Workload, load_workload
from stillflow.hw.csr import Counter
from stillflow.hw.layer import ConvShape
from stillflow.hw.presets import EYERISS

CLOCK_HZ = 200_000_000
BATCHES = {"alexnet": 4, "vgg16": 3}
ARRAY_SIDE = (
    Counter.IFMAP_READS, Counter.PSUM_READS, Counter.PSUM_WRITES, Counter.OFMAP_WRITES,
)  # fmt: skip
GLB = {
    "ifmap and psums on the array's side": ARRAY_SIDE,
    "all": (
        *ARRAY_SIDE, Counter.FILTER_READS, Counter.IFMAP_FILLS, Counter.FILTER_FILLS,
        Counter.OFMAP_SPILLS,
    ),
}  # fmt: skip


def eyeriss_figures(say: Callable[[str], None]) -> Iterator[Figure]:
    """CONV layers of AlexNet and VGG-16 on the chip's array and memory."""
    for name, target, bound, rate, chip, chip_rate in (
        ("alexnet", 86, 89.6, 43, "chip 76.6, 68.7 with DRAM time", "chip 34.7"),
        ("vgg16", 95, 99, 2.0, "chip 36.5, 31.8 with DRAM time", "chip 0.7"),
    ):
        say(f"{name} on eyeriss")
        batch = BATCHES[name]
        layers = reported(conv_of(name), EYERISS)
        subject = f"eyeriss, {name}, {batch} images"
        yield Figure(
            subject=f"{subject}: utilisation, CONV", measured=utilisation(layers, EYERISS),
            target=target, bound=bound, comparison=chip,
        )  # fmt: skip
        cycles = sum(layer["cycles"] for layer in layers)
        yield Figure(
            subject=f"{subject}: frames a second at 200 MHz, CONV", unit="frames/s",
            measured=batch * CLOCK_HZ / cycles, target=rate, comparison=chip_rate,
        )  # fmt: skip
    yield from traffic_figures(say)
    say("buffer words on eyeriss")
    layers = counted(conv_of("vgg16"), EYERISS, "energy")
    macs = sum(layer_macs(layer) for layer, _ in layers)
    for (which, taken), target, bound in zip(
        GLB.items(), (0.02, 0.035), (0.017, 0.030), strict=True
    ):
        words = sum(counters[counter] for _, counters in layers for counter in taken)
        yield Figure(
            subject=f"eyeriss, vgg16, --objective energy: buffer words per MAC, {which}",
            measured=words / macs, target=target, bound=bound, unit="words", at_most=True,
            comparison="chip 0.12",
        )  # fmt: skip


def traffic_figures(say: Callable[[str], None]) -> Iterator[Figure]:
    """DRAM bytes over those of the best tiling of one memory with psums as wide as here."""
    memory = OneLevel(
        bytes=EYERISS.glb_kib * 1024, word_bytes=EYERISS.act_bytes, psum_bytes=EYERISS.acc_bits // 8
    )
    for name, batch in BATCHES.items():
        say(f"DRAM bytes of {name} on eyeriss")
        moved = sum(dram_bytes(counters) for _, counters in counted(conv_of(name), EYERISS, "dram"))
        least = least_bytes(name, memory)
        yield Figure(
            subject=f"eyeriss, {name}, {batch} images, --objective dram: DRAM bytes over the best "
            f"one-level tiling's {least / 1e6:.1f} MB",
            measured=moved / least, target=1.15, bound=1, unit="ratio", at_most=True,
        )  # fmt: skip


def conv_of(name: str) -> Workload:
    """CONV layers of a network, with as many images as were measured on the chip."""
    return of_type(load_workload(name, batch=BATCHES[name]), "conv")


def least_bytes(name: str, memory: OneLevel) -> int:
    """Fewest bytes that the CONV layers of a network move."""
    shapes = [e.shape for e in conv_of(name).entries if isinstance(e.shape, ConvShape)]
    return sum(least_traffic(shape, memory) for shape in shapes)
