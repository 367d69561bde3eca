#include "stillflow_driver.h"

#include "stillflow.h"

#define ENDED (STILLFLOW_IRQ_STATUS_DONE_MASK | STILLFLOW_IRQ_STATUS_ERROR_MASK)
#define PROGRAM_ALIGNMENT 64u
#define MOST_LAYERS STILLFLOW_PROGRAM_LENGTH_MASK

static uint32_t get(const struct sf_bus *bus, uint32_t offset) {
    return bus->read(bus->context, offset);
}

static void set(const struct sf_bus *bus, uint32_t offset, uint32_t value) {
    bus->write(bus->context, offset, value);
}

static int is_busy(const struct sf_bus *bus) {
    return (get(bus, STILLFLOW_STATUS_OFFSET) & STILLFLOW_STATUS_BUSY_MASK) != 0;
}

enum sf_status sf_probe(const struct sf_bus *bus) {
    const uint32_t array = (uint32_t)STILLFLOW_CONFIG_ROWS | (uint32_t)STILLFLOW_CONFIG_COLS << 16;

    if (get(bus, STILLFLOW_ID_OFFSET) != STILLFLOW_ID_VALUE) return SF_NO_DEVICE;
    return get(bus, STILLFLOW_ARRAY_OFFSET) == array ? SF_OK : SF_OTHER_ARRAY;
}

enum sf_status sf_start(const struct sf_bus *bus, const struct sf_job *job) {
    if (job->layers == 0 || job->layers > MOST_LAYERS) return SF_ARGUMENT;
    if (job->program_address % PROGRAM_ALIGNMENT != 0) return SF_ARGUMENT;
    if (job->record_address % STILLFLOW_RECORD_BYTES != 0) return SF_ARGUMENT;
    if (is_busy(bus)) return SF_BUSY;

    set(bus, STILLFLOW_PROGRAM_ADDRESS_OFFSET, job->program_address);
    set(bus, STILLFLOW_PROGRAM_LENGTH_OFFSET, job->layers);
    set(bus, STILLFLOW_RECORD_ADDRESS_OFFSET, job->record_address);
    set(bus, STILLFLOW_WATCHDOG_OFFSET, job->watchdog);
    set(bus, STILLFLOW_IRQ_STATUS_OFFSET, ENDED);
    set(bus, STILLFLOW_IRQ_ENABLE_OFFSET, ENDED);
    set(bus, STILLFLOW_CONTROL_OFFSET, STILLFLOW_CONTROL_START_MASK);
    return SF_OK;
}

enum sf_status sf_wait(const struct sf_bus *bus, uint32_t polls, struct sf_failure *failure) {
    uint32_t status;

    for (; polls != 0; --polls) {
        /* A job that ends between these two reads has set IRQ_STATUS at the second look. */
        const int busy = is_busy(bus);

        status = get(bus, STILLFLOW_IRQ_STATUS_OFFSET) & ENDED;
        if (status == 0) {
            if (!busy) return SF_NO_JOB;
            continue;
        }
        if ((status & STILLFLOW_IRQ_STATUS_ERROR_MASK) != 0 && failure != 0) {
            failure->code = get(bus, STILLFLOW_ERROR_CODE_OFFSET);
            failure->address = get(bus, STILLFLOW_ERROR_ADDRESS_OFFSET);
            failure->layer = get(bus, STILLFLOW_LAYER_OFFSET);
        }
        set(bus, STILLFLOW_IRQ_ENABLE_OFFSET, 0);
        set(bus, STILLFLOW_IRQ_STATUS_OFFSET, ENDED);
        return (status & STILLFLOW_IRQ_STATUS_ERROR_MASK) != 0 ? SF_FAILED : SF_OK;
    }
    return SF_TIMEOUT;
}

enum sf_status sf_run(const struct sf_bus *bus, const struct sf_job *job, uint32_t polls,
                      struct sf_failure *failure) {
    const enum sf_status started = sf_start(bus, job);

    return started == SF_OK ? sf_wait(bus, polls, failure) : started;
}

enum sf_status sf_reset(const struct sf_bus *bus, uint32_t polls) {
    set(bus, STILLFLOW_CONTROL_OFFSET, STILLFLOW_CONTROL_SOFT_RESET_MASK);
    for (; polls != 0; --polls) {
        if (!is_busy(bus)) {
            set(bus, STILLFLOW_IRQ_ENABLE_OFFSET, 0);
            set(bus, STILLFLOW_IRQ_STATUS_OFFSET, ENDED);
            return SF_OK;
        }
    }
    return SF_TIMEOUT;
}

enum sf_status sf_counter(const struct sf_bus *bus, uint32_t number, uint64_t *value) {
    uint32_t low;

    if (number >= STILLFLOW_COUNTERS) return SF_ARGUMENT;
    /* Reading the low word keeps the high word of the same moment. */
    low = get(bus, STILLFLOW_COUNTER_LOW_OFFSET(number));
    *value = (uint64_t)get(bus, STILLFLOW_COUNTER_HIGH_OFFSET(number)) << 32 | low;
    return SF_OK;
}
