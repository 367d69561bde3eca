"""Streams a tile's pixels through the weight chains: one step of a depthwise layer."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.config import AcceleratorConfig, ceil_log2
from stillflow.hw.sequencer.block import Block
from stillflow.hw.signals import signals
from stillflow.hw.words import LayerDescriptor


class FirWalk(wiring.Component):
    """Walks images, strips of ofmap rows, ifmap columns and the rows of a strip, innermost last.

    A strip's ifmap columns enter one after the other, each from top to bottom, so that a filter's
    taps lie at fixed distances in the chain. A vector *emits* where it completes a window: first
    the ofmap pixels of a column, top down, then the next column's. With ``i_final`` an emitting
    vector takes ``pace`` cycles. A strip never stalls; each but the first waits for ``i_room`` and
    begins at least a cycle after the one before. ``i_start`` comes one cycle before the first
    vector.

    Parameters
    ----------
    config : AcceleratorConfig
        Widths and pace.

    Members
    -------
    i_layer : ``In(LayerDescriptor)``
    i_start, i_block
        Start of a step.
    i_room : ``In(1)``
        There is room for the ofmap words of a strip.
    o_active : ``Out(1)``
        The step goes on.
    o_finishing : ``Out(1)``
        Its last cycle.
    o_valid, o_first, o_address
        A vector; the step's first one; its ifmap buffer element.
    o_emits, o_psum
        It completes a window; psum entry of the ofmap pixel.
    o_column_last, o_strip_last
        ... the last of its column, of its strip.
    """

    i_layer: data.View
    i_start: Signal
    i_block: data.View
    i_room: Signal
    o_active: Signal
    o_finishing: Signal
    o_valid: Signal
    o_first: Signal
    o_address: Signal
    o_emits: Signal
    o_psum: Signal
    o_column_last: Signal
    o_strip_last: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        super().__init__(
            {
                "i_layer": In(LayerDescriptor(config)),
                "i_start": In(1),
                "i_block": In(Block(config)),
                "i_room": In(1),
                "o_active": Out(1),
                "o_finishing": Out(1),
                "o_valid": Out(1),
                "o_first": Out(1),
                "o_address": Out(ceil_log2(config.ifmap_elements)),
                "o_emits": Out(1),
                "o_psum": Out(max(1, ceil_log2(config.psum_depth))),
                "o_column_last": Out(1),
                "o_strip_last": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the loops."""
        m = Module()
        config, layer, block = self.config, self.i_layer, self.i_block
        starts = self.i_start

        runs, waits, first = signals("runs waits first")
        step = Signal(Block(config))
        phase = Signal(range(config.pace + 1))
        row, column = signals("row column", config.count_bits)  # of the strip's ifmap; ofmap column
        row_wait, column_wait = signals(
            "row_wait column_wait", config.count_bits
        )  # until a window is complete
        done_rows, rows_left, image = signals("done_rows rows_left image", config.count_bits)

        row_meets, emits, ends = signals("row_meets emits ends")
        strip_rows = Signal(config.count_bits)
        column_last = Signal()
        strip_last = Signal()
        more_strips, more_images = signals("more_strips more_images")
        m.d.comb += [
            more_strips.eq(rows_left > layer.strip_rows),
            more_images.eq(image + 1 != step.images),
            strip_rows.eq(Mux(more_strips, layer.strip_rows, rows_left)),
            row_meets.eq((row_wait == 0) & (done_rows != strip_rows)),
            emits.eq(row_meets & (column_wait == 0)),
            column_last.eq(done_rows + 1 == strip_rows),
            strip_last.eq(emits & column_last & (column + 1 == step.columns)),
            ends.eq(runs & (~(emits & step.final) | (phase == config.pace - 1))),
        ]
        next_column, next_strip, next_image = signals("next_column next_strip next_image")
        m.d.comb += [
            next_column.eq((row + 1 == layer.fir_rows) & ~strip_last),
            next_strip.eq(strip_last & more_strips),
            next_image.eq(strip_last & ~more_strips),
        ]
        self._addresses(m, ends, next_column, next_strip, next_image, strip_last)
        next_pixels = Signal()
        m.d.comb += next_pixels.eq(next_column & (column_wait == 0))
        self._psums(m, ends, emits, next_pixels, strip_last)

        m.d.sync += first.eq(starts)
        with m.If(runs):
            m.d.sync += phase.eq(phase + 1)
        with m.If(ends):
            m.d.sync += [phase.eq(0), row.eq(row + 1)]
            with m.If(row_meets):
                m.d.sync += [row_wait.eq(layer.emit_stride_e - 1), done_rows.eq(done_rows + 1)]
            with m.Else():
                m.d.sync += row_wait.eq(row_wait - 1)
            with m.If(next_column):
                m.d.sync += column_wait.eq(column_wait - 1)
                with m.If(column_wait == 0):
                    m.d.sync += [column_wait.eq(layer.emit_stride_f - 1), column.eq(column + 1)]
            with m.If(next_column | strip_last):
                m.d.sync += [row.eq(0), row_wait.eq(layer.tap_run - 1), done_rows.eq(0)]
            with m.If(strip_last):
                m.d.sync += [
                    runs.eq(0),
                    waits.eq(more_strips | more_images),
                    column.eq(0),
                    column_wait.eq(layer.tap_columns - 1),
                    rows_left.eq(Mux(more_strips, rows_left - layer.strip_rows, step.rows)),
                    image.eq(image + next_image),
                ]
        with m.If(waits & (self.i_room | ~step.final)):
            m.d.sync += [runs.eq(1), waits.eq(0)]
        with m.If(starts):
            m.d.sync += [
                step.eq(block),
                runs.eq(1),
                rows_left.eq(block.rows),
                row_wait.eq(layer.tap_run - 1),
                column_wait.eq(layer.tap_columns - 1),
            ]
            m.d.sync += [register.eq(0) for register in (phase, row, column, done_rows, image)]
        m.d.comb += [
            self.o_active.eq(runs | waits),
            self.o_finishing.eq(ends & strip_last & ~more_strips & ~more_images),
            self.o_valid.eq(runs & (phase == 0)),
            self.o_first.eq(first),
            self.o_emits.eq(self.o_valid & emits),
            self.o_column_last.eq(column_last),
            self.o_strip_last.eq(strip_last),
        ]

        return m

    def _addresses(
        self, m: Module, ends: Signal, next_column: Signal, next_strip: Signal,
        next_image: Signal, strip_last: Signal,
    ) -> None:  # fmt: skip
        """Follow the vectors in the ifmap buffer."""
        layer, bits = self.i_layer, len(self.o_address)
        here, of_column, of_strip, of_image, after = (
            Signal(bits, name=name)
            for name in ("here", "of_column", "of_strip", "of_image", "after")
        )
        m.d.comb += [
            self.o_address.eq(here),
            after.eq(
                Mux(
                    next_image,
                    of_image + layer.stride_n,
                    Mux(
                        next_strip,
                        of_strip + layer.strip_stride,
                        Mux(
                            next_column,
                            of_column + self.config.channel_block,
                            here + layer.buffer_stride_h,
                        ),
                    ),
                )
            ),
        ]
        with m.If(ends):
            m.d.sync += here.eq(after)
            with m.If(next_column | strip_last):
                m.d.sync += of_column.eq(after)
            with m.If(strip_last):
                m.d.sync += of_strip.eq(after)
            with m.If(next_image):
                m.d.sync += of_image.eq(after)
        with m.If(self.i_start):
            element = self.i_block.element
            m.d.sync += [place.eq(element) for place in (here, of_column, of_strip, of_image)]

    def _psums(
        self, m: Module, ends: Signal, emits: Signal, next_pixels: Signal, strip_last: Signal
    ) -> None:
        """Count the tile's ofmap pixels row by row, though they come column by column."""
        psum = Signal.like(self.o_psum)
        of_column = Signal.like(self.o_psum)
        m.d.comb += self.o_psum.eq(psum)
        with m.If(ends):
            with m.If(emits):
                m.d.sync += psum.eq(psum + self.i_layer.pf)
            with m.If(next_pixels):
                m.d.sync += [psum.eq(of_column + 1), of_column.eq(of_column + 1)]
            with m.If(strip_last):
                m.d.sync += [psum.eq(psum + 1), of_column.eq(psum + 1)]
        with m.If(self.i_start):
            m.d.sync += [psum.eq(self.i_block.psum), of_column.eq(self.i_block.psum)]
