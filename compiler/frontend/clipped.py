"""Bounds of a layer's words, wherever they are made."""

from dataclasses import replace

from stillflow.compiler.graph import Layer


def clipped(layer: Layer, low: int, high: int) -> Layer:
    """Give a layer whose ofmap words are within bounds, and the same otherwise."""

    def within(word: int) -> int:
        return min(max(word, low), high)

    if (joined := layer.joined) is not None:
        bounds = {"act_min": within(joined.act_min), "act_max": within(joined.act_max)}
        return replace(layer, joined=replace(joined, **bounds))
    if (table := layer.table) is not None:
        return replace(layer, table=replace(table, entries=table.entries.clip(low, high)))
    return replace(layer, act_min=within(layer.act_min), act_max=within(layer.act_max))
