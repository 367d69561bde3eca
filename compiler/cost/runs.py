"""Runs of the ofmap, or of what it is joined with, in the order of the store walker."""

from collections.abc import Iterator
from collections.abc import Mapping as Fields

from stillflow.compiler.cost.visits import Visit
from stillflow.hw.mapping import Mapping
from stillflow.hw.residual import runs_of_own


def residual_fields(mapping: Mapping, fields: Fields[str, int]) -> Fields[str, int]:
    """Give a descriptor in which the ofmap is what the layer's words are joined with."""
    moved = {"ofmap_address": fields["residual_address"]}
    if runs_of_own(mapping.config):
        for own, of in (("residual_stride_", "ofmap_stride_"), ("residual_run", "run")):
            moved |= {
                of + name.removeprefix(own): value
                for name, value in fields.items()
                if name.startswith(own)
            }
    return {**fields, **moved}


def ofmap_runs(
    mapping: Mapping, d: Fields[str, int], visit: Visit, block: int, *, last: bool
) -> Iterator[tuple[int, int, int]]:
    """Walk the runs of a filter block in a tile.

    Parameters
    ----------
    mapping : Mapping
        The nest.
    d : Mapping[str, int]
        Its descriptor, or what `residual_fields` makes of that.
    visit : Visit
        The last of the tile's reduction.
    block : int
        Filter block of the visit; ``last`` if it is the last.

    Yields
    ------
    int, int, int
        DRAM address in the first channel block, pixels, channel blocks.
    """
    images = mapping.last_pixels[0] if visit.n_last else mapping.pn
    runs = d["runs_last"] if visit.e_last else d["runs"]
    ends = visit.m_last and visit.planes_last and last
    if mapping.pe_set:  # strips of the tile come in the place of images, filters are runs
        images = d["strips_last"] if visit.e_last else d["strips"]
        runs = d["runs_last"] if ends else d["runs"]
    which = "e" * visit.e_last + "f" * visit.f_last
    pixels = d["run_pixels_" + which if which else "run_pixels"]
    corner = (
        d["ofmap_address"] + visit.g * d["ofmap_stride_g"] + visit.m * d["ofmap_stride_m"]
        + visit.n * d["ofmap_stride_nt"] + visit.e * d["ofmap_stride_et"]
        + visit.f * d["ofmap_stride_ft"] + block * d["ofmap_stride_mb"]
    )  # fmt: skip
    units = d["units_last"] if ends else d["units"]
    for run in range(images * runs):
        if mapping.pe_set:
            partial = visit.e_last and run >= (images - 1) * runs
            units = d["units_last"] if partial else d["units"]
        here = corner + run // runs * d["ofmap_stride_n"] + run % runs * d["ofmap_stride_run"]
        yield here, pixels, units
