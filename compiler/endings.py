"""What becomes of a layer's requantised words before they are its ofmap's."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from stillflow.hw.layer import PoolShape


@dataclass(frozen=True, kw_only=True, eq=False)
class Table:
    """A function of the requantised words, by table.

    Parameters
    ----------
    index : str
        Tensor of these words; it is not stored.
    entries : intx[256]
        Word for each of them, the smallest first; of the type of what the layer makes of it.
    """

    index: str
    entries: NDArray[np.integer]


@dataclass(frozen=True, kw_only=True)
class Joined:
    """A second tensor that a layer's words are added to, or multiplied with, one by one.

    ``clip(round((own * own_scale + residual * residual_scale) / 2^shift) + zero point)``, or
    ``clip(round(own * residual / 2^shift) + zero point)``: words less their zero points, integer
    scales, one rounding half to even (`stillflow.hw.residual`).

    Parameters
    ----------
    op : str
        ``add`` or ``mul``.
    own : str
        Tensor of the layer's own words; it is not stored.
    residual : str
        The second tensor, of the ofmap's shape.
    own_scale, residual_scale, shift : int
        The scales are 0 for a product.
    act_min, act_max : int
        Saturation bounds in ofmap words; the layer's own are those of its own words.
    tolerance : int
        Steps by which a word may differ from what float arithmetic makes of the operands.
    """

    op: Literal["add", "mul"]
    own: str
    residual: str
    own_scale: int
    residual_scale: int
    shift: int
    act_min: int
    act_max: int
    tolerance: int = 1


@dataclass(frozen=True, kw_only=True)
class Pooled:
    """Pooling of a layer's words, in its pass: the largest of each window, or their mean.

    Parameters
    ----------
    own : str
        Tensor of these words; it is not stored.
    shape : PoolShape
        Of the pooling; without padding where it takes means.
    scale : float, optional
        Of means, exactly a float32, as of a `stillflow.compiler.graph.PoolLayer`.
    act_min, act_max : int
        Saturation bounds of means, beside the type's range.
    """

    own: str
    shape: PoolShape
    scale: float | None = None
    act_min: int = -(1 << 15)
    act_max: int = (1 << 15) - 1

    @property
    def means(self) -> bool:
        """Whether windows give their mean."""
        return self.scale is not None
