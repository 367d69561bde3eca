"""The way to GDS; the tools themselves run in `scripts/nightly`."""

import shutil

import pytest

from stillflow.boards.asic import layout
from stillflow.boards.asic.layout import TOOLS, lay_out
from stillflow.boards.errors import ToolError
from stillflow.hw.presets import TINY


def test_a_missing_tool_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(layout, "_PATH", str(tmp_path))
    with pytest.raises(ToolError, match=r"^qflow: not found in .*: install Debian's package"):
        lay_out(TINY, "pe", tmp_path / "out", lambda _: None)
    assert not (tmp_path / "out").exists()


def test_an_unknown_block_is_refused(monkeypatch, tmp_path):
    for tool in TOOLS:
        (tmp_path / tool).write_text("")
        (tmp_path / tool).chmod(0o755)
    monkeypatch.setattr(layout, "_PATH", str(tmp_path))
    assert shutil.which("qflow", path=str(tmp_path))
    with pytest.raises(ValueError, match=r"^--block must be one of .*, not 'none'$"):
        lay_out(TINY, "none", tmp_path / "out", lambda _: None)


@pytest.mark.parametrize(
    ("text", "count"),
    [("Final: No failed routes!", None), ("x\nFinal: Failed net routes: 12\n", "12")],
)
def test_failed_routes_are_counted(text, count):
    found = layout._ROUTES.search(text)
    assert found is not None
    assert found[1] == count
