"""The pixels of depthwise steps against a literal walk."""

from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from stillflow.hw.fir import Fir
from stillflow.hw.sequencer.fir_walk import FirWalk
from stillflow.sim import bench
from tests.hw.layers import set_layer
from tests.hw.sequencer.nests import NO_SHRINK, config_of

CONFIGS = [config_of(4, 4, 4, 32, 4), config_of(8, 4, 4, 32, 2), config_of(12, 8, 8, 64)]


def strips_of(fir, images, rows, columns, stride, places):
    """For each strip its vectors: ``address, pixel or None, column_last``."""
    element, pitch, image, pixel_size = places
    for n, first in product(range(images), range(0, rows, fir.strip)):
        height = min(fir.strip, rows - first)
        vectors = []
        for x, y in product(range((columns - 1) * stride[1] + fir.tap_columns), range(fir.rows)):
            e, e_rest = divmod(y - fir.tap_rows + 1, stride[0])
            f, f_rest = divmod(x - fir.tap_columns + 1, stride[1])
            complete = e >= 0 and f >= 0 and not e_rest and not f_rest and e < height
            row = first * stride[0] + y
            vectors.append(
                (
                    element + n * image + row * pitch + x * pixel_size,
                    (n * rows + first + e) * columns + f if complete else None,
                    complete and e == height - 1,
                )
            )
            if complete and (e, f) == (height - 1, columns - 1):
                break
        yield vectors


def run_step(config, random):
    fir = Fir(
        chain=100, tap_rows=random.randint(1, 3), tap_columns=random.randint(1, 3),
        strip=random.randint(1, 4), stride=random.randint(1, 2),
    )  # fmt: skip
    stride = fir.stride, random.randint(1, 3)
    images, rows, columns = (random.randint(1, most) for most in (2, 5, 4))
    final, pitch, image = random.random() < 0.6, random.randint(20, 60), random.randint(100, 300)
    element, psum = random.randrange(64), 0
    dut = FirWalk(config)
    pace = config.pace if final else 1
    size = 1 << len(dut.o_address)
    room_rate = random.choice([0.2, 1])

    async def drive(ctx):
        layer = {
            "tap_run": fir.tap_rows, "tap_columns": fir.tap_columns, "strip_rows": fir.strip,
            "fir_rows": fir.rows, "emit_stride_e": stride[0], "emit_stride_f": stride[1],
            "strip_stride": fir.strip * stride[0] * pitch, "stride_n": image,
            "buffer_stride_h": pitch, "pf": columns,
        }  # fmt: skip
        block = {
            "element": element, "psum": psum, "images": images, "rows": rows, "columns": columns,
            "final": final,
        }  # fmt: skip
        set_layer(ctx, dut, layer)
        ctx.set(dut.i_block, block)
        ctx.set(dut.i_start, 1)
        await ctx.tick()
        ctx.set(dut.i_start, 0)
        places = element, pitch, image, config.channel_block
        strips = list(strips_of(fir, images, rows, columns, stride, places))
        for number, strip in enumerate(strips):
            if number:
                waits = 0
                while True:
                    room = random.random() < room_rate
                    ctx.set(dut.i_room, room)
                    assert ctx.get(dut.o_active)
                    assert not ctx.get(dut.o_valid)
                    await ctx.tick()
                    waits += 1
                    if room or not final:
                        break
                assert waits == 1 or final
            for place, (address, pixel, column_last) in enumerate(strip):
                assert ctx.get(dut.o_valid)
                assert ctx.get(dut.o_first) == (number == place == 0)
                assert ctx.get(dut.o_address) == address % size
                assert ctx.get(dut.o_emits) == (pixel is not None)
                ends = place == len(strip) - 1
                if pixel is not None:
                    assert ctx.get(dut.o_psum) == pixel
                    assert ctx.get(dut.o_column_last) == column_last
                    assert ctx.get(dut.o_strip_last) == ends
                    for _ in range(pace - 1):
                        await ctx.tick()
                        assert not ctx.get(dut.o_valid)
                assert ctx.get(dut.o_finishing) == (ends and number == len(strips) - 1)
                await ctx.tick()
        assert not ctx.get(dut.o_active)

    bench.run(dut, drive, cycles=20_000)


@settings(max_examples=40, phases=NO_SHRINK)
@given(config=st.sampled_from(CONFIGS), random=st.randoms(use_true_random=True))
def test_vectors_are_those_of_a_literal_walk(config, random):
    run_step(config, random)
