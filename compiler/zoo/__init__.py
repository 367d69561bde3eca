"""The survey's networks as ONNX: exact architectures, random weights, quantised."""

from stillflow.compiler.zoo.networks import NETWORKS
from stillflow.compiler.zoo.quantised import Form, write_model

__all__ = ["NETWORKS", "Form", "write_model"]
