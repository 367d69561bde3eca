"""Hypothesis profiles, and tools that must be there.

Choose a profile with ``--hypothesis-profile`` or ``HYPOTHESIS_PROFILE``.

Both draw new examples in every run and print what it takes to repeat a failure: the seed
(``--hypothesis-seed``) and the blob (``@reproduce_failure``).
"""

import os
import shutil
from collections.abc import Callable
from typing import NoReturn

import pytest
from hypothesis import settings

from stillflow.boards.asic.liberty import OSU018
from stillflow.sim.cocotb_tb.runner import simulator_environment
from stillflow.sim.engine.base import EngineUnavailable

settings.register_profile("default", derandomize=False, deadline=None, print_blob=True)
# A CI machine starts afresh, so there is no database of failures to replay.
settings.register_profile(
    "ci", derandomize=False, deadline=None, print_blob=True, database=None, max_examples=200
)
settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "default")
)


@pytest.fixture(scope="session")
def need_simulator() -> Callable[[str], None]:
    """Skip without this simulator; fail where CI or STILLFLOW_CI says that it must be there."""

    def need(simulator: str) -> None:
        try:
            simulator_environment(simulator)
        except EngineUnavailable as error:
            _lacks(str(error))

    return need


@pytest.fixture(scope="session")
def need_cells() -> None:
    """Skip without OpenSTA and Debian's cells; fail where CI says that they must be there."""
    for there, what in ((shutil.which("sta"), "OpenSTA"), (OSU018.exists(), str(OSU018))):
        if not there:
            _lacks(f"{what} is not on this machine")


def _lacks(what: str) -> NoReturn:
    if os.environ.get("CI") or os.environ.get("STILLFLOW_CI"):
        pytest.fail(what)
    pytest.skip(what)
