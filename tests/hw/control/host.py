"""A host at the registers of `CsrBlock`, and scenarios on a fresh block."""

from contextlib import contextmanager

from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.control.csr_block import CsrBlock
from stillflow.hw.csr import OFFSETS
from stillflow.hw.timing import COUNTER_ROUND
from stillflow.sim import bench

CONFIG = AcceleratorConfig(rows=12, cols=14, glb_kib=128, axi_data_bits=64, requant_lanes=2)
OKAY, DECERR = 0, 3
START, SOFT_RESET = 1, 2
BUSY, DONE, ERROR = 1, 2, 4


class Host:
    """AXI4-Lite master that can stall every channel."""

    def __init__(self, dut, ctx):
        self.dut, self.ctx = dut, ctx
        self.values = {}
        self.cycle = 0

    @contextmanager
    def showing(self, values):
        """Show these counters in rounds, each for two cycles; the others are zero."""
        self.values = values
        yield
        self.values = {}

    async def tick(self):
        turn, last = divmod(self.cycle % COUNTER_ROUND, 2)
        shown = {"counter": turn, "value": self.values.get(turn, 0), "last": last}
        self.ctx.set(self.dut.i_counter, shown)
        self.cycle += 1
        await self.ctx.tick()

    def _set(self, **signals):
        for name, value in signals.items():
            self.ctx.set(getattr(self.dut, f"s_axil_{name}"), value)

    def _get(self, name):
        return self.ctx.get(getattr(self.dut, f"s_axil_{name}"))

    async def _respond(self, valid, ready, payload, stall):
        while not self._get(valid):
            await self.tick()
        first = [self._get(name) for name in payload]
        for _ in range(stall):
            await self.tick()
            assert self._get(valid)
            assert [self._get(name) for name in payload] == first
        self._set(**{ready: 1})
        await self.tick()
        self._set(**{ready: 0})
        return first

    async def write_response(self, address, value, strobe=0xF, aw_delay=0, w_delay=0, stall=0):
        """Offer address and data after their delays; return BRESP, taken after ``stall``."""
        open_channels = {"aw": aw_delay, "w": w_delay}
        cycle = 0
        while open_channels:
            if open_channels.get("aw") == cycle:
                self._set(awaddr=address, awvalid=1)
            if open_channels.get("w") == cycle:
                self._set(wdata=value, wstrb=strobe, wvalid=1)
            taken = [
                name
                for name, delay in open_channels.items()
                if delay <= cycle and self._get(f"{name}ready")
            ]
            await self.tick()
            cycle += 1
            for name in taken:
                self._set(**{f"{name}valid": 0})
                del open_channels[name]
        (response,) = await self._respond("bvalid", "bready", ["bresp"], stall)
        return response

    async def write(self, name, value, **options):
        assert await self.write_response(OFFSETS[name], value, **options) == OKAY

    async def read_response(self, address, stall=0):
        """Return RDATA, RRESP."""
        self._set(araddr=address, arvalid=1)
        while not self._get("arready"):
            await self.tick()
        await self.tick()
        self._set(arvalid=0)
        return tuple(await self._respond("rvalid", "rready", ["rdata", "rresp"], stall))

    async def read(self, register, **options):
        address = OFFSETS[register] if isinstance(register, str) else register
        value, response = await self.read_response(address, **options)
        assert response == OKAY
        return value


def with_host(scenario, *others, cycles=5000):
    """Run ``scenario(ctx, dut, host)`` on a fresh block, beside ``others(ctx, dut)``."""
    dut = CsrBlock(CONFIG)

    async def main(ctx):
        await scenario(ctx, dut, Host(dut, ctx))

    def beside(other):
        async def testbench(ctx):
            await other(ctx, dut)

        return testbench

    bench.run(dut, main, *map(beside, others), cycles=cycles)


async def pulse(ctx, signal):
    ctx.set(signal, 1)
    await ctx.tick()
    ctx.set(signal, 0)
