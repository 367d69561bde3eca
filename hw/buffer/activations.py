"""Memory for tensors between layers: ofmaps go in, ifmaps and second tensors come out."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.buffer.sram import Sram
from stillflow.hw.config import AcceleratorConfig, ceil_log2
from stillflow.hw.unit import unit


class ActivationMemory(wiring.Component):
    """A line for each beat, in SRAMs one activation wide.

    A line comes one cycle after it is asked for and holds; each cycle takes a read and a write. Who
    reads must not ask for a line in the cycle in which it is written.

    Parameters
    ----------
    config : AcceleratorConfig
        Lines, width of a beat.

    Members
    -------
    i_read_en, i_read_line, o_data
    i_write_mask, i_write_line, i_data
        A bit of the mask for each activation.
    """

    i_read_en: Signal
    i_read_line: Signal
    o_data: Signal
    i_write_mask: Signal
    i_write_line: Signal
    i_data: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        line = ceil_log2(config.activation_lines)
        super().__init__(
            {
                "i_read_en": In(1),
                "i_read_line": In(line),
                "o_data": Out(config.axi_data_bits),
                "i_write_mask": In(config.axi_elements),
                "i_write_line": In(line),
                "i_data": In(config.axi_data_bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the lanes."""
        m = Module()

        config = self.config
        words = []
        for lane in range(config.axi_elements):
            sram = Sram(depth=config.activation_lines, width=config.act_bits)
            m.submodules[f"lane_{lane}"] = unit(platform, sram)
            m.d.comb += [
                sram.i_read_en.eq(self.i_read_en),
                sram.i_read_addr.eq(self.i_read_line),
                sram.i_write_en.eq(self.i_write_mask[lane]),
                sram.i_write_addr.eq(self.i_write_line),
                sram.i_write_data.eq(self.i_data.word_select(lane, config.act_bits)),
            ]
            words.append(sram.o_read_data)
        m.d.comb += self.o_data.eq(Cat(words))

        return m
