import pytest

from stillflow.boards.fpga.clock import Ecp5Pll


@pytest.mark.parametrize(
    ("source", "wanted"), [(25e6, 25e6), (25e6, 50e6), (48e6, 24e6), (25e6, 140e6), (48e6, 80e6)]
)
def test_the_oscillator_is_within_its_range(source, wanted):
    pll = Ecp5Pll.find(source, wanted)
    assert abs(pll.frequency / wanted - 1) < 0.01
    assert 400e6 <= pll.frequency * pll.output_divider <= 800e6


def test_parameters_are_those_of_prjtrellis():
    # `ecppll -i 25 -o 50 --clkout1 50 --phase1 90` prints these with a divider of 12.
    pll = Ecp5Pll(source=25e6, input_divider=1, feedback_divider=2, output_divider=12)
    made = pll.parameters(0.25)
    assert made["CLKOP_CPHASE"] == 5
    assert made["CLKOS_CPHASE"] == 8
    assert made["CLKOS_FPHASE"] == made["CLKOP_FPHASE"] == 0
    assert made["CLKOP_DIV"] == made["CLKOS_DIV"] == 12
    assert (made["CLKI_DIV"], made["CLKFB_DIV"]) == (1, 2)


def test_a_clock_that_no_divider_makes_is_refused():
    with pytest.raises(ValueError, match="a PLL can make of 25 MHz, not 900 MHz"):
        Ecp5Pll.find(25e6, 900e6)
