from stillflow.hw.unit_names import name_ports

RTLIL = r"""module \inner
  wire width 4 output 1 \port$10$0
  wire width 2 output 2 \port$11$0
  wire width 1 output 3 \port$12$0
  wire width 6 output 4 \port$13$0
connect \whole \port$10$0 [3:0]
connect \pair { \port$12$0 [0] 1'0 }
connect \port$13$0 \step [8:3]
end
module \outer
  wire width 2 $5
  wire width 6 $6
  cell \inner \part
    connect \port$10$0 \shown [3:0]
    connect \port$11$0 $5 [1:0]
    connect \port$12$0 $7 [0]
    connect \port$13$0 $6 [5:0]
  end
connect \address$31 { $5 [1:0] 2'00 }
connect \whole { $6 [5:0] 2'00 }
connect \other { $55 [5:0] 2'00 }
end
"""


def test_ports_are_called_after_the_signal_that_they_are_or_are_a_part_of():
    text = name_ports(RTLIL)
    assert "port$" not in text
    for number, name in ((10, "whole"), (11, "address"), (12, "pair"), (13, "whole_")):
        assert text.count(f"\\port_{name} ") + text.count(f"\\port_{name}\n") == RTLIL.count(
            f"\\port${number}$0"
        )


def test_a_port_that_is_connected_to_nothing_with_a_name_keeps_its_number():
    text = "module \\a\n  wire input 1 \\port$4$0\nconnect \\b { $4 [0] 1'0 }\nend\n"
    assert name_ports(text) == text
