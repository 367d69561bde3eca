from hypothesis import given, settings
from hypothesis import strategies as st

from stillflow.hw.fir import Fir, most_strip
from stillflow.hw.sequencer.fir_lines import FirLines
from stillflow.sim import bench
from tests.hw.layers import set_layer
from tests.hw.sequencer.nests import config_of


@settings(max_examples=30)
@given(
    rows=st.integers(1, 16),
    tap_rows=st.integers(1, 5),
    tap_columns=st.integers(1, 5),
    stride=st.integers(1, 2),
    random=st.randoms(use_true_random=True),
)
def test_lines_without_a_tap_are_zero(rows, tap_rows, tap_columns, stride, random):
    most = most_strip(rows, tap_rows, tap_columns, stride)
    if most == 0:
        tap_rows = tap_columns = 1
        most = None
    fir = Fir(
        chain=rows, tap_rows=tap_rows, tap_columns=tap_columns,
        strip=random.randint(1, most or 5), stride=stride,
    )  # fmt: skip
    taps = {fir.lead + s * fir.rows + r for s in range(tap_columns) for r in range(tap_rows)}
    dut = FirLines(config_of(rows, 1, 8, 32))

    async def drive(ctx):
        layer = {"tap_lead": fir.lead, "tap_run": tap_rows, "tap_gap": min(fir.gap, 255)}
        set_layer(ctx, dut, layer)
        ctx.set(dut.i_restart, 1)
        await ctx.tick()
        for _ in range(2):
            for line in range(rows):
                ctx.set(dut.i_restart, 0)
                ctx.set(dut.i_step, 0)
                await ctx.tick().repeat(random.randint(1, 2))
                assert ctx.get(dut.o_zero) == (line not in taps)
                ctx.set(dut.i_step, 1)
                ctx.set(dut.i_restart, line == rows - 1)
                await ctx.tick()

    bench.run(dut, drive)
