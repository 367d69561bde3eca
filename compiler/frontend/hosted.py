"""Softmax and ArgMax at the end of a network: the host does them."""

from typing import Literal

from stillflow.compiler.frontend.lowering import Lowering
from stillflow.compiler.frontend.node import Node
from stillflow.compiler.frontend.values import Hosted, Real, Stored
from stillflow.compiler.graph import HostFunction

_OPS: dict[str, Literal["softmax", "logsoftmax", "argmax"]] = {
    "Softmax": "softmax",
    "LogSoftmax": "logsoftmax",
    "ArgMax": "argmax",
}


def lower_hosted(lowering: Lowering, node: Node) -> None:
    """Softmax, LogSoftmax and ArgMax of quantised real values."""
    words = lowering.words(node, 0)
    rank = len(words.shape)
    axis = node.integer("axis", 0 if node.op == "ArgMax" else rank - 1) % max(1, rank)
    shape, dtype, keepdims = words.shape, "float32", bool(node.integer("keepdims", 1))
    if node.op == "ArgMax":
        node.require("select_last_index", 0)
        dtype = "int64"
        kept = (1,) if keepdims else ()
        shape = (*shape[:axis], *kept, *shape[axis + 1 :])
    real = Real(name=node.output, shape=words.shape, source=Stored(tensor=words.tensor))
    function = HostFunction(name=node.name, op=_OPS[node.op], axis=axis, shape=words.shape)
    lowering.bind(node.output, Hosted(real=real, shape=shape, dtype=dtype, function=function))


HANDLERS = {("", op): lower_hosted for op in _OPS}
