"""Graph inputs of a model: from a file, or drawn."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stillflow.compiler.graph import Network, Port

Arrays = dict[str, NDArray[Any]]


def read_inputs(path: Path, network: Network) -> list[Arrays]:
    """Graph inputs of an npz file, one dictionary for each run of the model.

    A first axis of k times the model's batch gives k runs.

    Raises
    ------
    ValueError
        If an input is missing, of the wrong shape or dtype, or there is one that the graph lacks.
    """
    try:
        with path.open("rb") as file:
            loaded = np.load(file, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                raise TypeError("it holds one array without a name")
            with loaded:
                arrays = {name: loaded[name] for name in loaded.files}
    except OSError:
        raise
    except Exception as error:
        raise ValueError(f"{path}: must be an npz file ({error})") from error
    known = {port.name: port for port in network.inputs}
    for name in arrays:
        if name not in known:
            raise ValueError(f"{path}: inputs must be among {', '.join(known)}, not {name!r}")
    counts = {_runs(path, port, arrays) for port in network.inputs}
    if len(counts) != 1:
        raise ValueError(f"{path}: all inputs must hold the same number of batches")
    (count,) = counts
    return [
        {name: np.split(array, count)[index] for name, array in arrays.items()}
        for index in range(count)
    ]


def _runs(path: Path, port: Port, arrays: Arrays) -> int:
    if port.name not in arrays:
        raise ValueError(f"{path}: input {port.name!r} must be there")
    array = arrays[port.name]
    if array.dtype != np.dtype(port.dtype):
        raise ValueError(f"{path}: {port.name} must be {port.dtype}, not {array.dtype}")
    batch = port.shape[0] if port.shape else 1
    fits = array.ndim == len(port.shape) and array.shape[1:] == port.shape[1:]
    if not fits or array.shape[0] == 0 or array.shape[0] % batch:
        raise ValueError(
            f"{path}: {port.name} must have shape {port.shape} or a multiple of its first axis, "
            f"not {array.shape}"
        )
    return array.shape[0] // batch


def random_inputs(network: Network, seed: int) -> Arrays:
    """Draw inputs that use the range of their quantised tensors."""
    random = np.random.default_rng(seed)
    inputs = {}
    for port in network.inputs:
        tensor = network.tensors[port.tensor]
        info = np.iinfo(tensor.dtype)
        words = random.integers(info.min, info.max, port.shape, endpoint=True)
        if port.dtype == "float32":
            inputs[port.name] = ((words - tensor.zero_point) * tensor.scale).astype(np.float32)
        else:
            inputs[port.name] = words.astype(port.dtype)
    return inputs
