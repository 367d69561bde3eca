"""The half of the ofmap buffer that a layer's residuals may fill."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.buffer.rotate import rotate_right
from stillflow.hw.buffer.sram import Sram
from stillflow.hw.config import AcceleratorConfig, ceil_log2
from stillflow.hw.residual import join_depth
from stillflow.hw.signals import signals
from stillflow.hw.unit import unit
from stillflow.hw.words import element_bits, residual_unit_bit


class ResidualHalf(wiring.Component):
    """Vectors that are written and read whole, or filled by the beats of one channel block.

    A beat brings several pixels of a channel block, or a part of one. So an *atom*, the smaller of
    the two, has a memory of its own: for each channel block, each part of it, and each of as many
    successive entries as a beat brings pixels. ``o_vector`` follows ``i_read_entry`` by one cycle
    and holds. Fills and whole vectors never come in the same layer.

    Parameters
    ----------
    config : AcceleratorConfig
        Depth and width.

    Members
    -------
    i_write_en, i_write_entry, i_write_words
        A whole vector.
    i_fill, i_fill_element, i_fill_mask, i_fill_data
        A beat: element of lane 0 in the channel block's ring of `join_depth` pixels (it may lie
        beyond the end: then it is counted from there), and the channel block.
    i_read_en, i_read_entry, o_vector
        Read port.
    """

    i_write_en: Signal
    i_write_entry: Signal
    i_write_words: Signal
    i_fill: Signal
    i_fill_element: Signal
    i_fill_mask: Signal
    i_fill_data: Signal
    i_read_en: Signal
    i_read_entry: Signal
    o_vector: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        block = config.channel_block
        self.together = config.beat_pixels
        self.parts = max(1, block // config.axi_elements)  # beats that a pixel takes
        self.atom = min(block, config.axi_elements)
        depth = config.ofmap_depth - join_depth(config)
        self.lines = -(-depth // self.together)
        entry = range(max(2, self.lines * self.together))
        width = config.m_block * config.act_bits
        super().__init__(
            {
                "i_write_en": In(1),
                "i_write_entry": In(entry),
                "i_write_words": In(width),
                "i_fill": In(1),
                "i_fill_element": In(element_bits(config)),
                "i_fill_mask": In(config.axi_elements),
                "i_fill_data": In(config.axi_data_bits),
                "i_read_en": In(1),
                "i_read_entry": In(entry),
                "o_vector": Out(width),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the memories and what leads to them."""
        m = Module()
        config, together, parts = self.config, self.together, self.parts
        atom_bits = self.atom * config.act_bits
        bits = ceil_log2(together)

        def split(entry: Signal, name: str) -> tuple[Signal, Signal]:
            bank, line = (
                Signal(max(1, bits), name=f"{name}_bank"),
                Signal(range(max(2, self.lines)), name=f"{name}_line"),
            )
            m.d.comb += Cat(bank[:bits], line).eq(entry)
            return bank, line

        # The beat's first pixel, in the ring; its atoms rotate to their banks.
        ring, unit_bit = join_depth(config), residual_unit_bit(config)
        block_bits = ceil_log2(config.channel_block)
        pixel = Signal(unit_bit - block_bits)
        first = Signal(range(max(2, ring)))
        m.d.comb += [
            pixel.eq(self.i_fill_element[block_bits:unit_bit]),
            first.eq(Mux(pixel >= ring, pixel - ring, pixel)),
        ]
        fill_bank, fill_line = split(first, "fill")
        after = Signal.like(fill_line)
        m.d.comb += after.eq(Mux(fill_line == ring // together - 1, 0, fill_line + 1))
        atoms = [self.i_fill_data[i * atom_bits : (i + 1) * atom_bits] for i in range(together)]
        masks = [
            self.i_fill_mask[i * self.atom : (i + 1) * self.atom].any() for i in range(together)
        ]
        fill_words = rotate_right(m, atoms, fill_bank, "fill_words")
        fill_ens = rotate_right(m, masks, fill_bank, "fill_ens")

        write_bank, write_line = split(self.i_write_entry, "write")
        read_bank, read_line = split(self.i_read_entry, "read")
        shown = Signal.like(read_bank)
        with m.If(self.i_read_en):
            m.d.sync += shown.eq(read_bank)

        vectors = []
        for bank in range(together):
            found = []
            # A bank before that of the beat's first pixel takes one of the line behind.
            wraps = bank < fill_bank if bank < together - 1 else 0
            here, reads = signals(f"writes_{bank} reads_{bank}")
            line = Signal.like(fill_line, name=f"line_{bank}")
            m.d.comb += [
                here.eq(self.i_write_en & (write_bank == bank)),
                reads.eq(self.i_read_en & (read_bank == bank)),
                line.eq(Mux(self.i_fill, Mux(wraps, after, fill_line), write_line)),
            ]
            for unit_number in range(config.block_units):
                for part in range(parts):
                    place = unit_number * parts + part
                    memory = Sram(depth=self.lines, width=atom_bits)
                    m.submodules[f"bank_{bank}_{place}"] = unit(platform, memory)
                    fills = self.i_fill & fill_ens[bank]
                    if config.block_units > 1:
                        fills &= self.i_fill_element[unit_bit:] == unit_number
                    if parts > 1:
                        low = ceil_log2(config.axi_elements)
                        fills &= self.i_fill_element[low:block_bits] == part
                    whole = self.i_write_words[place * atom_bits : (place + 1) * atom_bits]
                    m.d.comb += [
                        memory.i_write_en.eq(here | fills),
                        memory.i_write_addr.eq(line),
                        memory.i_write_data.eq(Mux(self.i_fill, fill_words[bank], whole)),
                        memory.i_read_en.eq(reads),
                        memory.i_read_addr.eq(read_line),
                    ]
                    found.append(memory.o_read_data)
            vectors.append(Cat(*found))
        m.d.comb += self.o_vector.eq(Array(vectors)[shown] if together > 1 else vectors[0])

        return m
