import pytest

from stillflow.boards.errors import ToolError
from stillflow.boards.yosys import run_yosys


def test_log_comes_back(tmp_path):
    assert "stillflow was here" in run_yosys(["log stillflow was here"], tmp_path)


def test_an_error_is_raised_with_its_reason(tmp_path):
    message = r"^Yosys stopped with status 1: ERROR: .*`none\.il'.*$"
    with pytest.raises(ToolError, match=message):
        run_yosys(["read_rtlil none.il"], tmp_path)
