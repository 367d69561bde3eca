"""Text of Verilog modules, as Yosys writes them and as we do."""

import re

#: Beginning of every file.
HEADER = "// Made by stillflow. Changes belong in the generator.\n\n"
#: A module that Yosys wrote, its name in the first group.
MODULE = re.compile(r"^module (\w+)\(.*?^endmodule\n", re.MULTILINE | re.DOTALL)
_ESCAPED = re.compile(r"\\(\S+) ")


def plain_name(name: str) -> str:
    """Make a plain identifier of an escaped one, such as ``fifo.level$3``."""
    return re.sub(r"\W+", "_", name).strip("_")


def plain_names(text: str) -> str:
    r"""Replace escaped identifiers, such as ``\fifo.level$3``, by plain ones.

    A name is replaced alike in all modules, so that ports still meet.
    """
    taken = set(re.findall(r"\w+", text))
    plain: dict[str, str] = {}

    def replace(match: re.Match[str]) -> str:
        name = match[1]
        if name not in plain:
            new = plain_name("at_start" if name.startswith("$auto$verilog_backend") else name)
            while new in taken or not re.match(r"[A-Za-z_]", new):
                new = f"{new}_" if new[:1].isalpha() else f"n_{new}"
            taken.add(new)
            plain[match[1]] = new
        return plain[match[1]]

    return _ESCAPED.sub(replace, text)
