from amaranth.hdl import Module, Signal
from hypothesis import given, settings
from hypothesis import strategies as st

from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.control.events import CounterEvents
from stillflow.hw.csr import Counter
from stillflow.hw.words import LineKind, SegmentKind
from stillflow.sim import bench

CONFIG = AcceleratorConfig(
    rows=6, cols=10, glb_kib=8, axi_data_bits=64, requant_lanes=1, weight_bits=16, acc_bits=32
)
FLAGS = {
    "i_busy": (Counter.CYCLES, 1),
    "i_read_beat": (Counter.DRAM_READ_BYTES, 8),
    "i_write_beat": (Counter.DRAM_WRITE_BYTES, 8),
    "i_start": (Counter.WEIGHT_SWAPS, 1),
    "i_psum_read": (Counter.PSUM_READS, 10),
    "i_psum_write": (Counter.PSUM_WRITES, 10),
    "i_ofmap_write": (Counter.OFMAP_WRITES, 10),
    "i_ofmap_spill": (Counter.OFMAP_SPILLS, 2),
    "i_layer_end": (Counter.LAYERS, 1),
}


@settings(max_examples=60)
@given(
    flags=st.fixed_dictionaries({name: st.booleans() for name in FLAGS}),
    moved=st.booleans(),
    beat=st.tuples(st.booleans(), st.sampled_from(list(SegmentKind)), st.integers(0, 255)),
    command=st.tuples(st.booleans(), st.booleans(), st.sampled_from(list(LineKind))),
    vector=st.tuples(st.booleans(), st.integers(1, 6)),
)
def test_words_are_counted_where_they_move(flags, moved, beat, command, vector):
    dut = CounterEvents(CONFIG)
    wanted = dict.fromkeys(Counter, 0)
    for name, happens in flags.items():
        counter, words = FLAGS[name]
        wanted[counter] = words * happens
    if beat[0] and beat[1] in (SegmentKind.IFMAP, SegmentKind.PADDING):
        wanted[Counter.IFMAP_FILLS] = beat[2].bit_count()
    if beat[0] and beat[1] == SegmentKind.FILTER:
        wanted[Counter.FILTER_FILLS] = 4
    if command[0]:
        wanted[Counter.FILTER_READS] = 0 if command[1] else 10
        wanted[Counter.CHAIN_SHIFTS] = int(command[2] == LineKind.WEIGHT)
    if vector[0]:
        wanted[Counter.MAC_CYCLES] = 1
        wanted[Counter.MAC_LANES] = wanted[Counter.IFMAP_READS] = vector[1]
    progress = moved or flags["i_read_beat"] or flags["i_write_beat"] or command[0] or vector[0]

    async def drive(ctx):
        for name, happens in flags.items():
            ctx.set(getattr(dut, name), happens)
        ctx.set(dut.i_moved, moved)
        for signal, value in zip((dut.i_beat, dut.i_kind, dut.i_mask), beat, strict=True):
            ctx.set(signal, value)
        fields = zip(("valid", "zero", "kind"), command, strict=True)
        ctx.set(dut.i_command, dict(fields))
        ctx.set(dut.i_vector.valid, vector[0])
        ctx.set(dut.i_lanes, vector[1])
        assert {c: ctx.get(dut.o_amounts[c]) for c in Counter} == wanted
        assert ctx.get(dut.o_progress) == progress

    m = Module()
    m.submodules.dut = dut
    m.d.sync += Signal().eq(0)  # all of it is combinational
    bench.run(m, drive)
