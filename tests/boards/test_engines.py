from dataclasses import replace
from pathlib import Path

import pytest

from stillflow.boards import engines, verilog
from stillflow.boards.engines import cache_folder, device_opener, open_engine, verilog_files
from stillflow.hw.csr import ID_VALUE, OFFSETS
from stillflow.hw.presets import TINY
from stillflow.sim.engine.settings import DramTiming, EngineUnavailable
from stillflow.sim.engine.verilator import VerilatorEngine


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("STILLFLOW_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def emitted(monkeypatch):
    """Count generations; text instead of Verilog."""
    calls = []

    def emit(accelerator):
        calls.append(accelerator.config)
        return {"b.v": "module b;", "a.v": "module a;", "notes.txt": ""}

    monkeypatch.setattr(verilog, "emit", emit)
    return calls


@pytest.fixture
def no_compiler(monkeypatch):
    def fail(*_, **__):
        raise EngineUnavailable("no g++")

    monkeypatch.setattr(VerilatorEngine, "from_verilog", fail)


def test_the_cache_is_where_the_environment_says(cache, monkeypatch):
    assert cache_folder() == cache
    monkeypatch.delenv("STILLFLOW_CACHE")
    monkeypatch.setenv("HOME", "/somewhere")
    assert cache_folder() == Path("/somewhere/.cache/stillflow")


def test_verilog_is_made_once_for_each_configuration(cache, emitted):
    said = []
    first = verilog_files(TINY, said.append)
    assert [path.name for path in first] == ["a.v", "b.v"]
    assert first[0].read_text() == "module a;"
    assert said == ["generating Verilog"]
    assert verilog_files(TINY, said.append) == first
    assert len(emitted) == len(said) == 1
    other = verilog_files(replace(TINY, rows=5))
    assert other[0].parent != first[0].parent
    assert sorted(first[0].parent.parent.iterdir()) == sorted({p[0].parent for p in (first, other)})


def test_a_quicker_process_wins(cache, emitted, monkeypatch):
    emit = verilog.emit

    def emit_late(accelerator):
        files = emit(accelerator)
        monkeypatch.setattr(verilog, "emit", emit)
        verilog_files(TINY)  # the other process
        return files | {"a.v": "late"}

    monkeypatch.setattr(verilog, "emit", emit_late)
    (text, _) = (path.read_text() for path in verilog_files(TINY))
    assert text == "module a;"
    assert len(list((cache / "verilog").iterdir())) == 1


def test_a_cache_that_cannot_be_written_is_named(tmp_path, emitted, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("STILLFLOW_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(NotADirectoryError, match=r"Not a directory: '.*/file/cache/verilog/\w+'$"):
        verilog_files(TINY)


def test_an_unknown_engine_is_refused():
    with pytest.raises(
        ValueError, match=r"^engine must be one of verilator, icarus, pysim, not 'modelsim'$"
    ):
        open_engine(TINY, engine="modelsim", memory_bytes=1)


def test_the_default_is_verilator_with_whole_megabytes():
    name, engine = open_engine(TINY, memory_bytes=(1 << 20) + 1, timing=DramTiming(latency=7))
    with engine:
        assert name == "verilator"
        assert engine.memory.size == 2 << 20
        assert engine.timing.latency == 7
        assert engine.read_csr(OFFSETS["ID"]) == ID_VALUE


def test_without_a_compiler_pysim_steps_in_and_says_so(cache, emitted, no_compiler):
    said = []
    name, engine = open_engine(TINY, memory_bytes=1, progress=said.append)
    with engine:
        assert name == "pysim"
        assert engine.memory.size == 1 << 20
        assert engine.read_csr(OFFSETS["ID"]) == ID_VALUE
    assert said == ["generating Verilog", "no g++; falling back to pysim"]


def test_an_engine_that_was_asked_for_is_not_replaced(cache, emitted, no_compiler):
    with pytest.raises(EngineUnavailable, match=r"^no g\+\+$"):
        open_engine(TINY, engine="verilator", memory_bytes=1)


def test_only_the_first_device_writes_a_wave(monkeypatch, tmp_path):
    seen = []
    monkeypatch.setattr(engines, "open_engine", lambda config, **keys: seen.append(keys["wave"]))
    wave = tmp_path / "a.fst"
    open_device = device_opener(TINY, None, DramTiming(), 1, wave, None)
    for _ in range(3):
        open_device()
    assert seen == [wave, None, None]
