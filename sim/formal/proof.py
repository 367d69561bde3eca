"""What a proof is made of: a block whose inputs are free, assumptions and assertions."""

from collections.abc import Iterator
from typing import Any

from amaranth.hdl import Assert, Assume, Fragment, Module, ResetSignal, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Member, Out


class Proof(wiring.Component):
    """A block whose inputs are free, with assertions over its ports and registers.

    A subclass makes the block, names further free inputs and states the properties in `state`. Its
    properties must be inductive: true after reset, and kept by each cycle that starts in a state
    where they hold for ``depth`` cycles. The reset is never given.

    Parameters
    ----------
    block : wiring.Component
        What is proved. Elaborated once, as `inner`.
    free : dict[str, Member]
        Inputs of the proof itself: choices that a property must hold for.

    Attributes
    ----------
    depth : int
        Cycles of the induction's hypothesis, and of the search from reset.
    inner : Module
        The elaborated block.
    registers : dict[str, Signal]
        Its registers and those of the blocks in it, by path: ``splitter.beats``.
    """

    depth = 2
    i: Any

    def __init__(self, block: Any, free: dict[str, Member] | None = None) -> None:
        self.block = block
        self.inner: Any = block.elaborate(None)
        setattr(block, "_MustUse__used", True)  # noqa: B010
        members = {name: In(value.shape()) for name, value in self.inputs().items()}
        super().__init__({"i": Out(wiring.Signature(members | (free or {})))})

    def inputs(self) -> dict[str, Value]:
        """List the inputs of the block by name."""
        return {
            "_".join(map(str, path)): Value.cast(value)
            for path, member, value in self.block.signature.flatten(self.block)
            if member.flow == wiring.In
        }

    def prepare(self) -> None:
        """Open what the properties look into; called before the block becomes a fragment."""

    def state(self, m: Module) -> None:
        """Say what is assumed and what must hold, by `assume` and `check`."""
        raise NotImplementedError

    def elaborate(self, platform: object) -> Module:
        """Free the inputs and add the properties."""
        m = Module()
        self.prepare()
        fragment: Any = Fragment.get(self.inner, None)
        self.registers = dict(_registers(fragment))
        m.submodules.block = fragment
        m.d.comb += [value.eq(getattr(self.i, name)) for name, value in self.inputs().items()]
        m.d.comb += Assume(~ResetSignal(), None)
        self.state(m)
        return m


def _registers(fragment: Any, path: str = "") -> Iterator[tuple[str, Signal]]:
    if "sync" in fragment.statements:
        for signal in fragment.statements["sync"]._lhs_signals():
            yield path + signal.name, signal
    for inner, name, _ in fragment.subfragments:
        yield from _registers(inner, f"{path}{name}.")


def check(m: Module, *conditions: Any) -> None:
    """Assert conditions in every cycle."""
    m.d.comb += [Assert(condition, None) for condition in conditions]


def assume(m: Module, *conditions: Any) -> None:
    """Assume conditions in every cycle."""
    m.d.comb += [Assume(condition, None) for condition in conditions]


def previous(m: Module, value: Any) -> Signal:
    """Value of the cycle before; 0 after reset."""
    cast = Value.cast(value)
    register = Signal(cast.shape())
    m.d.sync += register.eq(cast)
    return register


def implies(condition: Any, conclusion: Any) -> Any:
    """Truth of the conclusion wherever the condition is true."""
    return ~Value.cast(condition).bool() | Value.cast(conclusion).bool()


def check_held(m: Module, valid: Any, ready: Any, *payload: Any) -> None:
    """Assert that a valid transfer stays as it is until it is taken (AXI4, A3.2.1)."""
    waited = previous(m, valid & ~ready)
    check(m, implies(waited, valid))
    for value in payload:
        check(m, implies(waited, value == previous(m, value)))
