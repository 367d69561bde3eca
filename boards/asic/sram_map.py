"""SRAM macros in the place of the behavioural models.

A mapping file is TOML. A table is an SRAM unit, ``sram_1r1w_<words>x<bits>``; what is inside says
which macro does its work::

    [sram_1r1w_64x32]
    macro = "sky130_sram_1kbyte_1rw1r_32x256_8"   # OpenRAM
    words = 256
    bits = 32
    holds = false
    [sram_1r1w_64x32.ports]
    clk0 = "clk"
    csb0 = "!write_en"
    web0 = "!write_en"
    wmask0 = "ones:4"
    addr0 = "write_addr"
    din0 = "write_data"
    clk1 = "clk"
    csb1 = "!read_en"
    addr1 = "read_addr"
    dout1 = "read_data"

Each port of the macro is given one of ``clk``, ``write_en``, ``read_en`` (``!`` before one inverts
it), ``write_addr``, ``read_addr``, ``write_data``, ``read_data``, ``ones:N`` or ``zeros:N``. The
macro reads and writes at the same time, at rising edges; data come in the next cycle. With
``holds = true`` they stay until the next read; else the wrapper keeps them in a register. Macros
lie side by side where a word is wider, and one behind the other never: it must hold all words.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stillflow.boards import sram

_ENABLES = ("clk", "write_en", "read_en")
_WORDS = ("write_addr", "read_addr", "write_data", "read_data")
_CONSTANT = re.compile(r"(ones|zeros):([1-9]\d*)")
_IDENTIFIER = re.compile(r"[A-Za-z_]\w*")
_KEEP = """
  reg fresh;
  reg [{high}:0] kept;
  always @(posedge clk) begin
    fresh <= i_read_en;
    if (fresh) kept <= {data};
  end"""


@dataclass(frozen=True, kw_only=True)
class Macro:
    """A memory macro with a write and a read port.

    Parameters
    ----------
    name : str
        Its Verilog module.
    words, bits : int
        Its size.
    holds : bool
        Whether data stay at its output until the next read.
    ports : Mapping[str, str]
        Port to what it is given, see above.
    """

    name: str
    words: int
    bits: int
    holds: bool
    ports: Mapping[str, str]


def read_macros(path: Path | None) -> dict[str, Macro]:
    """Read a mapping file; none without one.

    Raises
    ------
    OSError
        If it cannot be read.
    ValueError
        If it is no TOML, or a table in it is wrong; the message names file, table and key.
    """
    if path is None:
        return {}
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: must be TOML ({error})") from error
    macros = {unit: _macro(f"{path}: {unit}", unit, table) for unit, table in tables.items()}
    known: dict[str, Macro] = {}
    for unit, macro in macros.items():
        if known.setdefault(macro.name, macro) != macro:
            raise ValueError(f"{path}: {unit}: {macro.name} must be the same in every table")
    return macros


def _macro(where: str, unit: str, table: Any) -> Macro:
    if not sram.is_sram(unit):
        raise ValueError(f"{where}: must be a table named sram_1r1w_<words>x<bits>")
    keys = {"macro", "words", "bits", "holds", "ports"}
    if not isinstance(table, dict) or table.keys() != keys:
        raise ValueError(f"{where}: must have macro, words, bits, holds and ports")
    if not isinstance(table["holds"], bool):
        raise ValueError(f"{where}: holds must be true or false, not {table['holds']!r}")
    name, ports = table["macro"], table["ports"]
    if not isinstance(name, str) or not _IDENTIFIER.fullmatch(name):
        raise ValueError(f"{where}: macro must be a module name, not {name!r}")
    for key in ("words", "bits"):
        if type(table[key]) is not int or table[key] < 1:
            raise ValueError(f"{where}: {key} must be a positive integer, not {table[key]!r}")
    words, _ = sram.size(unit)
    if table["words"] < words:
        raise ValueError(f"{where}: words must be at least {words}, not {table['words']}")
    if not isinstance(ports, dict):
        raise ValueError(f"{where}: ports must be a table, not {ports!r}")
    for port, given in ports.items():
        if not _IDENTIFIER.fullmatch(port):
            raise ValueError(f"{where}: ports must be Verilog names, not {port!r}")
        if not _is_known(given):
            raise ValueError(f"{where}: ports: {port} must be given a signal, not {given!r}")
    used = [given.removeprefix("!") for given in ports.values()]
    if used.count("read_data") > 1:
        raise ValueError(f"{where}: ports must have read_data once")
    missing = [signal for signal in (*_ENABLES, *_WORDS) if signal not in used]
    if missing:
        raise ValueError(f"{where}: ports must have {', '.join(missing)}")
    return Macro(
        name=name, words=table["words"], bits=table["bits"], holds=table["holds"], ports=ports
    )


def _is_known(given: object) -> bool:
    if not isinstance(given, str):
        return False
    return (
        given.removeprefix("!") in _ENABLES or given in _WORDS or bool(_CONSTANT.fullmatch(given))
    )


def macro_files(units: Iterable[str], macros: Mapping[str, Macro]) -> dict[str, str]:
    """Write a wrapper for each unit that has a macro, and a stub of the macro.

    Parameters
    ----------
    units : Iterable[str]
        SRAM units of the design; others are left out.
    macros : Mapping[str, Macro]
        From `read_macros`.

    Returns
    -------
    dict[str, str]
        ``<unit>.v`` in the place of the model, and ``blackbox/<macro>.v``.
    """
    files = {}
    for unit in units:
        if unit in macros:
            files[f"{unit}.v"] = _wrapper(unit, macros[unit])
            files[f"blackbox/{macros[unit].name}.v"] = _stub(macros[unit])
    return files


def _wrapper(unit: str, macro: Macro) -> str:
    words, bits = sram.size(unit)
    count = -(-bits // macro.bits)
    address, inner = (max(1, (n - 1).bit_length()) for n in (words, macro.words))
    wide = count * macro.bits
    lines = [
        f"// {unit} made of {count} x {macro.name} ({macro.words} words of {macro.bits} bits).",
        sram.header(unit, storage="").rstrip("\n"),
        f"  wire [{wide - 1}:0] write_data = {_padded('i_write_data', bits, wide)};",
        f"  wire [{inner - 1}:0] write_addr = {_padded('i_write_addr', address, inner)};",
        f"  wire [{inner - 1}:0] read_addr = {_padded('i_read_addr', address, inner)};",
        f"  wire [{wide - 1}:0] read_data;",
        "",
    ]
    for place in range(count):
        part = f"[{(place + 1) * macro.bits - 1}:{place * macro.bits}]"
        pins = [f".{port}({_signal(given, part)})" for port, given in macro.ports.items()]
        lines.append(f"  {macro.name} macro_{place} ({', '.join(pins)});")
    data = f"read_data[{bits - 1}:0]"
    if not macro.holds:
        lines.append(_KEEP.format(high=bits - 1, data=data))
        data = f"fresh ? {data} : kept"
    return "\n".join([*lines, "", f"  assign o_read_data = {data};", "endmodule", ""])


def _padded(name: str, bits: int, wide: int) -> str:
    return name if bits == wide else f"{{{wide - bits}'d0, {name}}}"


def _signal(given: str, part: str) -> str:
    if match := _CONSTANT.fullmatch(given):
        return f"{{{match[2]}{{1'b{int(match[1] == 'ones')}}}}}"
    if given in ("write_data", "read_data"):
        return f"{given}{part}"
    if given in _WORDS:
        return given
    name = given.removeprefix("!")
    wire = "clk" if name == "clk" else f"i_{name}"
    return wire if given == name else f"~{wire}"


def _stub(macro: Macro) -> str:
    ports = []
    address = max(1, (macro.words - 1).bit_length())
    for port, given in macro.ports.items():
        bits = {"write_addr": address, "read_addr": address}.get(given, 1)
        if given in ("write_data", "read_data"):
            bits = macro.bits
        elif match := _CONSTANT.fullmatch(given):
            bits = int(match[2])
        way = "output" if given == "read_data" else "input"
        ports.append(f"  {way} {f'[{bits - 1}:0] ' if bits > 1 else ''}{port}")
    inside = ",\n".join(ports)
    return f"(* blackbox *)\nmodule {macro.name} (\n{inside}\n);\nendmodule\n"
