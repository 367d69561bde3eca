"""How a convolution lies on a row-stationary array. Plain Python."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class PeSet:
    """What the PEs hold in a pass: filter rows on the array's rows, ofmap rows on its columns.

    Row ``r * channels + c`` of the array holds row ``r`` of the filters for channel ``c``, column
    ``e`` computes ofmap row ``e``. So a PE meets ifmap row ``stride * e + r``: the same one as its
    neighbour on the diagonal. A PE holds, for each of ``filters`` filters, ``columns`` weights of
    ``depth`` channels, and as many ifmap words.

    Parameters
    ----------
    channels, filter_rows : int
        Channels and filter rows on the array's rows.
    depth : int
        Channels that a PE takes one after the other.
    columns : int
        Filter columns.
    filters : int
        Filters.

    References
    ----------
    Chen, Emer, Sze: Eyeriss (ISCA 2016), section V: PE sets and their folding.
    """

    channels: int
    filter_rows: int
    depth: int
    columns: int
    filters: int

    @property
    def rows(self) -> int:
        """Rows of the array in use."""
        return self.channels * self.filter_rows

    @property
    def words(self) -> int:
        """Ifmap words in a PE: a window."""
        return self.depth * self.columns

    @property
    def weights(self) -> int:
        """Weights in a PE."""
        return self.words * self.filters

    def depth_of(self, planes: int) -> int:
        """Channels that a PE takes of so many planes."""
        return -(-planes // self.channels)

    def sources(self, stride: int) -> int:
        """Distinct ifmap words that reach the rows in a cycle: one for each row of a diagonal."""
        return self.channels * min(stride, self.filter_rows)

    def shifts(self, stride: int) -> int:
        """Columns by which the last row's ifmap rows lie behind the first row's."""
        return (self.filter_rows - 1) // stride
