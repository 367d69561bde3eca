"""Files that hold no whole model."""

import pytest

from stillflow.compiler.frontend.errors import FrontendError
from stillflow.compiler.frontend.read import read_model
from stillflow.compiler.models import DIGITS


def test_a_model_cut_short_is_named(tmp_path):
    whole = DIGITS.read_bytes()
    path = tmp_path / "cut.onnx"
    step = max(len(whole) // 150, 1)
    for length in [
        *range(60),
        *range(60, len(whole) - 60, step),
        *range(len(whole) - 60, len(whole)),
    ]:
        path.write_bytes(whole[:length])
        with pytest.raises(FrontendError, match=r"^[^\n]*cut\.onnx: [^\n]*cut short: [^\n]+$"):
            read_model(path)


def test_a_file_of_something_else_is_named(tmp_path):
    path = tmp_path / "text.onnx"
    path.write_text("no model\n")
    with pytest.raises(FrontendError, match=r"^[^\n]*text\.onnx: is not an ONNX model, [^\n]+$"):
        read_model(path)


def test_a_missing_file_is_named(tmp_path):
    path = tmp_path / "none.onnx"
    with pytest.raises(
        FrontendError, match=r"^[^\n]*none\.onnx: cannot be read: No such file or directory$"
    ):
        read_model(path)


def test_a_directory_is_named(tmp_path):
    with pytest.raises(FrontendError, match=r"^[^\n]*: cannot be read: Is a directory$"):
        read_model(tmp_path)
