// The metering core: interleaved 12-bit samples in, exact integer sums per window out.
// C99 integers only; no heap, no globals, no MicroPython: the same source runs on the board and, through cffi, on the host.
// Only typedefs, prototypes and comments below the includes: native/build_cffi.py reads this file.
#ifndef FLUKSOMETER_METERING_H
#define FLUKSOMETER_METERING_H

#include <stdint.h>

enum {
    METERING_CHANNELS = 3,       // most clamps that can be sampled together
    METERING_MID_CODE = 2048,    // the bias of the front end; sums are of codes minus this
    METERING_MAX_SAMPLES = 1048576, // most samples of a channel in one window, so that no 64-bit product can overflow
    METERING_MAX_RATE_HZ = 500000
};

// One closed window of one channel. Its bytes are the tail of the clamp record (board/shared/records.py).
typedef struct {
    uint64_t charge;  // running total over all windows of rms x time, 1/1024 LSB x ms
    uint64_t sum_sq;  // LSB^2
    int64_t sum;      // LSB
    uint32_t samples; // 1..METERING_MAX_SAMPLES
    int16_t low;      // LSB, lowest sample
    int16_t high;     // LSB, highest sample
} metering_window_t;

// The window being filled. Partial sums are 32 bits wide (a 64-bit add costs four times as much on a Cortex-M0+)
// and move to the wide ones at least every 512 samples: 512 x 2048^2 < 2^32.
typedef struct {
    uint64_t charge;
    uint64_t sum_sq;
    int64_t sum;
    int32_t low;
    int32_t high;
    uint32_t charge_rest; // of the division by rate_hz, carried on
    uint32_t unused;      // the same layout on every chip
} metering_channel_t;

typedef struct {
    uint32_t channels;       // 1..METERING_CHANNELS
    uint32_t window_samples; // samples of each channel in a window, 1..METERING_MAX_SAMPLES
    uint32_t rate_hz;        // samples of each channel a second, 1..METERING_MAX_RATE_HZ
    uint32_t samples;        // of each channel in the open window so far
    uint32_t windows;        // closed since metering_init, wraps
    uint32_t unused;
    metering_channel_t open[METERING_CHANNELS];
    metering_window_t closed[METERING_CHANNELS]; // the window closed last
} metering_t;

// Begin: nothing counted yet. Returns 0, or -1 when an argument is out of its range.
int32_t metering_init(metering_t *m, uint32_t channels, uint32_t window_samples, uint32_t rate_hz);

// Add sets x channels interleaved codes (0..4095). Stops behind the set that closes a window (m->windows grows),
// so that the caller can take it. Returns how many sets were used.
uint32_t metering_fold(metering_t *m, const uint16_t *codes, uint32_t sets);

// Root of v rounded to the nearest integer (v at exactly half between two squares does not exist).
uint32_t metering_isqrt(uint64_t v);

// Variance of a window in 2^-20 LSB^2, rounded down: (samples * sum_sq - sum^2) / samples^2.
uint64_t metering_variance_q20(uint64_t sum_sq, int64_t sum, uint32_t samples);

#endif
