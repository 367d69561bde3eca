// The four functions that Verilator's FST writer takes from lz4.h and zlib.h, so that a waveform
// needs neither library on the machine. Stands in for both headers.
//
// LZ4 blocks are compressed (hierarchy and value changes). The zlib calls give the data back as it
// is: the writer keeps what is smaller, and its format marks such data as not compressed.
#pragma once

#include <cstdint>
#include <cstring>
#include <vector>

using Bytef = unsigned char;
using uLong = unsigned long;
using uLongf = unsigned long;
constexpr int Z_OK = 0;

inline uLong compressBound(uLong size) { return size; }

inline int compress2(Bytef* to, uLongf* to_size, const Bytef* from, uLong size, int) {
    memcpy(to, from, size);
    *to_size = size;
    return Z_OK;
}

inline int LZ4_compressBound(int size) { return size + size / 255 + 16; }

// One LZ4 block (greedy, one candidate per hash). `to` has room for LZ4_compressBound(size) bytes.
inline int LZ4_compress_default(const char* from, char* to, int size, int) {
    constexpr int HASH_BITS = 13, MIN_MATCH = 4, MAX_DISTANCE = 65535;
    constexpr int TAIL = 12;  // a match may not begin in the last 12 bytes ...
    constexpr int LAST = 5;   // ... nor reach into the last 5
    std::vector<int> seen(1 << HASH_BITS, -1);
    uint8_t* out = reinterpret_cast<uint8_t*>(to);
    const auto word = [&](int at) {
        uint32_t value;
        memcpy(&value, from + at, 4);
        return value;
    };
    const auto put_length = [&](int length) {  // what a nibble of 15 leaves over
        for (length -= 15; length >= 255; length -= 255) *out++ = 255;
        *out++ = uint8_t(length);
    };
    const auto put_sequence = [&](int start, int literals, int distance, int match) {
        const int rest = distance ? match - MIN_MATCH : 0;
        *out++ = uint8_t((literals < 15 ? literals : 15) << 4 | (rest < 15 ? rest : 15));
        if (literals >= 15) put_length(literals);
        memcpy(out, from + start, literals);
        out += literals;
        if (!distance) return;
        *out++ = uint8_t(distance);
        *out++ = uint8_t(distance >> 8);
        if (rest >= 15) put_length(rest);
    };
    int anchor = 0;
    for (int at = 0; at < size - TAIL;) {
        int& slot = seen[word(at) * 2654435761u >> (32 - HASH_BITS)];
        const int candidate = slot;
        slot = at;
        if (candidate < 0 || at - candidate > MAX_DISTANCE || word(candidate) != word(at)) {
            ++at;
            continue;
        }
        int match = MIN_MATCH;
        while (at + match < size - LAST && from[candidate + match] == from[at + match]) ++match;
        put_sequence(anchor, at - anchor, at - candidate, match);
        anchor = at += match;
    }
    put_sequence(anchor, size - anchor, 0, 0);
    return int(out - reinterpret_cast<uint8_t*>(to));
}
