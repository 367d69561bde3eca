import re
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillflow.compiler.lower import pack, unpack
from stillflow.hw.descriptor import BYTES, FIELDS, MAGIC, PLACES, WORDS

VALUES = {
    field.name: st.integers(
        -(1 << (field.bits - 1)) if field.signed else 0,
        (1 << (field.bits - field.signed)) - 1,
    )
    for field in FIELDS
    if field.name != "checksum"
}


def test_fields_neither_overlap_nor_cross_a_word():
    taken = set()
    for field in FIELDS:
        word, low = PLACES[field.name]
        bits = {(word, bit) for bit in range(low, low + field.bits)}
        assert low + field.bits <= 32
        assert not taken & bits
        taken |= bits
    assert len(PLACES) == len(FIELDS)
    assert max(word for word, _ in taken) < WORDS


def test_the_magic_is_the_first_half_word_and_the_checksum_a_word():
    assert PLACES["magic"] == (0, 0)
    assert PLACES["checksum"][1] == 0
    assert [field.bits for field in FIELDS if field.name == "checksum"] == [32]


def test_a_descriptor_is_whole_beats_at_any_width():
    assert BYTES == 4 * WORDS
    assert BYTES % (512 // 8) == 0


@settings(max_examples=40)
@given(values=st.fixed_dictionaries(VALUES))
def test_packed_fields_come_back_and_words_sum_to_zero(values):
    image = pack(values)
    words = struct.unpack(f"<{WORDS}I", image)
    assert sum(words) % (1 << 32) == 0
    for field in FIELDS:
        if field.name != "checksum":
            word, low = PLACES[field.name]
            mask = (1 << field.bits) - 1
            assert words[word] >> low & mask == values[field.name] & mask
    back = unpack(image)
    del back["checksum"]
    assert back == values


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("runs", 1 << 16, r"^runs must be in 0\.\.65535, not 65536$"),
        ("h_origin", -(1 << 16) - 1, r"^h_origin must be in -65536\.\.65535, not -65537$"),
    ],
)
def test_values_that_do_not_fit_are_refused(name, value, message):
    values = dict.fromkeys(VALUES, 0) | {"magic": MAGIC, name: value}
    with pytest.raises(ValueError, match=message):
        pack(values)


def test_addresses_count_modulo_2_to_the_32():
    values = dict.fromkeys(VALUES, 0) | {"ifmap_address": -16}
    assert unpack(pack(values))["ifmap_address"] == (1 << 32) - 16


def test_the_manual_lists_every_field_where_it_is():
    manual = Path(__file__).parents[2] / "docs" / "programming.md"
    row = re.compile(r"^\| (\d+) \| (\d+)(?::(\d+))? \| `(\w+)`( ±)? \|", re.MULTILINE)
    listed = {
        m[4]: (int(m[1]), int(m[3] or m[2]), int(m[2]) - int(m[3] or m[2]) + 1, bool(m[5]))
        for m in row.finditer(manual.read_text())
    }
    assert listed == {f.name: (*PLACES[f.name], f.bits, f.signed) for f in FIELDS}
