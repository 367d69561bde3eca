"""The replay of a pass that passes over equal pixels, against one that does not."""

from hypothesis import given
from hypothesis import strategies as st

from stillflow.compiler.cost.passes import (
    LEAST_STEP,
    LOAD_LATENCY,
    LONG_AGO,
    PassShape,
    pass_times,
)


def word_by_word(shape):
    """Cycles of a pass, its strips, its feeder and its last words, each word by itself."""
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
    used, loaded, opens, ends = list(shape.before) or [LONG_AGO] * shape.ring, [], [], []
    feeder, now = shape.feeder, 1
    gates = [*shape.gates, *[0] * (len(shape.diagonals) - len(shape.gates))]
    follows = False
    for index, release, (strip, pixel, word) in zip(needed, releases, rows, strict=True):
        while len(loaded) <= index:
            number = len(loaded)
            feeder = max(feeder, used[number] + shape.release + 1) + diagonals[number]
            loaded.append(feeder - 1 + shape.latency + LOAD_LATENCY)
        now = max(now, loaded[index])
        if word == 0 and follows and len(opens) == strip + (pixel > 0) - 1:
            now = max(now, gates[len(opens)])
            opens.append(now)
        if word == 0 and pixel == 0 and strip:
            ends.append(now + (shape.stored - 1) * shape.pace)
        now += step * (shape.pace if word == 0 and follows else 1)
        follows = True
        if release:
            used.append(now - 1)
    if len(opens) < len(shape.diagonals):
        now = max(now, gates[-1])
        opens.append(now)
    ends.append(now + (shape.stored - 1) * shape.pace)
    used = used[-shape.ring :]
    return now + step * shape.pace - 1, tuple(opens), tuple(ends), feeder, tuple(used)


def replayed(shape):
    """Give the same by the replay that passes over equal pixels."""
    found = pass_times(shape)
    return found.cycles, found.opens, found.strips, found.feeder, found.used


def test_a_ring_longer_than_a_pixels_words():
    """Places of the ring return in another word of the pixel: equal pixels may end later."""
    shape = PassShape(
        ring=7, release=6, latency=5, filters=1, stored=1, depth=3, columns=2, slide=2,
        diagonals=(2,), pixels=14, pace=1,
    )  # fmt: skip
    assert replayed(shape) == word_by_word(shape)


def test_what_comes_long_before_a_pass_makes_no_difference_to_it():
    shape = PassShape(
        ring=7, release=6, latency=5, filters=3, stored=3, depth=3, columns=2, slide=1,
        diagonals=(9, 4), pixels=5, pace=1,
    )  # fmt: skip
    early, earlier = (shape.fed(-start, [-start - 50] * shape.ring) for start in (200, 1000))
    assert early == earlier
    found, ample = pass_times(early), pass_times(shape)
    assert (found.cycles, found.strips, found.used) == (ample.cycles, ample.strips, ample.used)


@given(data=st.data())
def test_passing_over_equal_pixels_changes_nothing(data):
    def draw(low, high):
        return data.draw(st.integers(low, high))

    depth = draw(1, 4)
    columns = draw(1, 4)
    filters = draw(1, 9)
    ring, strips = depth * columns + draw(0, 5), draw(1, 3)
    shape = PassShape(
        ring=ring, release=draw(0, 12), latency=draw(1, 5),
        filters=filters, stored=draw(1, filters), depth=depth, columns=columns,
        slide=draw(1, columns), diagonals=tuple(draw(1, 20) for _ in range(strips)),
        pixels=draw(1, 70), pace=draw(1, 3),
        gates=tuple(draw(0, 1) * draw(0, 4000) for _ in range(draw(0, strips))),
    )  # fmt: skip
    if draw(0, 1):
        shape = shape.fed(draw(-300, 5), sorted(draw(-200, 0) for _ in range(ring)))
    assert replayed(shape) == word_by_word(shape)
