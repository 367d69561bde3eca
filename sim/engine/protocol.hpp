// Checks of what the accelerator drives on its AXI4 port. protocol.py is its twin.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>

namespace stillflow {

// First thing that the design did wrong.
class Failure {
    std::string text;

  public:
    template <class... Values>
    void operator()(const char* format, Values... values) {
        if (!text.empty()) return;
        char line[160];
        snprintf(line, sizeof line, format, values...);
        text = line;
    }
    bool happened() const { return !text.empty(); }
    const char* message() const { return text.c_str(); }
    void clear() { text.clear(); }
};

struct Address {
    uint32_t address;
    uint8_t length;
    bool operator==(const Address& other) const {
        return address == other.address && length == other.length;
    }
};

// What the core offered while ready was low: valid and payload must stay.
template <class Payload>
class Held {
    bool waiting = false;
    Payload payload{};

  public:
    void check(Failure& fail, const char* channel, bool valid, bool ready, const Payload& offered) {
        if (waiting && !(valid && offered == payload))
            fail("%svalid or its payload changed before %sready", channel, channel);
        waiting = valid && !ready;
        payload = offered;
    }
    void clear() { waiting = false; }
};

// Check a burst and give the address of its first whole beat; data stays on its lanes.
template <unsigned BEAT>
uint32_t check_burst(Failure& fail, const char* name, uint32_t address, unsigned length,
                     unsigned size, unsigned type) {
    const uint32_t start = address & ~uint32_t(BEAT - 1);
    if (type != 1) fail("%s burst at 0x%08x is of type %u, not INCR", name, address, type);
    if (1u << size != BEAT)
        fail("%s burst at 0x%08x has beats of %u bytes, not %u", name, address, 1u << size, BEAT);
    if ((start & 4095) + (length + 1) * BEAT > 4096)
        fail("%s burst at 0x%08x crosses 4 KiB with %u beats", name, address, length + 1);
    return start;
}

}  // namespace stillflow
