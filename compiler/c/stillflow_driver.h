/* Driver of a stillflow accelerator: freestanding C99, no memory of its own, no waiting but polling.
 *
 * The program image, its constants and the tensors lie in memory that the accelerator reaches; this
 * driver knows registers only. Make caches clean before sf_start and invalid after sf_wait. */
#ifndef STILLFLOW_DRIVER_H
#define STILLFLOW_DRIVER_H

#include <stdint.h>

/* The way to the registers. `offset` is in bytes from the base, a multiple of four. */
struct sf_bus {
    uint32_t (*read)(void *context, uint32_t offset);
    void (*write)(void *context, uint32_t offset, uint32_t value);
    void *context;
};

/* What a call returns. */
enum sf_status {
    SF_OK = 0,
    SF_NO_DEVICE = 1,  /* the ID register is not a stillflow core's */
    SF_OTHER_ARRAY = 2, /* the device has another array than the header's configuration */
    SF_BUSY = 3,       /* a job runs */
    SF_TIMEOUT = 4,    /* the job did not end in so many polls */
    SF_FAILED = 5,     /* the job ended with an error: see sf_failure */
    SF_NO_JOB = 6,     /* nothing runs and nothing has ended */
    SF_ARGUMENT = 7    /* an argument is out of range; nothing was done */
};

/* A job: layers in consecutive descriptors. */
struct sf_job {
    uint32_t program_address; /* of the first descriptor, a multiple of 64 */
    uint32_t layers;          /* 1 to 65535 */
    uint32_t record_address;  /* of layers + 1 counter records, a multiple of 128; 0 for none */
    uint32_t watchdog;        /* cycles without progress that end the job; 0 never */
};

/* Why a job failed. */
struct sf_failure {
    uint32_t code;    /* enum stillflow_error of stillflow.h */
    uint32_t address; /* its meaning depends on the code: see registers.md */
    uint32_t layer;   /* layers that were completed */
};

/* Look whether there is a core with the array of stillflow.h. SF_OK, SF_NO_DEVICE, SF_OTHER_ARRAY. */
enum sf_status sf_probe(const struct sf_bus *bus);

/* Start a job, interrupts enabled. SF_OK, SF_ARGUMENT, SF_BUSY. */
enum sf_status sf_start(const struct sf_bus *bus, const struct sf_job *job);

/* Wait for its end. At most `polls` reads of IRQ_STATUS; then the interrupt is cleared and disabled.
 * SF_OK, SF_FAILED (then `failure` is filled, if it is not null), SF_NO_JOB, SF_TIMEOUT (the job goes
 * on: wait again, or sf_reset). */
enum sf_status sf_wait(const struct sf_bus *bus, uint32_t polls, struct sf_failure *failure);

/* sf_start, then sf_wait. */
enum sf_status sf_run(const struct sf_bus *bus, const struct sf_job *job, uint32_t polls,
                      struct sf_failure *failure);

/* Abandon what runs. SF_OK, or SF_TIMEOUT if the device is busy after so many polls. */
enum sf_status sf_reset(const struct sf_bus *bus, uint32_t polls);

/* Read a performance counter, `number` of enum stillflow_counter. SF_OK, SF_ARGUMENT. */
enum sf_status sf_counter(const struct sf_bus *bus, uint32_t number, uint64_t *value);

#endif
