"""Requantiser lane without a multiplier: a bit of the psum a cycle."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.post.requantize import SHIFT_BITS, SIGNIFICAND_BITS
from stillflow.hw.signals import signals


class SerialRequantLane(wiring.Component):
    """`stillflow.hw.post.requantize.RequantLane`, bit for bit, by shifts and one adder.

    Timing: takes a psum every ``requant_cycles`` cycles at most and never stalls; psum,
    significand and shift hold that long. ``o_value`` belongs to the psum whose last cycle was
    ``REQUANT_TAIL`` cycles before. The start loads every register of a psum, so none is reset.

    What is left of the psum, and then the product, moves right by a bit a cycle:

    1. while the psum has more than 24 bits, its lowest falls out;
    2. its lowest bit adds the significand to the product, of which the lowest bit falls out. When
       no bit is left, the product has its 24 significant bits (or one more: it moves once more);
    3. the product moves until its point is where ``i_shift`` says: the integer in its upper
       ``act_bits`` bits, and a fraction below.

    Each time, what fell out rounds what is left, half to even, by a carry: in 2 it ripples through
    the psum's bits as they come, in 3 through the product's as they go. The sign is put aside: a
    psum below zero comes inverted with a carry, too. If the point is passed before 3, the word
    saturates.

    Parameters
    ----------
    config : AcceleratorConfig
        ``acc_bits`` and ``act_bits`` give the widths.

    Members
    -------
    i_start, i_last : ``In(1)``
        First and last cycle of a psum.
    i_count
        ``first_count`` and the cycles since ``i_start``.
    i_psum, i_significand, i_shift, i_zero_point, i_min, i_max, o_value
        As there.
    """

    i_start: Signal
    i_last: Signal
    i_count: Signal
    i_psum: Signal
    i_significand: Signal
    i_shift: Signal
    i_zero_point: Signal
    i_min: Signal
    i_max: Signal
    o_value: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        self.unit_name = f"requant_lane_serial_{config.acc_bits}to{config.act_bits}"
        self.unit_key = (config.acc_bits, config.act_bits)
        super().__init__(
            {
                "i_start": In(1),
                "i_last": In(1),
                "i_count": In(range(self.first_count(config) + config.requant_cycles)),
                "i_psum": In(signed(config.acc_bits)),
                "i_significand": In(SIGNIFICAND_BITS),
                "i_shift": In(SHIFT_BITS),
                "i_zero_point": In(signed(config.act_bits)),
                "i_min": In(signed(config.act_bits)),
                "i_max": In(signed(config.act_bits)),
                "o_value": Out(signed(config.act_bits)),
            }
        )

    @staticmethod
    def first_count(config: AcceleratorConfig) -> int:
        """Give what ``i_count`` begins from: it is ``i_shift`` when the point is in its place."""
        return SIGNIFICAND_BITS - config.act_bits - 2

    def elaborate(self, platform: object) -> Module:
        """Build the lane."""
        m = Module()
        act_bits = self.config.act_bits

        product = Signal(SIGNIFICAND_BITS + 1, reset_less=True)
        near, over = _flags("near over")
        unfinished, at_point = signals("unfinished at_point")
        adds, bits_left, negative = self._psum_bits(m)
        m.d.comb += [
            unfinished.eq(bits_left | product[-1]),
            at_point.eq(near | (self.i_count == self.i_shift)),
        ]
        m.d.sync += [near.eq(at_point), over.eq(over | (at_point & unfinished))]
        with m.If(unfinished | ~at_point):
            moved = product >> 1  # added to in the same cells on a 4-LUT with a carry
            m.d.sync += product.eq(Mux(adds, moved + self.i_significand, moved))
        with m.If(self.i_start):
            m.d.sync += [
                product.eq(0),
                near.eq(self.i_shift <= self.first_count(self.config)),
                over.eq(0),
            ]

        # -(integer + round_up) == ~integer + (1 - round_up): one adder serves both signs.
        fraction, integer = product[: -1 - act_bits], product[-1 - act_bits : -1]
        round_up = self._round_up(m, product, fraction, adds, unfinished, at_point)
        magnitude = Cat(integer, over & integer[-1])  # a product of zero is never too large
        word = Cat(magnitude ^ negative.replicate(act_bits + 1), negative).as_signed()
        self._saturate(m, self.i_zero_point + word + (round_up ^ negative))

        return m

    def _saturate(self, m: Module, value: Value) -> None:
        """Keep a value, compare it with one bound and then with the other: with one comparator."""
        total = Signal(signed(self.config.act_bits + 3), reset_less=True)
        bound = Signal.like(self.i_min)
        arrives, meets_max, meets_min = signals("arrives meets_max meets_min")
        m.d.sync += [
            arrives.eq(self.i_last), meets_max.eq(arrives), meets_min.eq(meets_max),
        ]  # fmt: skip
        m.d.comb += [bound.eq(Mux(meets_max, self.i_max, self.i_min)), self.o_value.eq(total)]
        beyond = (total + ~bound)[-1] ^ meets_max  # a value that equals the bound may take it
        with m.If(arrives | (meets_max | meets_min) & beyond):
            m.d.sync += total.eq(Mux(arrives, value, bound))

    def _psum_bits(self, m: Module) -> tuple[Signal, Signal, Signal]:
        """Step 1, and the bits for step 2.

        Returns
        -------
        adds : Signal
            The product takes the significand.
        left : Signal
            Bits of the psum are left.
        negative : Signal
            Sign of the psum, until the next one comes.
        """
        psum = Signal(signed(self.config.acc_bits), reset_less=True)
        negative = Signal()
        bits = Signal(self.config.acc_bits)  # of the magnitude, but for the first carry
        carry, half, sticky = _flags("carry half sticky")  # half, sticky: what fell out
        large, carries, bit, adds, left = signals("large carries bit adds left")
        m.d.comb += [
            negative.eq(psum[-1]),
            bits.eq(psum ^ negative.replicate(len(psum))),
            large.eq(bits[SIGNIFICAND_BITS:].any()),
            carries.eq(carry | (~large & half & (sticky | bits[0]))),
            bit.eq(bits[0] ^ carries),
            adds.eq(bit & ~large),
            left.eq(bits.any() | carry),
        ]
        m.d.sync += [
            psum.eq(psum >> 1),
            carry.eq(bits[0] & carries),
            half.eq(large & bit),
            sticky.eq(sticky | half),
        ]
        with m.If(self.i_start):
            m.d.sync += [
                psum.eq(self.i_psum),
                carry.eq(self.i_psum[-1]),
                half.eq(0),
                sticky.eq(0),
            ]
        return adds, left, negative

    def _round_up(
        self, m: Module, product: Signal, fraction: Value, adds: Signal, unfinished: Signal,
        at_point: Signal,
    ) -> Signal:  # fmt: skip
        """Round the product to 24 bits, and then to an integer: whether that is one more."""
        carry, lost, rest = _flags("product_carry product_lost product_rest")
        low, lowest = product[0], product[1] ^ (adds & self.i_significand[0])
        with m.If(unfinished):
            m.d.sync += [carry.eq(low & (lost | lowest)), lost.eq(lost | low), rest.eq(0)]
        with m.Elif(~at_point):
            m.d.sync += [carry.eq(low & carry), rest.eq(rest | (low ^ carry))]
        with m.If(self.i_start):
            m.d.sync += [carry.eq(0), lost.eq(0), rest.eq(0)]

        half, below, odd = fraction[-1], fraction[:-1], product[len(fraction)]
        round_up = Signal()
        behind_carry = half | (below.all() & odd)  # nothing but zeros fell out
        m.d.comb += round_up.eq(Mux(carry, behind_carry, half & (below.any() | rest | odd)))
        return round_up


def _flags(names: str) -> list[Signal]:
    """Make registers of a bit that need no reset: the start loads them."""
    return [Signal(name=name, reset_less=True) for name in names.split()]
