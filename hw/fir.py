"""How a depthwise filter lies in the weight chains: taps on the rows. Plain Python."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Fir:
    """A block of a filter's taps in a chain of PEs through which a strip's pixels move.

    A strip is a few ofmap rows. Its ifmap columns enter the chain one after the other, each from
    top to bottom; so neighbours in a row of the ifmap are ``rows`` places apart, and tap ``(r, s)``
    belongs ``s * rows + r`` places behind the oldest pixel of a window.

    Parameters
    ----------
    chain : int
        PEs of a column.
    tap_rows, tap_columns : int
        Filter rows and columns whose taps are in the chain at a time.
    strip : int
        Ofmap rows of a strip.
    stride : int
        Ifmap rows from ofmap row to ofmap row.

    Raises
    ------
    ValueError
        If the taps do not fit the chain.

    Examples
    --------
    >>> fir = Fir(chain=16, tap_rows=3, tap_columns=3, strip=4, stride=1)
    >>> fir.rows, fir.lead, fir.gap
    (6, 1, 3)
    """

    chain: int
    tap_rows: int
    tap_columns: int
    strip: int
    stride: int

    def __post_init__(self) -> None:
        if self.lead < 0:
            raise ValueError(
                f"{self.tap_rows}x{self.tap_columns} taps over strips of {self.strip} rows must "
                f"fit {self.chain} PEs"
            )

    @property
    def rows(self) -> int:
        """Ifmap rows of a strip."""
        return (self.strip - 1) * self.stride + self.tap_rows

    @property
    def lead(self) -> int:
        """PEs above the first tap: the last one is in the bottom row, where pixels enter."""
        return self.chain - (self.tap_columns - 1) * self.rows - self.tap_rows

    @property
    def gap(self) -> int:
        """PEs without a tap between filter columns."""
        return self.rows - self.tap_rows

    @property
    def taps(self) -> int:
        """Taps in the chain."""
        return self.tap_rows * self.tap_columns


def most_strip(chain: int, tap_rows: int, tap_columns: int, stride: int) -> int | None:
    """Most ofmap rows of a strip; 0 if the taps do not fit, None if the chain sets no limit."""
    if tap_rows > chain:
        return 0
    if tap_columns == 1:
        return None
    return max(0, ((chain - tap_rows) // (tap_columns - 1) - tap_rows) // stride + 1)
