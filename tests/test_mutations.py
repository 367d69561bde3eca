"""The list of planted bugs stays true: each is where it says, and some are planted."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.mutations import MUTATIONS

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.block)
def test_every_bug_can_be_planted(mutation):
    assert (ROOT / mutation.path).read_text().count(mutation.old) == 1
    tests, _, _ = mutation.tests.partition(" -k ")
    assert (ROOT / tests).exists()


def test_blocks_have_names_of_their_own():
    assert len({mutation.block for mutation in MUTATIONS}) == len(MUTATIONS) >= 20


def test_a_planted_bug_is_caught():
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "mutate", "rotator", "adder tree"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.endswith("2 of 2 caught\n"), done.stdout + done.stderr
    assert done.returncode == 0
