"""The register that holds the layer's descriptor."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.descriptor import BYTES, MAGIC, PLACES, Op
from stillflow.hw.layer_port import Layer, LayerDescriptor
from stillflow.hw.residual import Join, join_depth


class DescriptorRegister(wiring.Component):
    """Takes a descriptor beat by beat and says whether it can be one.

    ``o_full`` follows the last beat by one cycle, ``o_legal`` by two.

    Parameters
    ----------
    config : AcceleratorConfig
        Data width, limits.

    Members
    -------
    i_clear : ``In(1)``
        Expect the first beat.
    i_beat, i_data
        The next beat.
    o_layer : ``Out(LayerDescriptor)``
    o_full : ``Out(1)``
        All beats have come.
    o_legal : ``Out(1)``
        Magic number and checksum are right, and nothing in it wedges the control logic.
    """

    i_clear: Signal
    i_beat: Signal
    i_data: Signal
    o_layer: Layer
    o_full: Signal
    o_legal: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        self.beats = BYTES // config.axi_bytes
        super().__init__(
            {
                "i_clear": In(1),
                "i_beat": In(1),
                "i_data": In(config.axi_data_bits),
                "o_layer": Out(LayerDescriptor(config)),
                "o_full": Out(1),
                "o_legal": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the words, the sum and the checks."""
        m = Module()
        beat_words = self.config.axi_bytes // 4

        index = Signal(range(self.beats + 1))
        total = Signal(32)
        incoming = [self.i_data[32 * i : 32 * i + 32] for i in range(beat_words)]
        registers = {
            name: Signal(member.shape, name=name, reset_less=True)
            for name, member in LayerDescriptor(self.config).members.items()
        }
        with m.If(self.i_beat):
            m.d.sync += [index.eq(index + 1), total.eq(sum(incoming, total))]
        takes = Signal(self.beats)
        m.d.comb += takes.eq(Cat(self.i_beat & (index == beat) for beat in range(self.beats)))
        for name, register in registers.items():
            word, low = PLACES[name]
            beat, place = divmod(word, beat_words)
            with m.If(takes[beat]):
                m.d.sync += register.eq(incoming[place][low : low + len(register)])
            m.d.comb += getattr(self.o_layer, name).eq(register)
        with m.If(self.i_clear):
            m.d.sync += [index.eq(0), total.eq(0)]
        if not self.config.finisher:  # asked for, this is an error
            m.d.comb += [self.o_layer.join.eq(Join.NONE), self.o_layer.table.eq(0)]

        layer, join, table = self.o_layer, registers["join"], registers["table"]
        can_pool = Const(self.config.pools, 1) & (layer.pool_s != 0)
        plain = (layer.pool_r == 0) & (layer.pool_s == 0)
        m.d.comb += self.o_full.eq(index == self.beats)
        m.d.sync += [
            self.o_legal.eq(
                (layer.magic == MAGIC)
                & (total == 0)
                & (layer.op <= max(Op))
                & (layer.tile_pixels != 0)
                & (join <= max(Join))
                & (
                    layer.tile_pixels
                    <= Mux(join != Join.NONE, join_depth(self.config), self.config.ofmap_depth)
                )
                & (layer.slots != 0)
                & (plain | (can_pool & ~layer.depthwise))
                & (Const(self.config.finisher, 1) | ((join == Join.NONE) & ~table))
            ),
        ]

        return m
