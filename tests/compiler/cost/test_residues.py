"""Residue counts against enumeration."""

from collections import Counter
from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from stillflow.compiler.cost.residues import beats, combined, merged, progression

moduli = st.sampled_from([1, 4, 16, 32, 64])
numbers = st.integers(-200, 200)
terms = st.tuples(st.integers(0, 40), numbers, numbers)


def enumerated(count, stride, modulus, first):
    return [(first + i * stride) % modulus for i in range(count)]


@given(terms, moduli)
def test_a_progression_counts_its_residues(term, modulus):
    count, stride, first = term
    assert progression(count, stride, modulus, first) == Counter(
        enumerated(count, stride, modulus, first)
    )


@given(st.lists(terms.map(lambda t: (t[0] % 5, *t[1:])), max_size=4), moduli)
def test_combined_parts_are_all_sums(parts, modulus):
    found = combined([progression(n, s, modulus, f) for n, s, f in parts], modulus)
    values = product(*(enumerated(n, s, modulus, f) for n, s, f in parts))
    assert found == Counter(sum(value) % modulus for value in values)


@given(st.lists(terms, max_size=4), moduli)
def test_merged_parts_are_all_elements(parts, modulus):
    found = merged([progression(n, s, modulus, f) for n, s, f in parts])
    assert found == Counter(v for n, s, f in parts for v in enumerated(n, s, modulus, f))


@given(terms, st.integers(1, 300), moduli)
def test_beats_are_those_that_hold_a_byte(term, length, beat):
    count, stride, first = term
    touched = sum(
        len({(start + i) // beat for i in range(length)})
        for start in enumerated(count, stride, beat, first)
    )
    assert beats(progression(count, stride, beat, first), length, beat) == touched
