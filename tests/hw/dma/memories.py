"""Memories behind the AXI4 channels of the engines: they check what they are asked, and stall."""

from collections import deque
from random import Random


def word_at(address, config):
    """Content of the memory: every beat is different."""
    return Random(address).getrandbits(config.axi_data_bits)


class ReadMemory:
    """AXI read slave: checks the bursts, answers in order, stalls."""

    def __init__(self, dut, ctx, random, reads):
        self.dut, self.ctx, self.random = dut, ctx, random
        self.reads = reads  # beats to be asked for, in order
        self.beats = deque()  # asked for and not answered
        self.held = None
        self.offered = False
        self.rates = random.choice([0.2, 0.6, 1]), random.choice([0.2, 0.6, 1])
        self.asked = 0

    def drive(self, response=0):
        """Set this cycle's inputs."""
        ctx, dut = self.ctx, self.dut
        ctx.set(dut.ar_ready, self.random.random() < self.rates[0])
        self.offered |= bool(self.beats) and self.random.random() < self.rates[1]
        ctx.set(dut.r_valid, self.offered)
        if self.offered:
            ctx.set(dut.r_data, word_at(self.beats[0], dut.config))
            ctx.set(dut.r_resp, response)

    def sample(self):
        """Take what happens in this cycle; return the beats of a burst that was taken."""
        ctx, dut, config = self.ctx, self.dut, self.dut.config
        burst = None
        if self.offered and ctx.get(dut.r_ready):
            self.beats.popleft()
            self.offered = False
        valid = ctx.get(dut.ar_valid)
        assert valid or self.held is None
        if valid:
            request = ctx.get(dut.ar_address), ctx.get(dut.ar_len) + 1
            assert self.held in (None, request)
            self.held = request
            if ctx.get(dut.ar_ready):
                address, beats = request
                burst = self.reads[self.asked : self.asked + beats]
                places = [address + i * config.axi_bytes for i in range(beats)]
                assert [beat["address"] for beat in burst] == places
                assert beats <= config.max_burst_beats
                assert address // 4096 == places[-1] // 4096
                self.asked += beats
                self.beats.extend(places)
                self.held = None
        return burst


class WriteMemory:
    """AXI write slave: checks the bursts, keeps the bytes, answers in order, stalls."""

    def __init__(self, dut, ctx, random):
        self.dut, self.ctx, self.random = dut, ctx, random
        self.bytes = {}
        self.bursts = deque()  # address and beats left, data still to come
        self.answers = deque()  # addresses of the bursts whose data is complete
        self.addresses = []
        self.held = {}
        self.answering = False
        self.silent = False
        self.rates = [random.choice([0.2, 0.7, 1]) for _ in range(3)]

    def drive(self, response=0):
        """Set this cycle's inputs."""
        ctx, dut, random = self.ctx, self.dut, self.random
        ctx.set(dut.aw_ready, random.random() < self.rates[0])
        ctx.set(dut.w_ready, random.random() < self.rates[1])
        self.answering = bool(self.answers) and random.random() < self.rates[2]
        ctx.set(dut.b_valid, self.answering)
        ctx.set(dut.b_resp, response if self.answering else 0)

    def open(self):
        """Whether a burst is not complete and answered."""
        return bool(self.bursts or self.answers)

    def _stays(self, channel, payload):
        """Check that what was offered stays until taken; return whether it is taken."""
        valid = self.ctx.get(getattr(self.dut, f"{channel}_valid"))
        before = self.held.pop(channel, None)
        assert valid or before is None
        if not valid:
            return False
        assert before in (None, payload)
        if self.ctx.get(getattr(self.dut, f"{channel}_ready")):
            return True
        self.held[channel] = payload
        return False

    def sample(self):
        """Take what happens in this cycle."""
        ctx, dut, config = self.ctx, self.dut, self.dut.config
        assert ctx.get(dut.b_ready)
        if self.answering:
            self.answers.popleft()
        beat = tuple(ctx.get(signal) for signal in (dut.w_data, dut.w_strb, dut.w_last))
        strobed = [i for i in range(config.axi_bytes) if beat[1] >> i & 1]
        visible = beat[0].to_bytes(config.axi_bytes, "little")
        # What the strobes leave out may be anything.
        kept = tuple(visible[i] for i in strobed), beat[1], beat[2]
        is_new = "w" not in self.held
        if self._stays("w", kept):
            assert self.bursts, "data before its address"
            address, left = self.bursts[0]
            assert beat[2] == (left == 1)
            assert not self.silent or not is_new or not strobed
            for i in strobed:
                self.bytes[address + i] = visible[i]
            self.bursts[0] = address + config.axi_bytes, left - 1
            if left == 1:
                self.bursts.popleft()
                self.answers.append(self.addresses[len(self.addresses) - len(self.bursts) - 1])
        request = ctx.get(dut.aw_address), ctx.get(dut.aw_len) + 1
        if self._stays("aw", request):
            address, beats = request
            assert address % config.axi_bytes == 0
            assert beats <= config.max_burst_beats
            assert address // 4096 == (address + beats * config.axi_bytes - 1) // 4096
            self.bursts.append(request)
            self.addresses.append(address)
