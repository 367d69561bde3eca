"""The C header, judged by a C compiler."""

import dataclasses
import re
import subprocess

import pytest

from stillflow.compiler.header import c_header
from stillflow.hw import descriptor
from stillflow.hw.csr import COUNTER_BASE, OFFSETS, REGISTERS, Counter, ErrorCode
from stillflow.hw.presets import PRESETS

TINY = PRESETS["tiny"]
GCC = ["gcc", "-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic"]


def evaluate(tmp_path, config, expressions, kind="unsigned long"):
    """Compile a program that includes the header twice and prints the expressions."""
    (tmp_path / "stillflow.h").write_text(c_header(config))
    form = {"unsigned long": "%lu", "const char *": "%s"}[kind]
    prints = "".join(f'    printf("{form}\\n", ({kind})({text}));\n' for text in expressions)
    source = tmp_path / "main.c"
    source.write_text(
        '#include "stillflow.h"\n#include "stillflow.h"\n#include <stdio.h>\n'
        f"int main(void) {{\n{prints}    return 0;\n}}\n"
    )
    program = tmp_path / "main"
    subprocess.run([*GCC, str(source), "-o", str(program)], check=True)
    output = subprocess.run([str(program)], check=True, capture_output=True).stdout
    return output.decode().splitlines()


def check(tmp_path, config, wanted):
    """Every C expression must have its value."""
    values = map(int, evaluate(tmp_path, config, wanted))
    assert dict(zip(wanted, values, strict=True)) == wanted


@pytest.mark.parametrize("name", PRESETS)
def test_configuration_is_what_was_generated(tmp_path, name):
    config = PRESETS[name]
    numbers = {
        f"STILLFLOW_CONFIG_{key.upper()}": value
        for key, value in config.keys().items()
        if isinstance(value, int)
    }
    assert numbers["STILLFLOW_CONFIG_ROWS"] == config.rows
    check(tmp_path, config, numbers)


def test_registers_have_offsets_and_masks(tmp_path):
    wanted = {f"STILLFLOW_{name}_OFFSET": offset for name, offset in OFFSETS.items()}
    wanted |= {f"STILLFLOW_{register.name}_MASK": 2**register.bits - 1 for register in REGISTERS}
    wanted |= {"STILLFLOW_ID_VALUE": 0x5F10F10E, "STILLFLOW_WATCHDOG_RESET": 1 << 20}
    check(tmp_path, TINY, wanted)


def test_bits_of_registers_have_masks(tmp_path):
    wanted = {
        "STILLFLOW_ARRAY_ROWS_MASK": 0xFFFF,
        "STILLFLOW_ARRAY_COLUMNS_MASK": 0xFFFF0000,
        "STILLFLOW_ARRAY_COLUMNS_SHIFT": 16,
        "STILLFLOW_CONTROL_START_MASK": 1,
        "STILLFLOW_CONTROL_SOFT_RESET_MASK": 2,
        "STILLFLOW_STATUS_BUSY_MASK": 1,
        "STILLFLOW_STATUS_DONE_MASK": 2,
        "STILLFLOW_STATUS_ERROR_MASK": 4,
        "STILLFLOW_IRQ_ENABLE_DONE_MASK": 1,
        "STILLFLOW_IRQ_ENABLE_ERROR_MASK": 2,
        "STILLFLOW_IRQ_STATUS_DONE_MASK": 1,
        "STILLFLOW_IRQ_STATUS_ERROR_SHIFT": 1,
    }
    check(tmp_path, TINY, wanted)


def test_error_codes_and_counters_are_enumerated(tmp_path):
    wanted = {f"STILLFLOW_ERROR_{code.name}": code.value for code in ErrorCode}
    wanted |= {f"STILLFLOW_COUNTER_{counter.name}": counter.value for counter in Counter}
    wanted |= {
        "STILLFLOW_COUNTERS": 16,
        "STILLFLOW_RECORD_BYTES": 128,
        "STILLFLOW_COUNTER_LOW_OFFSET(STILLFLOW_COUNTER_LAYERS)": COUNTER_BASE + 120,
        "STILLFLOW_COUNTER_HIGH_OFFSET(STILLFLOW_COUNTER_CYCLES)": COUNTER_BASE + 4,
    }
    check(tmp_path, TINY, wanted)


def test_descriptor_fields_have_places(tmp_path):
    wanted = {
        "STILLFLOW_DESCRIPTOR_WORDS": descriptor.WORDS,
        "STILLFLOW_DESCRIPTOR_BYTES": descriptor.WORDS * 4,
        "STILLFLOW_DESCRIPTOR_MAGIC": 0x5F10,
    }
    for field in descriptor.FIELDS:
        word, shift = descriptor.PLACES[field.name]
        prefix = f"STILLFLOW_FIELD_{field.name.upper()}"
        mask = (1 << field.bits) - 1 << shift
        wanted |= {f"{prefix}_WORD": word, f"{prefix}_SHIFT": shift, f"{prefix}_MASK": mask}
    check(tmp_path, TINY, wanted)


def test_any_name_survives_as_a_string(tmp_path):
    name = 'a"b\\c??/d*/\x01é'
    config = dataclasses.replace(TINY, name=name)
    assert evaluate(tmp_path, config, ["STILLFLOW_CONFIG_NAME"], "const char *") == [name]


def test_no_name_is_defined_twice():
    header = c_header(TINY)
    names = re.findall(r"#define (\w+)", header) + re.findall(r"(\w+) = ", header)
    assert len(names) == len(set(names)) > 300


def test_the_same_config_gives_the_same_text():
    assert c_header(TINY) == c_header(dataclasses.replace(TINY))


def test_compiles_alone(tmp_path):
    header = tmp_path / "stillflow.h"
    header.write_text(c_header(TINY))
    subprocess.run([*GCC, "-fsyntax-only", "-x", "c", str(header)], check=True)
