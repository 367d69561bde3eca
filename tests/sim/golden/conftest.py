"""ONNX Runtime as the oracle of single nodes, and seeded words."""

import platform
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import helper, numpy_helper

Array = NDArray[np.generic]


def _run_node(
    op: str, operands: Sequence[Array | None], *, domain: str = "", **attributes: Any
) -> Array:
    """Run one operator; the first operand is the graph's input, None is an absent one."""
    names = ["" if operand is None else f"i{k}" for k, operand in enumerate(operands)]
    ifmap = operands[0]
    assert ifmap is not None
    word = helper.np_dtype_to_tensor_dtype(ifmap.dtype)
    node = helper.make_node(op, names, ["o"], domain=domain, **attributes)
    graph = helper.make_graph(
        [node],
        "one_node",
        [helper.make_tensor_value_info("i0", word, ifmap.shape)],
        [helper.make_tensor_value_info("o", word, None)],
        [
            numpy_helper.from_array(np.asarray(operand), name)
            for name, operand in zip(names[1:], operands[1:], strict=True)
            if operand is not None
        ],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return np.asarray(session.run(None, {"i0": ifmap})[0])


def _saturates_int16() -> bool:
    """Whether ONNX Runtime multiplies uint8 by int8 with VPMADDUBSW: x86 without VNNI.

    That instruction adds two products in 16 bits. (Session option ``session.x64quantprecision``
    avoids it only for models in QDQ form.)
    """
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return False
    cpuinfo = Path("/proc/cpuinfo")
    return not cpuinfo.exists() or "vnni" not in cpuinfo.read_text()


def _draw_words(
    rng: np.random.Generator, dtype: str, shape: Sequence[int], *, extreme: bool = False
) -> NDArray[np.integer]:
    """Words of a type's whole range, or only its two ends."""
    word = np.iinfo(dtype)
    if extreme:
        return rng.choice(np.array([word.min, word.max], dtype), tuple(shape))
    return rng.integers(word.min, word.max, tuple(shape), dtype, endpoint=True)


@pytest.fixture(scope="session")
def run_node() -> Callable[..., Array]:
    """Run one operator with ONNX Runtime: ``run_node(op, operands, domain=..., **attributes)``."""
    return _run_node


@pytest.fixture(scope="session")
def draw_words() -> Callable[..., NDArray[np.integer]]:
    """Draw words: ``draw_words(rng, dtype, shape, extreme=False)``."""
    return _draw_words


@pytest.fixture(scope="session")
def oracle_weights() -> Callable[[NDArray[np.integer]], NDArray[np.integer]]:
    """Halve int8 weights to -64..63 where ONNX Runtime would saturate inside; else keep them."""
    halve = _saturates_int16()

    def fit(weights: NDArray[np.integer]) -> NDArray[np.integer]:
        return weights >> 1 if halve else weights

    return fit
