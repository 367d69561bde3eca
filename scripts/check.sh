#!/bin/sh
# The whole gate, here and in CI. Arguments go to pytest.
set -eu
cd "$(dirname "$0")/.."
[ ! -d .venv ] || PATH="$PWD/.venv/bin:$PATH"
export PATH PYRIGHT_PYTHON_IGNORE_WARNINGS=1

step() {
    printf '== %s\n' "$*"
    "$@"
}

step ruff check .
step ruff format --check .
step pyright
step lint-imports
# A worker takes its share of the files in order, so that what a file builds is built once, and
# then from the other's end.
step python -m pytest -n auto --dist worksteal "$@"
