from stillflow.hw.csr import (
    COUNTER_BASE,
    CSR_ADDRESS_BITS,
    OFFSETS,
    REGISTERS,
    Access,
    Counter,
)


def test_registers_are_whole_words_each_at_a_place_of_its_own():
    offsets = [register.offset for register in REGISTERS]
    assert offsets == sorted(set(offsets))
    assert all(offset % 4 == 0 for offset in offsets)
    assert max(offsets) + 4 <= COUNTER_BASE
    assert COUNTER_BASE + 8 * len(Counter) <= 1 << CSR_ADDRESS_BITS
    assert len(OFFSETS) == len(REGISTERS)


def test_reset_values_fit_and_only_state_has_one():
    for register in REGISTERS:
        assert 1 <= register.bits <= 32
        assert register.reset < 1 << register.bits
        if register.access in (Access.WRITE_PULSE, Access.WRITE_ONE_CLEARS):
            assert register.reset == 0


def test_counters_are_numbered_in_the_order_of_the_record():
    assert [int(counter) for counter in Counter] == list(range(16))
