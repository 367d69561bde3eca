"""From the buffers through the array to the ofmap words: the part without decisions."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.array.accumulator import Accumulator
from stillflow.hw.array.weight_stationary import WeightStationaryArray
from stillflow.hw.buffer.filter import FilterBuffer, filter_position_bits
from stillflow.hw.buffer.ifmap import IfmapBuffer
from stillflow.hw.config import AcceleratorConfig, ceil_log2
from stillflow.hw.dataflow.ports import connect_fill, connect_psums
from stillflow.hw.post.post import PostProcessor
from stillflow.hw.signals import delayed
from stillflow.hw.words import LineCommand, LineKind, SegmentKind, Vector

COMMAND_DELAY = 2  # a weight line meets its lane offset's step: see Datapath


class Datapath(wiring.Component):
    """Buffers, array, accumulator and post-processing, each vector a fixed time behind the other.

    With a step's start in cycle ``s`` and its first vector in ``s + 1``: lane offsets change after
    ``s``, activations meet the weights in ``s + 4``, weights change after ``s + 3``. A line command
    in cycle ``w`` moves its lane offset at once and its weights in ``w + 3``. So a block whose last
    command came before ``s`` is whole, and the next one may begin in ``s`` itself. With
    ``operand_registers`` all this but the lane offsets is as much later for weights as for vectors.

    Parameters
    ----------
    config : AcceleratorConfig
        The accelerator.

    Members
    -------
    i_clear : ``In(1)``
        Start of a layer: the filter buffer is empty.
    i_beat, i_kind, i_data, i_element, i_mask
        Beats from the reader.
    o_loaded, o_loads : filter lines since the clear, and whether there is one more
    i_command : ``In(LineCommand)``
    i_start, i_vector
        Steps from the streamer.
    i_depthwise, i_pad_value, i_zero_point, i_min, i_max
        Of the layer.
    o_valid, o_words, o_column_last, o_strip_last
        Ofmap vectors, with the marks of theirs.
    o_psum_read, o_psum_write : for the counters
    """

    i_clear: Signal
    i_beat: Signal
    i_kind: Signal
    i_data: Signal
    i_element: Signal
    i_mask: Signal
    o_loaded: Signal
    o_loads: Signal
    i_command: data.View
    i_start: Signal
    i_vector: data.View
    i_depthwise: Signal
    i_pad_value: Signal
    i_zero_point: Signal
    i_min: Signal
    i_max: Signal
    o_valid: Signal
    o_words: data.View
    o_column_last: Signal
    o_strip_last: Signal
    o_psum_read: Signal
    o_psum_write: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        act = signed(config.act_bits)
        super().__init__(
            {
                "i_clear": In(1),
                "i_beat": In(1),
                "i_kind": In(SegmentKind),
                "i_data": In(config.axi_data_bits),
                "i_element": In(ceil_log2(config.ifmap_elements)),
                "i_mask": In(config.axi_elements),
                "o_loaded": Out(filter_position_bits(config)),
                "o_loads": Out(1),
                "i_command": In(LineCommand(config)),
                "i_start": In(1),
                "i_vector": In(Vector(config)),
                "i_depthwise": In(1),
                "i_pad_value": In(act),
                "i_zero_point": In(act),
                "i_min": In(act),
                "i_max": In(act),
                "o_valid": Out(1),
                "o_words": Out(data.ArrayLayout(act, config.m_block)),
                "o_column_last": Out(1),
                "o_strip_last": Out(1),
                "o_psum_read": Out(1),
                "o_psum_write": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Connect the stages with the delays of the contract."""
        m = Module()
        config = self.config

        m.submodules.ifmap = ifmap = IfmapBuffer(config)
        m.submodules.filters = filters = FilterBuffer(config)
        m.submodules.array = array = WeightStationaryArray(config)
        m.submodules.accumulator = accumulator = Accumulator(config)
        m.submodules.post = post = PostProcessor(config)

        connect_fill(
            m, ifmap, filters, beat=self.i_beat, kind=self.i_kind, words=self.i_data,
            element=self.i_element, mask=self.i_mask, pad_value=self.i_pad_value,
        )  # fmt: skip
        m.d.comb += [
            filters.i_clear.eq(self.i_clear),
            self.o_loaded.eq(filters.o_loaded),
            self.o_loads.eq(filters.o_loads),
        ]

        # Weight lines.
        command = self.i_command
        read = LineCommand(config)(delayed(m, command.as_value(), COMMAND_DELAY, "command"))
        line = LineCommand(config)(delayed(m, read.as_value(), filters.latency, "line"))
        m.d.comb += [
            ifmap.i_lane_shift.eq(command.valid & (command.kind == LineKind.WEIGHT)),
            ifmap.i_lane_offset.eq(command.lane_offset),
            ifmap.i_lane_used.eq(command.lane_used),
            filters.i_read_en.eq(read.valid & ~read.zero),
            filters.i_read_line.eq(read.place.line),
            array.i_shift.eq(line.valid & (line.kind == LineKind.WEIGHT)),
            accumulator.i_bias_shift.eq(line.valid & (line.kind == LineKind.BIAS)),
            post.i_scale_shift.eq(line.valid & (line.kind == LineKind.SCALE)),
            accumulator.i_line.eq(filters.o_line),
            post.i_line.eq(filters.o_line),
        ]
        m.d.comb += [
            array.i_line[col].eq(Mux(line.zero, 0, filters.o_line[col]))
            for col in range(config.m_block)
        ]

        # Vectors.
        m.d.comb += [
            ifmap.i_lane_swap.eq(self.i_start),
            ifmap.i_read_en.eq(self.i_vector.valid),
            ifmap.i_read_address.eq(self.i_vector.address),
            array.i_acts.eq(ifmap.o_acts),
            array.i_depthwise.eq(self.i_depthwise),
            array.i_stream.eq(
                delayed(m, self.i_vector.valid & self.i_depthwise, ifmap.latency, "stream")
            ),
            array.i_swap.eq(delayed(m, self.i_start, COMMAND_DELAY + filters.latency, "swap")),
            accumulator.i_sums.eq(array.o_sums),
        ]
        to_psum = ifmap.latency - 1 + array.latency
        vector = Vector(config)(delayed(m, self.i_vector.as_value(), to_psum, "vector"))
        marks = connect_psums(m, vector, accumulator, post)
        m.d.comb += [
            post.i_zero_point.eq(self.i_zero_point),
            post.i_min.eq(self.i_min),
            post.i_max.eq(self.i_max),
            self.o_valid.eq(post.o_valid),
            self.o_words.eq(post.o_words),
            Cat(self.o_column_last, self.o_strip_last).eq(marks),
            self.o_psum_read.eq(accumulator.o_read),
            self.o_psum_write.eq(accumulator.o_write),
        ]

        return m
