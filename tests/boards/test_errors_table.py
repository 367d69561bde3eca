"""Whatever goes wrong: status 2, one line that names what and where, and nothing half-written."""

import errno
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import IO

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from stillflow.boards.cli import main
from stillflow.compiler.models import DIGITS, load_digits

TABLE = "layer,type,C,M,H,R\nA,conv,4,4,3,2\n"


def save_model(name, nodes, dtype=TensorProto.FLOAT):
    constants = {"s": np.float32(0.5), "z": np.int8(3)}
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", dtype, [1, 4, 4, 4])],
        [helper.make_tensor_value_info("y", dtype, [1, 4, 4, 4])],
        [numpy_helper.from_array(np.asarray(value), key) for key, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), name)


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """Work in a folder full of files that are wrong."""
    monkeypatch.chdir(tmp_path)
    content = DIGITS.read_bytes()
    Path("digits.onnx").write_bytes(content)
    Path("truncated.onnx").write_bytes(content[: len(content) // 2])
    Path("text.onnx").write_text("certainly no model")
    Path("empty.onnx").touch()
    node = helper.make_node
    save_model("float.onnx", [node("Relu", ["x"], ["y"], "relu")])
    before = [node("QuantizeLinear", ["x", "s", "z"], ["q"], "quantise")]
    after = [node("DequantizeLinear", ["v", "s", "z"], ["y"], "dequantise")]
    save_model(
        "tan.onnx",
        [
            *before,
            node("DequantizeLinear", ["q", "s", "z"], ["d"]),
            node("Tan", ["d"], ["r"], "wave"),
            node("QuantizeLinear", ["r", "s", "z"], ["v"]),
            *after,
        ],
    )
    image = load_digits()[0][:1]
    np.savez("good.npz", image=image)
    np.savez("shape.npz", image=image[:, :, 1:])
    np.savez("dtype.npz", image=image.astype(np.float64))
    np.savez("nothing.npz")
    np.savez("none.npz", image=image[:0])
    np.savez("other.npz", image=image, picture=image)
    np.savez("object.npz", image=np.array([{}]))
    np.save("array.npy", image)
    Path("text.npz").write_text("certainly no archive")
    Path("cut.npz").write_bytes(Path("good.npz").read_bytes()[:500])
    Path("broken.toml").write_text("rows = [")
    Path("few.toml").write_text("rows = 4\ncols = 4\n")
    Path("small.toml").write_text(
        "rows = 100\ncols = 96\nglb_kib = 1\naxi_data_bits = 32\nrequant_lanes = 1\n"
    )
    Path("table.csv").write_text(TABLE)
    Path("bad.csv").write_text(TABLE.replace("4,4,3,2", "4,4,3,x"))
    Path("file").touch()
    Path("folder").mkdir()
    return tmp_path


def listing():
    return sorted(str(path) for path in Path().rglob("*"))


NO_FILE = "No such file or directory"
MODELS = {
    "truncated.onnx": "is not an ONNX model, or is cut short: .*",
    "text.onnx": "is not an ONNX model, or is cut short: .*",
    "empty.onnx": "is not a valid ONNX model, or is cut short: .*",
    "folder": "cannot be read: Is a directory",
    "absent.onnx": f"cannot be read: {NO_FILE}",
    "float.onnx": "the model is not quantised: .*",
    "tan.onnx": r"node 'wave' \(Tan\): operator is not supported: use .*",
}
INPUTS = {
    "shape.npz": r"image must have shape \(1, 1, 32, 32\) or a multiple of its first axis, "
    r"not \(1, 1, 31, 32\)",
    "none.npz": r"image must have shape \(1, 1, 32, 32\) or a multiple of its first axis, "
    r"not \(0, 1, 32, 32\)",
    "dtype.npz": "image must be float32, not float64",
    "nothing.npz": "input 'image' must be there",
    "other.npz": "inputs must be among image, not 'picture'",
    "object.npz": r"must be an npz file \(Object arrays cannot be loaded .*\)",
    "array.npy": r"must be an npz file \(it holds one array without a name\)",
    "text.npz": r"must be an npz file \(.*\)",
    "cut.npz": r"must be an npz file \(.*\)",
    "absent.npz": NO_FILE,
    "folder": "Is a directory",
}
CONFIGS = {
    "edge9": r"CONFIG must be a TOML file or one of tiny, .*, not 'edge9'; did you mean 'edge8'\?",
    "broken.toml": r"broken\.toml: .*",
    "few.toml": r"few\.toml: key 'glb_kib' is missing",
    "small.toml": r"small\.toml: glb_kib must be larger for 100x96 PEs, not 1",
    "absent.toml": rf"absent\.toml: {NO_FILE}",
    "tiny --set rows=0": r"tiny with --set: rows must be in 1\.\.128, not 0",
    "tiny --set rows=four": r"--set: rows must be an integer, not 'four'",
    "tiny --set row=4": r"--set: unknown key 'row'; did you mean 'rows'\?",
    "tiny --set dataflow=xs": r"tiny with --set: dataflow must be one of .*, not 'xs'",
}
WORKLOADS = {
    "nonet": r"workload must be a CSV file or one of lenet5, .*, not 'nonet'",
    "bad.csv": r"bad\.csv:2: R must be a whole number of at least 1, not 'x'",
    "folder": r"folder: cannot be read: Is a directory",
    "lenet5 --layers C1,X9": r"layers of lenet5 must be among C1, .*, not 'X9'",
    "lenet5 --net vgg16": r"net must be lenet5 or left out, not 'vgg16'",
    "table.csv --net vgg16": r"table\.csv: .*",
    "lenet5 --batch 0": r"Invalid value for '--batch': 0 is not in the range x>=1\. .*",
}
OPTIONS = {
    "--engine modelsim": r"Invalid value for '--engine': 'modelsim' is not one of .*",
    "--dram-latency 0": r"Invalid value for '--dram-latency': 0 is not in the range x>=1\. .*",
    "--dram-bytes-per-cycle 0": r"Invalid value for '--dram-bytes-per-cycle': .*",
    "--jobs 0": r"Invalid value for '--jobs': .*",
    "--seed x": r"Invalid value for '--seed': 'x' is not a valid integer range\. .*",
    "--objective area": r"Invalid value for '--objective': 'area' is not one of .*",
    "--wave wave.txt": r"wave must end in \.fst, \.vcd or \.saif, not 'wave\.txt'",
    "--engine pysim --wave wave.fst": r"wave must end in \.vcd with this engine, not 'wave\.fst'",
    "--engine pysim --wave file/wave.vcd": r"file/wave\.vcd: Not a directory",
    "--json file/report.json": r"file/report\.json: Not a directory",
    "--json absent/report.json": rf"absent/report\.json: {NO_FILE}",
    "--json folder": r"Invalid value for '--json': File 'folder' is a directory\. .*",
}
CASES = [
    *((f"run {m} --config tiny", f"{re.escape(m)}: {line}") for m, line in MODELS.items()),
    *((f"compile {m} --config tiny -o out", f"{re.escape(m)}: {line}")
      for m, line in MODELS.items()),
    *((f"run digits.onnx --config tiny --input {i}", f"{re.escape(i)}: {line}")
      for i, line in INPUTS.items()),
    *((f"run digits.onnx --config {c}", line) for c, line in CONFIGS.items()),
    *((f"bench lenet5 --config {c}", line) for c, line in CONFIGS.items()),
    *((f"bench {w} --config tiny", line) for w, line in WORKLOADS.items()),
    *((f"map {w} --config tiny --json out.json", line) for w, line in WORKLOADS.items()),
    *((f"bench table.csv --config tiny {o}", line) for o, line in OPTIONS.items()),
    ("run digits.onnx --config tiny --output file/y.npz", r"file/y\.npz: Not a directory"),
    ("run digits.onnx --config tiny --output folder", "folder: Is a directory"),
    ("map table.csv --config tiny --json file/x.json", r"file/x\.json: Not a directory"),
    ("compile digits.onnx --config tiny -o file", "file: File exists"),
    ("compile digits.onnx --config tiny -o file/out", "file/out: Not a directory"),
    ("compile digits.onnx --config tiny", r"Missing option '-o'\. .*"),
    ("run digits.onnx", r"Missing option '--config'\. .*"),
    ("run --config tiny", r"Missing argument 'MODEL\.onnx'\. .*"),
]  # fmt: skip


@pytest.mark.parametrize(("command", "line"), CASES, ids=[command for command, _ in CASES])
def test_bad_input_is_one_line_and_status_2(desk, capsys, command, line):
    before = listing()
    assert main(command.split()) == 2
    assert re.fullmatch(rf"stillflow: error: {line}\n", capsys.readouterr().err)
    assert listing() == before


# -- what the machine lacks ----------------------------------------------------------------------


PROGRAM = """
import resource, sys
from stillflow.boards.cli import main
limit = int(sys.argv.pop(1))
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
sys.exit(main(sys.argv[1:]))
"""


def stillflow(command, *, limit=0, stdout: IO[str] | int = subprocess.PIPE, **environment):
    """Run the command in a process of its own.

    ``limit``: most bytes of a file. Beyond it the kernel refuses to write (EFBIG): the one way to a
    full disk that needs no privileges; only the reason's text differs from that of ENOSPC.
    """
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, str(limit), *command.split()],
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


@pytest.mark.parametrize(
    ("command", "named"),
    [
        ("bench table.csv --config tiny --json report.json", r"report\.json"),
        ("run digits.onnx --config tiny --json report.json", r"report\.json"),
        ("map lenet5 --config tiny --json nests.json", r"nests\.json"),
        ("compile digits.onnx --config tiny -o folder", r"folder/program\.bin"),
    ],
)
def test_a_full_disk_is_named_and_leaves_nothing(desk, command, named):
    main(["bench", "table.csv", "--config", "tiny"])  # builds the simulator
    before = listing()
    done = stillflow(command, limit=1024)
    assert re.fullmatch(rf"stillflow: error: {named}: File too large\n", done.stderr)
    assert done.returncode == 2
    assert listing() == before


@pytest.mark.parametrize(
    "wave",
    [
        "wave.fst",
        pytest.param("wave.vcd", marks=pytest.mark.nightly),
        pytest.param("--engine pysim wave.vcd", marks=pytest.mark.nightly),
    ],
)
def test_a_waveform_on_a_full_disk_is_named_and_leaves_nothing(desk, wave):
    *engine, wave = wave.split()
    command = ["bench", "table.csv", "--config", "tiny", *engine, "--wave"]
    assert main([*command, f"whole{wave[-4:]}"]) == 0  # builds the simulator
    before = listing()
    done = stillflow(" ".join([*command, wave]), limit=10_000)
    assert re.fullmatch(rf"stillflow: error: {re.escape(wave)}: File too large\n", done.stderr)
    assert done.returncode == 2
    assert listing() == before
    # A device that is always full is named, too, and stays.
    Path(wave).symlink_to("/dev/full")
    done = stillflow(" ".join([*command, wave]), limit=1 << 30)
    assert done.stderr == f"stillflow: error: {wave}: {os.strerror(errno.ENOSPC)}\n"
    assert done.returncode == 2
    assert Path(wave).is_symlink()


def test_a_file_that_was_there_survives_a_full_disk(desk):
    Path("report.json").write_text("precious")
    done = stillflow("map lenet5 --config tiny --json report.json", limit=1024)
    assert done.returncode == 2
    assert Path("report.json").read_text() == "precious"


def test_output_to_a_full_device_is_status_2(desk):
    with Path("/dev/full").open("w") as full:
        done = stillflow("map lenet5 --config tiny", stdout=full)
    assert done.stderr == "stillflow: error: No space left on device\n"
    assert done.returncode == 2


@pytest.mark.parametrize(
    ("engine", "lacks"),
    [("verilator", r"a C\+\+ compiler \(g\+\+\)"), ("icarus", "iverilog and vvp")],
)
def test_an_engine_that_was_asked_for_names_what_it_lacks(desk, engine, lacks):
    before = listing()
    done = stillflow(
        f"bench table.csv --config tiny --engine {engine} --json report.json", PATH="", CXX=""
    )
    assert re.fullmatch(rf"stillflow: error: the {engine} engine needs {lacks}\n", done.stderr)
    assert done.returncode == 2
    assert listing() == before


def test_without_a_compiler_the_slow_engine_steps_in(desk):
    done = stillflow("bench table.csv --config tiny --json report.json", PATH="", CXX="")
    assert (done.returncode, done.stderr) == (0, "")
    assert '"engine": "pysim"' in Path("report.json").read_text()
