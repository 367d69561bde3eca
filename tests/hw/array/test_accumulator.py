"""Psum memory and adders against a dictionary."""

from hypothesis import given, settings
from hypothesis import strategies as st

from stillflow.hw.array.accumulator import Accumulator
from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.timing import hazard
from stillflow.sim import bench

CONFIGS = [
    AcceleratorConfig(
        rows=4, cols=2, glb_kib=1, axi_data_bits=32, requant_lanes=1,
        acc_bits=acc_bits, act_bits=bits, weight_bits=bits, operand_registers=registers,
    )
    for acc_bits, bits in ((32, 8), (24, 8), (30, 8), (48, 16)) for registers in (False, True)
]  # fmt: skip


class Model:
    """What the accumulator knows: psums by entry, biases as they were swapped in."""

    def __init__(self):
        self.psums = {}
        self.biases: list[int] | None = None

    def take(self, vector):
        entry, first, maximum, sums = (vector[k] for k in ("entry", "first", "maximum", "sums"))
        if first:
            assert self.biases is not None
            base, join = self.biases, int.__add__
        else:
            base, join = self.psums[entry], max if maximum else int.__add__
        self.psums[entry] = [join(a, b) for a, b in zip(base, sums, strict=True)]
        return self.psums[entry]


def draw_vector(random, model, config, last_used, cycle):
    """Draw a vector that keeps to the hazard distance, often exactly; or none."""
    entries = [e for e, used in last_used.items() if cycle - used >= hazard(config)]
    exact = [e for e in entries if cycle - last_used[e] == hazard(config)]
    fresh = [e for e in range(config.psum_depth) if e not in last_used]
    if random.random() < 0.1:
        return None
    if exact and random.random() < 0.7:
        entry, first = exact[0], random.random() < 0.2
    elif entries and random.random() < 0.5:
        entry, first = random.choice(entries), random.random() < 0.2
    elif fresh:
        entry, first = random.choice(fresh), True
    else:
        return None
    half = 1 << (config.psum_bits - 1)
    drawn = [random.choice([-half, half - 1, random.randrange(-half, half)])
             for _ in range(config.m_block)]  # fmt: skip
    return {
        "entry": entry,
        "first": first or entry not in model.psums,
        "final": random.random() < 0.3,
        "maximum": random.random() < 0.5,
        "sums": drawn,
    }


@settings(max_examples=16)
@given(config=st.sampled_from(CONFIGS), random=st.randoms(use_true_random=True))
def test_psums_match_a_model_at_the_closest_distance(config, random):
    dut = Accumulator(config)
    columns, bits = range(config.m_block), config.weight_bits
    model = Model()
    # Biases to which any sum may be added once.
    limit = (1 << (config.acc_bits - 1)) - (1 << (config.psum_bits - 1))
    # Slices still to shift, lowest first; then what they make.
    slices, shifted = [], None
    closest = 0

    def next_biases():
        biases = [random.choice([-limit, limit, random.randrange(-limit, limit)]) for _ in columns]
        mask = (1 << bits) - 1
        lines = [[bias >> (bits * i) & mask for bias in biases] for i in range(config.bias_lines)]
        return biases, lines

    async def drive(ctx):
        nonlocal slices, shifted, closest
        last_used, sums, held = {}, [0] * config.m_block, None
        stages: list[dict | None] = [None] * dut.latency
        pending, slices = next_biases()
        for cycle in range(150):
            swap = shifted is not None and random.random() < 0.2
            if swap:
                model.biases, shifted = shifted, None
                pending, slices = next_biases()
            shift = bool(slices) and not swap
            ctx.set(dut.i_bias_shift, shift)
            if shift:
                ctx.set(dut.i_line, slices.pop(0))
                shifted = None if slices else pending
            ctx.set(dut.i_bias_swap, swap)
            vector = None
            if model.biases is not None:
                vector = draw_vector(random, model, config, last_used, cycle)
            ctx.set(dut.i_valid, vector is not None)
            ctx.set(dut.i_sums, sums)
            if vector is not None:
                closest += cycle - last_used.get(vector["entry"], -9) == hazard(config)
                # No psum overflows; the larger of two never does.
                large = max(map(abs, model.psums.get(vector["entry"], [0])))
                vector["first"] |= large >= limit and not vector["maximum"]
                for key in ("first", "final", "maximum"):
                    ctx.set(getattr(dut, f"i_{key}"), vector[key])
                ctx.set(dut.i_address, vector["entry"])
                vector["psums"] = model.take(vector)
                last_used[vector["entry"]] = cycle
                if vector["final"]:
                    del last_used[vector["entry"]], model.psums[vector["entry"]]
                sums = vector["sums"]
            assert ctx.get(dut.o_read) == (vector is not None and not vector["first"])
            await ctx.tick()
            stages = [vector, *stages[:-1]]
            done = stages[-1]
            assert ctx.get(dut.o_write) == (done is not None and not done["final"])
            assert ctx.get(dut.o_valid) == (done is not None and done["final"])
            if done is not None:
                held = done["psums"]
            if held is not None:
                assert [ctx.get(dut.o_psums[col]) for col in columns] == held

    bench.run(dut, drive)
    assert closest > 5
