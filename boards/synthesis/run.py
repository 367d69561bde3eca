"""Runs of Yosys over the Verilog of a design."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from stillflow.boards.multipliers.files import paired_multipliers, single_multipliers
from stillflow.boards.synthesis import words
from stillflow.boards.synthesis.netlist import Netlist
from stillflow.boards.synthesis.targets import Target
from stillflow.boards.yosys import run_yosys


class Design:
    """Verilog files and a folder for runs over them.

    Parameters
    ----------
    folder : Path
        Where files and results go.
    files : Mapping[str, str]
        File name to Verilog.
    top : str
        Module to synthesise.
    """

    def __init__(self, folder: Path, files: Mapping[str, str], top: str) -> None:
        self.folder = folder
        self.files = files
        self.top = top

    def mapped(self, target: Target, *, flatten: bool = False) -> Netlist:
        """Synthesise for a target, with its multipliers.

        Parameters
        ----------
        target : Target
            FPGA family.
        flatten : bool
            Dissolve the hierarchy first; then multipliers share primitives, too.

        Raises
        ------
        ToolError
            If Yosys fails.
        """
        if flatten:
            files = paired_multipliers(self.files, target.name, self.top)
        else:
            files = single_multipliers(self.files, target.name)
        commands = target.commands(self.top, flatten=flatten)
        return self._netlist(files, (*commands, "delete */t:$scopeinfo"))

    def words(self) -> Netlist:
        """Read the design as it is written, for `stillflow.boards.synthesis.words`.

        Raises
        ------
        ToolError
            If Yosys fails.
        """
        return self._netlist(self.files, (f"hierarchy -check -top {self.top}", *words.PASSES))

    def _netlist(self, files: Mapping[str, str], passes: tuple[str, ...]) -> Netlist:
        for name, text in files.items():
            (self.folder / name).write_text(text, encoding="utf-8")
        read = f"read_verilog {' '.join(files)}"
        # Where a cell comes from is most of a netlist, and nobody asks.
        write = ("setattr -unset src */w:* */c:* */m:*", "write_json netlist.json")
        run_yosys((read, *passes, *write), self.folder)
        return Netlist.read(self.folder / "netlist.json", self.top)


@contextmanager
def design(files: Mapping[str, str], top: str) -> Iterator[Design]:
    """Give a design a temporary folder.

    Parameters
    ----------
    files : Mapping[str, str]
        File name to Verilog.
    top : str
        Module to synthesise.
    """
    with tempfile.TemporaryDirectory(prefix="stillflow-") as folder:
        yield Design(Path(folder), files, top)


def find_block(name: str, modules: list[str]) -> str:
    """Find the module of a block.

    Parameters
    ----------
    name : str
        Module name, or its beginning or end at an underscore: ``pe``, ``ifmap``.
    modules : list[str]
        What there is.

    Raises
    ------
    ValueError
        If there is no such block, or several.
    """
    if name in modules:
        return name
    fits = [m for m in modules if m.endswith(f"_{name}") or m.startswith(f"{name}_")]
    if len(fits) != 1:
        raise ValueError(f"--block must be one of {', '.join(fits or modules)}, not {name!r}")
    return fits[0]
