"""The SRAMs of a design, as Liberty: what static timing analysis assumes of them."""

from collections.abc import Iterable
from dataclasses import dataclass

from stillflow.boards import sram

_HEAD = """\
library (sram) {
  delay_model : table_lookup;
  time_unit : "1ns";
  voltage_unit : "1V";
  current_unit : "1uA";
  pulling_resistance_unit : "1kohm";
  leakage_power_unit : "1nW";
  capacitive_load_unit (1, pf);
  slew_upper_threshold_pct_rise : 80;
  slew_lower_threshold_pct_rise : 20;
  slew_upper_threshold_pct_fall : 80;
  slew_lower_threshold_pct_fall : 20;
  input_threshold_pct_rise : 50;
  input_threshold_pct_fall : 50;
  output_threshold_pct_rise : 50;
  output_threshold_pct_fall : 50;
  lu_table_template(edge) { variable_1 : input_net_transition; index_1 ("0.01, 1"); }
  lu_table_template(limit) { variable_1 : related_pin_transition; index_1 ("0.01, 1"); }
"""


@dataclass(frozen=True, kw_only=True)
class SramTiming:
    """Timing and loads that are assumed of every SRAM; a compiler's own file replaces it.

    Parameters
    ----------
    access, setup : float
        From the clock to the data and from the inputs to the clock, in ns.
    slew : float
        Of the outputs, in ns.
    load, most_load : float
        Capacitance of an input, and what an output drives, in pF.
    """

    access: float = 2.0
    setup: float = 0.5
    slew: float = 0.1
    load: float = 0.02
    most_load: float = 0.5


def sram_liberty(names: Iterable[str], timing: SramTiming) -> str:
    """Describe SRAMs, without area and power.

    Parameters
    ----------
    names : Iterable[str]
        Units, ``sram_1r1w_<words>x<bits>``.
    timing : SramTiming
        The same for all.
    """
    cells, widths = [], set()
    for name in sorted(names):
        pins = []
        for port, bits, is_input in sram.ports(name):
            if port == "clk":
                pins.append(f"    pin(clk) {{ direction : input; clock : true; {_load(timing)} }}")
                continue
            kind = "pin" if bits is None else "bus"
            shape = "" if bits is None else f" bus_type : bus{bits};"
            widths.update([] if bits is None else [bits])
            body = _input(timing) if is_input else _output(timing)
            way = "input" if is_input else "output"
            pins.append(f"    {kind}({port}) {{{shape} direction : {way};\n{body}    }}")
        cells.append(f"  cell({name}) {{ area : 0;\n" + "\n".join(pins) + "\n  }\n")
    types = "".join(
        f"  type(bus{bits}) {{ base_type : array; data_type : bit; bit_width : {bits}; "
        f"bit_from : {bits - 1}; bit_to : 0; }}\n"
        for bits in sorted(widths)
    )
    return f"{_HEAD}{types}{''.join(cells)}}}\n"


def _load(timing: SramTiming) -> str:
    return f"capacitance : {timing.load:g};"


def _input(timing: SramTiming) -> str:
    lines = [f"      {_load(timing)}\n"]
    for kind, limit in (("setup_rising", timing.setup), ("hold_rising", 0.0)):
        both = (_table(f"{edge}_constraint", "limit", limit) for edge in ("rise", "fall"))
        lines.append(_arc(f"timing_type : {kind};", *both))
    return "".join(lines)


def _output(timing: SramTiming) -> str:
    tables = [
        _table(name, "edge", value)
        for edge in ("rise", "fall")
        for name, value in ((f"cell_{edge}", timing.access), (f"{edge}_transition", timing.slew))
    ]
    arc = _arc("timing_type : rising_edge; timing_sense : non_unate;", *tables)
    return f"      max_capacitance : {timing.most_load:g};\n{arc}"


def _arc(kind: str, *tables: str) -> str:
    inside = "".join(f"        {table}\n" for table in tables)
    return f'      timing() {{ related_pin : "clk"; {kind}\n{inside}      }}\n'


def _table(name: str, template: str, value: float) -> str:
    return f'{name}({template}) {{ values ("{value:g}, {value:g}"); }}'
