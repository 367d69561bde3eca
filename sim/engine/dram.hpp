// DRAM beside the accelerator's AXI4 port, cycle by cycle. dram.py is its twin; both keep this
// specification, and a test holds them to the same cycle counts.
//
// A cycle t ends with a rising clock edge. A handshake is in cycle t if valid and ready are both
// high before that edge.
//
// Addresses. ARREADY, AWREADY and WREADY are always high: any number of requests and of write
//   beats may be in flight. W beats may precede their AW.
// Reads. A burst whose AR handshake is in cycle t is due in t + latency: its first beat may move,
//   and be presented at the R channel, in that cycle. Beats of a burst follow one per cycle. A beat
//   that the core does not take waits in a buffer without bound; the next ones move on behind it.
// Writes. A beat may move in the cycle after its W handshake, if its AW handshake is past too. When
//   the last beat moves in cycle u, the burst is acknowledged in u - 1 + latency: that is, where
//   nothing delays it, `latency` cycles after the last W handshake.
// Bandwidth. A beat that moves costs its width in bytes, from an account that gains `rate` bytes at
//   the beginning of every cycle, holds at most BEAT + rate - 1 and starts full. So n cycles never move more
//   than n * rate + BEAT - 1 bytes. At most one read beat and one write beat move per cycle.
// Order. Reads are served in order, writes in order. A burst that has begun to move comes first
//   until it has ended. Where none has, a write burst that has a beat to move comes before a read
//   burst that is due. Where the first cannot move (the core has not given the next beat), the other
//   may: bandwidth is not lost, and no core can lock itself up.
// Data. A read beat shows memory as it is when it is presented, a write beat changes memory when it
//   moves. Accesses beyond the memory answer DECERR, read zeros and write nothing.
#pragma once

#include <algorithm>
#include <cstring>
#include <deque>
#include <vector>

#include "protocol.hpp"

namespace stillflow {

enum : uint8_t { OKAY = 0, SLVERR = 2, DECERR = 3 };
enum FaultKind : uint8_t { FAULT_SLVERR = 0, FAULT_DECERR = 1, FAULT_SILENT = 2, FAULT_NONE = 255 };
enum Channel : uint8_t { READ = 0, WRITE = 1, NEITHER = 2 };
enum Stall : uint8_t { STALL_AR, STALL_AW, STALL_W, STALL_R, STALL_B, STALLS };

struct Traffic {
    uint64_t read_bursts = 0, read_beats = 0, write_bursts = 0, write_beats = 0, acknowledged = 0;
};

template <unsigned BEAT, class Top>
class Dram {
    struct Burst {
        uint64_t due;  // reads: first cycle in which a beat may move
        uint32_t address, beats;
        uint8_t id;
    };
    struct ReadBeat {
        uint64_t address;
        bool last;
        uint8_t id;
    };
    struct WriteBeat {
        uint8_t data[BEAT];
        uint64_t strobe;
        bool last;
        bool operator==(const WriteBeat& other) const {
            return strobe == other.strobe && last == other.last && !memcmp(data, other.data, BEAT);
        }
    };
    struct Ack {
        uint64_t due;
        uint8_t response, id;
    };
    struct Fault {
        uint8_t kind, channel;
        uint64_t index;
    };

    Top& top;
    uint8_t* const memory;
    const uint64_t size, latency;
    const int64_t rate, account_limit;

    uint64_t now = 0;
    int64_t account;  // bytes that may move
    std::deque<Burst> reads, writes;
    std::deque<ReadBeat> read_beats;    // moved, not yet taken by the core
    std::deque<WriteBeat> write_beats;  // given by the core, not yet moved
    std::deque<Ack> acks;
    uint32_t reads_moved = 0, writes_moved = 0;  // beats of the bursts in front
    uint8_t write_response = OKAY;
    uint8_t owner = NEITHER;  // whose burst has begun
    bool ar_ready = true, aw_ready = true, w_ready = true, r_valid = false, b_valid = false;
    std::vector<Fault> faults;
    bool stalling = false;
    uint64_t random = 0;
    uint32_t thresholds[STALLS] = {};
    Held<Address> held_ar, held_aw;
    Held<WriteBeat> held_w;

    uint8_t fault(uint8_t channel, uint64_t index) const {
        for (const Fault& f : faults)
            if (f.channel == channel && f.index == index) return f.kind;
        return FAULT_NONE;
    }

    static uint8_t response(uint8_t fault, uint8_t otherwise) {
        return fault == FAULT_SLVERR ? SLVERR : fault == FAULT_DECERR ? DECERR : otherwise;
    }

    bool stall(unsigned channel) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        return uint32_t(random >> 32) < thresholds[channel];
    }

    void move_read() {
        const Burst& burst = reads.front();
        const bool last = ++reads_moved == burst.beats;
        read_beats.push_back({uint64_t(burst.address) + (reads_moved - 1) * BEAT, last, burst.id});
        if (last) {
            reads.pop_front();
            reads_moved = 0;
        }
    }

    void move_write() {
        const Burst& burst = writes.front();
        const WriteBeat& beat = write_beats.front();
        const uint64_t address = uint64_t(burst.address) + writes_moved * BEAT;
        const bool last = ++writes_moved == burst.beats;
        if (beat.last != last)
            failure("wlast is %d in beat %u of %u of the write burst at 0x%08x", beat.last,
                    writes_moved, burst.beats, burst.address);
        if (address + BEAT > size)
            write_response = DECERR;
        else
            for (unsigned i = 0; i < BEAT; ++i)
                if (beat.strobe >> i & 1) memory[address + i] = beat.data[i];
        write_beats.pop_front();
        if (last) {
            acks.push_back({now + latency - 1, write_response, burst.id});
            writes.pop_front();
            writes_moved = 0;
            write_response = OKAY;
        }
    }

    void move() {
        account = std::min(account + rate, account_limit);
        if (reads.empty() && write_beats.empty()) return;
        const bool can[2] = {!reads.empty() && reads.front().due <= now,
                             !writes.empty() && !write_beats.empty()};
        uint8_t turn = owner != NEITHER ? owner : can[WRITE] ? WRITE : READ;
        for (int i = 0; i < 2; ++i, turn ^= 1) {
            if (!can[turn] || account < int64_t(BEAT)) continue;
            account -= BEAT;
            turn == READ ? move_read() : move_write();
        }
        const bool begun[2] = {reads_moved != 0, writes_moved != 0};
        if (owner == NEITHER || !begun[owner])
            owner = begun[WRITE] ? WRITE : begun[READ] ? READ : NEITHER;
    }

    void present_read() {
        const uint8_t kind = faults.empty() ? FAULT_NONE : fault(READ, traffic.read_beats);
        if (kind == FAULT_SILENT) return;
        const ReadBeat& beat = read_beats.front();
        const bool exists = beat.address + BEAT <= size;
        if (exists)
            memcpy(&top.m_axi_rdata, memory + beat.address, BEAT);
        else
            memset(&top.m_axi_rdata, 0, BEAT);
        top.m_axi_rresp = response(kind, exists ? OKAY : DECERR);
        top.m_axi_rlast = beat.last;
        top.m_axi_rid = beat.id;
        r_valid = true;
    }

    void present_ack() {
        const uint8_t kind = faults.empty() ? FAULT_NONE : fault(WRITE, traffic.acknowledged);
        if (kind == FAULT_SILENT) return;
        top.m_axi_bresp = response(kind, acks.front().response);
        top.m_axi_bid = acks.front().id;
        b_valid = true;
    }

    WriteBeat write_beat() const {
        WriteBeat beat;
        memcpy(beat.data, &top.m_axi_wdata, BEAT);
        beat.strobe = top.m_axi_wstrb;
        beat.last = top.m_axi_wlast;
        return beat;
    }

  public:
    Traffic traffic;
    Failure failure;

    Dram(Top& top, uint8_t* memory, uint64_t size, uint64_t latency, uint64_t rate)
        : top(top), memory(memory), size(size), latency(latency), rate(int64_t(rate)),
          account_limit(int64_t(BEAT + rate - 1)), account(account_limit) {
        drive_ready();
    }

    void set_stalls(uint64_t seed, const uint32_t* probabilities) {
        stalling = true;
        random = seed;
        std::copy_n(probabilities, STALLS, thresholds);
    }

    void inject(uint8_t kind, uint8_t channel, uint64_t index) {
        faults.push_back({kind, channel, index});
    }

    void clear_faults() { faults.clear(); }

    // Forget transfers in flight, faults and traffic.
    void reset() {
        reads.clear();
        writes.clear();
        read_beats.clear();
        write_beats.clear();
        acks.clear();
        faults.clear();
        reads_moved = writes_moved = 0;
        write_response = OKAY;
        owner = NEITHER;
        r_valid = b_valid = false;
        top.m_axi_rvalid = top.m_axi_bvalid = 0;
        held_ar.clear();
        held_aw.clear();
        held_w.clear();
        traffic = Traffic{};
        failure.clear();
    }

    void drive_ready() {
        top.m_axi_arready = ar_ready;
        top.m_axi_awready = aw_ready;
        top.m_axi_wready = w_ready;
    }

    // Beginning of a cycle: move data and drive the core's inputs; tell if one may have changed.
    bool begin() {
        move();
        const bool r_free = !r_valid, b_free = !b_valid;
        bool hold[STALLS] = {};
        if (stalling) {
            for (unsigned channel = 0; channel < STALLS; ++channel) hold[channel] = stall(channel);
            ar_ready = !hold[STALL_AR];
            aw_ready = !hold[STALL_AW];
            w_ready = !hold[STALL_W];
            drive_ready();
        }
        if (!r_valid && !hold[STALL_R] && !read_beats.empty()) present_read();
        if (!b_valid && !hold[STALL_B] && !acks.empty() && acks.front().due <= now) present_ack();
        const bool changed = stalling || (r_free && (r_valid || top.m_axi_rvalid)) ||
                             (b_free && (b_valid || top.m_axi_bvalid));
        top.m_axi_rvalid = r_valid;
        top.m_axi_bvalid = b_valid;
        return changed;
    }

    // End of a cycle, before the clock edge: take what the core offers.
    void end() {
        if (stalling) {
            held_ar.check(failure, "ar", top.m_axi_arvalid, ar_ready,
                          {top.m_axi_araddr, top.m_axi_arlen});
            held_aw.check(failure, "aw", top.m_axi_awvalid, aw_ready,
                          {top.m_axi_awaddr, top.m_axi_awlen});
            held_w.check(failure, "w", top.m_axi_wvalid, w_ready, write_beat());
        }
        if (top.m_axi_arvalid && ar_ready) {
            const uint32_t start =
                check_burst<BEAT>(failure, "read", top.m_axi_araddr, top.m_axi_arlen,
                                  top.m_axi_arsize, top.m_axi_arburst);
            reads.push_back({now + latency, start, top.m_axi_arlen + 1u, top.m_axi_arid});
            ++traffic.read_bursts;
        }
        if (top.m_axi_awvalid && aw_ready) {
            const uint32_t start =
                check_burst<BEAT>(failure, "write", top.m_axi_awaddr, top.m_axi_awlen,
                                  top.m_axi_awsize, top.m_axi_awburst);
            writes.push_back({0, start, top.m_axi_awlen + 1u, top.m_axi_awid});
            ++traffic.write_bursts;
        }
        if (top.m_axi_wvalid && w_ready) {
            write_beats.push_back(write_beat());
            ++traffic.write_beats;
        }
        if (r_valid && top.m_axi_rready) {
            read_beats.pop_front();
            r_valid = false;
            ++traffic.read_beats;
        }
        if (b_valid && top.m_axi_bready) {
            acks.pop_front();
            b_valid = false;
            ++traffic.acknowledged;
        }
        ++now;
    }
};

}  // namespace stillflow
