"""Where a layer's data lie."""

from dataclasses import dataclass, field

from stillflow.compiler.finish import PLAIN
from stillflow.hw.descriptor import Op
from stillflow.hw.tensor import TensorLayout


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Where a layer's data lie, and the words that depend on its values.

    Parameters
    ----------
    ifmap, filters, ofmap : int
        Byte addresses.
    ifmap_layout, ofmap_layout : TensorLayout
        Of the tensors.
    residual_layout : TensorLayout, optional
        Of the tensor that the words are joined with.
    op : Op
        How column sums meet psums.
    pad_value, zero_point, act_min, act_max : int
        Signed words.
    finish : dict[str, int]
        Fields of the descriptor for a table, joining with a second tensor, and means.
    """

    ifmap: int
    filters: int
    ofmap: int
    ifmap_layout: TensorLayout
    ofmap_layout: TensorLayout
    op: Op
    pad_value: int
    zero_point: int
    act_min: int
    act_max: int
    residual_layout: TensorLayout | None = None
    finish: dict[str, int] = field(default_factory=lambda: dict(PLAIN))
