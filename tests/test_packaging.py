"""Keep pyproject.toml, the folders, the typing links and the size of files in step."""

import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
TOPS = ("hw", "compiler", "sim", "boards")


def listed() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]


def sources() -> list[Path]:
    return [path for top in TOPS for path in (ROOT / top).rglob("*.py")]


def test_every_package_on_disk_is_in_the_wheel():
    found = {
        "stillflow." + path.parent.relative_to(ROOT).as_posix().replace("/", ".")
        for path in sources()
        if path.name == "__init__.py"
    }
    assert not found - set(listed()["packages"])


def test_every_package_in_the_list_is_on_disk():
    gone = [
        name
        for name in listed()["packages"]
        if not (ROOT / name.removeprefix("stillflow.").replace(".", "/")).is_dir()
    ]
    assert not gone


def test_every_folder_with_modules_is_a_package():
    bare = {path.parent for path in sources() if not (path.parent / "__init__.py").exists()}
    assert not bare


def test_every_top_folder_is_mapped_linked_and_typed():
    assert listed()["package-dir"] == {f"stillflow.{top}": top for top in TOPS}
    for top in TOPS:
        assert (ROOT / ".typing/stillflow" / top).resolve() == ROOT / top
        assert (ROOT / top / "py.typed").exists()


def test_data_files_of_packages_are_in_the_wheel():
    patterns = [
        pattern
        for package, names in listed()["package-data"].items()
        for pattern in (
            names if package == "*" else [f"{package.split('.')[-1]}/{n}" for n in names]
        )
    ]
    left_out = {
        str(path.relative_to(ROOT))
        for top in TOPS
        for path in (ROOT / top).rglob("*")
        if path.is_file()
        and "__pycache__" not in path.parts
        and path.suffix != ".py"
        and not any(path.match(pattern) for pattern in patterns)
    }
    assert not left_out


def test_files_stay_small():
    too_long = {
        str(path.relative_to(ROOT)): lines
        for path in sources()
        if (lines := len(path.read_text().splitlines())) > 300
    }
    assert not too_long
