"""What lies around the job control, played by a test."""

from dataclasses import dataclass, field

from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.descriptor import BYTES, FIELDS, MAGIC
from stillflow.hw.words import SegmentKind

CONFIG = AcceleratorConfig(rows=4, cols=4, glb_kib=2, axi_data_bits=64, requant_lanes=1)
PROGRAM, RECORDS = 0x8000_0040, 0x4000
GOOD = dict.fromkeys((f.name for f in FIELDS if f.name != "checksum"), 0) | {
    "magic": MAGIC,
    "tile_pixels": 3,
    "slots": 1,
    "zero_point": -7,
    "ifmap_address": 0xFFFF_0000,
}


@dataclass
class Core:
    """Everything around the job control: memory, walkers and write engine.

    ``descriptors`` lie behind each other from PROGRAM on.
    """

    descriptors: list
    layer_cycles: int = 5
    log: list = field(default_factory=list)
    layers: list = field(default_factory=list)
    reader_idle: bool = True
    hang: bool = False
    beats: list = field(default_factory=list)
    running: int = 0
    writing: int = 0
    now: int = 0
    swept: list = field(default_factory=list)
    recorded: list = field(default_factory=list)

    async def run(self, ctx, dut, cycles):
        """Play until the job is over or for ``cycles``; return what it reported."""
        for _ in range(cycles):
            ctx.set(dut.i_walkers_done, self.running == 0)
            ctx.set(dut.i_writer_idle, self.writing == 0)
            ctx.set(dut.i_reader_idle, self.reader_idle)
            ctx.set(dut.i_record_taken, self.writing < 2)
            ctx.set(dut.o_segment.ready, 1)
            ctx.set(dut.o_record.ready, self.writing == 0)
            ctx.set(dut.i_beat, bool(self.beats))
            ctx.set(dut.i_data, self.beats.pop(0) if self.beats else 0)
            asks = ctx.get(dut.o_segment.valid)
            segment = ctx.get(dut.o_segment.payload)
            records = ctx.get(dut.o_record.valid) and self.writing == 0
            record = ctx.get(dut.o_record.payload)
            begins = ctx.get(dut.o_begin)
            ended = ctx.get(dut.o_done), ctx.get(dut.o_failed)
            if begins:
                self.layers.append({name: ctx.get(getattr(dut.o_layer, name)) for name in GOOD})
            if ctx.get(dut.o_layer_end):
                assert self.running == self.writing == 0
                self.log.append("end")
            self.swept += [self.now] * ctx.get(dut.o_counters_sweep)
            self.recorded += [self.now] * records
            self.now += 1
            if ctx.get(dut.o_clear):
                self.log.append("clear")
            if ctx.get(dut.o_counters_clear):
                self.log.append("counters clear")
            await ctx.tick()
            ctx.set(dut.i_start, 0)
            ctx.set(dut.i_soft_reset, 0)
            self.running, self.writing = max(0, self.running - 1), max(0, self.writing - 1)
            if begins:
                self.log.append("begin")
                self.running = 10**9 if self.hang else self.layer_cycles
                self.writing = self.layer_cycles + 4
            if records:
                self.log.append(("record", record))
                self.writing = 3
            if asks:
                assert segment.kind == SegmentKind.DESCRIPTOR
                assert segment.beats * CONFIG.axi_bytes == BYTES
                self.log.append(("fetch", segment.address))
                number = (segment.address - PROGRAM) // BYTES
                image = self.descriptors[number]
                size = CONFIG.axi_bytes
                self.beats = [int.from_bytes(image[i : i + size], "little")
                              for i in range(0, BYTES, size)]  # fmt: skip
            if any(ended):
                self.log.append("done" if ended[0] else "failed")
                return ended
        return 0, 0
