"""Quantised ONNX models as networks: `load_network`, and the host's side of their ports."""

from stillflow.compiler.frontend.errors import FrontendError
from stillflow.compiler.frontend.host import dequantize, quantize
from stillflow.compiler.frontend.load import load_network

__all__ = ["FrontendError", "dequantize", "load_network", "quantize"]
