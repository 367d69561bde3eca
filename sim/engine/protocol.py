"""Checks of what the accelerator drives on its AXI4 port: the twin of ``protocol.hpp``."""

from dataclasses import dataclass


class Failure:
    """First thing that the design did wrong."""

    def __init__(self) -> None:
        self.message = ""

    def __call__(self, message: str) -> None:
        """Keep the message if it is the first."""
        self.message = self.message or message


@dataclass
class Held:
    """What the core offered on a channel while ready was low: valid and payload must stay."""

    channel: str
    waiting: bool = False
    payload: tuple[int, ...] = ()

    def check(self, fail: Failure, valid: int, ready: bool, offered: tuple[int, ...]) -> None:
        """Look at the channel at the end of a cycle."""
        if self.waiting and not (valid and offered == self.payload):
            fail(f"{self.channel}valid or its payload changed before {self.channel}ready")
        self.waiting = bool(valid and not ready)
        self.payload = offered


def check_burst(
    fail: Failure, name: str, address: int, length: int, size: int, kind: int, *, beat: int
) -> int:
    """Check a burst and give the address of its first whole beat; data stays on its lanes."""
    start = address & ~(beat - 1)
    if kind != 1:
        fail(f"{name} burst at {address:#010x} is of type {kind}, not INCR")
    if 1 << size != beat:
        fail(f"{name} burst at {address:#010x} has beats of {1 << size} bytes, not {beat}")
    if start % 4096 + (length + 1) * beat > 4096:
        fail(f"{name} burst at {address:#010x} crosses 4 KiB with {length + 1} beats")
    return start
