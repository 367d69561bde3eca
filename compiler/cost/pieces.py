"""The read walker's ifmap segments: the pieces of a tile's rows."""

from collections.abc import Iterator
from collections.abc import Mapping as Fields

from stillflow.compiler.cost.beats import IFMAP, PADDING
from stillflow.compiler.cost.visits import Visit
from stillflow.hw.mapping import Mapping


def ifmap_pieces(
    mapping: Mapping, d: Fields[str, int], visit: Visit, group: int
) -> Iterator[tuple[int, int, int, bool]]:
    """Pieces of the ifmap rows of a plane group, padding included.

    Parameters
    ----------
    mapping : Mapping
        The nest.
    d : Mapping[str, int]
        Its descriptor.
    visit : Visit
        Where the loops stand.
    group : int
        Plane group of the reduction tile.

    Yields
    ------
    int, int, int, bool
        Kind, DRAM address, beats, whether it is the plane group's last.
    """
    size, beat = mapping.config.act_bytes, mapping.config.axi_bytes
    width = d["load_width_last"] if visit.f_last else d["load_width"]
    rows = d["load_rows_last"] if visit.e_last else d["load_rows"]
    images = mapping.last_pixels[0] if visit.n_last else mapping.pn
    last_group = visit.planes_last and group == mapping.groups_last - 1
    planes = mapping.k_planes_last if last_group else mapping.k_planes
    element = d["w_origin"] + visit.f * d["w_step"] + visit.s * d["w_step_st"]
    first, end = max(element, 0), min(element + width, d["w_size"])
    left, filled, right = first - element, max(0, end - first), element + width - end
    row0 = d["h_origin"] + visit.e * d["h_step"] + visit.r * d["h_step_rt"]
    low = max(0, -row0) if filled else rows
    high = min(rows, d["h_size"] - row0) if filled else rows
    whole = (PADDING, 0, -(-width * size // beat), False)
    head = (PADDING, 0, -(-left * size // beat), False)
    tail = (PADDING, 0, -(-right * size // beat), False)
    corner = (
        d["ifmap_address"] + visit.g * d["ifmap_stride_g"] + visit.n * d["ifmap_stride_nt"]
        + visit.e * d["ifmap_stride_et"] + visit.f * d["ifmap_stride_ft"]
        + visit.c * d["ifmap_stride_ct"] + visit.r * d["ifmap_stride_rt"]
        + visit.s * d["ifmap_stride_st"] + group * d["ifmap_stride_group"] + left * size
    )  # fmt: skip
    held: tuple[int, int, int, bool] | None = None  # emitted when it is known not to be last
    for plane in range(planes):
        for image in range(images):
            here = corner + plane * d["ifmap_stride_plane"] + image * d["ifmap_stride_n"]
            for row in range(rows):
                if held:
                    yield held
                if not low <= row < high:
                    held = whole
                    continue
                if left:
                    yield head
                address = here + row * d["ifmap_stride_h"]
                beats = -(-(address % beat + filled * size) // beat)
                held = (IFMAP, address, beats, False)
                if right:
                    yield held
                    held = tail
    assert held is not None
    kind, address, beats, _ = held
    yield kind, address, beats, True
