"""Output-stationary array: ofmap pixels over the rows, filters over the columns."""

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.array.pe import OutputStationaryPE
from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.signals import delayed, signals
from stillflow.hw.timing import DRAIN_FAN_IN, drain_latency, operand_delay
from stillflow.hw.unit import unit


class OutputStationaryColumn(wiring.Component):
    """PEs of one filter, and the gates through which a row's psum leaves.

    Parameters
    ----------
    config : AcceleratorConfig
        Rows and word widths.

    Members
    -------
    i_acts : ``In(ArrayLayout(signed(act_bits), rows))``
    i_weight : ``In(signed(weight_bits))``
        Enters at the top row.
    i_adds, i_opens, i_keeps : ``In(rows)``
        As the PE's, a bit for each row.
    i_leaves : ``In(rows)``
        Row whose psum leaves: one bit or none.
    o_sum : ``Out(signed(acc_bits))``
        That psum, ``drain_latency`` cycles later.
    """

    i_acts: data.View
    i_weight: Signal
    i_adds: Signal
    i_opens: Signal
    i_keeps: Signal
    i_leaves: Signal
    o_sum: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        rows = config.rows
        self.drain_latency = drain_latency(config)
        key = (rows, config.act_bits, config.weight_bits, config.acc_bits)
        self.unit_name = "column_os_{}x{}x{}_{}".format(*key) + "_waits" * (config.pace > 1)
        self.unit_name += "_registered" * config.operand_registers
        self.unit_key = self.unit_name
        super().__init__(
            {
                "i_acts": In(data.ArrayLayout(signed(config.act_bits), rows)),
                "i_weight": In(signed(config.weight_bits)),
                "i_adds": In(rows),
                "i_opens": In(rows),
                "i_keeps": In(rows),
                "i_leaves": In(rows),
                "o_sum": Out(signed(config.acc_bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the column."""
        m = Module()
        acc = self.config.acc_bits

        weight: Value = self.i_weight
        leaving = []
        for row in range(self.config.rows):
            pe = OutputStationaryPE(self.config)
            m.submodules[f"pe_{row}"] = unit(platform, pe)
            m.d.comb += [
                pe.i_act.eq(self.i_acts[row]),
                pe.i_weight.eq(weight),
                pe.i_adds.eq(self.i_adds[row]),
                pe.i_opens.eq(self.i_opens[row]),
                pe.i_keeps.eq(self.i_keeps[row]),
            ]
            weight = pe.o_weight
            leaving.append(pe.o_psum.as_unsigned() & self.i_leaves[row].replicate(acc))
        for level in range(self.drain_latency):
            merged = []
            for i in range(0, len(leaving), DRAIN_FAN_IN):
                word = Signal(acc, name=f"leaving{level}_{i // DRAIN_FAN_IN}", reset_less=True)
                m.d.sync += word.eq(any_of(leaving[i : i + DRAIN_FAN_IN]))
                merged.append(word)
            leaving = merged
        m.d.comb += self.o_sum.eq(leaving[0])

        return m


def any_of(words: list[Value]) -> Value:
    """Or of words: a balanced tree."""
    if len(words) == 1:
        return words[0]
    half = len(words) // 2
    return any_of(words[:half]) | any_of(words[half:])


class OutputStationaryArray(wiring.Component):
    """``rows x m_block`` PEs, each with the psum of one pixel and one filter.

    A row gets a whole ifmap vector of its own pixel at a time and plays it out, an element a cycle,
    as the filter lines come past: line ``k`` reaches row ``i`` ``i`` cycles after row 0. Rows are
    that far behind each other in everything; so one vector and one line a cycle keep all PEs busy.

    A vector for row ``i`` that is given in cycle ``t + i`` meets the lines that are given from
    cycle ``t`` on. It stays until a line marked ``ends`` has passed; rows without a vector do
    nothing. If the last line of a group is given in cycle ``t``, row ``i``'s psum may leave with
    ``i_leaves`` from cycle ``t + last_delay + i`` on, until the next group's first line is
    ``rows * pace`` cycles old; ``o_sums`` shows it ``drain_latency`` cycles later.

    Parameters
    ----------
    config : AcceleratorConfig
        Size and word widths.

    Members
    -------
    i_vector, i_vector_first : ``In(1)``
        Acts are a row's vector; the row is the first one, otherwise the next.
    i_acts : ``In(ArrayLayout(signed(act_bits), rows))``
    i_line : ``In(ArrayLayout(signed(weight_bits), m_block))``
    i_line_valid, i_opens, i_ends, i_drains : ``In(1)``
        A line comes, begins psums, is the last of its chunk, completes psums.
    i_leaves : ``In(rows)``
    o_active : ``Out(rows)``
        Rows that had a vector when their psums were completed; from ``last_delay`` on.
    o_sums : ``Out(ArrayLayout(signed(acc_bits), m_block))``
    """

    i_vector: Signal
    i_vector_first: Signal
    i_acts: data.View
    i_line: data.View
    i_line_valid: Signal
    i_opens: Signal
    i_ends: Signal
    i_drains: Signal
    i_leaves: Signal
    o_active: Signal
    o_sums: data.View

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        self.drain_latency = drain_latency(config)
        self.last_delay = 3 + operand_delay(config)
        rows, columns = config.rows, config.m_block
        super().__init__(
            {
                "i_vector": In(1),
                "i_vector_first": In(1),
                "i_acts": In(data.ArrayLayout(signed(config.act_bits), rows)),
                "i_line": In(data.ArrayLayout(signed(config.weight_bits), columns)),
                "i_line_valid": In(1),
                "i_opens": In(1),
                "i_ends": In(1),
                "i_drains": In(1),
                "i_leaves": In(rows),
                "o_active": Out(rows),
                "o_sums": Out(data.ArrayLayout(signed(config.acc_bits), columns)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the rows' players and the columns."""
        m = Module()
        config = self.config
        rows, act = config.rows, config.act_bits

        # Whose turn it is to take a vector.
        turn, latest = signals("turn latest", rows)
        m.d.comb += turn.eq(
            Mux(self.i_vector, Mux(self.i_vector_first, 1, latest << 1), Const(0, rows))
        )
        with m.If(self.i_vector):
            m.d.sync += latest.eq(turn)

        # Marks travel with the line: one row a cycle, first with the weight, then with the product.
        def travels(mark: Value, name: str) -> Signal:
            steps = Signal(rows, name=name)
            m.d.sync += steps.eq(Cat(mark, steps)[:rows])
            return steps

        lines = travels(self.i_line_valid, "lines")
        opens = travels(self.i_line_valid & self.i_opens, "opens")
        ends = travels(self.i_line_valid & self.i_ends, "ends")
        drains = travels(self.i_line_valid & self.i_drains, "drains")
        loaded = Signal(rows)
        to_product = 1 + operand_delay(config)
        adds = delayed(m, lines & loaded, to_product, "adds")
        opens_product = delayed(m, opens, to_product, "opens_product")
        drains_product = delayed(m, drains, to_product, "drains_product")
        m.d.sync += [
            loaded.eq((loaded & ~ends) | turn),
            self.o_active.eq((self.o_active & ~drains_product) | (adds & drains_product)),
        ]

        acts = Array(Signal(signed(act), name=f"act_{row}") for row in range(rows))
        for row in range(rows):
            player = Signal(rows * act, name=f"player_{row}", reset_less=True)
            with m.If(turn[row]):
                m.d.sync += player.eq(self.i_acts.as_value())
            with m.Elif(lines[row]):
                m.d.sync += player.eq(player >> act)
            m.d.comb += acts[row].eq(player[:act].as_signed())

        for col in range(config.m_block):
            column = OutputStationaryColumn(config)
            m.submodules[f"column_{col}"] = unit(platform, column)
            m.d.comb += [
                column.i_weight.eq(self.i_line[col]),
                column.i_adds.eq(adds),
                column.i_opens.eq(opens_product),
                column.i_keeps.eq(drains_product),
                column.i_leaves.eq(self.i_leaves),
                self.o_sums[col].eq(column.o_sum),
            ]
            m.d.comb += [column.i_acts[row].eq(acts[row]) for row in range(rows)]

        return m
