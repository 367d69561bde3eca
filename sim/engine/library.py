"""Turn Verilog into a shared library with Verilator and a C++ compiler, once per design."""

import errno
import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from stillflow.sim.engine.base import EngineUnavailable
from stillflow.sim.engine.toolchain import Toolchain, find_toolchain, machine_flags
from stillflow.sim.engine.wrapper import TOP, WRAPPER, wrapper

TRACES = ("", "fst", "vcd", "saif")
_HERE = Path(__file__).parent
_SOURCES = (
    "harness.cpp",
    "wave.hpp",
    "dram.hpp",
    "protocol.hpp",
    "fst_compress.hpp",
    "fst_file.hpp",
)
#: Options for the writer of a format. That of SAIF would abort where a file cannot be written:
#: `check_whole` looks afterwards.
_AHEAD = {"fst": ["-include", "fst_file.hpp"], "saif": ["-DNDEBUG"]}
_RUNTIME = ("verilated.cpp", "verilated_threads.cpp")
_CXX_FLAGS = (
    "-std=gnu++17",
    "-fPIC",
    "-fvisibility=hidden",
    "-w",
    "-DVERILATOR=1",
    "-DVM_COVERAGE=0",
    "-DVM_SC=0",
    "-DVM_TIMING=0",
    "-DVL_USER_FATAL",
    "-DVL_USER_STOP",
    "-DVL_USER_FINISH",
)
_UNIT_BYTES = 150_000  # of Verilator's output, at least, per compiler call
_FAST, _SLOW, _RUNTIME_LEVEL = "-O3", "-O0", "-O1"  # every cycle; once; Verilator's own
_VERILATOR_FLAGS = (
    "--cc",
    "-O3",
    "--x-assign",
    "fast",
    "--x-initial",
    "fast",
    "--no-timing",
    "--trace-underscore",
    "--output-split",
    "40000",
    "-Wno-fatal",
    "-Wno-lint",
    "-Wno-style",
    "--prefix",
    f"V{TOP}",
    "--top-module",
    WRAPPER,
    "-Werror-USERERROR",
)

Progress = Callable[[str], None]


def default_cache_dir() -> Path:
    """``$STILLFLOW_CACHE``, or ``stillflow`` in the user's cache folder."""
    given = os.environ.get("STILLFLOW_CACHE")
    if given:
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / TOP


def build(
    verilog_files: Iterable[str | Path],
    cache_dir: Path | None = None,
    *,
    axi_data_bits: int,
    trace: str = "",
    quick: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Build the simulator of module ``stillflow``, or find it in the cache.

    Parameters
    ----------
    verilog_files : iterable of path
        Everything that is needed to elaborate.
    cache_dir : Path, optional
        Where libraries are kept; by default `default_cache_dir`.
    axi_data_bits : int
        Width of the AXI4 port.
    trace : str
        ``""``, ``"vcd"``, ``"fst"`` or ``"saif"``: the waveform that the library can write.
    quick : bool
        Build quickly what runs once: not optimised.
    progress : callable, optional
        Called with a line of text before each step of a build; not called on a cache hit.

    Returns
    -------
    Path
        The shared library.

    Raises
    ------
    EngineUnavailable
        If a tool is missing or fails.
    OSError
        If a file cannot be read, or the cache not be written: the message says where and why.
    """
    if trace not in TRACES:
        raise ValueError(f"trace must be one of {', '.join(map(repr, TRACES))}, not {trace!r}")
    report = progress or (lambda _: None)
    verilog = [Path(path).resolve() for path in verilog_files]
    cache = (cache_dir or default_cache_dir()).absolute()
    tools = find_toolchain()
    parts = [
        str(axi_data_bits),
        trace,
        "quick" if quick else _FAST,
        _SLOW,
        *_CXX_FLAGS,
        *_VERILATOR_FLAGS,
    ]
    parts += [*machine_flags(), *tools.identity, wrapper(axi_data_bits)]
    parts += _AHEAD.get(trace, [])
    contents = [path.read_bytes() for path in (*verilog, *(_HERE / name for name in _SOURCES))]
    library = cache / f"{_digest(parts, contents)}.so"
    if library.exists():
        return library
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with _locked(library.with_suffix(".lock")):
            if not library.exists():
                with tempfile.TemporaryDirectory(prefix="build-", dir=cache) as folder:
                    build_ = _Build(tools, Path(folder), trace, quick, report)
                    os.replace(build_.run(verilog, cache, axi_data_bits // 8), library)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OSError(error.errno, f"cannot build the simulator in {cache}: {reason}") from error
    return library


@dataclass(frozen=True)
class _Build:
    """One build in a folder of its own."""

    tools: Toolchain
    folder: Path
    trace: str
    quick: bool
    report: Progress

    def run(self, verilog: Sequence[Path], cache: Path, axi_bytes: int) -> Path:
        """Build the library and give its path."""
        self.report("verilating")
        flags = [*_VERILATOR_FLAGS, "--Mdir", str(self.folder)]
        flags += [f"--trace-{self.trace}"] if self.trace else []
        bench = self.folder / f"{WRAPPER}.sv"
        bench.write_text(wrapper(axi_bytes * 8))
        self.call([self.tools.verilator, *flags, str(bench), *map(str, verilog)])
        for name in _SOURCES:
            shutil.copy(_HERE / name, self.folder)
        units = self.units()
        objects = [self.runtime(cache)]
        define = f"-DSF_AXI_BYTES={axi_bytes}"
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            jobs = [pool.submit(self.compile, unit, level, define) for unit, level in units.items()]
            for number, job in enumerate(jobs, 1):
                objects.append(job.result())
                self.report(f"compiled {number} of {len(jobs)}")
        library = self.folder / "stillflow.so"
        self.call([self.tools.compiler, "-shared", "-o", str(library), *map(str, objects)])
        return library

    def units(self) -> dict[Path, str]:
        """List what to compile, with its optimisation: what runs once together, small files too.

        Reading Verilator's headers takes longer than compiling a small file.
        """
        slow: list[Path] = []
        fast: list[list[Path]] = [[]]
        size = 0
        for path in sorted(self.folder.glob("*.cpp")):
            if "Slow" in path.name or "__Syms" in path.name:
                slow.append(path)
                continue
            if size > _UNIT_BYTES:
                fast.append([])
                size = 0
            fast[-1].append(path)
            size += path.stat().st_size
        level = _SLOW if self.quick else _FAST
        return {
            self.together(f"unit_{number}", paths): _SLOW if paths is slow else level
            for number, paths in enumerate([slow, *fast])
        }

    def together(self, name: str, paths: Sequence[Path]) -> Path:
        """Write a file that includes others."""
        unit = self.folder / f"{name}.cc"
        unit.write_text("".join(f'#include "{path.name}"\n' for path in paths))
        return unit

    def compile(self, source: Path, level: str, *extra: str) -> Path:
        """Compile one file into the build's folder."""
        target = self.folder / f"{source.stem}.o"
        include = self.tools.root / "include"
        paths = ["-I", str(self.folder), "-isystem", str(include)]
        paths += ["-isystem", str(include / "vltstd")]
        defines = [f"-DVM_TRACE={int(bool(self.trace))}"]
        defines += [f"-DVM_TRACE_{kind.upper()}={int(kind == self.trace)}" for kind in TRACES[1:]]
        flags = [*_CXX_FLAGS, *machine_flags(), level, *defines, *extra]
        self.call([self.tools.compiler, *flags, *paths, "-c", str(source), "-o", str(target)])
        return target

    def runtime(self, cache: Path) -> Path:
        """Verilator's own library, compiled once for all designs."""
        sources = [*_RUNTIME, *([f"verilated_{self.trace}_c.cpp"] if self.trace else [])]
        parts = [
            self.trace,
            *_AHEAD.get(self.trace, []),
            _RUNTIME_LEVEL,
            *_CXX_FLAGS,
            *machine_flags(),
            *sources,
        ]
        parts += self.tools.identity
        stand_ins = [(_HERE / name).read_bytes() for name in _SOURCES if name.startswith("fst")]
        target = cache / f"runtime-{_digest(parts, stand_ins)}.o"
        if not target.exists():
            self.report("compiling Verilator's runtime")
            for header in ("lz4.h", "zlib.h"):
                (self.folder / header).write_text('#include "fst_compress.hpp"\n')
            include = self.tools.root / "include"
            ahead = _AHEAD.get(self.trace, [])
            with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
                jobs = [
                    pool.submit(self.compile, include / name, _RUNTIME_LEVEL, *ahead)
                    for name in sources
                ]
                objects = [job.result() for job in jobs]
            joined = self.folder / "runtime.o"
            names = map(str, objects)
            self.call([self.tools.compiler, "-r", "-nostdlib", "-o", str(joined), *names])
            os.replace(joined, target)
        return target

    def call(self, command: Sequence[str]) -> None:
        """Run a tool; raise with the beginning of what it said if it fails."""
        environment = os.environ | {
            "VERILATOR_ROOT": str(self.tools.root),
            "TMPDIR": str(self.folder),
            "LC_ALL": "C",
        }
        done = subprocess.run(
            command, env=environment, cwd=self.folder, capture_output=True, text=True, check=False
        )
        if done.returncode:
            said = (done.stderr or done.stdout).strip()
            if "No space left on device" in said:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            raise EngineUnavailable(f"{Path(command[0]).name} failed: {said[:2000]}")


def _digest(parts: Iterable[str], contents: Iterable[bytes]) -> str:
    """Name of a cached file."""
    digest = hashlib.sha256()
    for item in (*(part.encode() for part in parts), *contents):
        digest.update(len(item).to_bytes(8, "little"))
        digest.update(item)
    return digest.hexdigest()[:24]


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock between processes: a design is built once, the others wait for it."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
