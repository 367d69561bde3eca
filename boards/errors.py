"""What may go wrong on the command line."""


class CheckFailed(Exception):
    """A check that the user asked for did not hold: exit status 1."""


class ToolError(RuntimeError):
    """A tool that we start failed: exit status 2."""
