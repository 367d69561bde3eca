"""When a tile's pixels complete the windows of a pooling, and which are the layer's own."""

from collections.abc import Iterator

from stillflow.hw.work import Windows


def closings(
    pool: Windows, columns: int, first: int, count: int, image: int
) -> Iterator[tuple[int, int, int]]:
    """Windows that close with some of a tile's pixels.

    Parameters
    ----------
    pool : Windows
        The windows.
    columns : int
        Of the tile.
    first, count : int
        The pixels: number of the first one in the tile, and how many follow.
    image : int
        Pixels of an image in the tile.

    Yields
    ------
    int, int, int
        Windows of a row: pixels from the first one to the last of the first window, pixels from one
        window to the next, windows.
    """
    for row in range(first // columns, -(-(first + count) // columns)):
        in_image = row % (image // columns) - (pool.size[0] - 1)
        if in_image < 0 or in_image % pool.stride[0]:
            continue
        start, step = row * columns + pool.size[1] - 1, pool.stride[1]
        low = max(0, -(-(first - start) // step))
        high = min(pool.along(1, columns), -(-(first + count - start) // step))
        if high > low:
            yield start + low * step - first, step, high - low


def own_pixels(
    own: tuple[int, int], columns: int, first: int, count: int, image: int
) -> Iterator[tuple[int, int]]:
    """Pixels of a tile that are the layer's, of some that follow each other.

    Parameters
    ----------
    own : tuple[int, int]
        Rows and columns of the tile that are the layer's, from the first on.
    columns, first, count, image : int
        As `closings`.

    Yields
    ------
    int, int
        A row's: number of the first one, counted from ``first``, and how many.
    """
    for row in range(first // columns, -(-(first + count) // columns)):
        if row % (image // columns) < own[0]:
            low = max(first, row * columns)
            high = min(first + count, row * columns + own[1])
            if high > low:
                yield low - first, high - low
