// Verilated accelerator, its DRAM and its host behind a C interface, for ctypes.
//
// SF_AXI_BYTES is the width of the AXI4 port in bytes. Inputs change while the clock is low; outputs are read when they have settled,
// before the rising edge: two evaluations per cycle, of which the first does little if no input has
// changed (see wrapper.py).
#include <stdexcept>
#include <string>

#include "Vstillflow.h"
#include "dram.hpp"
#include "verilated.h"
#include "wave.hpp"

// An assertion or $finish of the design ends the call that ran it, not the process.
void vl_stop(const char* file, int line, const char*) {
    throw std::runtime_error("the design stopped the simulation in line " + std::to_string(line) + " of " + file);
}
void vl_finish(const char* file, int line, const char* scope) { vl_stop(file, line, scope); }
void vl_fatal(const char* file, int line, const char* scope, const char*) {
    vl_stop(file, line, scope);
}

namespace {

class Simulator {
    VerilatedContext context;
    Vstillflow top{&context};
    stillflow::Wave wave;
    uint64_t edges = 0;
    bool host_changed = true;

    void edge(bool clk, bool changed = false) {
        top.clk = clk;
        top.drive = changed;
        top.eval();
        if (VM_TRACE) wave.dump(5000 * edges);  // in ps, for 100 MHz
        ++edges;
    }

    // One cycle; `host` sees the register port as it is before the clock edge.
    template <class Host>
    void cycle(Host&& host) {
        const bool changed = dram.begin() | host_changed;
        host_changed = false;
        edge(false, changed);
        dram.end();
        host();
        irq = top.irq;
        edge(true);
        ++cycles;
    }

    void cycle() {
        cycle([] {});
    }

  public:
    stillflow::Dram<SF_AXI_BYTES, Vstillflow> dram;
    std::string stop;
    uint64_t cycles = 0;
    bool irq = false;

    Simulator(uint8_t* memory, uint64_t size, uint64_t latency, uint64_t rate, const char* path)
        : dram(top, memory, size, latency, rate) {
        if (path) wave.open(context, top, path);
        top.s_axil_wstrb = 15;
        top.s_axil_bready = top.s_axil_rready = 1;
    }

    // Finish the waveform; give the errno of what kept it from being written.
    int finish() {
        top.final();
        wave.close();
        return wave.error;
    }

    bool failed() const { return dram.failure.happened() || !stop.empty() || wave.error; }

    int wave_error() const { return wave.error; }

    void reset(uint64_t length) {
        dram.reset();
        stop.clear();
        top.s_axil_awvalid = top.s_axil_wvalid = top.s_axil_arvalid = 0;
        top.rst = 1;
        for (uint64_t i = 0; i < length; ++i) {
            edge(false, true);
            edge(true);
        }
        top.rst = 0;
        host_changed = true;
        irq = false;
    }

    void step(uint64_t count) {
        for (uint64_t i = 0; i < count && !failed(); ++i) cycle();
    }

    int64_t run_until_irq(uint64_t limit) {
        for (uint64_t i = 1; i <= limit && !failed(); ++i) {
            cycle();
            if (irq) return int64_t(i);
        }
        return -1;
    }

    // Give the response, or -1 where none came in time. The next access follows without a gap.
    int write_csr(uint32_t offset, uint32_t value, uint64_t limit) {
        int response = -1;
        bool address_taken = false, data_taken = false;
        top.s_axil_awaddr = offset & 511;
        top.s_axil_wdata = value;
        for (uint64_t i = 0; i < limit && response < 0 && !failed(); ++i) {
            top.s_axil_awvalid = !address_taken;
            top.s_axil_wvalid = !data_taken;
            host_changed = true;
            cycle([&] {
                address_taken |= top.s_axil_awready;
                data_taken |= top.s_axil_wready;
                if (top.s_axil_bvalid) response = top.s_axil_bresp;
            });
        }
        top.s_axil_awvalid = top.s_axil_wvalid = 0;
        host_changed = true;
        return response;
    }

    int read_csr(uint32_t offset, uint32_t& value, uint64_t limit) {
        int response = -1;
        bool address_taken = false;
        top.s_axil_araddr = offset & 511;
        for (uint64_t i = 0; i < limit && response < 0 && !failed(); ++i) {
            top.s_axil_arvalid = !address_taken;
            host_changed = true;
            cycle([&] {
                address_taken |= top.s_axil_arready;
                if (top.s_axil_rvalid) {
                    response = top.s_axil_rresp;
                    value = top.s_axil_rdata;
                }
            });
        }
        top.s_axil_arvalid = 0;
        host_changed = true;
        return response;
    }
};

// Run an action of the simulator; a stop is kept for `sf_failure`.
template <class Action>
auto guarded(Simulator* simulator, Action&& action) -> decltype(action()) {
    try {
        return action();
    } catch (const std::exception& error) {
        simulator->stop = error.what();
        return decltype(action())(-1);
    }
}

}  // namespace

#define SF_API extern "C" __attribute__((visibility("default")))

SF_API Simulator* sf_open(uint8_t* memory, uint64_t size, uint64_t latency, uint64_t rate,
                          const char* wave) {
    return new Simulator(memory, size, latency, rate, wave);
}

// The waveform that this library can write: its file's suffix without the dot, or nothing.
SF_API const char* sf_trace() { return VM_TRACE_FST ? "fst" : VM_TRACE_VCD ? "vcd" : VM_TRACE_SAIF ? "saif" : ""; }

SF_API uint32_t sf_axi_bytes() { return SF_AXI_BYTES; }

// Give the errno of a waveform that could not be written, or 0.
SF_API int sf_wave_error(const Simulator* simulator) { return simulator->wave_error(); }

// The same for its end.
SF_API int sf_close(Simulator* simulator) {
    const int error = simulator->finish();
    delete simulator;
    return error;
}

SF_API void sf_set_stalls(Simulator* simulator, uint64_t seed, const uint32_t* thresholds) {
    simulator->dram.set_stalls(seed, thresholds);
}

SF_API int64_t sf_reset(Simulator* simulator, uint64_t length) {
    return guarded(simulator, [&] { return simulator->reset(length), int64_t(0); });
}

SF_API int64_t sf_step(Simulator* simulator, uint64_t count) {
    return guarded(simulator, [&] { return simulator->step(count), int64_t(0); });
}

SF_API int64_t sf_run_until_irq(Simulator* simulator, uint64_t limit) {
    return guarded(simulator, [&] { return simulator->run_until_irq(limit); });
}

SF_API int64_t sf_write_csr(Simulator* simulator, uint32_t offset, uint32_t value, uint64_t limit) {
    return guarded(simulator, [&] { return int64_t(simulator->write_csr(offset, value, limit)); });
}

SF_API int64_t sf_read_csr(Simulator* simulator, uint32_t offset, uint32_t* value, uint64_t limit) {
    return guarded(simulator, [&] { return int64_t(simulator->read_csr(offset, *value, limit)); });
}

SF_API void sf_inject(Simulator* simulator, uint8_t kind, uint8_t channel, uint64_t index) {
    simulator->dram.inject(kind, channel, index);
}

SF_API void sf_clear_faults(Simulator* simulator) { simulator->dram.clear_faults(); }

SF_API uint64_t sf_cycles(const Simulator* simulator) { return simulator->cycles; }

SF_API int sf_irq(const Simulator* simulator) { return simulator->irq; }

// read bursts, read beats, write bursts, write beats, acknowledged
SF_API void sf_traffic(const Simulator* simulator, uint64_t* counts) {
    const stillflow::Traffic& traffic = simulator->dram.traffic;
    counts[0] = traffic.read_bursts;
    counts[1] = traffic.read_beats;
    counts[2] = traffic.write_bursts;
    counts[3] = traffic.write_beats;
    counts[4] = traffic.acknowledged;
}

SF_API const char* sf_failure(const Simulator* simulator) {
    return simulator->stop.empty() ? simulator->dram.failure.message()
                                        : simulator->stop.c_str();
}
