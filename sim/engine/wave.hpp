// The waveform: Verilator's writer for the format, and what becomes of it when the disk is full.
//
// VM_TRACE_FST, VM_TRACE_VCD or VM_TRACE_SAIF chooses the format, if any.
#pragma once

#include <cerrno>
#include <cstdint>
#include <exception>

#include "verilated.h"

#if VM_TRACE_FST
#include "verilated_fst_c.h"
using WaveWriter = VerilatedFstC;
#elif VM_TRACE_VCD
#include "verilated_vcd_c.h"
using WaveWriter = VerilatedVcdC;
#elif VM_TRACE_SAIF
#include "verilated_saif_c.h"
using WaveWriter = VerilatedSaifC;
#else
struct WaveWriter {  // none
    void open(const char*) {}
    void close() {}
    void dump(uint64_t) {}
};
#endif

namespace stillflow {

// A writer throws when its file cannot be written (fst_file.hpp, vl_fatal). From then on it is left
// alone, not even destroyed: it would try again.
class Wave {
    WaveWriter* writer = nullptr;

    template <class Action>
    void attempt(Action&& action) {
        if (!writer) return;
        errno = 0;
        try {
            action(*writer);
        } catch (const std::exception&) {
            error = errno ? errno : EIO;
            writer = nullptr;
        }
    }

  public:
    int error = 0;  // errno of what went wrong

    template <class Top>
    void open(VerilatedContext& context, Top& top, const char* path) {
        writer = new WaveWriter;
#if VM_TRACE
        context.traceEverOn(true);
        top.trace(writer, 99);
#endif
        attempt([&](WaveWriter& wave) { wave.open(path); });
    }

    void dump(uint64_t picoseconds) {
        attempt([&](WaveWriter& wave) { wave.dump(picoseconds); });
    }

    void close() {
        attempt([](WaveWriter& wave) { wave.close(); });
        delete writer;
        writer = nullptr;
    }
};

}  // namespace stillflow
