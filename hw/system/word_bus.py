"""The bus between the link and what it reads and writes: a word at a time."""

from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class WordBus(wiring.Signature):
    """A request that stays until it is done.

    Members
    -------
    request, write : request; it is a write
    address : byte address of a word
    write_data : word
    done : one cycle; the request is over, another may come from the next cycle on
    read_data, error : valid with ``done``
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "request": Out(1),
                "write": Out(1),
                "address": Out(32),
                "write_data": Out(32),
                "done": In(1),
                "read_data": In(32),
                "error": In(1),
            }
        )
