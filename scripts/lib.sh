# Set-up shared by scripts/demo and scripts/test. Sourced from the repository's root.

say() { printf 'stillflow: %s\n' "$*" >&2; }
fail() { say "error: $*"; exit 2; }

# Print the first Python >= 3.11 that can make virtual environments.
find_python() {
    for python in python3 python3.13 python3.12 python3.11 python3.14; do
        if "$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' \
            >/dev/null 2>&1; then
            printf '%s\n' "$python"
            return
        fi
    done
    return 1
}

# set_up EXTRAS: make .venv and install the project, once for each pyproject.toml and place.
set_up() {
    extras=$1
    .venv/bin/python -c '' 2>/dev/null || rm -rf .venv || fail ".venv: cannot remove it"
    state=$(pwd; cksum <pyproject.toml)
    for stamp in ".venv/installed-$extras" ".venv/installed-lint,test"; do
        if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$state" ]; then return; fi
    done

    if [ ! -d .venv ]; then
        python=$(find_python) || fail "Python 3.11 or newer with venv was not found on PATH"
        say "making .venv with $("$python" --version)"
        "$python" -m venv .venv || { rm -rf .venv; fail ".venv: cannot make it"; }
    fi
    say "installing packages into .venv (a minute or two, once)"
    .venv/bin/python -m pip install -qq --disable-pip-version-check \
        --editable ".${extras:+[$extras]}" || fail ".venv: pip could not install the project"
    printf '%s\n' "$state" >".venv/installed-$extras" || fail ".venv: cannot write to it"
    say "ready"
}
