"""Sizes that are worth trying for a loop's tiles."""

COUNT_MOST = (1 << 16) - 1  # iterations of a loop of the hardware


def tiles(total: int, most: int) -> list[int]:
    """Tile sizes up to ``most`` that spread ``total`` evenly: one for each number of tiles."""
    sizes: list[int] = []
    for count in range(1, total + 1):
        size = -(-total // count)
        if size <= most and (not sizes or size < sizes[-1]):
            sizes.append(size)
        if size == 1:
            break
    return sizes


def some(sizes: list[int], most: int) -> list[int]:
    """At most ``most`` of the sizes, the large ones and a spread of the others."""
    if len(sizes) <= most:
        return sizes
    step = len(sizes) / most
    return [sizes[int(i * step)] for i in range(most - 1)] + [sizes[-1]]


def divisors(total: int) -> list[int]:
    """Divisors of a number, rising."""
    return [count for count in range(1, total + 1) if total % count == 0]
