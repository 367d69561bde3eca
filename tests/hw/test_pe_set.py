import pytest

from stillflow.hw.pe_set import PeSet


@pytest.mark.parametrize(("filter_rows", "stride"), [(3, 1), (11, 4), (5, 2), (1, 3), (4, 4)])
def test_rows_of_a_diagonal_meet_the_same_ifmap_row(filter_rows, stride):
    channels = 2
    made = PeSet(channels=channels, filter_rows=filter_rows, depth=1, columns=3, filters=4)
    # Array row i holds filter row i // channels and takes lane i % sources of the vector for
    # column e + i // sources: that lane must be its channel and ifmap row.
    sources = made.sources(stride)
    for row in range(made.rows):
        lane, shift = row % sources, row // sources
        sub, channel = divmod(lane, channels)
        assert channel == row % channels
        for e in range(4):
            assert (e + shift) * stride + sub == e * stride + row // channels
    assert made.shifts(stride) == (made.rows - 1) // sources


def test_a_pe_holds_a_window_of_its_channels_and_a_weight_for_each_word_and_filter():
    made = PeSet(channels=4, filter_rows=3, depth=2, columns=3, filters=16)
    assert (made.rows, made.words, made.weights) == (12, 6, 96)
    assert [made.depth_of(planes) for planes in (1, 4, 5, 8)] == [1, 1, 2, 2]
