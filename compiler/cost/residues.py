"""How often addresses fall on each byte of a beat."""

from collections.abc import Iterable

#: Occurrences of each residue.
Residues = dict[int, int]


def progression(count: int, stride: int, modulus: int, first: int = 0) -> Residues:
    """Residues of ``first + i * stride`` for ``i`` in ``range(count)``.

    Examples
    --------
    >>> progression(5, 16, 32)
    {0: 3, 16: 2}
    """
    if count <= 0:
        return {}
    seen: Residues = {}
    value, period = first % modulus, 0
    while value not in seen and period < count:
        seen[value] = 0
        value = (value + stride) % modulus
        period += 1
    whole, rest = divmod(count, period)
    return {residue: whole + (i < rest) for i, residue in enumerate(seen)}


def combined(parts: Iterable[Residues], modulus: int) -> Residues:
    """Residues of all sums of one element of each part.

    Examples
    --------
    >>> combined([{0: 2, 16: 1}, {16: 3}], 32)
    {16: 6, 0: 3}
    """
    total: Residues = {0: 1}
    for part in parts:
        sums: Residues = {}
        for a, times_a in total.items():
            for b, times_b in part.items():
                residue = (a + b) % modulus
                sums[residue] = sums.get(residue, 0) + times_a * times_b
        total = sums
    return total


def merged(parts: Iterable[Residues]) -> Residues:
    """Residues of the elements of all parts together."""
    total: Residues = {}
    for part in parts:
        for residue, times in part.items():
            total[residue] = total.get(residue, 0) + times
    return total


def beats(starts: Residues, length: int, beat: int) -> int:
    """Beats that transfers of ``length`` from these starts touch, all of one unit."""
    return sum(times * -(-(start + length) // beat) for start, times in starts.items())
