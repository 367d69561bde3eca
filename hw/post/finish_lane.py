"""Finisher lane: a word through a table, and joined with a residual one."""

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.buffer.sram import Sram
from stillflow.hw.config import AcceleratorConfig, ceil_log2
from stillflow.hw.residual import SCALE_BITS, SHIFT_BITS, TABLE_BITS, Join
from stillflow.hw.signals import delayed
from stillflow.hw.timing import FINISH_STAGES
from stillflow.hw.unit import unit


class FinishLane(wiring.Component):
    """A word, or its entry in the table, joined with a residual as `stillflow.hw.residual` says.

    Timing: fully pipelined, takes a word in every cycle and never stalls; ``o_word`` belongs to
    the word of ``LATENCY`` cycles before. No register holds control, so none is reset.

    Stages: 1 table, 2 take off the zero points, 3 multiply, 4 add, 5 shift, 6 round and add the
    zero point, 7 saturate.

    Parameters
    ----------
    config : AcceleratorConfig
        ``act_bits``; a table only where they are 8.

    Members
    -------
    i_fill, i_fill_line, i_fill_data
        A beat of the table: entries from ``line`` times the elements of a beat on, counted from the
        smallest word.
    i_word, i_residual
        Together.
    i_table, i_join, i_shift, i_own_scale, i_residual_scale, i_own_zero_point, \
    i_residual_zero_point, i_zero_point, i_min, i_max
        Of the layer. They are not pipelined.
    o_word : ``Out(signed(act_bits))``
    """

    LATENCY = FINISH_STAGES

    i_fill: Signal
    i_fill_line: Signal
    i_fill_data: Signal
    i_word: Signal
    i_residual: Signal
    i_table: Signal
    i_join: Signal
    i_shift: Signal
    i_own_scale: Signal
    i_residual_scale: Signal
    i_own_zero_point: Signal
    i_residual_zero_point: Signal
    i_zero_point: Signal
    i_min: Signal
    i_max: Signal
    o_word: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        self.unit_name = f"finish_lane_{config.act_bits}_{config.axi_data_bits}"
        self.unit_key = (config.act_bits, config.axi_data_bits)
        act = signed(config.act_bits)
        super().__init__(
            {
                "i_fill": In(1),
                "i_fill_line": In(self.line_bits(config)),
                "i_fill_data": In(config.axi_data_bits),
                "i_word": In(act),
                "i_residual": In(act),
                "i_table": In(1),
                "i_join": In(Join),
                "i_shift": In(SHIFT_BITS),
                "i_own_scale": In(SCALE_BITS),
                "i_residual_scale": In(SCALE_BITS),
                "i_own_zero_point": In(act),
                "i_residual_zero_point": In(act),
                "i_zero_point": In(act),
                "i_min": In(act),
                "i_max": In(act),
                "o_word": Out(act),
            }
        )

    @staticmethod
    def line_bits(config: AcceleratorConfig) -> int:
        """Bits of a line of the table: a beat of entries."""
        return max(1, TABLE_BITS - ceil_log2(config.axi_bytes))

    def elaborate(self, platform: object) -> Module:
        """Build the pipeline."""
        m = Module()
        act_bits = self.config.act_bits
        multiplies = self.i_join == Join.MULTIPLY

        word = self.i_word
        own_word = _register(m, word, "word")
        if act_bits == TABLE_BITS:
            own_word = Mux(self.i_table, self._entry(m, platform, word), own_word)
        residual_word = _register(m, self.i_residual, "residual_word")

        own = _register(m, own_word - self.i_own_zero_point, "own")
        residual = _register(m, residual_word - self.i_residual_zero_point, "residual")
        plain = delayed(m, _register(m, own_word, "plain_2"), 4, "plain")

        by = Mux(multiplies, residual, Cat(self.i_own_scale, Const(0, 1)).as_signed())
        first = _register(m, own * by, "own_product")
        second = _register(
            m, residual * Cat(self.i_residual_scale, Const(0, 1)).as_signed(), "residual_product"
        )
        total = _register(m, first + Mux(multiplies, 0, second), "total")

        # The fraction that is shifted out rounds half to even.
        width = len(total)
        # The shift stays for the layer.
        shift_bits = min(SHIFT_BITS, width.bit_length())
        far = self.i_shift[shift_bits:].any() if shift_bits < SHIFT_BITS else 0
        shift = _register(m, Mux(far, width, self.i_shift[:shift_bits]), "shift")
        wide = Signal(signed(2 * width))
        moved = Signal(signed(2 * width))
        m.d.comb += [
            wide.eq(Cat(Const(0, width), total)),
            moved.eq(wide >> shift),
        ]
        fraction, whole = moved[:width], moved[width:].as_signed()
        quotient = _register(m, whole, "quotient")
        up = fraction[-1] & (fraction[:-1].any() | whole[0])
        rounds_up = _register(m, up, "rounds_up")

        rounded = _register(m, quotient + self.i_zero_point + rounds_up, "rounded")
        value = Mux(
            rounded < self.i_min, self.i_min, Mux(rounded > self.i_max, self.i_max, rounded)
        )
        result = Signal(signed(act_bits), reset_less=True)
        m.d.sync += result.eq(Mux(self.i_join == Join.NONE, plain, value))
        m.d.comb += self.o_word.eq(result)

        return m

    def _entry(self, m: Module, platform: object, word: Value) -> Value:
        """Entry of the table for a word, one cycle later."""
        config = self.config
        column_bits = ceil_log2(config.axi_bytes)
        index = Signal(TABLE_BITS)
        m.d.comb += index.eq(word ^ (1 << (TABLE_BITS - 1)))  # the smallest word is entry 0
        lines = Sram(depth=(1 << TABLE_BITS) // config.axi_bytes, width=config.axi_data_bits)
        m.submodules.table = unit(platform, lines)
        column = Signal(column_bits, reset_less=True)
        m.d.sync += column.eq(index[:column_bits])
        m.d.comb += [
            lines.i_write_en.eq(self.i_fill),
            lines.i_write_addr.eq(self.i_fill_line),
            lines.i_write_data.eq(self.i_fill_data),
            lines.i_read_en.eq(self.i_table),
            lines.i_read_addr.eq(index[column_bits:]),
        ]
        entries = data.View(
            data.ArrayLayout(signed(TABLE_BITS), config.axi_bytes), lines.o_read_data
        )
        return Array(entries[i] for i in range(config.axi_bytes))[column]


def _register(m: Module, value: Value, name: str) -> Signal:
    register = Signal(Value.cast(value).shape(), name=name, reset_less=True)
    m.d.sync += register.eq(value)
    return register
