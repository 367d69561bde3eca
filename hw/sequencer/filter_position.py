"""Position in the filter stream, and marks to come back to."""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.buffer.filter import filter_position_bits
from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.signals import signals
from stillflow.hw.words import FilterPlace


class StreamPlace(data.StructLayout):
    """A line of the filter stream.

    Members
    -------
    position : lines before it, counted as `filter_position_bits` allow
    place : where it lies in the filter buffer
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        super().__init__({"position": filter_position_bits(config), "place": FilterPlace(config)})


class FilterPosition(wiring.Component):
    """Walks on by any number of lines; keeps two marks, one for a filter block, one for a group.

    Parameters
    ----------
    config : AcceleratorConfig
        Size of the filter buffer.

    Members
    -------
    i_begin : ``In(1)``
        Start of a layer: all at line 0.
    i_lines : lines to walk on; with several banks one at most
    i_mark_block : ``In(1)``
        The block's mark is here, before any step of this cycle.
    i_to_block : ``In(1)``
        Go to the block's mark, one made in this cycle included, instead of walking on.
    i_mark_group, i_to_group : ``In(1)``
        The same with the group's mark, as it was.
    o_here : ``Out(StreamPlace)``
    """

    i_begin: Signal
    i_lines: Signal
    i_mark_block: Signal
    i_to_block: Signal
    i_mark_group: Signal
    i_to_group: Signal
    o_here: data.View

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        super().__init__(
            {
                "i_begin": In(1),
                "i_lines": In(range(max(2, config.bias_lines + config.scale_lines + 1))),
                "i_mark_block": In(1),
                "i_to_block": In(1),
                "i_mark_group": In(1),
                "i_to_group": In(1),
                "o_here": Out(StreamPlace(config)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the step around the ring's end, and the marks."""
        m = Module()
        banks = self.config.filter_banks
        lines = self.config.filter_lines // banks
        here = self.o_here

        block, block_now, group = signals("block block_now group", StreamPlace(self.config))
        # Lines to walk on within a bank.
        ahead, line = self.i_lines, here.place.line
        if banks > 1:
            bank = here.place.bank
            ahead = self.i_lines[0] & (bank == banks - 1)
            m.d.sync += bank.eq(Mux(ahead, 0, bank + self.i_lines[0]))
        total = Signal(range(2 * lines))
        m.d.comb += [
            total.eq(line + ahead),
            block_now.eq(Mux(self.i_mark_block, here.as_value(), block.as_value())),
        ]
        m.d.sync += [
            here.position.eq(here.position + self.i_lines),
            line.eq(Mux(total >= lines, total - lines, total)),
            block.eq(block_now),
        ]
        with m.If(self.i_mark_group):
            m.d.sync += group.eq(here)
        with m.If(self.i_to_block):
            m.d.sync += here.eq(block_now)
        with m.If(self.i_to_group):
            m.d.sync += here.eq(group)
        with m.If(self.i_begin):
            m.d.sync += [here.as_value().eq(0), group.as_value().eq(0)]

        return m


def line_is_there(m: Module, stream: FilterPosition, loaded: Value, loads: Value) -> Signal:
    """Whether the line at a position is in the filter buffer: a register, as much hangs on it.

    Parameters
    ----------
    m : Module
        Gets the register.
    stream : FilterPosition
        Walks by one line at most, only over lines that are there. What a group goes back to was
        there before.
    loaded, loads : Value
        Lines that the buffer has got, and whether it gets one in this cycle; none with ``i_begin``.
    """
    here = stream.o_here.position
    left, left_behind, there = signals("line_left line_left_behind line_there")
    m.d.comb += [left.eq(loaded != here), left_behind.eq(loaded != (here + 1)[: len(here)])]
    m.d.sync += there.eq(
        ~stream.i_begin & (loads | stream.i_to_group | Mux(stream.i_lines[0], left_behind, left))
    )
    return there
