"""Requantiser lane: a psum to a word of the ofmap, bit for bit as float32 arithmetic does it."""

from amaranth.hdl import Cat, Module, Mux, Shape, Signal, Value, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.config import AcceleratorConfig, ceil_log2
from stillflow.hw.timing import REQUANT_STAGES

SIGNIFICAND_BITS = 24
HALF_BITS = SIGNIFICAND_BITS // 2
SHIFT_BITS = 8


class RequantLane(wiring.Component):
    """``o_value = saturate(round(f32(f32(i_psum) * scale)) + i_zero_point)``, in integers.

    Mode ``f32-rne``: the psum is rounded to 24 significant bits, multiplied by the scale
    ``i_significand * 2**-i_shift``, the product rounded to 24 significant bits and then to an
    integer. Every rounding is half to even. Any result saturates correctly, however large.

    Timing: fully pipelined, takes a psum in every cycle and never stalls; ``o_value`` belongs to
    the inputs of ``LATENCY`` cycles before. No register holds control, so none is reset: what
    comes out before the first psum arrives is arbitrary.

    Stages: 1 magnitude, 2 and 3 normalise it, 4 round it, 5 four half products, 6 add them,
    7 normalise the product, 8 shift it to an integer, 9 round and add the zero point, 10 saturate.

    Parameters
    ----------
    config : AcceleratorConfig
        ``acc_bits`` and ``act_bits`` give the widths.

    Members
    -------
    i_psum : ``In(signed(acc_bits))``
    i_significand : ``In(24)``
        2^23 to 2^24 - 1, as `stillflow.hw.scale.encode_scale` makes it; comes with its psum.
        Zero gives the zero point.
    i_shift : ``In(8)``
        Comes with its psum.
    i_zero_point, i_min, i_max : ``In(signed(act_bits))``
        Of the layer. They are not pipelined: change them only while no psum is under way.
    o_value : ``Out(signed(act_bits))``
    """

    LATENCY = REQUANT_STAGES

    i_psum: Signal
    i_significand: Signal
    i_shift: Signal
    i_zero_point: Signal
    i_min: Signal
    i_max: Signal
    o_value: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        self.unit_name = f"requant_lane_{config.acc_bits}to{config.act_bits}"
        self.unit_key = (config.acc_bits, config.act_bits)
        super().__init__(
            {
                "i_psum": In(signed(config.acc_bits)),
                "i_significand": In(SIGNIFICAND_BITS),
                "i_shift": In(SHIFT_BITS),
                "i_zero_point": In(signed(config.act_bits)),
                "i_min": In(signed(config.act_bits)),
                "i_max": In(signed(config.act_bits)),
                "o_value": Out(signed(config.act_bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the lane."""
        m = Module()

        psum, distance, carry = self._round_psum(m)  # after stage 4
        significand = _delay(m, self.i_significand, 4, "significand")

        product, sticky = _multiply(m, psum, significand)  # after stage 6
        distance = _register(m, distance - carry, "distance_5", distance.shape())
        distance = _delay(m, distance, 1, "distance_5")
        integer, round_up, over = self._to_integer(m, product, sticky, distance)  # after stage 8
        negative = _delay(m, self.i_psum[-1], 8, "negative")

        # -(integer + round_up) == ~integer + (1 - round_up): one adder serves both signs.
        word = Cat(integer ^ negative.replicate(len(integer)), negative).as_signed()
        total = _register(
            m,
            self.i_zero_point + word + (round_up ^ negative),
            "total",
            signed(self.config.act_bits + 2),
        )
        over = _delay(m, over, 1, "over_8")
        negative = _delay(m, negative, 1, "negative_8")
        below = Mux(over, negative, total < self.i_min)
        above = Mux(over, ~negative, total > self.i_max)
        value = Mux(below, self.i_min, Mux(above, self.i_max, total))
        m.d.comb += self.o_value.eq(_register(m, value, "value", self.o_value.shape()))

        return m

    def _round_psum(self, m: Module) -> tuple[Signal, Signal, Signal]:
        """Stages 1 to 4: the psum's 24 significant bits and how far its product must move.

        Returns
        -------
        psum : Signal
            Bit 23 is set unless the psum is zero.
        distance : Signal
            Right shift of the normalised product in `_to_integer`, if it has 47 bits and
            ``carry`` is 0. Limited to what can matter: negative saturates, large gives zero.
        carry : Signal
            Rounding went up to the next power of two.
        """
        acc_bits, act_bits = self.config.acc_bits, self.config.act_bits

        magnitude = _register(
            m, Mux(self.i_psum[-1], -self.i_psum, self.i_psum), "magnitude", unsigned(acc_bits)
        )
        # From acc_bits + 25 on, every result is zero: fewer bits say as much.
        shift_bits = (acc_bits + 25).bit_length()
        far = self.i_shift[shift_bits:].any().replicate(shift_bits)
        shift = _register(m, self.i_shift[:shift_bits] | far, "shift")

        steps = [1 << level for level in reversed(range(ceil_log2(acc_bits)))]
        coarse = [step for step in steps if step >= 8]
        fine = [step for step in steps if step < 8]
        moved, zeros_coarse = _normalise(m, magnitude, coarse, "coarse")
        moved = _register(m, moved, "magnitude_2")
        zeros_coarse = _register(m, zeros_coarse, "zeros_2")
        shift = _delay(m, shift, 1, "shift_1")

        moved, zeros_fine = _normalise(m, moved, fine, "fine")
        kept = moved[acc_bits - SIGNIFICAND_BITS :]
        lost = moved[: acc_bits - SIGNIFICAND_BITS]
        significant = _register(m, kept, "magnitude_3")
        half = _register(m, lost[-1] if len(lost) else 0, "half_3", unsigned(1))
        sticky = _register(m, lost[:-1].any(), "sticky_3")
        zeros = _register(m, Cat(zeros_fine, zeros_coarse), "zeros_3")
        shift = _delay(m, shift, 1, "shift_2")

        rounded = Signal(SIGNIFICAND_BITS + 1)
        m.d.comb += rounded.eq(significant + (half & (sticky | significant[0])))
        carry = _register(m, rounded[-1], "carry_4")
        # After a carry the other bits are zero, and bit 23 stands for the next power of two.
        psum = _register(m, Cat(rounded[: SIGNIFICAND_BITS - 1], significant[-1]), "psum_4")

        exact = Signal(signed(SHIFT_BITS + 2))
        m.d.comb += exact.eq(shift + zeros - (acc_bits + SIGNIFICAND_BITS - 1 - act_bits))
        largest = act_bits + 2  # at most one is subtracted: a carry leaves a 47-bit product
        limited = Mux(exact < 0, -1, Mux(exact > largest, largest, exact))
        distance = _register(m, limited, "distance_4", signed(largest.bit_length() + 1))
        return psum, distance, carry

    def _to_integer(
        self, m: Module, product: Signal, sticky: Signal, distance: Signal
    ) -> tuple[Signal, Value, Signal]:
        """Stages 7 and 8: the product's integer part and whether it rounds up.

        The product is never rounded to 24 bits: what that rounding would do to the fraction follows
        from the fraction's bits and the increment.

        Returns
        -------
        integer : Signal
            ``act_bits`` bits; meaningless if ``over``.
        round_up : Value
            The rounded integer is one more.
        over : Signal
            The integer has more than ``act_bits`` bits, so it saturates at any zero point.
        """
        act_bits = self.config.act_bits

        long = product[-1]
        kept = Signal(SIGNIFICAND_BITS)
        m.d.comb += kept.eq(Mux(long, product[2:], product[1:-1]))
        half = Mux(long, product[1], product[0])
        rest = sticky | (long & product[0])
        increment = _register(m, half & (rest | kept[0]), "increment_7")
        kept_7 = _register(m, kept, "product_7")
        exact = Signal(distance.shape())
        m.d.comb += exact.eq(distance - long)
        distance = _register(m, exact[:-1], "distance_7")
        over = _register(m, exact[-1] & kept[-1], "over_7")  # zero is never too large

        # word: integer and half bit; all lower bits of the fraction are in some_set, all_set.
        fraction = kept_7[: -act_bits - 1]
        word, some_set, all_set = kept_7[-act_bits - 1 :], fraction.any(), fraction.all()
        for level in reversed(range(len(distance))):
            move, step = distance[level], min(1 << level, act_bits + 1)
            word_next = Signal(act_bits + 1, name=f"word_{1 << level}")
            flags_next = Signal(2, name=f"fraction_{1 << level}")
            m.d.comb += [
                word_next.eq(Mux(move, word[step:], word)),
                flags_next[0].eq(some_set | (move & word[:step].any())),
                flags_next[1].eq(all_set & (~move | word[:step].all())),
            ]
            word, some_set, all_set = word_next, flags_next[0], flags_next[1]
        up_from_half = some_set | increment | word[1]
        up_to_half = all_set & increment & word[1]  # the increment makes it exactly half
        choice = _register(m, Cat(word[0], up_from_half, up_to_half), "round_up_8")
        round_up = Mux(choice[0], choice[1], choice[2])
        integer = _register(m, word[1:], "integer_8")
        return integer, round_up, _delay(m, over, 1, "over_7")


def _multiply(m: Module, left: Signal, right: Signal) -> tuple[Signal, Signal]:
    """Stages 5 and 6: bits 47:22 of the 48-bit product, and whether a lower bit is set."""
    low_l, high_l = left[:HALF_BITS], left[HALF_BITS:]
    low_r, high_r = right[:HALF_BITS], right[HALF_BITS:]
    low = _register(m, low_l * low_r, "product_low")
    cross = _register(m, low_l * high_r, "product_low_high")
    cross_2 = _register(m, high_l * low_r, "product_high_low")
    high = _register(m, high_l * high_r, "product_high")

    upper = Signal(3 * HALF_BITS)  # from bit 12 on
    m.d.comb += upper.eq(Cat(low[HALF_BITS:], high) + (cross + cross_2))
    unused = SIGNIFICAND_BITS - 2 - HALF_BITS
    product = _register(m, upper[unused:], "product_6")
    sticky = _register(m, low[:HALF_BITS].any() | upper[:unused].any(), "sticky_6")
    return product, sticky


def _normalise(m: Module, word: Value, steps: list[int], name: str) -> tuple[Value, Value]:
    """Shift ``word`` left by each step (descending powers of two) whose bits are all zero."""
    empties = []
    for step in steps:
        empty = Signal(name=f"{name}_empty_{step}")
        moved = Signal(len(word), name=f"{name}_{step}")
        m.d.comb += [
            empty.eq(~word[-step:].any()),
            moved.eq(Mux(empty, word << step, word)),
        ]
        word = moved
        empties.insert(0, empty)
    return word, Cat(empties)


def _register(m: Module, value: Value | int, name: str, shape: Shape | None = None) -> Signal:
    """Register ``value``; the datapath needs no reset."""
    register = Signal(shape or Value.cast(value).shape(), name=name, reset_less=True)
    m.d.sync += register.eq(value)
    return register


def _delay(m: Module, value: Value, cycles: int, name: str) -> Signal:
    """Register ``value`` ``cycles`` times, at least once."""
    for cycle in range(1, cycles):
        value = _register(m, value, f"{name}_d{cycle}")
    return _register(m, value, f"{name}_d{cycles}")
