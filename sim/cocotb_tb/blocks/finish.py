"""What follows the requantiser, against the golden model; residuals against a list of words."""

from typing import Any, Literal

import cocotb
import numpy as np

from stillflow.compiler.endings import Joined, Table
from stillflow.compiler.finish import PLAIN
from stillflow.compiler.graph import Tensor
from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.descriptor import FIELDS
from stillflow.hw.residual import TABLE_BITS, Join, encode_join, join_depth
from stillflow.hw.timing import finish_latency
from stillflow.hw.words import residual_unit_bit
from stillflow.sim.cocotb_tb.blocks.dut import Dut
from stillflow.sim.golden.finish import join, look_up

TIMEOUT: dict[str, Any] = {"timeout_time": 4, "timeout_unit": "ms"}


def _tensor(config: AcceleratorConfig, name: str, zero_point: int) -> Tensor:
    return Tensor(
        name=name, shape=(1, 1, 1, 1), dtype="int8" if config.act_bits == 8 else "int16",
        scale=1.0, zero_point=zero_point,
    )  # fmt: skip


def _draw(dut: Dut) -> tuple[Joined, list[Tensor], dict[str, int]]:
    """Draw how words are joined: own, residual and ofmap tensors, fields of the descriptor."""
    config = dut.config
    op: Literal["add", "mul"] = "add" if dut.coin(0.5) else "mul"
    own, residual, shift = encode_join(*dut.rng.uniform(0.05, 2, 2))
    if op == "mul":
        own, residual, shift = 0, 0, config.act_bits - dut.random.randrange(3)
    half = 1 << (config.act_bits - 1)
    joined = Joined(
        op=op, own="own", residual="residual", own_scale=own, residual_scale=residual,
        shift=shift, act_min=dut.random.choice([-half, -half // 2]), act_max=half - 1,
    )  # fmt: skip
    tensors = [_tensor(config, name, dut.word(config.act_bits)) for name in ("a", "b", "c")]
    fields = {
        "join": Join.ADD if op == "add" else Join.MULTIPLY, "join_shift": shift,
        "own_scale": own, "residual_scale": residual, "own_zero_point": tensors[0].zero_point,
        "residual_zero_point": tensors[1].zero_point, "join_zero_point": tensors[2].zero_point,
        "join_min": joined.act_min, "join_max": joined.act_max,
    }  # fmt: skip
    return joined, tensors, {key: int(value) for key, value in fields.items()}


@cocotb.test(**TIMEOUT)
async def finished_words_are_the_golden_models(handle: Any) -> None:
    """Vectors at the requantiser's pace, through a table, joined, both or neither."""
    dut = await Dut.start(handle)
    config = dut.config
    columns, act = config.m_block, f"int{config.act_bits}"
    info = np.iinfo(act)
    has_tables = config.act_bits == TABLE_BITS
    for _ in range(6):
        tabled, joins = has_tables and dut.coin(0.5), dut.coin(0.7)
        joined, tensors, fields = _draw(dut)
        fields = (fields if joins else {}) | {"table": int(tabled)}
        layer = dict.fromkeys((field.name for field in FIELDS), 0) | PLAIN | fields
        dut.set_layer(layer)
        dut.set(i_valid=0)
        entries = dut.rng.integers(info.min, info.max, 256, endpoint=True).astype(act)
        if tabled:
            image = entries.tobytes()
            for line, first in enumerate(range(0, 256, config.axi_bytes)):
                beat = int.from_bytes(image[first : first + config.axi_bytes], "little")
                dut.set(i_fill=1, i_fill_line=line, i_fill_data=beat)
                await dut.tick()
            dut.set(i_fill=0)
        shape = (12, columns)
        words, residuals = (
            dut.rng.integers(info.min, info.max, shape, endpoint=True).astype(act) for _ in "ab"
        )
        wanted = look_up(Table(index="i", entries=entries), words) if tabled else words
        if joins:
            wanted = join(joined, wanted, residuals, *tensors)
        late = finish_latency(config) if tabled or joins else 0
        got: list[list[int]] = []
        for cycle in range(len(words) * config.pace + late + 1):
            number, phase = divmod(cycle, config.pace)
            comes = phase == 0 and number < len(words)
            dut.set(i_valid=comes)
            if comes:
                dut.set(i_words=words[number])
            await dut.settle()
            shown, rest = divmod(cycle - late, config.pace)
            if rest == 0 and 0 <= shown < len(words):
                got.append(dut.words("o_words", columns))
            await dut.tick()
            if comes:  # residuals follow their vector
                dut.set(i_residuals=residuals[number])
        assert got == wanted.tolist()


@cocotb.test(**TIMEOUT)
async def residuals_come_back_by_pixel(handle: Any) -> None:
    """Fill runs of a channel block from any lane of a beat, and read them as vectors, in a ring."""
    dut = await Dut.start(handle)
    config = dut.config
    block, lanes, act = config.channel_block, config.axi_elements, config.act_bits
    ring, unit_bit = join_depth(config), residual_unit_bit(config)
    entries: dict[tuple[int, int], list[int]] = {}
    first = 0
    for _ in range(8):
        pixels = dut.random.randint(1, min(ring, 20))
        for unit in range(config.block_units):
            skip = dut.random.randrange(0, lanes, min(block, lanes))
            words = [dut.word(act) for _ in range(pixels * block)]
            for pixel in range(pixels):
                entry = (first + pixel) % ring
                entries[entry, unit] = words[pixel * block : (pixel + 1) * block]
            padded = [0] * skip + words
            start = (first * block - skip) % (ring * block)
            for beat in range(-(-len(padded) // lanes)):
                part = padded[beat * lanes : (beat + 1) * lanes]
                valid = [beat * lanes + i >= skip for i in range(len(part))]
                part += [0] * (lanes - len(part))
                element = (unit << unit_bit) + start + beat * lanes
                mask = sum(1 << i for i, used in enumerate(valid) if used)
                dut.set(i_fill=1, i_fill_element=element, i_fill_mask=mask, i_fill_data=part)
                await dut.tick()
        dut.set(i_fill=0, i_read_en=1)
        for entry in {entry for entry, _ in entries}:
            dut.set(i_read_entry=entry)
            await dut.tick()
            vector = dut.words("o_vector", config.m_block)
            for unit in range(config.block_units):
                assert vector[unit * block : (unit + 1) * block] == entries[entry, unit]
        dut.set(i_read_en=0)
        first = (first + pixels) % ring
