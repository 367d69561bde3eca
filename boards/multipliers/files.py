"""Puts a family's multipliers into the Verilog of a design."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

from stillflow.boards.modules import HEADER, MODULE, plain_names
from stillflow.boards.multipliers.catalogue import PRIMITIVES, Primitive
from stillflow.boards.multipliers.text import Words
from stillflow.boards.yosys import run_yosys

_ARRAY = "*array"  # modules that hold all multipliers
#: The array is dissolved, but not these. Registers are merged nowhere: some are copies on purpose.
_KEPT = "multiplier_* sram_* adder_tree_*"
_PASSES = (
    f"setattr -mod -set keep_hierarchy 1 {_KEPT}",
    "proc -norom",
    f"flatten {_ARRAY}",
    f"opt_expr -keepdc {_ARRAY}",
    f"opt_dff -keepdc {_ARRAY}",
    f"opt_clean {_ARRAY}",
    f"extract -map pairs.v {_ARRAY}",
    f"opt_clean -purge {_ARRAY}",
)


def single_multipliers(files: Mapping[str, str], target: str) -> dict[str, str]:
    """Make every multiplier of a target's primitive, where it fits.

    Parameters
    ----------
    files : Mapping[str, str]
        File name to Verilog, as `stillflow.boards.verilog.emit` gives them.
    target : str
        FPGA family, ``asic``, or ``asic_gated`` with clock gates.

    Returns
    -------
    dict[str, str]
        The same files, those of multipliers with other modules of the same ports.
    """
    made = dict(files)
    for words in _multipliers(files):
        if (text := _primitive(target).single(words)) is not None:
            made[f"{words.name}.v"] = HEADER + text
    return made


def paired_multipliers(files: Mapping[str, str], target: str, top: str) -> dict[str, str]:
    """Make multipliers of a target's primitive, two by two where it holds two.

    Which two is found by Yosys (``extract``) in the array without its hierarchy: columns and PEs
    are no modules then.

    Parameters
    ----------
    files : Mapping[str, str]
        File name to Verilog, as `stillflow.boards.verilog.emit` gives them.
    target : str
        FPGA family.
    top : str
        Module at the top.

    Returns
    -------
    dict[str, str]
        Files of the modules that are left and of pairs.

    Raises
    ------
    ToolError
        If Yosys fails.
    """
    primitive = _primitive(target)
    single = single_multipliers(files, target)
    pairs = {words: primitive.pair(words) for words in _multipliers(files)}
    if not any(pairs.values()):
        return single
    needles = "".join(words.both(shares=primitive.shares) for words, text in pairs.items() if text)
    with tempfile.TemporaryDirectory(prefix="stillflow-") as scratch:
        folder = Path(scratch)
        for name, text in {**files, "pairs.v": needles}.items():
            (folder / name).write_text(text, encoding="utf-8")
        read = f"read_verilog {' '.join(files)}"
        write = (f"hierarchy -top {top}", "write_verilog -noattr design.v")
        run_yosys((read, *_PASSES, *write), folder)
        left = plain_names((folder / "design.v").read_text(encoding="utf-8"))
    made = {}
    for match in MODULE.finditer(left):
        name = f"{match[1]}.v"
        made[name] = HEADER + match[0] if match[1].endswith(_ARRAY.lstrip("*")) else single[name]
    for words, text in pairs.items():
        if text is not None and f"{words.pair_name} " in left:
            made[f"{words.pair_name}.v"] = HEADER + text
    return dict(sorted(made.items()))


def _primitive(target: str) -> Primitive:
    return PRIMITIVES.get(target, Primitive())


def _multipliers(files: Mapping[str, str]) -> list[Words]:
    read = (Words.read(name.removesuffix(".v")) for name in files)
    return [words for words in read if words is not None]
