"""The README's Python example runs as it stands."""

import re
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"


def test_python_examples_run(capsys):
    blocks = re.findall(r"^```python\n(.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, str(README), "exec"), {})
    assert "pixels a tile" in capsys.readouterr().out


def test_linked_documents_exist():
    links = re.findall(r"\]\(((?:docs/)?[\w.]+\.md)\)", README.read_text())
    assert links
    assert not [link for link in links if not (README.parent / link).exists()]
