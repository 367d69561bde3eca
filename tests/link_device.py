"""A board's end of the link, in Python, over any device."""

from stillflow.hw.link import (
    ANSWER,
    CRC_BYTES,
    HEAD_BYTES,
    REQUEST,
    WORD_BYTES,
    LinkOp,
    Status,
    checksum,
)


class LinkDevice:
    """Takes bytes, gives bytes; `pause` is what the silence of the line does."""

    def __init__(self, device, memory_bytes):
        self.device, self.memory_bytes = device, memory_bytes
        self.buffer = bytearray()
        self.last = None

    def pause(self):
        self.buffer.clear()

    def feed(self, content):
        self.buffer += content
        answers = b""
        while (answer := self._next()) is not None:
            answers += answer
        return answers

    def _next(self):
        while self.buffer and self.buffer[0] != REQUEST:
            del self.buffer[0]
        end = 1 + HEAD_BYTES + CRC_BYTES
        if len(self.buffer) < end:
            return None
        head = bytes(self.buffer[1 : 1 + HEAD_BYTES])
        if checksum(head) != bytes(self.buffer[1 + HEAD_BYTES : end]):
            del self.buffer[:end]
            return b""
        op, sequence, words = head[0], head[1], head[2] + 1
        address = int.from_bytes(head[3:], "little")
        memory, writes = bool(op & 2), bool(op & 1)
        if op > max(LinkOp) or (not memory and words > 1):
            return self._done(end, Status.REQUEST, sequence)
        if address % 4 or (memory and address + words * WORD_BYTES > self.memory_bytes):
            return self._done(end, Status.ADDRESS, sequence)
        if not writes:
            if memory:
                content = self.device.read_memory(address, words * WORD_BYTES)
            else:
                content = self.device.read_csr(address).to_bytes(4, "little")
            return self._done(end, Status.OK, sequence, content)
        length = words * WORD_BYTES
        if len(self.buffer) < end + length + CRC_BYTES:
            return None
        content = bytes(self.buffer[end : end + length])
        sound = checksum(content) == bytes(self.buffer[end + length : end + length + CRC_BYTES])
        end += length + CRC_BYTES
        if not sound:
            return self._done(end, Status.DATA, sequence)
        if self.last != sequence:
            if memory:
                self.device.write_memory(address, content)
            else:
                self.device.write_csr(address, int.from_bytes(content, "little"))
        return self._done(end, Status.OK, sequence)

    def _done(self, end, status, sequence, content=b""):
        del self.buffer[:end]
        if status == Status.OK:
            self.last = sequence
        body = bytes((status, sequence)) + content
        return bytes((ANSWER,)) + body + checksum(body)
