"""Barrel rotation of a vector of words."""

from collections.abc import Sequence

from amaranth.hdl import Mux, Value, ValueLike


def rotate_left(words: Sequence[ValueLike], amount: Value) -> list[Value]:
    """Rotate so that result ``i`` is ``words[(i + amount) % len(words)]``.

    Parameters
    ----------
    words : Sequence
        A power of two of words.
    amount : Value
        Log2(len(words)) bits or fewer.

    Returns
    -------
    list
        The rotated words: ``log2(len(words))`` multiplexer levels.
    """
    rotated = [Value.cast(word) for word in words]
    for bit in range((len(words) - 1).bit_length()):
        step = 1 << bit
        rotated = [
            Mux(amount[bit], rotated[(i + step) % len(words)], rotated[i])
            for i in range(len(words))
        ]
    return rotated


def rotate_right(words: Sequence[ValueLike], amount: Value) -> list[Value]:
    """Rotate so that result ``(i + amount) % len(words)`` is ``words[i]``."""
    rotated = [Value.cast(word) for word in words]
    for bit in range((len(words) - 1).bit_length()):
        step = 1 << bit
        rotated = [Mux(amount[bit], rotated[i - step], rotated[i]) for i in range(len(words))]
    return rotated
