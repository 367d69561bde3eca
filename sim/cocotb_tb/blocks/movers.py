"""Store walker, reader, writer and registers against what must reach memory or the host."""

from collections import deque
from typing import Any

import cocotb
from amaranth.lib import data
from cocotbext.axi import AxiLiteBus, AxiLiteMaster

from stillflow.compiler.program import compile_network
from stillflow.compiler.synthetic import synthetic_network
from stillflow.compiler.workload import Workload, WorkloadLayer
from stillflow.hw.csr import OFFSETS, REGISTERS, Access
from stillflow.hw.layer import ConvShape
from stillflow.hw.residual import join_depth
from stillflow.hw.words import Segment, SegmentKind, StoreRun
from stillflow.sim.cocotb_tb.blocks.dut import Dut

TIMEOUT: dict[str, Any] = {"timeout_time": 4, "timeout_unit": "ms"}
PAGE = 4096


def bits_of(layout: data.Layout, members: Any) -> int:
    """Pack the members of a structure."""
    return layout.const(members).as_bits()


@cocotb.test(**TIMEOUT)
async def every_ofmap_byte_is_stored_once(handle: Any) -> None:
    """Cover the ofmaps of random layers exactly, from entries in ring order."""
    dut = await Dut.start(handle)
    config = dut.config
    unit_bytes = config.channel_block * config.act_bytes
    for _ in range(4):
        channels = dut.random.randint(1, 2 * config.m_block + 3)
        groups = dut.random.choice([1, 1, channels])
        shape = ConvShape(
            N=dut.random.randint(1, 2), G=groups, C=channels,
            M=channels if groups > 1 else dut.random.randint(1, 3 * config.m_block),
            H=dut.random.randint(3, 9), W=dut.random.randint(3, 9), R=3, S=2,
            stride=(dut.random.randint(1, 2), 1), pad=(1, 0, 1, 0),
        )  # fmt: skip
        table = Workload(name="one", entries=(WorkloadLayer(name="l", type="conv", shape=shape),))
        network = synthetic_network(table, config, seed=0, weights=False)
        program = compile_network(network, config, contents=False)
        (layer,) = program.layers
        mapping, layout = layer.mapping, program.layouts["l:ofmap"]
        fields = layer.descriptor | {"checksum": 0}
        dut.set_layer(fields)
        await dut.tick()
        dut.set(i_begin=1)
        await dut.tick()
        dut.set(i_begin=0)
        left = mapping.work.G * mapping.blocks * shape.N * shape.E * shape.F
        if mapping.pe_set:  # a vector has a strip's rows of one filter
            strips = sum(
                times * mapping.strips_of(rows) * columns
                for times, _, rows, columns in mapping.tile_sizes
            )
            left = mapping.work.G * mapping.work.M * strips
        half = join_depth(config)
        fits = mapping.tile_vectors <= half  # as in a layer that joins
        ring = half if fits and dut.coin(0.5) else config.ofmap_depth
        dut.set(i_ring=ring)
        free, seen, entry = ring, set[int](), 0
        layout_run = StoreRun(config)
        while True:
            comes = min(left, free, dut.random.randint(0, 3))
            takes = dut.coin(0.7)
            dut.set(i_ready=comes, o_run_ready=takes)
            await dut.settle()
            if dut.get("o_done"):
                break
            left, free = left - comes, free - comes
            if takes and dut.get("o_run_valid"):
                run = layout_run.from_bits(dut.get("o_run_payload"))
                assert run.entry == entry, f"entry {run.entry}, not {entry}"
                for pixel in range(run.pixels):
                    place = run.address + pixel * unit_bytes
                    assert place not in seen, f"{place:#x} is stored twice"
                    seen.add(place)
                if run.release:
                    free += run.pixels
                    entry = (entry + run.pixels) % ring
            await dut.tick()
        first = program.addresses["l:ofmap"]
        assert seen == set(range(first, first + layout.bytes, unit_bytes))
        assert not left


@cocotb.test(**TIMEOUT)
async def segments_become_beats_in_order(handle: Any) -> None:
    """Bursts stay in their page; beats come in order and go where their segment says."""
    dut = await Dut.start(handle)
    config = dut.config
    beat_bytes, lanes = config.axi_bytes, config.axi_elements
    layout = Segment(config)
    segments = []
    for _ in range(40):
        kind = dut.random.choice([SegmentKind.IFMAP, SegmentKind.IFMAP, SegmentKind.PADDING])
        segments.append(
            {
                "kind": kind,
                "address": dut.random.randrange(0, 1 << 16, beat_bytes),
                "beats": dut.random.choice([1, 2, dut.random.randint(1, 40)]),
                "skip": dut.random.randrange(lanes) if lanes > 1 else 0,
                "tail": lanes - 1,
                "element": dut.random.randrange(config.ifmap_elements),
                "group_last": dut.random.randrange(2),
            }
        )
    wanted = [
        (int(segment["kind"].value), segment["address"] + i * beat_bytes, segment["element"]
         + i * lanes)
        for segment in segments
        for i in range(segment["beats"])
    ]  # fmt: skip
    waiting, asked, got = deque(segments), deque[int](), []
    elements = 1 << len(handle.o_element)
    while len(got) < len(wanted):
        sends = bool(waiting) and dut.coin(0.6)
        answers = bool(asked) and dut.coin(0.6)
        dut.set(i_segment_valid=sends, ar_ready=dut.coin(0.5), r_valid=answers, r_resp=0)
        if sends:
            dut.set(i_segment_payload=bits_of(layout, waiting[0]))
        if answers:
            dut.set(r_data=asked[0])
        await dut.settle()
        if sends and dut.get("i_segment_ready"):
            waiting.popleft()
        if dut.get("ar_valid") and dut.get("ar_ready"):
            first, count = dut.get("ar_address"), dut.get("ar_len") + 1
            assert first // PAGE == (first + count * beat_bytes - 1) // PAGE
            assert count <= config.max_burst_beats
            asked.extend(first + i * beat_bytes for i in range(count))
        if dut.get("o_beat"):
            kind, address, element = wanted[len(got)]
            assert dut.get("o_kind") == kind
            assert dut.get("o_element") == element % elements
            if kind != SegmentKind.PADDING.value:
                assert dut.get("o_data") == address & ((1 << config.axi_data_bits) - 1)
            got.append(kind)
        if answers and dut.get("r_ready"):
            asked.popleft()
        assert not dut.get("o_error")
        await dut.tick()


@cocotb.test(**TIMEOUT)
async def runs_become_bytes_in_memory(handle: Any) -> None:
    """Pixels of a channel block reach their addresses, and nothing else is written."""
    dut = await Dut.start(handle)
    config = dut.config
    unit, beat_bytes = config.channel_block * config.act_bytes, config.axi_bytes
    atom = min(unit, beat_bytes)
    entries = [dut.random.getrandbits(8 * config.m_block * config.act_bytes)
               for _ in range(config.ofmap_depth)]  # fmt: skip
    ring = dut.random.choice([config.ofmap_depth, join_depth(config)])
    dut.set(i_ring=ring)
    wanted: dict[int, int] = {}
    runs, address = deque[dict[str, int]](), dut.random.randrange(0, PAGE, atom)
    for _ in range(15):
        run = {
            "address": address, "pixels": dut.random.randint(1, min(30, ring)),
            "entry": dut.random.randrange(ring),
            "unit": dut.random.randrange(config.block_units), "release": dut.random.randrange(2),
        }  # fmt: skip
        runs.append(run)
        for pixel in range(run["pixels"]):
            vector = entries[(run["entry"] + pixel) % ring]
            block = vector >> (8 * unit * run["unit"])
            for byte in range(unit):
                wanted[address + pixel * unit + byte] = block >> (8 * byte) & 0xFF
        address += run["pixels"] * unit + dut.random.choice([0, atom, 3 * atom, PAGE])
    memory: dict[int, int] = {}
    bursts, answers = deque[tuple[int, int]](), 0
    layout, shown = StoreRun(config), 0
    while True:
        sends = bool(runs) and dut.coin(0.5)
        answers_now = answers > 0 and dut.coin(0.5)
        dut.set(i_run_valid=sends, aw_ready=dut.coin(0.5), w_ready=dut.coin(0.5),
                b_valid=answers_now, i_vector=shown)  # fmt: skip
        if sends:
            dut.set(i_run_payload=bits_of(layout, runs[0]))
        await dut.settle()
        if not runs and dut.get("o_idle"):
            break
        if sends and dut.get("i_run_ready"):
            runs.popleft()
        if dut.get("aw_valid") and dut.get("aw_ready"):
            first, count = dut.get("aw_address"), dut.get("aw_len") + 1
            assert first // PAGE == (first + count * beat_bytes - 1) // PAGE
            bursts.append((first, count))
        if dut.get("w_valid") and dut.get("w_ready"):
            place, left = bursts[0]
            data, strobes = dut.get("w_data"), dut.get("w_strb")
            for byte in range(beat_bytes):
                if strobes >> byte & 1:
                    where = place // beat_bytes * beat_bytes + byte
                    assert where not in memory
                    memory[where] = data >> (8 * byte) & 0xFF
            assert dut.get("w_last") == (left == 1)
            bursts[0] = place + beat_bytes, left - 1
            if left == 1:
                bursts.popleft()
                answers += 1
        answers -= answers_now
        if dut.get("o_read_en"):
            shown = entries[dut.get("o_read_entry")]
        await dut.tick()
    assert memory == wanted


async def read(host: Any, name: str) -> int:
    """Read a register."""
    answer = await host.read(OFFSETS[name], 4)
    return int.from_bytes(answer.data, "little")


@cocotb.test(**TIMEOUT)
async def registers_keep_their_bits(handle: Any) -> None:
    """Reset values, then random writes: what does not exist reads as zero."""
    dut = await Dut.start(handle)
    host: Any = AxiLiteMaster(AxiLiteBus.from_prefix(handle, "s_axil"), handle.clk, handle.rst)
    await dut.tick()
    held = {}
    for register in REGISTERS:
        found = await read(host, register.name)
        if register.name == "ARRAY":
            assert found == dut.config.rows | dut.config.cols << 16
        else:
            assert found == register.reset, f"{register.name} is {found:#x}"
        held[register.name] = found
    plain = [r for r in REGISTERS if r.access in (Access.READ_ONLY, Access.READ_WRITE)]
    for _ in range(60):
        register, word = dut.random.choice(plain), dut.random.getrandbits(32)
        await host.write(OFFSETS[register.name], word.to_bytes(4, "little"))
        if register.access == Access.READ_WRITE:
            held[register.name] = word & ((1 << register.bits) - 1)
        found = await read(host, register.name)
        assert found == held[register.name], f"{register.name}: {found:#x}"
