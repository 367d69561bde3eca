import pytest

from stillflow.hw.fir import Fir, most_strip


@pytest.mark.parametrize("chain", [1, 4, 5, 16, 32])
@pytest.mark.parametrize("taps", [(1, 1), (3, 3), (5, 2), (1, 4), (4, 1)])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_the_highest_strip_fits_and_one_more_row_does_not(chain, taps, stride):
    rows, columns = taps
    most = most_strip(chain, rows, columns, stride)

    def made(strip):
        return Fir(chain=chain, tap_rows=rows, tap_columns=columns, strip=strip, stride=stride)

    if most is None:
        assert columns == 1
        assert made(1000).lead == chain - rows
        return
    if most:
        # Every tap has a place of its own, the last one the bottom row.
        fir = made(most)
        places = [fir.lead + s * fir.rows + r for s in range(columns) for r in range(rows)]
        assert sorted(set(places)) == places
        assert places[-1] == chain - 1
        assert fir.taps == len(places)
        assert fir.gap == fir.rows - rows
    if most or rows <= chain:
        with pytest.raises(ValueError, match=rf"^{rows}x{columns} taps over strips of {most + 1} "):
            made(most + 1)


def test_taps_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"^3x3 taps over strips of 5 rows must fit 16 PEs$"):
        Fir(chain=16, tap_rows=3, tap_columns=3, strip=5, stride=1)
