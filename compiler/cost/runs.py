"""Runs of the ofmap, or of what it is joined with, in the order of the store walker."""

from collections.abc import Iterator
from collections.abc import Mapping as Fields
from typing import Literal

from stillflow.compiler.cost.visits import Visit
from stillflow.hw.mapping import Mapping
from stillflow.hw.residual import runs_of_own

Of = Literal["ofmap", "residual"]


def fields_of(mapping: Mapping, of: Of) -> Of:
    """Whose fields of the descriptor give the runs of a tensor."""
    return of if runs_of_own(mapping.config) else "ofmap"


def ofmap_runs(
    mapping: Mapping, d: Fields[str, int], visit: Visit, block: int, *, last: bool,
    of: Of = "ofmap",
) -> Iterator[tuple[int, int, int]]:  # fmt: skip
    """Walk the runs of a filter block in a tile.

    Parameters
    ----------
    mapping : Mapping
        The nest.
    d : Mapping[str, int]
        Its descriptor.
    visit : Visit
        The last of the tile's reduction.
    block : int
        Filter block of the visit; ``last`` if it is the last.
    of : str
        ``ofmap``, or ``residual`` for the runs of what that is joined with.

    Yields
    ------
    int, int, int
        DRAM address in the first channel block, pixels, channel blocks.
    """
    address, own = d[f"{of}_address"], fields_of(mapping, of)
    stride, prefix = f"{own}_stride_", "" if own == "ofmap" else f"{own}_"
    images = mapping.last_pixels[0] if visit.n_last else mapping.pn
    runs = d[f"{prefix}runs_last"] if visit.e_last else d[f"{prefix}runs"]
    ends = visit.m_last and visit.planes_last and last
    if mapping.pe_set:  # strips of the tile come in the place of images, filters are runs
        images = d["strips_last"] if visit.e_last else d["strips"]
        runs = d["runs_last"] if ends else d["runs"]
    which = "e" * visit.e_last + "f" * visit.f_last
    pixels = d[f"{prefix}run_pixels_" + which if which else f"{prefix}run_pixels"]
    corner = (
        address + visit.g * d[stride + "g"] + visit.m * d[stride + "m"]
        + visit.n * d[stride + "nt"] + visit.e * d[stride + "et"]
        + visit.f * d[stride + "ft"] + block * d[stride + "mb"]
    )  # fmt: skip
    units = d["units_last"] if ends else d["units"]
    for run in range(images * runs):
        if mapping.pe_set:
            partial = visit.e_last and run >= (images - 1) * runs
            units = d["units_last"] if partial else d["units"]
        here = corner + run // runs * d[stride + "n"] + run % runs * d[stride + "run"]
        yield here, pixels, units
