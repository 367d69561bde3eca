"""The ``stillflow`` command: finds the subcommand, turns errors into one line and a status."""

import importlib
import os
import sys
from collections.abc import Callable, Sequence

import click

from stillflow.boards.errors import CheckFailed

#: Module and attribute of each command; imported when it is used.
COMMANDS = {
    "generate": "stillflow.boards.generate:generate",
    "run": "stillflow.boards.run:run",
    "bench": "stillflow.boards.bench:bench",
    "compile": "stillflow.boards.compile:compile_model",
    "model": "stillflow.boards.model:model",
    "map": "stillflow.boards.map:map_workload",
    "compare": "stillflow.boards.compare:compare",
    "configs": "stillflow.boards.configs:configs",
    "synth": "stillflow.boards.synth:synth",
    "verify": "stillflow.boards.verify:verify",
    "build": "stillflow.boards.build:build",
    "boards": "stillflow.boards.boards:boards",
}


class _Commands(click.Group):
    """Group whose commands live in modules of their own."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name].split(":")
        return getattr(importlib.import_module(module), attribute)


@click.group(cls=_Commands, no_args_is_help=False)
@click.version_option(package_name="stillflow", message="%(version)s")
def stillflow() -> None:
    """Generate DNN accelerators and run quantised networks on them, bit for bit.

    CONFIG is a preset's name (see `stillflow configs`) or a TOML file.
    """


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : Sequence[str] | None
        Arguments without the program's name; by default the process's.

    Returns
    -------
    int
        0 on success, 1 when a check failed, 2 on bad input or where the machine lacks something,
        130 when interrupted. With the environment variable ``STILLFLOW_TRACEBACK``, an unexpected
        exception is raised instead.
    """
    # Without standalone mode, --help and --version return a status; commands return None.
    return report_errors(lambda: stillflow.main(argv, prog_name="stillflow", standalone_mode=False))


def report_errors(command: Callable[[], int | None]) -> int:
    """Run a command; give its status, errors as one line on stderr.

    See `main` for the statuses.
    """
    try:
        status = command() or 0
        sys.stdout.flush()
        return status
    except (KeyboardInterrupt, click.Abort):
        return 130
    except BrokenPipeError:  # the reader of our output went away
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except CheckFailed as error:
        return _complain(str(error), 1)
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx else "stillflow"
        return _complain(f"{error.format_message()} (see '{where} --help')", 2)
    except click.ClickException as error:
        return _complain(error.format_message(), 2)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        return _complain(f"{place}{error.strerror or error}", 2)
    except MemoryError:
        return _complain("out of memory", 2)
    except Exception as error:
        if os.environ.get("STILLFLOW_TRACEBACK"):
            raise
        kind = "" if isinstance(error, (ValueError, RuntimeError)) else f"{type(error).__name__}: "
        return _complain(f"{kind}{error}", 2)


def _complain(message: str, status: int) -> int:
    try:
        sys.stdout.flush()
    except OSError:  # else Python tries again on its way out, and complains itself
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    print("stillflow: error:", " ".join(message.split()), file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
