import errno
import json

import pytest

from stillflow.boards import files
from stillflow.boards.files import write_json, write_whole


def test_text_replaces_what_was_there(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    write_whole(path, "new ä\n")
    assert path.read_text(encoding="utf-8") == "new ä\n"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.txt"]


def test_mode_is_that_of_any_new_file(tmp_path):
    (tmp_path / "usual").touch()
    write_whole(tmp_path / "ours", "")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_a_full_disk_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    def full(source, target):
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "a.txt"
    path.write_text("old")
    monkeypatch.setattr(files.os, "replace", full)
    with pytest.raises(OSError, match=r"No space left on device: '.*a\.txt'$"):
        write_whole(path, "new")
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.txt"]


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none/a\.txt'$"):
        write_whole(tmp_path / "none/a.txt", "")


def test_json_is_written_where_asked(tmp_path):
    write_json(None, {})
    write_json(tmp_path / "a.json", {"a": [1]})
    assert json.loads((tmp_path / "a.json").read_text()) == {"a": [1]}
