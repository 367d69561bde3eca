"""Barrel rotation of a vector of words."""

from collections.abc import Callable, Sequence

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, ValueLike


def rotate_left(m: Module, words: Sequence[ValueLike], amount: Value, name: str) -> list[Value]:
    """Rotate so that result ``i`` is ``words[(i + amount) % len(words)]``.

    Parameters
    ----------
    m : Module
        Gets the multiplexers.
    words : Sequence
        A power of two of words, the narrower ones filled with zeros.
    amount : Value
        Log2(len(words)) bits or fewer.
    name : str
        Of the signals.

    Returns
    -------
    list
        The rotated words, unsigned: ``log2(len(words))`` multiplexer levels.
    """
    return _rotate(m, words, amount, name, lambda step: step)


def rotate_right(m: Module, words: Sequence[ValueLike], amount: Value, name: str) -> list[Value]:
    """Rotate so that result ``(i + amount) % len(words)`` is ``words[i]``."""
    return _rotate(m, words, amount, name, lambda step: len(words) - step)


def _rotate(
    m: Module,
    words: Sequence[ValueLike],
    amount: Value,
    name: str,
    place_of_first: Callable[[int], int],
) -> list[Value]:
    parts = [Value.cast(word) for word in words]
    width = max(map(len, parts))
    vector = Signal(width * len(parts), name=name)
    m.d.comb += vector.eq(Cat(*(Cat(part, Const(0, width - len(part))) for part in parts)))
    # A level is one multiplexer as wide as all words: short to write down.
    for bit in range((len(words) - 1).bit_length()):
        cut = place_of_first(1 << bit) * width
        rotated = Signal.like(vector, name=f"{name}_{1 << bit}")
        m.d.comb += rotated.eq(Mux(amount[bit], Cat(vector[cut:], vector[:cut]), vector))
        vector = rotated
    return [vector[width * i : width * (i + 1)] for i in range(len(words))]
