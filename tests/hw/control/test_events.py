from amaranth.hdl import Module, Signal
from hypothesis import given, settings
from hypothesis import strategies as st

from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.control.events import CounterEvents, event_words
from stillflow.hw.csr import Counter
from stillflow.hw.words import SegmentKind
from stillflow.sim import bench

CONFIG = AcceleratorConfig(
    rows=6, cols=10, glb_kib=8, axi_data_bits=64, requant_lanes=1, weight_bits=16, acc_bits=32
)
FLAGS = {
    "i_busy": (Counter.CYCLES, 1),
    "i_read_beat": (Counter.DRAM_READ_BYTES, 8),
    "i_write_beat": (Counter.DRAM_WRITE_BYTES, 8),
    "i_residual_read": (Counter.IFMAP_READS, 10),
    "i_ofmap_write": (Counter.OFMAP_WRITES, 10),
    "i_ofmap_spill": (Counter.OFMAP_SPILLS, 2),
    "i_layer_end": (Counter.LAYERS, 1),
}

ARRAY = {
    "lines": (Counter.FILTER_READS, 10),
    "shift": (Counter.CHAIN_SHIFTS, 1),
    "step": (Counter.WEIGHT_SWAPS, 1),
    "psum_read": (Counter.PSUM_READS, 10),
    "psum_write": (Counter.PSUM_WRITES, 10),
}


@settings(max_examples=60)
@given(
    flags=st.fixed_dictionaries({name: st.booleans() for name in FLAGS}),
    moved=st.booleans(),
    beat=st.tuples(st.booleans(), st.sampled_from(list(SegmentKind)), st.integers(0, 255)),
    array=st.fixed_dictionaries({name: st.booleans() for name in (*ARRAY, "progress")}),
    vector=st.tuples(st.booleans(), st.integers(1, 6), st.integers(1, 6)),
)
def test_words_are_counted_where_they_move(flags, moved, beat, array, vector):
    dut = CounterEvents(CONFIG)
    wanted = dict.fromkeys(Counter, 0)
    units = {counter: unit for counter, (_, unit) in event_words(CONFIG).items()}
    for name, happens in flags.items():
        counter, words = FLAGS[name]
        wanted[counter] = words * happens
    for name, (counter, words) in ARRAY.items():
        wanted[counter] = words * array[name]
    if beat[0] and beat[1] in (SegmentKind.IFMAP, SegmentKind.PADDING, SegmentKind.RESIDUAL):
        wanted[Counter.IFMAP_FILLS] = beat[2].bit_count()
    if beat[0] and beat[1] == SegmentKind.FILTER:
        wanted[Counter.FILTER_FILLS] = 4
    if vector[0]:
        wanted[Counter.MAC_CYCLES] = 1
        wanted[Counter.IFMAP_READS] += vector[1]
        wanted[Counter.MAC_LANES] = vector[2]
    progress = moved or flags["i_read_beat"] or flags["i_write_beat"] or array["progress"]

    async def drive(ctx):
        for name, happens in flags.items():
            ctx.set(getattr(dut, name), happens)
        ctx.set(dut.i_moved, moved)
        for signal, value in zip((dut.i_beat, dut.i_kind, dut.i_mask), beat, strict=True):
            ctx.set(signal, value)
        shown = dict(zip(("vector", "lanes", "weights"), vector, strict=True))
        ctx.set(dut.i_array, array | shown | {"mac": vector[0]})
        events = {c: ctx.get(dut.o_events[c.name.lower()]) for c in Counter}
        assert {c: units[c] * n for c, n in events.items()} == wanted
        assert ctx.get(dut.o_progress) == progress

    m = Module()
    m.submodules.dut = dut
    m.d.sync += Signal().eq(0)  # all of it is combinational
    bench.run(m, drive)
