"""The register map in SystemRDL 2.0, for PeakRDL and its kin."""

from collections.abc import Iterator

from stillflow.compiler.header import bit_fields
from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.csr import COUNTER_BASE, REGISTERS, Access, Counter, Register

_SOFTWARE = {
    Access.READ_ONLY: "sw = r; hw = w;",
    Access.READ_WRITE: "sw = rw; hw = r;",
    Access.WRITE_PULSE: "sw = w; hw = r; singlepulse;",
    Access.WRITE_ONE_CLEARS: "sw = rw; hw = rw; woclr;",
}


def register_description(config: AcceleratorConfig) -> str:
    """Describe the registers and counters of an accelerator.

    Parameters
    ----------
    config : AcceleratorConfig
        Gives the reset value of ``ARRAY``.

    Returns
    -------
    str
        SystemRDL: address map ``stillflow``, a register for each of `REGISTERS` and two for each
        counter.
    """
    array = config.rows | config.cols << 16
    lines = [
        "addrmap stillflow {",
        '  name = "stillflow";',
        "  default regwidth = 32;",
        "  default accesswidth = 32;",
        "",
    ]
    for register in REGISTERS:
        lines += _register(register, array if register.name == "ARRAY" else register.reset)
    for counter in Counter:
        for word, name in enumerate(("LOW", "HIGH")):
            offset = COUNTER_BASE + 8 * counter + 4 * word
            lines += [
                "  reg {",
                "    field { sw = r; hw = w; } value[31:0] = 0;",
                f"  }} {counter.name}_{name} @ 0x{offset:X};",
            ]
    return "\n".join([*lines, "};", ""])


def _register(register: Register, reset: int) -> Iterator[str]:
    yield "  reg {"
    yield f'    desc = "{register.doc}";'
    parts = [(name.strip(), low, bits) for name, low, bits in bit_fields(register)]
    for name, low, bits in parts or [("value", 0, register.bits)]:
        value = reset >> low & (1 << bits) - 1
        place = f"{name.lower().replace(' ', '_')}[{low + bits - 1}:{low}]"
        yield f"    field {{ {_SOFTWARE[register.access]} }} {place} = 0x{value:X};"
    yield f"  }} {register.name} @ 0x{register.offset:X};"
