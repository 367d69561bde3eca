"""``stillflow boards``: what boards there are."""

from pathlib import Path

import click
from rich.table import Table

from stillflow.boards.configs import json_option
from stillflow.boards.files import write_json
from stillflow.boards.fpga.board import BOARDS, Board
from stillflow.boards.simulation import wide_console
from stillflow.boards.version import version
from stillflow.hw.presets import PRESETS


@click.command()
@json_option
def boards(json_path: Path | None) -> None:
    """List the boards."""
    table = Table("BOARD", "device", "PEs", "clock", "memory", "makes", box=None, pad_edge=False)
    for board in BOARDS.values():
        config = PRESETS[board.name]
        table.add_row(
            board.name, board.title, f"{config.rows}x{config.cols}",
            f"{board.clock / 1e6:g} MHz", _memory(board),
            "a bitstream" if board.device.place_and_route else "a Vivado project",
        )  # fmt: skip
    wide_console().print(table)
    listed = [
        {"name": board.name, "title": board.title, "clock_mhz": board.clock / 1e6,
         "memory_bytes": _bytes(board), "config": PRESETS[board.name].keys()}
        for board in BOARDS.values()
    ]  # fmt: skip
    write_json(json_path, {"stillflow": version(), "boards": listed})


def _memory(board: Board) -> str:
    size = _bytes(board)
    if size is None:
        return "the processor's"
    if isinstance(board.memory, int):
        return f"{size >> 10} KiB on the chip"
    return f"{size >> 20} MiB of SDRAM"


def _bytes(board: Board) -> int | None:
    return None if board.memory is None else board.system().memory_bytes
