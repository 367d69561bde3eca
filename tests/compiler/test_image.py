import hashlib
import json
from dataclasses import replace
from random import Random

from stillflow.compiler.image import descriptors, memory_map, program_image
from stillflow.compiler.lower import pack
from stillflow.compiler.program import compile_network
from stillflow.hw.descriptor import BYTES
from stillflow.hw.presets import EDGE8
from tests.networks import draw_network

PROGRAM = compile_network(draw_network(Random(12), EDGE8, layers=4), EDGE8)
PLACES = memory_map(PROGRAM)


def test_the_image_holds_every_segment_and_zeros_between():
    image = bytearray(program_image(PROGRAM))
    start = PLACES["image_address"]
    for address, content in PROGRAM.segments.items():
        part = slice(address - start, address - start + len(content))
        assert bytes(image[part]) == content
        image[part] = bytes(len(content))
    assert not any(image)


def test_the_image_begins_with_the_first_segment():
    moved = replace(PROGRAM, segments={a + 4096: data for a, data in PROGRAM.segments.items()})
    assert memory_map(moved)["image_address"] == PLACES["image_address"] + 4096
    assert program_image(moved) == program_image(PROGRAM)


def test_the_map_says_where_everything_lies():
    network = PROGRAM.network
    assert set(json.loads(json.dumps(PLACES))) == set(PLACES)
    assert PLACES["image_address"] + len(program_image(PROGRAM)) <= PLACES["dram_bytes"]
    assert PLACES["image_sha256"] == hashlib.sha256(program_image(PROGRAM)).hexdigest()
    assert PLACES["config"] == EDGE8.keys()
    assert PLACES["dram_bytes"] == PROGRAM.size
    assert PLACES["registers"] == {
        "PROGRAM_ADDRESS": PROGRAM.program_address,
        "PROGRAM_LENGTH": 4,
        "RECORD_ADDRESS": PROGRAM.record_address,
    }
    assert set(PLACES["tensors"]) == network.stored
    for name, place in PLACES["tensors"].items():
        tensor, layout = network.tensors[name], PROGRAM.layouts[name]
        assert place["address"] == PROGRAM.addresses[name]
        assert place["bytes"] == layout.bytes
        assert place["shape"] == list(tensor.shape)
        assert (place["dtype"], place["zero_point"]) == (tensor.dtype, tensor.zero_point)
        assert place["layout"]["row_bytes"] == layout.row_bytes
        assert ("128" in place["stored"]) is (tensor.dtype == "uint8")
    assert {place["dtype"] for place in PLACES["tensors"].values()} == {"int8", "uint8"}
    chain = [(layer["name"], layer["ifmap"], layer["ofmap"]) for layer in PLACES["layers"]]
    assert chain == [(layer.name, layer.ifmap, layer.ofmap) for layer in network.layers]


def test_listed_descriptors_are_those_of_the_image():
    image = program_image(PROGRAM)
    start = PROGRAM.program_address - PLACES["image_address"]
    for index, fields in enumerate(descriptors(PROGRAM)):
        assert fields.pop("layer") == PROGRAM.layers[index].layer.name
        place = start + BYTES * index
        assert pack(fields) == image[place : place + BYTES]
