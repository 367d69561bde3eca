"""Streams a tile's pixels through the weight chains: one step of a depthwise layer."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.config import AcceleratorConfig, ceil_log2
from stillflow.hw.layer_port import Layer, LayerDescriptor
from stillflow.hw.sequencer.block import Block
from stillflow.hw.signals import signals


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

    i_layer: Layer
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
        # What is left of each loop, less two: negative in the last iteration.
        bits = signed(config.count_bits + 1)
        row, column, image = signals("row column image", bits)
        # Until a window is complete, less one: negative when it is.
        row_wait, column_wait = signals("row_wait column_wait", bits)
        # Rows of the strip whose window is still to come, less two: -1 the last one, -2 none.
        unmet = Signal(bits)
        rows_left = Signal(config.count_bits)

        row_meets, emits, ends = signals("row_meets emits ends")
        column_last, strip_last = signals("column_last strip_last")
        more_strips, more_images = signals("more_strips more_images")
        strip_rows, first_rows = signals("strip_rows first_rows", config.count_bits)
        m.d.comb += [
            more_strips.eq(rows_left > layer.strip_rows),
            more_images.eq(~image[-1]),
            strip_rows.eq(Mux(more_strips, layer.strip_rows, rows_left)),
            first_rows.eq(Mux(block.rows > layer.strip_rows, layer.strip_rows, block.rows)),
            row_meets.eq(row_wait[-1] & ~(unmet[-1] & ~unmet[0])),
            emits.eq(row_meets & column_wait[-1]),
            column_last.eq(unmet[-1] & unmet[0]),
            strip_last.eq(emits & column_last & column[-1]),
            ends.eq(runs & (~(emits & step.final) | (phase == config.pace - 1))),
        ]
        next_column, next_strip, next_image = signals("next_column next_strip next_image")
        m.d.comb += [
            next_column.eq(row[-1] & ~strip_last),
            next_strip.eq(strip_last & more_strips),
            next_image.eq(strip_last & ~more_strips),
        ]
        self._addresses(m, ends, next_column, next_strip, next_image, strip_last)
        next_pixels = Signal()
        m.d.comb += next_pixels.eq(next_column & column_wait[-1])
        self._psums(m, ends, emits, next_pixels, strip_last)

        m.d.sync += first.eq(starts)
        with m.If(runs):
            m.d.sync += phase.eq(phase + 1)
        with m.If(ends):
            m.d.sync += [phase.eq(0), row.eq(row - 1)]
            with m.If(row_meets):
                m.d.sync += [row_wait.eq(layer.emit_stride_e - 2), unmet.eq(unmet - 1)]
            with m.Else():
                m.d.sync += row_wait.eq(row_wait - 1)
            with m.If(next_column):
                m.d.sync += column_wait.eq(column_wait - 1)
                with m.If(column_wait[-1]):
                    m.d.sync += [column_wait.eq(layer.emit_stride_f - 2), column.eq(column - 1)]
            with m.If(next_column | strip_last):
                m.d.sync += [row.eq(layer.fir_rows - 2), row_wait.eq(layer.tap_run - 2)]
                m.d.sync += unmet.eq(strip_rows - 2)
            with m.If(strip_last):
                m.d.sync += [
                    runs.eq(0),
                    waits.eq(more_strips | more_images),
                    column.eq(step.columns - 2),
                    column_wait.eq(layer.tap_columns - 2),
                    rows_left.eq(Mux(more_strips, rows_left - layer.strip_rows, step.rows)),
                    image.eq(image - next_image),
                ]
        with m.If(waits):
            m.d.sync += unmet.eq(strip_rows - 2)
            with m.If(self.i_room | ~step.final):
                m.d.sync += [runs.eq(1), waits.eq(0)]
        with m.If(starts):
            m.d.sync += runs.eq(1)
        with m.If(~self.o_active):  # what a start needs is there before: it comes late in the cycle
            m.d.sync += [
                step.eq(block),
                phase.eq(0),
                rows_left.eq(block.rows),
                unmet.eq(first_rows - 2),
                row.eq(layer.fir_rows - 2),
                row_wait.eq(layer.tap_run - 2),
                column.eq(block.columns - 2),
                column_wait.eq(layer.tap_columns - 2),
                image.eq(block.images - 2),
            ]
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
        with m.If(~self.o_active):
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
        with m.If(~self.o_active):
            m.d.sync += [psum.eq(self.i_block.psum), of_column.eq(self.i_block.psum)]
