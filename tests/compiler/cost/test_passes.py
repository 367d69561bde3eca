"""The replay of a pass that passes over equal pixels, against one that does not."""

from hypothesis import given
from hypothesis import strategies as st

from stillflow.compiler.cost.passes import LEAST_STEP, LOAD_LATENCY, PassShape, pass_times


def word_by_word(shape):
    """Cycles of a pass and of its strips' ends, each word by itself."""
    step = max(shape.filters, LEAST_STEP)
    needed, diagonals, releases, rows = [], [], [], []
    for strip, count in enumerate(shape.diagonals):
        base = len(diagonals)
        for pixel in range(shape.pixels):
            columns = shape.columns if pixel == 0 else shape.slide
            diagonals += [count] * (columns * shape.depth)
            for word in range(shape.columns * shape.depth):
                last = pixel == shape.pixels - 1
                needed.append(base + word)
                releases.append(last or word < shape.slide * shape.depth)
                rows.append((strip, pixel, word))
            base += shape.slide * shape.depth
    used, loaded, ends = [], [], []
    feeder, now = 1 + shape.release, 1
    follows = False
    for index, release, (strip, pixel, word) in zip(needed, releases, rows, strict=True):
        while len(loaded) <= index:
            number = len(loaded)
            if number >= shape.ring:
                feeder = max(feeder, used[number - shape.ring] + shape.release + 1)
            feeder += diagonals[number]
            loaded.append(feeder - 1 + shape.latency + LOAD_LATENCY)
        now = max(now, loaded[index])
        if word == 0 and pixel == 0 and strip:
            ends.append(now + (shape.stored - 1) * shape.pace)
        now += step * (shape.pace if word == 0 and follows else 1)
        follows = True
        if release:
            used.append(now - 1)
    ends.append(now + (shape.stored - 1) * shape.pace)
    return now + step * shape.pace - 1, tuple(ends)


def test_a_ring_longer_than_a_pixels_words():
    """Places of the ring return in another word of the pixel: equal pixels may end later."""
    shape = PassShape(
        ring=7, release=6, latency=5, filters=1, stored=1, depth=3, columns=2, slide=2,
        diagonals=(2,), pixels=14, pace=1,
    )  # fmt: skip
    found = pass_times(shape)
    assert (found.cycles, found.strips) == word_by_word(shape)


@given(data=st.data())
def test_passing_over_equal_pixels_changes_nothing(data):
    def draw(low, high):
        return data.draw(st.integers(low, high))

    depth = draw(1, 4)
    columns = draw(1, 4)
    filters = draw(1, 9)
    shape = PassShape(
        ring=depth * columns + draw(0, 5), release=draw(0, 12), latency=draw(1, 5),
        filters=filters, stored=draw(1, filters), depth=depth, columns=columns,
        slide=draw(1, columns), diagonals=tuple(draw(1, 20) for _ in range(draw(1, 3))),
        pixels=draw(1, 70), pace=draw(1, 3),
    )  # fmt: skip
    found = pass_times(shape)
    assert (found.cycles, found.strips) == word_by_word(shape)
