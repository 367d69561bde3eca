"""One random case on one accelerator: RTL against golden and cost model."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from random import Random

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from stillflow.boards.engines import cache_folder, verilog_files
from stillflow.boards.errors import CheckFailed
from stillflow.compiler.cost.predict import predict
from stillflow.compiler.driver import Driver
from stillflow.compiler.mapper import candidates
from stillflow.compiler.program import compile_network
from stillflow.compiler.work import Plan
from stillflow.hw.config import AcceleratorConfig, Dataflow
from stillflow.hw.csr import Counter
from stillflow.hw.mapping import Mapping
from stillflow.hw.presets import EDGE8, TINY
from stillflow.sim.engine.library import build
from stillflow.sim.engine.settings import DramTiming, Stalls
from stillflow.sim.engine.verilator import VerilatorEngine
from stillflow.sim.execute import execute
from stillflow.sim.fuzz.coverage import Point, every_point, point_of, tiles_of
from stillflow.sim.fuzz.layers import Aim, Case, cases

CHANNELS = ("ar", "aw", "w", "r", "b")
FEW = 8  # trials of one kind; the first are simple
# Cases are large and slow on purpose.
SUPPRESSED = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example)


@cache
def library(config: AcceleratorConfig) -> Path:
    """Verilator's library of an accelerator."""
    return build(verilog_files(config), cache_folder(), axi_data_bits=config.axi_data_bits)


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One case on one accelerator.

    Parameters
    ----------
    config : AcceleratorConfig
        The accelerator.
    case : Case
        Layers and words.
    nest : int | None
        Seed of a nest to take instead of the mapper's.
    tiles : str
        Kind of the nest's tiles, if there is such a nest; see `tiles_of`.
    timing : DramTiming
        Of the DRAM.
    stalls : Stalls | None
        Of the bus; with them the cost model is not asked for cycles.
    """

    config: AcceleratorConfig
    case: Case
    nest: int | None
    tiles: str
    timing: DramTiming
    stalls: Stalls | None

    def _choose(self, plan: Plan, config: AcceleratorConfig) -> Mapping:
        kinds: dict[str, list[Mapping]] = {}
        for mapping in candidates(plan, config):
            kinds.setdefault(tiles_of(mapping), []).append(mapping)
        random = Random(self.nest)
        drawn = self.tiles if self.tiles in kinds else random.choice(list(kinds))
        return random.choice(kinds[drawn])

    def check(self) -> list[Point]:
        """Run the trial; return what kind each layer was of.

        Raises
        ------
        CheckFailed
            If a word differs from the golden model, or a counter from the cost model.
        """
        config, network = self.config, self.case.network
        program = compile_network(
            network, config, choose=self._choose if self.nest is not None else None
        )
        network = program.network  # with layers that this accelerator does in one pass
        with VerilatorEngine(
            library(config), axi_data_bits=config.axi_data_bits, timing=self.timing,
            memory_bytes=program.size, stalls=self.stalls,
        ) as engine:  # fmt: skip
            driver = Driver(engine)
            driver.load(program)
            outcome = execute(driver, program, self.case.words)
        for layer in network.layers:
            differing = outcome.mismatches(layer.ofmap)
            if differing:
                raise CheckFailed(f"{layer.name}: {differing} words differ from the golden model")
        predicted = predict(
            config, [(layer.mapping, layer.descriptor) for layer in program.layers],
            program_address=program.program_address, record_address=program.record_address,
            latency=self.timing.latency, bytes_per_cycle=self.timing.bytes_per_cycle,
        )  # fmt: skip
        # Bursts that wait cost cycles which the model does not know; everything else is the same.
        unknown = {Counter.CYCLES} if self.stalls else set()
        for layer, counted, expected in zip(
            network.layers, outcome.counters or (), predicted, strict=True
        ):
            for counter in set(Counter) - unknown:
                if counted[counter] != expected[counter]:
                    raise CheckFailed(
                        f"{layer.name}: {counter.name} is {counted[counter]}, the cost model says "
                        f"{expected[counter]}"
                    )
        return [
            point_of(layer, compiled.mapping, stalled=self.stalls is not None)
            for layer, compiled in zip(network.layers, program.layers, strict=True)
        ]


@st.composite
def trials(draw: st.DrawFn, configs: Sequence[AcceleratorConfig], aim: Point) -> Trial:
    """Draw a case for one of some accelerators, its first layer of a kind if that can be."""
    config = draw(
        st.sampled_from([c for c in configs if c.dataflow.value == aim.dataflow] or configs)
    )
    rate = draw(st.sampled_from([None, None, 1, config.axi_bytes // 2, config.axi_bytes + 1]))
    stalls = None
    if aim.stall == "random":
        chances = {c: draw(st.sampled_from([0.0, 0.1, 0.5, 0.95])) for c in CHANNELS}
        stalls = Stalls(seed=draw(st.integers(0, 2**32 - 1)), **chances)
    layer = Aim(op=aim.op, stride=aim.stride, padding=aim.padding, group=aim.group)
    return Trial(
        config=config,
        case=draw(cases(config, layer)),
        tiles=aim.tiles,
        nest=draw(st.one_of(st.none(), *[st.integers(0, 2**32 - 1)] * 2)),
        timing=DramTiming(latency=draw(st.sampled_from([40, 1, 2, 7, 200])), bytes_per_cycle=rate),
        stalls=stalls,
    )


def presets() -> tuple[AcceleratorConfig, ...]:
    """Small presets in every dataflow."""
    return tuple(
        replace(preset, name=f"{preset.name}_{flow}", dataflow=flow)
        for preset in (TINY, EDGE8)
        for flow in Dataflow
    )


def run_trials(
    configs: Sequence[AcceleratorConfig],
    count: int,
    start: int,
    told: Callable[[list[Point]], object],
) -> None:
    """Run so many trials, tell of each; shrink the first that fails, print and raise it.

    A few trials at a time aim at one bin of the cross of all kinds, then at the next.
    """
    random = Random(start)
    aims = every_point()
    random.shuffle(aims)
    each = max(FEW, -(-count // len(aims)))
    for turn, first in enumerate(range(0, count, each)):
        aim = aims[turn % len(aims)]
        _run_aimed(configs, min(each, count - first), aim, random.getrandbits(64), told)


def _run_aimed(
    configs: Sequence[AcceleratorConfig],
    count: int,
    aim: Point,
    start: int,
    told: Callable[[list[Point]], object],
) -> None:
    @seed(start)
    @settings(
        max_examples=count, database=None, deadline=None, print_blob=True,
        phases=(Phase.generate, Phase.shrink), suppress_health_check=SUPPRESSED,
    )  # fmt: skip
    @given(trial=trials(configs, aim))
    def every_trial_is_exact(trial: Trial) -> None:
        told(trial.check())

    every_trial_is_exact()
