"""The port of a memory: a stream of beats to read and write, and the beats that were read."""

from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out


class MemoryRequest(data.StructLayout):
    """A beat to read or write.

    Parameters
    ----------
    data_bits, address_bits : int
        Width of a beat, and of its number.

    Members
    -------
    address : number of the beat
    write : a write
    source : comes back with what was read
    data, strobe : of a write, and which of its bytes count
    """

    def __init__(self, *, data_bits: int, address_bits: int) -> None:
        super().__init__(
            {
                "address": address_bits,
                "write": 1,
                "source": 1,
                "data": data_bits,
                "strobe": data_bits // 8,
            }
        )


class MemoryPort(wiring.Signature):
    """Requests in order; what was read comes in their order and is taken at once.

    Parameters
    ----------
    data_bits, address_bits : int
        As a request's.

    Members
    -------
    requests : stream of `MemoryRequest`
    read : ``In(1)``
        A beat that was read, for one cycle.
    read_data, read_source : the beat, and where its request came from
    """

    def __init__(self, *, data_bits: int, address_bits: int) -> None:
        layout = MemoryRequest(data_bits=data_bits, address_bits=address_bits)
        super().__init__(
            {
                "requests": Out(stream.Signature(layout)),
                "read": In(1),
                "read_data": In(data_bits),
                "read_source": In(1),
            }
        )
