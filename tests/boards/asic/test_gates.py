import json

import pytest

from stillflow.boards.asic.gates import cell_models, read_activity
from stillflow.boards.asic.liberty import read_liberty
from stillflow.boards.synthesis.netlist import Netlist

SAIF = r"""
// a comment with (brackets)
(SAIFILE
(SAIFVERSION "2.0")
(DIVIDER / )
(DURATION 100000)
 (INSTANCE TOP
  (INSTANCE bench
   (INSTANCE top
    (NET
     (clk (T0 50000) (T1 50000) (TC 20))
     (_1_ (T0 1) (T1 1) (TZ 0) (TX 0) (TB 0) (TC 5))
     (word\[0\] (T0 1) (T1 1) (TC 10))
     (word\[1\] (T0 1) (T1 1) (TC 0))
    )
    (INSTANCE inner
     (NET (y (T0 1) (T1 1) (TC 1)))
    )
   )
  )
 )
)
"""


def cell(kind, **connections):
    ways = {port: "output" if port in ("Y", "S") else "input" for port in connections}
    return {"type": kind, "connections": connections, "port_directions": ways, "parameters": {}}


def netlist():
    modules = {
        "top": {
            "attributes": {},
            "ports": {},
            "cells": {
                "_7_": cell("INVX1", A=[2], Y=[3]),
                "_8_": cell("HAX1", A=[3], Y=[4], S=[5]),
                "inner": cell("inner", A=[4]),
            },
            "netnames": {
                "_1_": {"bits": [3]},
                "word": {"bits": [4, 5]},
                "alias": {"bits": [3]},
            },
        },
        "inner": {
            "attributes": {},
            "ports": {},
            "cells": {"_9_": cell("INVX1", A=[2], Y=[3])},
            "netnames": {"y": {"bits": [3]}},
        },
    }
    return Netlist(json.dumps({"creator": "Yosys 0", "modules": modules}), "top")


def test_changes_are_told_by_cell_and_cycle(tmp_path):
    path = tmp_path / "a.saif"
    path.write_text(SAIF)  # ten cycles
    assert read_activity(path, netlist()) == {"_7_": 0.5, "_8_": 0.5, "inner/_9_": 0.1}


def test_a_file_of_another_design_is_refused(tmp_path):
    path = tmp_path / "a.saif"
    path.write_text(SAIF.replace("_1_", "_2_").replace("word", "w").replace("inner", "x"))
    with pytest.raises(ValueError, match=r"a\.saif: must hold the nets of top$"):
        read_activity(path, netlist())


def test_cells_are_modelled_from_their_functions(need_cells, tmp_path):
    text = cell_models(
        read_liberty(None), {"AOI21X1": 3, "DFFPOSX1": 1, "sram_1r1w_16x8": 1}, tmp_path
    )
    assert text.count("\nmodule ") == 2
    assert "module AOI21X1(" in text
    assert "posedge CLK" in text
