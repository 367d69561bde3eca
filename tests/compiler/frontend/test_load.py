"""Models of ONNX Runtime's static quantiser, and errors that concern a whole file."""

import numpy as np
import onnx
import pytest
from onnx import helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_static,
)

from stillflow.compiler.frontend.errors import FrontendError
from stillflow.compiler.frontend.load import load_network
from stillflow.compiler.models import DIGITS, load_digits

QDQ_HINT = (
    r"quantise the float model with onnxruntime\.quantization\.quantize_static\(\.\.\., "
    r"quant_format=QuantFormat\.QDQ\)"
)


class Images(CalibrationDataReader):
    def __init__(self):
        rng = np.random.default_rng(1)
        self.images = iter([{"x": rng.normal(size=(1, 3, 9, 11)).astype("f")} for _ in range(8)])

    def get_next(self):  # type: ignore[override]
        return next(self.images, None)


@pytest.fixture
def float_model(models):
    """Convolutions (grouped, strided, padded by SAME), pooling, Clip, Gemm and MatMul."""
    rng = np.random.default_rng(2)

    def weights(*shape):
        return rng.normal(size=shape).astype(np.float32)

    node = helper.make_node
    return models.save(
        [
            node("Conv", ["x", "w1", "b1"], ["c1"], "conv1", pads=[1, 1, 1, 1]),
            node("Relu", ["c1"], ["r1"], "relu1"),
            node("MaxPool", ["r1"], ["p1"], "pool1", kernel_shape=[3, 2], strides=[2, 2]),
            node("Conv", ["p1", "w2"], ["c2"], "conv2", group=2, auto_pad="SAME_LOWER"),
            node("Clip", ["c2", "zero", "six"], ["r2"], "clip2"),
            node("Conv", ["r2", "w3", "b3"], ["c3"], "conv3", group=8, strides=[2, 1]),
            node("Reshape", ["c3", "flat"], ["f3"], "flatten"),
            node("Gemm", ["f3", "w4", "b4"], ["g4"], "fc4", transB=1),
            node("Relu", ["g4"], ["r4"], "relu4"),
            node("MatMul", ["r4", "w5"], ["y"], "product5"),
        ],
        {"x": ("float32", ["N", 3, 9, 11])},
        {"y": "float32"},
        {
            "w1": weights(6, 3, 3, 3), "b1": weights(6), "w2": weights(8, 3, 2, 3),
            "w3": weights(8, 1, 2, 2), "b3": weights(8), "w4": weights(7, 64), "b4": weights(7),
            "w5": weights(7, 5), "zero": np.float32(0), "six": np.float32(6),
            "flat": np.array([0, -1]),
        },
    )  # fmt: skip


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("activations", [QuantType.QInt8, QuantType.QUInt8])
@pytest.mark.parametrize("quant_format", list(QuantFormat))
def test_statically_quantised_models_match_onnx_runtime(
    float_model, compare, quant_format, activations, per_channel, symmetric
):
    path = float_model.with_name("quantised.onnx")
    quantize_static(
        float_model,
        path,
        Images(),
        quant_format=quant_format,
        activation_type=activations,
        weight_type=QuantType.QInt8,
        per_channel=per_channel,
        reduce_range=True,  # so that no CPU's uint8 x int8 products saturate in ONNX Runtime
        extra_options={"ActivationSymmetric": symmetric},
    )
    rng = np.random.default_rng(3)
    images = rng.normal(size=(3, 1, 3, 9, 11)).astype(np.float32)
    network, *_ = [compare(path, {"x": image}) for image in images]
    assert [layer.op for layer in network.layers] == ["conv", "maxpool", "conv", "conv", "fc", "fc"]
    assert network.inputs[0].shape == (1, 3, 9, 11)
    assert network.outputs[0].shape == (1, 5)


def test_the_bundled_network_matches_onnx_runtime(compare):
    images, _ = load_digits()
    for image in images[:5]:
        compare(DIGITS, {"image": image[None]})


def test_missing_external_weights_are_named(float_model):
    model = onnx.load(float_model)
    onnx.save(
        model, float_model, save_as_external_data=True, location="weights.bin", size_threshold=0
    )
    float_model.with_name("weights.bin").unlink()
    with pytest.raises(FrontendError, match=r"^[^\n]*model\.onnx: [^\n]*weights\.bin[^\n]*$"):
        load_network(float_model)


def test_a_float_model_is_told_how_to_be_quantised(float_model):
    with pytest.raises(
        FrontendError, match=rf"^[^\n]*model\.onnx: the model is not quantised: {QDQ_HINT}$"
    ):
        load_network(float_model)


def test_dynamic_quantisation_is_told_to_be_static(models):
    path = models.save(
        [helper.make_node("DynamicQuantizeLinear", ["x"], ["y", "s", "z"], "dynamic")],
        {"x": ("float32", [1, 4])},
        {"y": "uint8"},
        {},
    )
    with pytest.raises(
        FrontendError,
        match=r"^[^\n]*: node 'dynamic' \(DynamicQuantizeLinear\): dynamic quantisation is not "
        rf"supported: {QDQ_HINT}$",
    ):
        load_network(path)


def quantised_input(models, shape, *more, outputs=None, dtype="float32", **constants):
    """Model that quantises input ``x`` to ``q`` before the given nodes."""
    return models.save(
        [helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"], "quantise"), *more],
        {"x": (dtype, shape)},
        outputs or {"q": "uint8"},
        {"s": np.float32(0.5), "z": np.uint8(7), **constants},
    )


def test_an_unsupported_operator_is_named(models):
    path = quantised_input(
        models,
        [1, 4],
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"], "dequantise"),
        helper.make_node("Hardmax", ["d"], ["y"], "choice"),
        outputs={"y": "float32"},
    )
    with pytest.raises(
        FrontendError,
        match=r"^[^\n]*: node 'choice' \(Hardmax\): operator is not supported: use "
        r"Abs, Add, .*, Sigmoid, .*, Unsqueeze$",
    ):
        load_network(path)


def test_a_symbolic_batch_is_one(models, compare):
    network = compare(
        quantised_input(models, ["batch", 4]), {"x": np.array([[-9, 0.25, 0.75, 900]], np.float32)}
    )
    assert network.inputs[0].shape == (1, 4)


def test_a_fixed_batch_is_kept(models):
    assert load_network(quantised_input(models, [3, 4])).inputs[0].shape == (3, 4)


@pytest.mark.parametrize(("size", "shown"), [("height", "'height'"), (0, "'unknown'")])
def test_other_symbolic_sizes_are_refused(models, size, shown):
    with pytest.raises(
        FrontendError,
        match=r"^[^\n]*: graph input 'x' must have fixed sizes behind the batch, not "
        rf"{shown} on axis 2: fix it with onnxruntime\.tools\.make_dynamic_shape_fixed$",
    ):
        load_network(quantised_input(models, ["batch", 1, size, 4]))


def test_an_input_without_shape_is_refused(models):
    with pytest.raises(FrontendError, match=r"^[^\n]*: graph input 'x' must have a shape$"):
        load_network(quantised_input(models, []))


@pytest.mark.parametrize("shape", [[6], [2, 6], [2, 3, 4], [2, 3, 4, 5], [2, 3, 2, 2, 3]])
def test_tensors_of_any_rank_pass(models, compare, shape):
    path = models.between([helper.make_node("Tanh", ["d"], ["r"], "tanh")], shape)
    compare(path, {"x": np.random.default_rng(1).normal(0, 2, shape).astype(np.float32)})


def test_an_input_of_another_type_is_refused(models):
    path = models.save(
        [
            helper.make_node("Identity", ["x"], ["y"], "same"),
            helper.make_node("QuantizeLinear", ["f", "s"], ["q"], "q"),
        ],
        {"x": ("double", [1, 4]), "f": ("float32", [1, 4])},
        {"y": "double", "q": "uint8"},
        {"s": np.float32(1)},
    )
    with pytest.raises(
        FrontendError, match=r"^[^\n]*: graph input 'x' must be float, int8 or uint8, not double$"
    ):
        load_network(path)


def test_an_input_that_nothing_quantises_is_refused(models):
    path = models.save(
        [helper.make_node("QuantizeLinear", ["x", "s"], ["q"], "q")],
        {"x": ("float32", [1, 4]), "unused": ("float32", [1, 4])},
        {"q": "uint8"},
        {"s": np.float32(1)},
    )
    with pytest.raises(
        FrontendError, match=r"^[^\n]*: graph input 'unused' must be read by QuantizeLinear$"
    ):
        load_network(path)


def test_an_input_quantised_twice_differently_is_refused(models):
    path = quantised_input(
        models,
        [1, 4],
        helper.make_node("QuantizeLinear", ["x", "s2", "z"], ["q2"], "again"),
        outputs={"q": "uint8", "q2": "uint8"},
        s2=np.float32(2),
    )
    with pytest.raises(
        FrontendError,
        match=r"^[^\n]*: node 'again' \(QuantizeLinear\): graph input 'x' must be quantised once, "
        r"not twice$",
    ):
        load_network(path)


def test_a_float_output_that_was_never_quantised_is_refused(models):
    path = quantised_input(
        models,
        [1, 4],
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"], "dequantise"),
        helper.make_node("DequantizeLinear", ["w", "s"], ["dw"], "weights"),
        helper.make_node("Gemm", ["d", "dw"], ["y"], "fc"),
        outputs={"y": "float32"},
        w=np.ones((4, 3), np.int8),
    )
    with pytest.raises(
        FrontendError,
        match=r"^[^\n]*: graph output 'y' must come from DequantizeLinear or be quantised$",
    ):
        load_network(path)


def test_a_contradiction_in_the_graph_is_one_line(models):
    path = quantised_input(
        models,
        [1, 4],
        helper.make_node("DequantizeLinear", ["nowhere", "s", "z"], ["d"], "dequantise"),
        outputs={"d": "float32"},
    )
    with pytest.raises(
        FrontendError, match=r"^[^\n]*: is not a valid ONNX model, or is cut short: [^\n]+$"
    ):
        load_network(path)
