import errno
import subprocess
import sys

import click
import pytest

from stillflow.boards import cli
from stillflow.boards.errors import CheckFailed, ToolError
from stillflow.compiler.frontend.errors import FrontendError
from stillflow.sim.engine.settings import EngineUnavailable


@pytest.fixture
def failing(monkeypatch):
    """Make a command that raises what it is given."""

    def make(error):
        @click.command()
        def command():
            raise error

        monkeypatch.setattr(cli, "broken", command, raising=False)
        monkeypatch.setitem(cli.COMMANDS, "broken", "stillflow.boards.cli:broken")

    return make


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (ValueError("rows must be\n  at least 1"), 2, "rows must be at least 1"),
        (FrontendError("a.onnx: truncated"), 2, "a.onnx: truncated"),
        (EngineUnavailable("no compiler"), 2, "no compiler"),
        (ToolError("Yosys stopped"), 2, "Yosys stopped"),
        (CheckFailed("3 mismatches"), 1, "3 mismatches"),
        (OSError(errno.ENOSPC, "No space left on device", "a"), 2, "a: No space left on device"),
        (PermissionError(errno.EACCES, "Permission denied", "b"), 2, "b: Permission denied"),
        (OSError("plain"), 2, "plain"),
        (MemoryError(), 2, "out of memory"),
        (KeyError("x"), 2, "KeyError: 'x'"),
        (click.FileError("c", "no"), 2, "Could not open file 'c': no"),
    ],
)
def test_an_error_is_one_line_and_a_status(failing, capsys, error, status, line):
    failing(error)
    assert cli.main(["broken"]) == status
    captured = capsys.readouterr()
    assert captured.err == f"stillflow: error: {line}\n"
    assert captured.out == ""


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort()])
def test_an_interrupt_is_status_130(failing, capsys, error):
    failing(error)
    assert cli.main(["broken"]) == 130
    assert "error" not in capsys.readouterr().err


def test_the_traceback_is_there_on_request(failing, monkeypatch):
    failing(KeyError("x"))
    monkeypatch.setenv("STILLFLOW_TRACEBACK", "1")
    with pytest.raises(KeyError, match=r"^'x'$"):
        cli.main(["broken"])


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["nothing"], "No such command 'nothing'. (see 'stillflow --help')"),
        ([], "Missing command. (see 'stillflow --help')"),
        (["generate", "tiny"], "Missing option '-o'. (see 'stillflow generate --help')"),
    ],
)
def test_wrong_usage_is_one_line(capsys, arguments, line):
    assert cli.main(arguments) == 2
    assert capsys.readouterr().err == f"stillflow: error: {line}\n"


@pytest.mark.parametrize("command", [[], *([name] for name in cli.COMMANDS)])
def test_every_command_explains_itself(capsys, command):
    assert cli.main([*command, "--help"]) == 0
    assert capsys.readouterr().out.startswith("Usage: stillflow")


def test_a_reader_that_leaves_makes_no_noise():
    program = "import sys; from stillflow.boards.cli import main; sys.exit(main(['configs']))"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
