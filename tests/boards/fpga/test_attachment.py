"""`stillflow run --board` over a pseudo-terminal, whose other end is the RTL."""

import json
import os
import pty
import threading
import tty

import pytest

from stillflow.boards.cli import main
from stillflow.boards.engines import open_engine
from stillflow.boards.fpga.board import BOARDS
from stillflow.compiler.models import DIGITS
from stillflow.hw.presets import EDGE8, PRESETS
from tests.link_device import LinkDevice


class Pretender:
    """A board that is an engine, at a pseudo-terminal."""

    def __init__(self, config, memory_bytes):
        self.config, self.memory_bytes = config, memory_bytes
        self.ours, theirs = pty.openpty()
        tty.setraw(self.ours)
        tty.setraw(theirs)
        self.port = os.ttyname(theirs)
        self.error = None
        self.ends = False
        self.thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self):
        _, self.engine = open_engine(self.config, memory_bytes=self.memory_bytes)  # may build it
        self.thread.start()
        return self

    def __exit__(self, *error):
        self.ends = True
        os.close(self.ours)

    def _serve(self):
        with self.engine as engine:
            device = LinkDevice(_Running(engine), self.memory_bytes)
            while not self.ends:
                try:
                    content = os.read(self.ours, 4096)
                    answer = device.feed(content)
                    while answer:
                        answer = answer[os.write(self.ours, answer) :]
                except OSError:
                    return


class _Running:
    """An engine's clock only runs while it is waited for."""

    def __init__(self, engine):
        self.engine = engine

    def __getattr__(self, name):
        return getattr(self.engine, name)

    def write_csr(self, offset, value):
        self.engine.write_csr(offset, value)
        if offset == 0x08 and value & 1:
            self.engine.wait_irq(1 << 40)


def test_digits_run_on_a_board(need_simulator, tmp_path, capsys):
    need_simulator("verilator")
    board = BOARDS["orangecrab"]
    report = tmp_path / "report.json"
    with Pretender(PRESETS[board.name], board.memory) as pretender:
        status = main(
            ["run", str(DIGITS), "--board", board.name, "--port", pretender.port,
             "--json", str(report)]
        )  # fmt: skip
    printed = capsys.readouterr()
    assert status == 0, printed.err
    made = json.loads(report.read_text())
    assert made["engine"] == "orangecrab"
    assert made["bit_exact"] is True
    assert made["total"]["mismatches"] == 0
    assert made["total"]["cycles"] > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--board", "ulx3", "--port", "x"], "BOARD must be one of"),
        (["--board", "ulx3s"], "--board must go with --port DEVICE"),
        (["--port", "x", "--config", "tiny"], "--port must go with --board BOARD"),
        (["--board", "ulx3s", "--port", "x", "--engine", "icarus"], "without --engine"),
        (["--board", "ulx3s", "--port", "/dev/nothing"], "/dev/nothing"),
        ([], "Missing option '--config'"),
        (
            ["--board", "orangecrab", "--port", "x", "--set", "rows=12", "--set", "cols=12"],
            "must have memory for",
        ),
    ],
)
def test_bad_input_is_one_line_and_status_2(arguments, message, capsys):
    assert main(["run", str(DIGITS), *arguments]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert message in lines[-1]
    assert len(lines) == 1


def test_another_array_in_the_board_is_noticed(need_simulator, capsys):
    need_simulator("verilator")
    with Pretender(EDGE8, 1 << 20) as pretender:
        arguments = ["--board", "orangecrab", "--port", pretender.port]
        assert main(["run", str(DIGITS), *arguments]) == 2
    assert "the program is for a 4x4 array, the device has 8x8" in capsys.readouterr().err


def test_a_port_where_nobody_answers_is_given_up(capsys):
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    arguments = ["--board", "orangecrab", "--port", os.ttyname(theirs)]
    assert main(["run", str(DIGITS), *arguments]) == 2
    os.close(ours)
    os.close(theirs)
    assert "the board does not answer the read register at 0x0" in capsys.readouterr().err
