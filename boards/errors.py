"""What may go wrong on the command line, and what to say of it."""

import difflib
from collections.abc import Iterable

#: How to get what boards need.
INSTALL_BOARDS = "pip install 'stillflow[boards]'"


def near(word: str, known: Iterable[str]) -> str:
    """Ask whether the user meant a known word that is like theirs; empty if there is none."""
    found = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {found[0]!r}?" if found else ""


class CheckFailed(Exception):
    """A check that the user asked for did not hold: exit status 1."""


class ToolError(RuntimeError):
    """A tool that we start failed: exit status 2."""
