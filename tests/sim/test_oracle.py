import numpy as np
import onnx
import pytest

from stillflow.compiler.frontend import dequantize, load_network, quantize
from stillflow.compiler.models import DIGITS, load_digits
from stillflow.sim.golden.network import run_network
from stillflow.sim.oracle import Oracle


@pytest.fixture(scope="module")
def network():
    return load_network(DIGITS)


@pytest.fixture(scope="module")
def image():
    return load_digits()[0][:1]


def golden(network, image):
    (port,) = network.inputs
    return run_network(network, {port.tensor: quantize(port, network.tensors[port.tensor], image)})


def test_every_quantised_tensor_and_output_is_shown(network, image):
    words = golden(network, image)
    answers = Oracle(DIGITS, network).run({"image": image}, words)
    assert {layer.ofmap for layer in network.layers} <= set(answers)
    for name, tensor in network.tensors.items():
        if name in answers:
            assert answers[name].shape == tensor.shape
            assert answers[name].dtype == tensor.dtype
            np.testing.assert_array_equal(answers[name], words[name], err_msg=name)
    (port,) = network.outputs
    scores = dequantize(port, network.tensors[port.tensor], words[port.tensor])
    assert answers[port.name].shape == port.shape
    assert answers[port.name].dtype == scores.dtype
    np.testing.assert_array_equal(answers[port.name], scores)


def test_it_computes_by_itself_and_not_from_the_network(network, image, tmp_path):
    model = onnx.load(DIGITS)
    for initializer in model.graph.initializer:
        words = onnx.numpy_helper.to_array(initializer)
        if words.dtype == np.int8 and words.ndim == 4:
            changed = words.copy()
            changed.flat[0] ^= 0x40
            initializer.CopyFrom(onnx.numpy_helper.from_array(changed, initializer.name))
    other = tmp_path / "other.onnx"
    onnx.save(model, other)
    words = golden(network, image)
    answers = Oracle(other, network).run({"image": image}, words)
    differing = [name for name in words if name in answers and np.any(answers[name] != words[name])]
    # What follows the convolutions is fed the golden words.
    assert set(differing) == {layer.ofmap for layer in network.layers if layer.op == "conv"}


def test_a_difference_stays_in_the_operator_that_makes_it(network, image):
    words = golden(network, image)
    oracle = Oracle(DIGITS, network)
    wrong = dict(words)
    third = network.layers[2]
    wrong[third.ifmap] = words[third.ifmap] ^ 0x40
    answers = oracle.run({"image": image}, wrong)
    found = {name for name in words if name in answers and np.any(answers[name] != words[name])}
    assert found == {third.ofmap}
    counted = oracle.differences(words, answers)
    assert (counted.wrong, counted.rounded) == (
        np.count_nonzero(answers[third.ofmap] != words[third.ofmap]), 0,
    )  # fmt: skip


def test_the_model_file_stays_as_it_is(network, image, tmp_path):
    path = tmp_path / "digits.onnx"
    path.write_bytes(DIGITS.read_bytes())
    Oracle(path, network).run({"image": image}, golden(network, image))
    assert path.read_bytes() == DIGITS.read_bytes()
