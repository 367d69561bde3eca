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
step python -m pytest -n auto "$@"
