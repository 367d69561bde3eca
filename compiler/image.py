"""Program images as files: what a host without this package needs to run a network."""

import hashlib
from dataclasses import asdict
from typing import Any

from stillflow.compiler.graph import Tensor
from stillflow.compiler.program import Program
from stillflow.hw.tensor import TensorLayout

IMAGE, MAP, DESCRIPTORS = "program.bin", "memory_map.json", "descriptors.json"


def program_image(program: Program) -> bytes:
    """Constant contents of DRAM, from the lowest address to the end of the highest segment.

    The first byte belongs at the memory map's ``image_address``; places for tensors in between are
    zero.
    """
    start = min(program.segments)
    end = max(address + len(content) for address, content in program.segments.items())
    image = bytearray(end - start)
    for address, content in program.segments.items():
        image[address - start : address - start + len(content)] = content
    return bytes(image)


def _tensor(tensor: Tensor, layout: TensorLayout, address: int, on_chip: bool) -> dict[str, Any]:
    return {
        "address": address,
        "on_chip": on_chip,  # the host cannot reach it
        "bytes": layout.bytes,
        "shape": list(tensor.shape),
        "dtype": tensor.dtype,
        "scale": tensor.scale,
        "zero_point": tensor.zero_point,
        "stored": "word - 128 as int8" if tensor.dtype == "uint8" else "word",
        "layout": asdict(layout),
    }


def memory_map(program: Program) -> dict[str, Any]:
    """Say what lies where, and what the registers must be set to."""
    network = program.network
    return {
        "network": network.name,
        "config": program.config.keys(),
        "image": IMAGE,
        "image_address": min(program.segments),
        "image_sha256": hashlib.sha256(program_image(program)).hexdigest(),
        "dram_bytes": program.size,
        "registers": {
            "PROGRAM_ADDRESS": program.program_address,
            "PROGRAM_LENGTH": len(program.layers),
            "RECORD_ADDRESS": program.record_address,
        },
        "inputs": [asdict(port) for port in network.inputs],
        "outputs": [asdict(port) for port in network.outputs],
        "tensors": {
            name: _tensor(
                tensor, program.layouts[name], program.addresses[name], program.on_chip(name)
            )
            for name, tensor in network.tensors.items()
            if name in program.addresses
        },
        "layers": [
            {"name": layer.layer.name, "op": layer.layer.op, "fused": list(layer.layer.fused),
             "ifmap": layer.layer.ifmap, "ofmap": layer.layer.ofmap}
            for layer in program.layers
        ],
    }  # fmt: skip


def descriptors(program: Program) -> list[dict[str, Any]]:
    """Every descriptor's fields by name."""
    return [{"layer": layer.layer.name, **layer.descriptor} for layer in program.layers]
