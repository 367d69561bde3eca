"""Values that are computed once."""

from dataclasses import dataclass, replace

from stillflow.hw.lazy import lazy

computed = []


@dataclass(frozen=True)
class Square:
    side: int

    @lazy
    def area(self) -> int:
        """Side times side."""
        computed.append(self.side)
        return self.side * self.side


def test_a_value_is_computed_once_and_kept_out_of_comparisons():
    square = Square(3)
    assert (square.area, square.area) == (9, 9)
    assert computed == [3]
    assert square == Square(3)
    assert hash(square) == hash(Square(3))
    assert replace(square, side=4).area == 16
    assert Square.area.__doc__ == "Side times side."
