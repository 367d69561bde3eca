"""Shape of one layer. Plain Python: no Amaranth, no NumPy.

Letters are those of the survey (Sze, Chen, Yang, Emer 2017, Table I).
"""

from dataclasses import dataclass, fields


def _check_integers(shape: object, *, crops: bool = False) -> None:
    for key in fields(shape):  # type: ignore[arg-type]
        value = getattr(shape, key.name)
        parts = value if isinstance(value, tuple) else (value,)
        low = 0 if key.name == "pad" else 1
        for part in parts:
            if not isinstance(part, int) or isinstance(part, bool):
                raise TypeError(f"{key.name} must be made of integers, not {value!r}")
            if part < low and not (crops and key.name == "pad"):
                raise ValueError(f"{key.name} must be at least {low}, not {value!r}")


@dataclass(frozen=True, kw_only=True)
class ConvShape:
    """Loop bounds of a 2-D convolution; a fully connected layer has H = W = R = S = 1.

    Parameters
    ----------
    N, G, C, M : int
        Batch, groups, ifmap channels and filters; C and M are totals over the groups.
    H, W : int
        Ifmap plane, in pixels, without padding.
    R, S : int
        Filter plane, in pixels.
    stride, dilation : tuple[int, int]
        Vertical, horizontal.
    pad : tuple[int, int, int, int]
        Top, left, bottom, right, in pixels.

    Raises
    ------
    TypeError
        If a bound is not an integer.
    ValueError
        If a bound is too small, G does not divide C and M, or the filter exceeds the padded ifmap.

    Examples
    --------
    >>> shape = ConvShape(C=3, H=227, W=227, M=96, R=11, S=11, stride=(4, 4))
    >>> shape.E, shape.F, shape.macs
    (55, 55, 105415200)
    """

    N: int = 1
    G: int = 1
    C: int
    M: int
    H: int = 1
    W: int = 1
    R: int = 1
    S: int = 1
    stride: tuple[int, int] = (1, 1)
    pad: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilation: tuple[int, int] = (1, 1)

    def __post_init__(self) -> None:
        _check_integers(self)
        for name in ("C", "M"):
            if getattr(self, name) % self.G:
                raise ValueError(
                    f"{name} must be a multiple of G ({self.G}), not {getattr(self, name)!r}"
                )
        if self.E < 1 or self.F < 1:
            raise ValueError(
                f"the {self.R}x{self.S} filter must fit the padded {self.H}x{self.W} ifmap"
            )

    @property
    def E(self) -> int:
        """Ofmap height, in pixels."""
        top, _, bottom, _ = self.pad
        return (self.H + top + bottom - (self.R - 1) * self.dilation[0] - 1) // self.stride[0] + 1

    @property
    def F(self) -> int:
        """Ofmap width, in pixels."""
        _, left, _, right = self.pad
        return (self.W + left + right - (self.S - 1) * self.dilation[1] - 1) // self.stride[1] + 1

    @property
    def macs(self) -> int:
        """Multiply-accumulates in the whole layer, padding included."""
        return self.N * self.M * (self.C // self.G) * self.R * self.S * self.E * self.F


@dataclass(frozen=True, kw_only=True)
class PoolShape:
    """Loop bounds of a 2-D pooling over each channel by itself; letters as in `ConvShape`.

    A negative ``pad`` leaves rows or columns of the ifmap out.
    """

    N: int = 1
    C: int
    H: int
    W: int
    R: int
    S: int
    stride: tuple[int, int] = (1, 1)
    pad: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilation: tuple[int, int] = (1, 1)

    def __post_init__(self) -> None:
        _check_integers(self, crops=True)
        if self.E < 1 or self.F < 1:
            raise ValueError(
                f"the {self.R}x{self.S} window must fit the padded {self.H}x{self.W} ifmap"
            )

    @property
    def E(self) -> int:
        """Ofmap height, in pixels."""
        top, _, bottom, _ = self.pad
        return (self.H + top + bottom - (self.R - 1) * self.dilation[0] - 1) // self.stride[0] + 1

    @property
    def F(self) -> int:
        """Ofmap width, in pixels."""
        _, left, _, right = self.pad
        return (self.W + left + right - (self.S - 1) * self.dilation[1] - 1) // self.stride[1] + 1
