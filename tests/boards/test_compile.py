import json
from pathlib import Path

import numpy as np
import pytest

from stillflow.boards.cli import main
from stillflow.boards.engines import open_engine
from stillflow.compiler.frontend import load_network
from stillflow.compiler.image import DESCRIPTORS, IMAGE, MAP, program_image
from stillflow.compiler.models import DIGITS, load_digits
from stillflow.compiler.program import compile_network
from stillflow.hw.csr import OFFSETS
from stillflow.hw.presets import TINY
from stillflow.sim.oracle import Oracle


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compile") / "new" / "digits"
    arguments = ["compile", str(DIGITS), "--config", "tiny", "-o", str(folder)]
    assert main([*arguments, "--json", str(folder.parent / "map.json")]) == 0
    return folder


def test_the_folder_holds_image_map_and_descriptors(compiled):
    assert sorted(path.name for path in compiled.iterdir()) == sorted([IMAGE, MAP, DESCRIPTORS])
    program = compile_network(load_network(DIGITS), TINY, reuse=True)
    assert (compiled / IMAGE).read_bytes() == program_image(program)
    assert (compiled.parent / "map.json").read_text() == (compiled / MAP).read_text()
    listed = json.loads((compiled / DESCRIPTORS).read_text())
    assert [fields["layer"] for fields in listed] == [
        layer["name"] for layer in json.loads((compiled / MAP).read_text())["layers"]
    ]


def test_the_command_says_what_it_made(tmp_path, capsys):
    assert main(["compile", str(DIGITS), "--config", "edge8", "-o", str(tmp_path)]) == 0
    layers = len(load_network(DIGITS).layers)
    captured = capsys.readouterr()
    assert captured.out.startswith(f"{tmp_path}: {layers} layers for edge8, ")
    assert captured.err == ""


class Host:
    """A host that has the files and nothing of this package but register offsets."""

    def __init__(self, folder: Path, device):
        self.places = json.loads((folder / MAP).read_text())
        self.device = device
        device.write_memory(self.places["image_address"], (folder / IMAGE).read_bytes())

    def element_offsets(self, name):
        """Byte addresses of every element [N, C, H, W]."""
        place = self.places["tensors"][name]
        layout = place["layout"]
        n, c, h, w = np.indices(place["shape"])
        pixel = w * layout["pixel"] + c % layout["pixel"]
        return (
            place["address"] + n * layout["image_bytes"]
            + c // layout["pixel"] * layout["plane_bytes"] + h * layout["row_bytes"]
            + pixel * layout["element_bytes"]
        )  # fmt: skip

    def words(self, name, real=None):
        """Write (quantised by the map's scale and zero point) or read a tensor."""
        place, at = self.places["tensors"][name], self.element_offsets(name)
        offset = 128 if place["stored"] != "word" else 0
        info = np.iinfo(place["dtype"])
        if real is None:
            return self.device.memory[at].view(np.int8).astype(int) + offset
        stored = np.rint(real / np.float32(place["scale"])) + place["zero_point"]
        stored = np.clip(stored, info.min, info.max).astype(int) - offset
        self.device.memory[at] = stored.astype(np.int8).view(np.uint8)
        return None

    def run(self):
        for register, value in self.places["registers"].items():
            self.device.write_csr(OFFSETS[register], value)
        self.device.write_csr(OFFSETS["IRQ_ENABLE"], 3)
        self.device.write_csr(OFFSETS["CONTROL"], 1)
        self.device.wait_irq(10_000_000)
        assert self.device.read_csr(OFFSETS["IRQ_STATUS"]) == 1


def test_the_files_alone_are_enough_to_run_the_network(compiled):
    places = json.loads((compiled / MAP).read_text())
    image = load_digits()[0][5:6]
    _, device = open_engine(TINY, memory_bytes=places["dram_bytes"])
    with device:
        host = Host(compiled, device)
        (source,), (target,) = host.places["inputs"], host.places["outputs"]
        host.words(source["tensor"], image)
        host.run()
        words = host.words(target["tensor"])
    expected = Oracle(DIGITS, load_network(DIGITS)).run_whole({source["name"]: image})
    place = places["tensors"][target["tensor"]]
    scores = (words - place["zero_point"]).astype(np.float32) * np.float32(place["scale"])
    np.testing.assert_array_equal(scores.reshape(target["shape"]), expected[target["name"]])


def test_a_second_run_replaces_the_files(compiled, tmp_path):
    same = []
    for objective in ("dram", "cycles"):
        arguments = ["-o", str(tmp_path), "--objective", objective]
        assert main(["compile", str(DIGITS), "--config", "tiny", *arguments]) == 0
        same.append((tmp_path / IMAGE).read_bytes() == (compiled / IMAGE).read_bytes())
    assert same == [False, True]
    for name in (IMAGE, MAP, DESCRIPTORS):
        assert (tmp_path / name).read_bytes() == (compiled / name).read_bytes()
