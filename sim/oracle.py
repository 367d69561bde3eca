"""ONNX Runtime as the second witness: each operator, fed what the golden model feeds it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import helper

from stillflow.compiler.frontend.read import set_batch
from stillflow.compiler.graph import ConvLayer, Network, finished, pooling, requantised
from stillflow.sim.session import open_session

Arrays = Mapping[str, NDArray[Any]]
_GIVEN = "{}#given"


@dataclass(frozen=True)
class Differences:
    """Words that are not ONNX Runtime's.

    Parameters
    ----------
    wrong : int
        Where ONNX Runtime's arithmetic is exact, or by more than is allowed for.
    rounded : int
        By one step in average pooling, whose sum ONNX Runtime rounds to float32 on the way, and in
        additions, which it does in float32; by its layer's tolerance in normalisation.
    """

    wrong: int
    rounded: int


class Oracle:
    """A quantised model in ONNX Runtime, cut at every quantised tensor.

    What reads a tensor is given the golden model's words of it, so that a difference stays in the
    operator where it arises.

    Parameters
    ----------
    path : Path
        The model.
    network : Network
        What the front end made of it: its tensors are looked up by name.
    batch : int, optional
        As for the front end.
    """

    def __init__(self, path: Path, network: Network, batch: int | None = None) -> None:
        self.network = network
        self._model = onnx.load(path)
        set_batch(self._model.graph, path, batch)
        self._whole: onnxruntime.InferenceSession | None = None
        self._cut: onnxruntime.InferenceSession | None = None
        self._shapes: dict[str, tuple[int, ...]] = {}

    def run(self, inputs: Arrays, golden: Arrays) -> dict[str, NDArray[Any]]:
        """Compute every operator.

        Parameters
        ----------
        inputs : Mapping[str, ndarray]
            Graph inputs by name.
        golden : Mapping[str, ndarray]
            Words of the network's tensors by name.

        Returns
        -------
        dict of str to ndarray
            Graph outputs by name, and quantised tensors in the network's shape.
        """
        if self._cut is None:
            self._shapes = {
                name: value.shape
                for name, value in self._run_whole(inputs).items()
                if name in self.network.tensors and self._is_words(name, value)
            }
            self._cut = open_session(self._cut_model())
        given = {
            _GIVEN.format(name): golden[name].reshape(shape) for name, shape in self._shapes.items()
        }
        read = {value.name for value in self._cut.get_inputs()}
        values = _run(self._cut, {k: v for k, v in {**inputs, **given}.items() if k in read})
        return self._in_shape(values)

    def run_whole(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """Compute the network from its inputs alone; otherwise as `run`."""
        values = self._run_whole(inputs)
        ports = {port.name for port in self.network.outputs}
        return self._in_shape(
            {name: v for name, v in values.items() if name in ports or self._is_words(name, v)}
        )

    def differences(self, results: Arrays, expected: Arrays) -> Differences:
        """Count the words of results that are not as expected, by name in both.

        What the host makes of an output, in float arithmetic, need only be close: where it is
        quantised, to a step.
        """
        layers = self.network.layers
        means = {requantised(layer) for layer in layers if layer.op == "avgpool"}
        allowed = dict.fromkeys(means, 1)
        for layer in layers:
            if isinstance(layer, ConvLayer) and layer.tolerance:
                allowed[requantised(layer)] = layer.tolerance
            if layer.joined is not None:
                allowed[finished(layer)] = layer.joined.tolerance
            elif layer.op == "maxpool" and layer.ifmap not in self._shapes:
                # It was moved behind the quantisation: in the model it reads real values.
                allowed[layer.ofmap] = allowed.get(layer.ifmap, 0)
            if (pooled := pooling(layer)) is None:
                continue
            if pooled.means:
                allowed[layer.ofmap] = 1
            elif pooled.own not in self._shapes:
                allowed[layer.ofmap] = allowed.get(pooled.own, 0)  # so was this one
        for name, tensor in self.network.tensors.items():
            if (part := tensor.part) is not None:
                allowed[part.whole] = max(allowed.get(part.whole, 0), allowed.get(name, 0))
        hosted = {
            port.name: 1e-6 + port.host.step * 1.001
            for port in self.network.outputs
            if port.host is not None
        }
        wrong = rounded = 0
        for name, result in results.items():
            if name not in expected:
                continue
            off = result != expected[name]
            if name in hosted:
                off = ~np.isclose(result, expected[name], rtol=1e-5, atol=hosted[name])
            if name in allowed:
                steps = np.abs(result.astype(np.int64) - expected[name].astype(np.int64))
                off = steps > allowed[name]
                rounded += int(np.count_nonzero(steps)) - int(np.count_nonzero(off))
            wrong += int(np.count_nonzero(off))
        return Differences(wrong=wrong, rounded=rounded)

    def _run_whole(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        if self._whole is None:
            model = onnx.ModelProto()
            model.CopyFrom(self._model)
            computed = (name for node in model.graph.node for name in node.output)
            _expose(model, [name for name in computed if name in self.network.tensors])
            self._whole = open_session(model)
        return _run(self._whole, inputs)

    def _is_words(self, name: str, value: NDArray[Any]) -> bool:
        # A pooling that was moved before its quantisation gives a tensor the name of a real value.
        return value.dtype == np.dtype(self.network.tensors[name].dtype)

    def _in_shape(self, values: Arrays) -> dict[str, NDArray[Any]]:
        ports = {port.name for port in self.network.outputs}
        return {
            name: value if name in ports else value.reshape(self.network.tensors[name].shape)
            for name, value in values.items()
        }

    def _cut_model(self) -> onnx.ModelProto:
        model = onnx.ModelProto()
        model.CopyFrom(self._model)
        for node in model.graph.node:
            for index, name in enumerate(node.input):
                if name in self._shapes:
                    node.input[index] = _GIVEN.format(name)
        for name, shape in self._shapes.items():
            kind = helper.np_dtype_to_tensor_dtype(np.dtype(self.network.tensors[name].dtype))
            given = helper.make_tensor_value_info(_GIVEN.format(name), kind, shape)
            model.graph.input.append(given)
        _expose(model, self._shapes)
        return model


def _expose(model: onnx.ModelProto, names: Iterable[str]) -> None:
    outputs = {value.name for value in model.graph.output}
    for name in names:
        if name not in outputs:
            model.graph.output.append(onnx.ValueInfoProto(name=name))


def _run(session: onnxruntime.InferenceSession, inputs: Arrays) -> dict[str, NDArray[Any]]:
    names = [output.name for output in session.get_outputs()]
    values = session.run(names, dict(inputs))
    return {name: np.asarray(value) for name, value in zip(names, values, strict=True)}
