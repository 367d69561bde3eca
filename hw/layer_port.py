"""The descriptor of the layer that runs, as a port."""

from typing import Any

from amaranth.hdl import Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.descriptor import FIELDS


class Layer:
    """Ports of a `LayerDescriptor`: for each field a signal, made when it is first asked for."""

    def __init__(self, signature: "LayerDescriptor") -> None:
        self.signature = signature

    def __getattr__(self, name: str) -> Any:
        """Make the signal of a field."""
        if name not in self.signature.members:
            raise AttributeError(f"a layer has no field {name!r}")
        signal = Signal(self.signature.members[name].shape, name=f"layer_{name}")
        setattr(self, name, signal)
        return signal


class LayerDescriptor(wiring.Signature):
    """A fetched descriptor: the fields of `stillflow.hw.descriptor`, each a signal of its own.

    Everything that walks a nest reads it where it is: a component hands its layer to what is inside
    it (``walk.i_layer = self.i_layer``), so that a module has ports for the fields that it reads
    and no others.

    Parameters
    ----------
    config : AcceleratorConfig
        How many bits of each are kept.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        kept = {field: field.kept_bits(config) for field in FIELDS}
        super().__init__(
            {f.name: Out((signed if f.signed else unsigned)(n)) for f, n in kept.items()}
        )

    def create(self, *, path: Any = None, src_loc_at: int = 0) -> Layer:
        """Give the ports; their signals are called after the fields wherever they are."""
        return Layer(self)
