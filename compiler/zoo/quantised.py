"""Quantises a float network of the zoo with ONNX Runtime's static quantiser."""

import tempfile
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from stillflow.compiler.zoo.networks import ZooNetwork

CALIBRATION_IMAGES = 2
Form = Literal["qdq", "qoperator"]
_FORMATS = {"qdq": QuantFormat.QDQ, "qoperator": QuantFormat.QOperator}


class _Images(CalibrationDataReader):
    """Random images: noise, smooth over a few pixels as photographs are, mean 0 and spread 1."""

    def __init__(self, network: ZooNetwork, seed: int) -> None:
        random = np.random.default_rng(seed)
        shape = (1, network.channels, network.size, network.size)
        self._images = [smooth_noise(random, shape) for _ in range(CALIBRATION_IMAGES)]

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:  # type: ignore[override]
        return {"image": self._images.pop()} if self._images else None


def smooth_noise(
    random: np.random.Generator, shape: tuple[int, int, int, int]
) -> NDArray[np.float32]:
    """Draw an image whose neighbouring pixels are alike: float32[1, C, H, W]."""
    image = random.standard_normal(shape)
    for axis in (2, 3):
        image = np.sum([np.roll(image, step, axis) for step in range(-2, 3)], axis=0)
    return ((image - image.mean()) / image.std()).astype(np.float32)


def write_model(network: ZooNetwork, path: Path, *, seed: int = 0, form: Form = "qdq") -> None:
    """Write a quantised network: uint8 activations, int8 weights with a scale per filter.

    Batch normalisation is folded into the convolutions before, and the ranges of activations are
    those that occur in a few random images. The same seed gives the same model.

    Parameters
    ----------
    network : ZooNetwork
        Of `stillflow.compiler.zoo.NETWORKS`.
    path : Path
        File to write.
    seed : int
        Of weights and images.
    form : str
        ``qdq`` or ``qoperator``.
    """
    with tempfile.TemporaryDirectory() as folder:
        plain, folded, made = (Path(folder) / f"{name}.onnx" for name in ("plain", "folded", "q"))
        onnx.save(network.model(seed), plain)
        quant_pre_process(str(plain), str(folded), skip_symbolic_shape=True)
        quantize_static(
            str(folded), str(made), _Images(network, seed), quant_format=_FORMATS[form],
            per_channel=True, activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
        )  # fmt: skip
        path.write_bytes(made.read_bytes())
