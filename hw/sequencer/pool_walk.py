"""Follows the windows of a layer's max pooling through the pixels of its tiles."""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.descriptor import POOL_BITS
from stillflow.hw.layer_port import Layer, LayerDescriptor


class PoolWalk(wiring.Component):
    """Where pixels stand in their windows, row by row; a tile begins with whole windows.

    A window is as large as the stride from one to the next, or a pixel larger: so it may begin with
    the pixel that closes the one before, and never more than one is open along an axis. In a layer
    without pooling every pixel is a window.

    Parameters
    ----------
    config : AcceleratorConfig
        Widths.

    Members
    -------
    i_begin, i_layer
        Start of a layer.
    i_step : ``In(1)``
        A pixel; the members below belong to it.
    i_column_last, i_row_last : ``In(1)``
        It is in the tile's last column, in its last row.
    o_column_opens, o_column_closes, o_row_opens, o_row_closes : ``Out(1)``
        No window that was open before has it, along the axis; it is the last of one.
    o_closes : ``Out(1)``
        It is the last of a window.
    """

    i_begin: Signal
    i_layer: Layer
    i_step: Signal
    i_column_last: Signal
    i_row_last: Signal
    o_column_opens: Signal
    o_column_closes: Signal
    o_row_opens: Signal
    o_row_closes: Signal
    o_closes: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        super().__init__(
            {
                "i_begin": In(1),
                "i_layer": In(LayerDescriptor(config)),
                "i_step": In(1),
                "i_column_last": In(1),
                "i_row_last": In(1),
                "o_column_opens": Out(1),
                "o_column_closes": Out(1),
                "o_row_opens": Out(1),
                "o_row_closes": Out(1),
                "o_closes": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build a countdown for each axis."""
        m = Module()
        layer = self.i_layer

        self._axis(
            m, "row", self.i_step & self.i_column_last, self.i_row_last, layer.pool_r,
            layer.pool_stride_e,
        )  # fmt: skip
        self._axis(m, "column", self.i_step, self.i_column_last, layer.pool_s, layer.pool_stride_f)
        m.d.comb += self.o_closes.eq(self.o_column_closes & self.o_row_closes)

        return m

    def _axis(
        self, m: Module, name: str, step: Value, last: Signal, size: Signal, stride: Signal
    ) -> None:
        opens, closes = getattr(self, f"o_{name}_opens"), getattr(self, f"o_{name}_closes")
        left = Signal(POOL_BITS, name=f"{name}s_left")  # pixels of the window behind this one
        fresh = Signal(name=f"{name}_fresh")
        m.d.comb += [opens.eq(fresh), closes.eq(left == 0)]
        with m.If(step):
            m.d.sync += [
                left.eq(Mux(closes, stride, left - 1)),
                fresh.eq(closes & (size == stride)),
            ]
        with m.If(self.i_begin | (step & last)):
            m.d.sync += [left.eq(size), fresh.eq(1)]
