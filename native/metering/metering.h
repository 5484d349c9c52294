// The metering core: interleaved 12-bit samples in, exact integer sums over whole mains cycles out.
// C99 integers only; no heap, no globals, no MicroPython: the same source runs on the board and, through cffi, on the host.
// Only typedefs, prototypes and comments below the includes: native/build_cffi.py reads this file.
//
// Samples are counted in steps of 1/8 LSB around the middle of the converter's range, as its linearity table says (one
// int16_t for each of the 4096 codes). The converter takes the channels in turn: one sample of each is a set.
#ifndef FLUKSOMETER_METERING_H
#define FLUKSOMETER_METERING_H

#include <stdint.h>

enum {
    METERING_CHANNELS = 3,        // most inputs that can be sampled together
    METERING_PAIRS = 3,           // of channels: 0 x 1, 0 x 2, 1 x 2
    METERING_CODES = 4096,        // of a 12-bit converter, entries of a table
    METERING_STEPS = 8,           // steps in one LSB
    METERING_MAX_STEP = 16383,    // largest magnitude of a table's entry: 16 squares of it fit 32 bits
    METERING_MAX_SAMPLES = 131072, // most samples of a channel in one window, so that no 64-bit product can overflow
    METERING_MAX_RATE_HZ = 500000,
    METERING_PART_CHUNKS = 32      // most chunks of the mains wave that are added up before they are looked at
};

// Flags of a window. METERING_GAP is the caller's to set: the core sees no time.
enum {
    METERING_CLIPPED = 1,    // within 24 codes of an end of the converter: the wave may be larger than what was measured
    METERING_GAP = 2,        // samples were lost
    METERING_NO_SIGNAL = 4,  // every sample the same: nothing is connected
    METERING_BIAS_MOVED = 8, // the mean is more than 3 LSB away from that of the window before: a loose plug, or inrush
    METERING_NO_MAINS = 16   // no mains wave on any channel: the window's length is nominal, not whole cycles
};

// One closed window of one channel. Its bytes are the tail of the clamp record (board/shared/records.py).
typedef struct {
    int64_t charge;         // running total over all windows of signed rms x time, 1/1024 step x ms
    uint64_t sum_sq;        // step^2
    int64_t sum;            // step
    uint32_t samples;       // 1..METERING_MAX_SAMPLES
    uint32_t frequency_mhz; // of the mains, the same for all channels; 0: unknown
    int16_t low;            // step, lowest sample
    int16_t high;           // step, highest sample
    uint16_t flags;
    uint16_t cycles;        // of the mains in this window; 0: unknown
} metering_window_t;

// The same window of two channels a < b: mean products around their means, in 1/16 step^2. power = (c0 product + c1 lagged) / 2^14
// is what the totals count, in 1/16 LSB^2 x ms: positive power in `import_total`, negative in `export_total`.
typedef struct {
    int64_t import_total;
    int64_t export_total;
    int64_t product; // of a[n] b[n]
    int64_t lagged;  // of a[n-1] b[n]
    uint32_t samples;
    uint32_t flags;  // those of both channels
} metering_pair_t;

// Where the open window stands. Private to the core, here so that the caller can own it.
typedef struct {
    uint64_t sum_sq;
    int64_t sum;
    int64_t charge;
    int32_t low;
    int32_t high;
    int32_t mean;         // of the window before, 1/16 step
    uint32_t spread;      // how far off that may be, because the window was no whole cycles, 1/16 step
    uint32_t floor_q20;   // variance of the converter's own noise, 2^-20 step^2
    uint32_t charge_rest; // of the division by rate_hz, carried on
} metering_channel_t;

typedef struct {
    int64_t product;      // sum of a[n] b[n]
    int64_t lagged;       // sum of a[n-1] b[n]
    int64_t import_total;
    int64_t export_total;
    uint32_t import_rest; // of the division by 64 rate_hz, carried on
    uint32_t export_rest;
    int32_t c0;           // phase compensation, 2^-14
    int32_t c1;
    int32_t before;       // a[n-1] of the next sample
    uint32_t used;        // 1: this pair is multiplied
} metering_product_t;

// The mains wave, seen through sums over chunks of a few sets of one channel. Heights are such sums x 16, times 1/256 set
// since the window began.
typedef struct {
    uint32_t channel;    // that is watched: the voltage, or else the largest swing
    uint32_t chosen;     // 1: by the caller
    uint32_t chunk;      // sets in a chunk
    uint32_t begun;      // set with which the open chunk began
    uint32_t filled;     // sets in it
    int32_t sum;         // of it
    int32_t level;       // height of the wave's mean
    int32_t band;        // the wave must go this far to both sides of it; 0: not known yet
    int32_t before;      // the chunk before: its height above level
    uint32_t seen;       // 1: there is one
    uint32_t below;      // 1: the wave has risen through -band and not yet through +band
    uint32_t left_at;    // when it did so
    uint32_t crossings;  // counted in this window
    uint32_t first_at;   // time of the first one
    uint32_t last_at;
    uint32_t period_q16; // as measured last, 2^-16 sets; 0: unknown
    uint32_t age;        // windows since then
    uint32_t cycles;     // in the open window as aimed at; 0: its length is nominal
    int32_t carry;       // sets by which the windows so far ended too early: the next ones make up for it
} metering_mains_t;

typedef struct {
    uint32_t channels; // 1..METERING_CHANNELS
    uint32_t rate_hz;  // sets a second, 1..METERING_MAX_RATE_HZ
    uint32_t nominal;  // sets in a window without mains: one second, less where that exceeds METERING_MAX_SAMPLES
    uint32_t target;   // sets in the open window
    uint32_t samples;  // sets in it so far
    uint32_t windows;  // closed since metering_init, wraps
    uint32_t flags;    // of the open window
    uint32_t fresh;    // 1: no sample before the next one
    metering_mains_t mains;
    metering_channel_t open[METERING_CHANNELS];
    metering_product_t products[METERING_PAIRS];
    metering_window_t closed[METERING_CHANNELS]; // the window closed last
    metering_pair_t pairs[METERING_PAIRS];
} metering_t;

// Begin: nothing counted yet, no pair multiplied, no floor. Returns 0, or -1 when an argument is out of its range.
int32_t metering_init(metering_t *m, uint32_t channels, uint32_t rate_hz);

// The table of an ideal converter: 8 steps a code.
void metering_identity(int16_t *table);

// From now on subtract this noise variance (2^-20 step^2) before the root of a channel's charge is taken. Returns 0 or -1.
int32_t metering_floor(metering_t *m, uint32_t channel, uint32_t floor_q20);

// From now on multiply the pair of channels a < b, with this phase compensation in 2^-14 (|c| <= 2^20). A new pair begins
// between two windows only, other numbers for an old one at any time. Returns 0 or -1.
int32_t metering_multiply(metering_t *m, uint32_t a, uint32_t b, int32_t c0, int32_t c1);

// Find the mains on this channel only: the voltage. To be said before the first sample. Returns 0 or -1.
int32_t metering_watch(metering_t *m, uint32_t channel);

// Samples are missing here: times before and after do not belong together. The open window goes on, flagged METERING_GAP.
void metering_break(metering_t *m);

// Add sets x channels interleaved codes; bits above the twelfth are ignored. table: METERING_CODES entries, each of at most
// METERING_MAX_STEP in magnitude. Stops behind the set that closes a window (m->windows grows), so that the caller can take it.
// Returns how many sets were used.
uint32_t metering_fold(metering_t *m, const int16_t *table, const uint16_t *codes, uint32_t sets);

// Root of v rounded to the nearest integer (v at exactly half between two squares does not exist).
uint32_t metering_isqrt(uint64_t v);

// Variance of a window in 2^-20 step^2, rounded down: (samples * sum_sq - sum^2) / samples^2.
uint64_t metering_variance_q20(uint64_t sum_sq, int64_t sum, uint32_t samples);

// The mean product of two channels in 1/16 step^2, their means removed, rounded to nearest: (samples * sum_ab - sum_a * sum_b) / samples^2.
int64_t metering_covariance_q4(int64_t sum_ab, int64_t sum_a, int64_t sum_b, uint32_t samples);

// Between metering.c and mains.c, which follows the wave.
void metering_mains_begin(metering_t *m); // before the first window
void metering_mains_probe(metering_t *m); // enough of the first window has been seen to know the size of the wave
void metering_mains_chunks(metering_t *m, const int32_t *sums, uint32_t count); // chunks of the watched channel are complete
void metering_mains_break(metering_t *m); // samples are missing
uint32_t metering_mains_close(metering_t *m); // a window has ended and its means are known; returns the frequency in mHz or 0

#endif
