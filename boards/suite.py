"""The ONNX package's own test cases, quantised, on the RTL: ``scripts/onnx_suite``."""

import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import click
import numpy as np
import onnx
import onnx.version_converter
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper
from onnx.backend.test.case.node import collect_testcases
from onnx.backend.test.loader import load_model_tests
from onnxruntime.capi.onnxruntime_pybind11_state import InvalidGraph
from onnxruntime.quantization.shape_inference import quant_pre_process
from rich.console import Console

from stillflow.boards.cli import report_errors
from stillflow.boards.errors import CheckFailed
from stillflow.boards.run import run_model
from stillflow.boards.simulation import dram_timing, progress_line
from stillflow.compiler.frontend.errors import FrontendError
from stillflow.compiler.program import CompileError
from stillflow.compiler.zoo.convert import quantise_model
from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.presets import EDGE16, TINY

#: Operators of which cases are taken: the hardware or addressing does them.
OPERATORS = frozenset(
    {
        "Add", "AveragePool", "BatchNormalization", "Clip", "Concat", "Conv", "Flatten", "Gemm",
        "GlobalAveragePool", "GlobalMaxPool", "LRN", "LeakyRelu", "MatMul", "MaxPool",
        "Mul", "PRelu", "Pad", "Relu", "Reshape", "Sigmoid", "Sub", "Sum", "Tanh",
        "Transpose",
    }
)  # fmt: skip
#: Operators whose first input alone is an activation.
_ONE_ACTIVATION = frozenset(
    {"BatchNormalization", "Clip", "Conv", "Gemm", "MatMul", "PRelu", "Pad", "Reshape"}
)
OPSET = 13  # the first with scales of each channel
Verdict = Literal["pass", "unsupported", "fail"]


@dataclass(frozen=True, eq=False)
class Case:
    """A model with its inputs."""

    name: str
    operator: str
    model: onnx.ModelProto
    inputs: dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Result:
    """What became of a case, and why."""

    name: str
    operator: str
    verdict: Verdict
    reason: str = ""


def node_cases() -> Iterator[Case]:
    """Cases of a single operator: the ONNX package's own, and those it has from PyTorch."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some cases overflow on purpose
        collected = collect_testcases(None)
    for case in collected:
        model, sets = case.model, case.data_sets
        operators = [node.op_type for node in model.graph.node] if model else []
        if model and sets and len(operators) == 1 and operators[0] in OPERATORS:
            names = [value.name for value in model.graph.input]
            inputs = sets[0][0]
            if all(isinstance(array, np.ndarray | np.generic) for array in inputs):
                arrays = {n: np.asarray(a) for n, a in zip(names, inputs, strict=True)}
                yield Case(case.name, operators[0], model, arrays)
    for kind in ("pytorch-operator", "pytorch-converted"):
        for found in load_model_tests(kind=kind):
            folder = Path(found.model_dir or "")
            model = _current(onnx.load(folder / "model.onnx"))
            operators = [node.op_type for node in model.graph.node if node.op_type != "Constant"]
            if len(operators) != 1 or operators[0] not in OPERATORS:
                continue
            constant = {tensor.name for tensor in model.graph.initializer}
            names = [value.name for value in model.graph.input if value.name not in constant]
            files = sorted((folder / "test_data_set_0").glob("input_*.pb"))
            arrays = {n: _tensor(path) for n, path in zip(names, files, strict=False)}
            yield Case(found.name, operators[0], model, arrays)


def topology_cases(seed: int, words: Sequence[str] = ()) -> Iterator[Case]:
    """Give the light topologies of the ONNX package, whose weights it leaves out: random ones."""
    folder = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
    for path in sorted(folder.glob("light_*.onnx")):
        if words and not any(word in path.stem for word in words):
            continue
        random = np.random.default_rng(seed)
        model = onnx.load(path)
        model.ir_version = 8  # initializers need no longer be inputs
        _fill(model, random)
        model = _current(model)
        with tempfile.TemporaryDirectory() as made:
            before, after = Path(made) / "before.onnx", Path(made) / "after.onnx"
            onnx.save(model, before)
            quant_pre_process(str(before), str(after), skip_symbolic_shape=True)
            model = onnx.load(after)
        constant = {tensor.name for tensor in model.graph.initializer}
        arrays = {}
        for value in model.graph.input:
            if value.name not in constant:
                shape = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
                arrays[value.name] = random.standard_normal(shape, np.float32)
        yield Case(path.stem, "topology", model, arrays)


def _current(model: onnx.ModelProto) -> onnx.ModelProto:
    """Bring an old model to operators that ONNX Runtime still has."""
    old = any(opset.version < OPSET for opset in model.opset_import if not opset.domain)
    return onnx.version_converter.convert_version(model, OPSET) if old else model


def _tensor(path: Path) -> NDArray[Any]:
    tensor = TensorProto()
    tensor.ParseFromString(path.read_bytes())
    return numpy_helper.to_array(tensor)


def _fill(model: onnx.ModelProto, random: np.random.Generator) -> None:
    """Put weights in the place of the shapes that a light model has."""
    shapes = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    roles = {
        name: (node.op_type, index)
        for node in model.graph.node
        for index, name in enumerate(node.input)
    }
    kept = []
    for node in model.graph.node:
        if node.op_type != "ConstantOfShape":
            kept.append(node)
            continue
        shape = tuple(int(size) for size in shapes[node.input[0]])
        operator, index = roles.get(node.output[0], ("", 0))
        values = random.standard_normal(shape) * np.sqrt(2 / max(1, int(np.prod(shape[1:]))))
        if operator == "BatchNormalization" or len(shape) < 2:
            values = random.normal(0, 0.05, shape)
            if operator == "BatchNormalization" and index in (1, 4):
                values = random.uniform(0.8, 1.2, shape)
            if operator == "Unsqueeze":  # factors and offsets of channels
                values = random.uniform(0.6, 1.0, shape)
        model.graph.initializer.append(
            numpy_helper.from_array(values.astype(np.float32), node.output[0])
        )
    del model.graph.node[:]
    model.graph.node.extend(kept)
    constant = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in constant]
    del model.graph.input[:]
    model.graph.input.extend(inputs)


def with_constants(case: Case) -> Case:
    """Make initializers of the inputs that are no activations, as a model would have them."""
    names = list(case.inputs)
    if case.operator in _ONE_ACTIVATION:
        moved = names[1:]
    else:
        largest = max((case.inputs[name].size for name in names), default=0)
        moved = [
            name
            for name in names
            if case.operator not in ("Concat", "Sum", "topology")
            and (case.inputs[name].size < largest or case.inputs[name].dtype != np.float32)
        ]
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    for name in moved:
        model.graph.initializer.append(numpy_helper.from_array(case.inputs[name], name))
    kept = [value for value in model.graph.input if value.name not in moved]
    del model.graph.input[:]
    model.graph.input.extend(kept)
    inputs = {name: array for name, array in case.inputs.items() if name not in moved}
    return Case(case.name, case.operator, model, inputs)


def single(case: Case) -> Case:
    """Make a case of doubles one of single precision."""
    if all(array.dtype != np.float64 for array in case.inputs.values()):
        return case
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        if value.type.tensor_type.elem_type == TensorProto.DOUBLE:
            value.type.tensor_type.elem_type = TensorProto.FLOAT
    tensors = [*model.graph.initializer]
    tensors += [a.t for node in model.graph.node for a in node.attribute if a.name == "value"]
    for tensor in tensors:
        if tensor.data_type == TensorProto.DOUBLE:
            array = numpy_helper.to_array(tensor).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    inputs = {
        name: array.astype(np.float32) if array.dtype == np.float64 else array
        for name, array in case.inputs.items()
    }
    return Case(case.name, case.operator, model, inputs)


def run_case(case: Case, config: AcceleratorConfig, console: Console, engine: str | None) -> Result:
    """Quantise a case, run it, and compare it with the golden model and ONNX Runtime."""

    def result(verdict: Verdict, reason: str = "") -> Result:
        return Result(case.name, case.operator, verdict, reason)

    if any(array.dtype.kind != "f" for array in list(case.inputs.values())[:1]):
        return result("unsupported", "only float cases are quantised")
    prepared = with_constants(single(case))
    try:
        model = quantise_model(prepared.model, prepared.inputs)
    except ValueError as error:
        return result("unsupported", str(error))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        onnx.save(model, path)
        try:
            report, _ = run_model(
                path, config, console, [prepared.inputs], engine=engine,
                timing=dram_timing(40, None, config),
            )  # fmt: skip
        except (FrontendError, CompileError) as error:
            return result("unsupported", str(error).removeprefix(f"{path}: "))
        except InvalidGraph as error:
            reason = " ".join(str(error).split())
            return result("unsupported", f"ONNX Runtime cannot run the quantised model: {reason}")
    wrong, other = report["total"]["mismatches"], report["onnxruntime_differences"]
    if wrong or other:
        return result(
            "fail", f"{wrong} words differ from the golden model, {other} from ONNX Runtime"
        )
    return result("pass")


@click.command()
@click.argument("names", nargs=-1, metavar="[WORD]...")
@click.option("--engine", default=None, help="Default: the fastest there is; or model.")
@click.option("--topologies/--no-topologies", default=True, help="Run the light models, too.")
@click.option("--seed", default=0, show_default=True, help="Of the topologies' weights.")
def suite(names: tuple[str, ...], engine: str | None, topologies: bool, seed: int) -> None:
    """Run the cases whose names hold a WORD, by default all: pass, unsupported or fail.

    Operators run on `tiny`, topologies on `edge16`.
    """
    console = Console(stderr=True)
    results: list[Result] = []
    with progress_line(console) as say:
        for config, cases in ((TINY, node_cases()), (EDGE16, topology_cases(seed, names))):
            if config is EDGE16 and not topologies:
                continue
            for case in cases:
                if names and not any(word in case.name for word in names):
                    continue
                say(case.name)
                results.append(run_case(case, config, Console(quiet=True), engine))
    for found in results:
        print(f"{found.verdict:12} {found.name:60} {found.reason}".rstrip())
    _summary(results)
    failed = [found.name for found in results if found.verdict == "fail"]
    if failed:
        raise CheckFailed(f"{len(failed)} cases fail, the first: {failed[0]}")


def _summary(results: list[Result]) -> None:
    counts = Counter((found.operator, found.verdict) for found in results)
    print("\n| operator | pass | unsupported | fail |\n|---|---|---|---|")
    for operator in sorted({found.operator for found in results}):
        row = [counts[operator, verdict] for verdict in ("pass", "unsupported", "fail")]
        print(f"| {operator} | {' | '.join(map(str, row))} |")
    totals = Counter(found.verdict for found in results)
    print(f"| all | {totals['pass']} | {totals['unsupported']} | {totals['fail']} |")


if __name__ == "__main__":
    sys.exit(report_errors(lambda: suite.main(standalone_mode=False)))
