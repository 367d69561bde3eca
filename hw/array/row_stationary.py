"""Row-stationary array: filter rows along the rows, ofmap rows in the columns, psums downwards."""

from amaranth.hdl import Array, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.array.row_stationary_pe import RowStationaryPE, pe_name, spad_bits
from stillflow.hw.config import AcceleratorConfig, ceil_log2
from stillflow.hw.signals import delayed, signals
from stillflow.hw.timing import operand_delay
from stillflow.hw.unit import unit


class Word(data.StructLayout):
    """An ifmap word for every row, on its way to the scratchpads of a diagonal.

    Members
    -------
    valid : ``unsigned(1)``
    place : in the ifmap scratchpad
    diagonal : column in which the array's first row takes its word
    columns : columns in use
    channels : channels side by side that exist: others are zero
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        super().__init__(
            {
                "valid": 1,
                "place": spad_bits(config)[0],
                "diagonal": 8,
                "columns": ceil_log2(config.m_block + 1),
                "channels": ceil_log2(config.rows + 1),
            }
        )


class Beat(data.StructLayout):
    """What a row does in a cycle.

    Members
    -------
    mac : ``unsigned(1)``
        Multiply.
    act, weight, psum : places in the scratchpads
    opens : ``unsigned(1)``
        The product begins a psum.
    leaves : ``unsigned(1)``
        The psum that was there leaves.
    columns, leaving : columns in use for the product, for the psum that leaves
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        act, weight, psum = spad_bits(config)
        columns = ceil_log2(config.m_block + 1)
        super().__init__(
            {
                "mac": 1, "act": act, "weight": weight, "psum": psum, "opens": 1, "leaves": 1,
                "columns": columns, "leaving": columns,
            }
        )  # fmt: skip


class RowRole(data.StructLayout):
    """What a row of the array is for, the same for a whole layer.

    Members
    -------
    active : ``unsigned(1)``
        It holds a filter row.
    source : lane of the ifmap vector
    channel : among the channels side by side
    shift : columns by which its ifmap rows lie behind the first row's
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        bits = max(1, ceil_log2(config.rows))
        super().__init__({"active": 1, "source": bits, "channel": bits, "shift": 8})


class RowStationaryRow(wiring.Component):
    """PEs of one row with what they share; timing as the array's.

    Parameters
    ----------
    config : AcceleratorConfig
        Columns and the PE's parameters.

    Members
    -------
    i_role : ``In(RowRole)``
    i_word, i_act : a word for the ifmap scratchpads, beside its place
    i_weight, i_weight_addr, i_weight_write : a word for all filter scratchpads
    i_beat, o_beat : ``Beat``, from the row above; a cycle later to the row below
    i_chains, o_chains : ``ArrayLayout(signed(acc_bits), m_block)``
    """

    i_role: data.View
    i_word: data.View
    i_act: Signal
    i_weight: Signal
    i_weight_addr: Signal
    i_weight_write: Signal
    i_beat: data.View
    o_beat: data.View
    i_chains: data.View
    o_chains: data.View

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        self.unit_name = f"row_rs_{config.m_block}_of_{config.rows}_{pe_name(config)}"
        self.unit_key = self.unit_name
        chains = data.ArrayLayout(signed(config.acc_bits), config.m_block)
        super().__init__(
            {
                "i_role": In(RowRole(config)),
                "i_word": In(Word(config)),
                "i_act": In(signed(config.act_bits)),
                "i_weight": In(signed(config.weight_bits)),
                "i_weight_addr": In(spad_bits(config)[1]),
                "i_weight_write": In(1),
                "i_beat": In(Beat(config)),
                "o_beat": Out(Beat(config)),
                "i_chains": In(chains),
                "o_chains": Out(chains),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the row's pipeline and its PEs."""
        m = Module()
        config, word, role = self.config, self.i_word, self.i_role

        now = Signal(Beat(config))  # operands are read
        before, late = signals("before late", Beat(config))  # multiplied; added
        read = delayed(m, now.as_value(), operand_delay(config), "read")
        m.d.sync += [now.eq(self.i_beat), before.eq(read), late.eq(before)]
        m.d.comb += self.o_beat.eq(now)
        column = Signal(unsigned(8))
        m.d.comb += column.eq(word.diagonal - role.shift)
        for col in range(config.m_block):
            pe = RowStationaryPE(config)
            m.submodules[f"pe_{col}"] = unit(platform, pe)
            m.d.comb += [
                pe.i_act.eq(self.i_act),
                pe.i_act_addr.eq(word.place),
                pe.i_act_write.eq(
                    word.valid & role.active & (column == col) & (col < word.columns)
                ),
                pe.i_weight.eq(self.i_weight),
                pe.i_weight_addr.eq(self.i_weight_addr),
                pe.i_weight_write.eq(self.i_weight_write & role.active),
                pe.i_mac.eq(now.mac & role.active & (col < now.columns)),
                pe.i_act_read.eq(now.act),
                pe.i_weight_read.eq(now.weight),
                pe.i_psum_read.eq(
                    role.active
                    & Mux(
                        before.opens,
                        before.leaves & (col < before.leaving),
                        before.mac & (col < before.columns),
                    )
                ),
                pe.i_psum_read_addr.eq(before.psum),
                pe.i_psum_write.eq(late.mac & role.active & (col < late.columns)),
                pe.i_psum_write_addr.eq(late.psum),
                pe.i_opens.eq(late.opens),
                pe.i_leaves.eq(late.leaves),
                pe.i_active.eq(role.active),
                pe.i_chain.eq(self.i_chains[col]),
                self.o_chains[col].eq(pe.o_chain),
            ]

        return m


class RowStationaryArray(wiring.Component):
    """Rows of PEs one under the other, each a cycle behind the one above.

    Ifmap words: ``i_acts`` and ``i_word`` of cycle ``t`` are in the scratchpads for beats from
    ``t + 2`` on. A weight line of cycle ``t`` is there for beats from ``t`` on. A beat of cycle
    ``t`` reads the operands of row ``i`` in ``t + 1 + i``; a psum that leaves with it shows in
    ``o_sums`` in ``t + sum_delay + rows``. Never stalls.

    Roles are shifted in, the first row's first, and stay.

    Parameters
    ----------
    config : AcceleratorConfig
        Size, scratchpads, word widths.

    Members
    -------
    i_role_shift, i_role
        Role of one more row.
    i_word, i_acts
        Ifmap words: the vector's lanes.
    i_line, i_line_addr, i_line_valid
        A weight for each row, its place in the filter scratchpads.
    i_beat : ``In(Beat)``
    o_sums : ``Out(ArrayLayout(signed(acc_bits), m_block))``
    """

    i_role_shift: Signal
    i_role: data.View
    i_word: data.View
    i_acts: data.View
    i_line: data.View
    i_line_addr: Signal
    i_line_valid: Signal
    i_beat: data.View
    o_sums: data.View

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        self.sum_delay = 3 + operand_delay(config)
        super().__init__(
            {
                "i_role_shift": In(1),
                "i_role": In(RowRole(config)),
                "i_word": In(Word(config)),
                "i_acts": In(data.ArrayLayout(signed(config.act_bits), config.rows)),
                "i_line": In(data.ArrayLayout(signed(config.weight_bits), config.rows)),
                "i_line_addr": In(spad_bits(config)[1]),
                "i_line_valid": In(1),
                "i_beat": In(Beat(config)),
                "o_sums": Out(data.ArrayLayout(signed(config.acc_bits), config.m_block)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the rows and the choice of their words."""
        m = Module()
        config = self.config

        roles = [Signal(RowRole(config), name=f"role_{row}") for row in range(config.rows)]
        with m.If(self.i_role_shift):
            m.d.sync += [
                role.eq(after) for role, after in zip(roles, [*roles[1:], self.i_role], strict=True)
            ]
        word = Word(config)(delayed(m, self.i_word.as_value(), 1, "word"))
        lanes = Array(self.i_acts[lane] for lane in range(config.rows))
        beat, chains = self.i_beat, None
        for index, role in enumerate(roles):
            row = RowStationaryRow(config)
            m.submodules[f"row_{index}"] = unit(platform, row)
            act = Signal(signed(config.act_bits), name=f"act_{index}")
            m.d.sync += act.eq(Mux(role.channel < self.i_word.channels, lanes[role.source], 0))
            m.d.comb += [
                row.i_role.eq(role),
                row.i_word.eq(word),
                row.i_act.eq(act),
                row.i_weight.eq(self.i_line[index]),
                row.i_weight_addr.eq(self.i_line_addr),
                row.i_weight_write.eq(self.i_line_valid),
                row.i_beat.eq(beat),
                row.i_chains.as_value().eq(0 if chains is None else chains.as_value()),
            ]
            beat, chains = row.o_beat, row.o_chains
        assert chains is not None
        m.d.comb += self.o_sums.eq(chains)

        return m
