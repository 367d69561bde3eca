"""Walk over the pixels of a tile, with a mark to come back to."""

from amaranth.hdl import Module, Mux, ShapeLike, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.config import AcceleratorConfig, ceil_log2
from stillflow.hw.layer_port import Layer, LayerDescriptor
from stillflow.hw.signals import signals


class _Place(data.StructLayout):
    """Position in the three loops, and where it is in the ifmap tile."""

    def __init__(self, element_bits: int, count_bits: int) -> None:
        counts: dict[str, ShapeLike] = dict.fromkeys(
            ("column", "row", "image", "index"), count_bits
        )
        offsets = dict.fromkeys(("offset", "row_start", "image_start"), element_bits)
        super().__init__(counts | offsets)


class PixelWalk(wiring.Component):
    """Columns, rows and images of a tile, flattened.

    ``i_step`` goes to the next pixel; after the last one to the first. ``i_restart`` goes to the
    tile's first pixel, ``i_rewind`` to the mark; both win over a step. ``i_mark`` puts the mark
    where the walk goes in this cycle.

    Parameters
    ----------
    config : AcceleratorConfig
        Widths.

    Members
    -------
    i_layer : ``In(LayerDescriptor)``
        Strides.
    i_images, i_rows, i_columns : ``In(count_bits)``
        Pixels of the tile.
    i_step, i_restart, i_rewind, i_mark : ``In(1)``
    o_offset : ifmap buffer elements from the tile's first pixel to this one
    o_index : pixel number in the tile
    o_column_last, o_row_last : ``Out(1)``
        The pixel is in the tile's last column, in its last row.
    o_last : ``Out(1)``
        The tile's last pixel.
    """

    i_layer: Layer
    i_images: Signal
    i_rows: Signal
    i_columns: Signal
    i_step: Signal
    i_restart: Signal
    i_rewind: Signal
    i_mark: Signal
    o_offset: Signal
    o_index: Signal
    o_column_last: Signal
    o_row_last: Signal
    o_last: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.count_bits = config.count_bits
        self.element_bits = ceil_log2(config.ifmap_elements)
        super().__init__(
            {
                "i_layer": In(LayerDescriptor(config)),
                "i_images": In(config.count_bits),
                "i_rows": In(config.count_bits),
                "i_columns": In(config.count_bits),
                "i_step": In(1),
                "i_restart": In(1),
                "i_rewind": In(1),
                "i_mark": In(1),
                "o_offset": Out(self.element_bits),
                "o_index": Out(config.count_bits),
                "o_column_last": Out(1),
                "o_row_last": Out(1),
                "o_last": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the loops."""
        m = Module()
        layer = self.i_layer
        place = _Place(self.element_bits, self.count_bits)

        here, after, mark = signals("here after mark", place)
        column_last, row_last, image_last = signals("column_last row_last image_last")
        next_row, next_image = signals("next_row next_image", self.element_bits)
        m.d.comb += [
            column_last.eq(here.column + 1 == self.i_columns),
            row_last.eq(here.row + 1 == self.i_rows),
            image_last.eq(here.image + 1 == self.i_images),
            next_row.eq(here.row_start + layer.stride_e),
            next_image.eq(here.image_start + layer.stride_n),
            self.o_offset.eq(here.offset),
            self.o_index.eq(here.index),
            self.o_column_last.eq(column_last),
            self.o_row_last.eq(row_last),
            self.o_last.eq(column_last & row_last & image_last),
            after.eq(here),
        ]
        with m.If(self.i_restart | (self.i_step & self.o_last)):
            m.d.comb += after.as_value().eq(0)
        with m.If(~self.i_restart & self.i_rewind):
            m.d.comb += after.eq(mark)
        with m.Elif(~self.i_restart & self.i_step & ~self.o_last):
            m.d.comb += [
                after.index.eq(here.index + 1),
                after.column.eq(Mux(column_last, 0, here.column + 1)),
            ]
            with m.If(~column_last):
                m.d.comb += after.offset.eq(here.offset + layer.stride_f)
            with m.Elif(~row_last):
                m.d.comb += [
                    after.row.eq(here.row + 1),
                    after.offset.eq(next_row),
                    after.row_start.eq(next_row),
                ]
            with m.Else():
                m.d.comb += [
                    after.row.eq(0),
                    after.image.eq(here.image + 1),
                    after.offset.eq(next_image),
                    after.row_start.eq(next_image),
                    after.image_start.eq(next_image),
                ]
        m.d.sync += here.eq(after)
        with m.If(self.i_mark):
            m.d.sync += mark.eq(after)

        return m
