#include "metering.h"

enum { PART_SAMPLES = 512 };

static void open_window(metering_t *m) {
    m->samples = 0;
    for (uint32_t c = 0; c < m->channels; c++) {
        metering_channel_t *channel = &m->open[c];
        channel->sum_sq = 0;
        channel->sum = 0;
        channel->low = INT16_MAX;
        channel->high = INT16_MIN;
    }
}

int32_t metering_init(metering_t *m, uint32_t channels, uint32_t window_samples, uint32_t rate_hz) {
    if (channels < 1 || channels > METERING_CHANNELS || window_samples < 1 || window_samples > METERING_MAX_SAMPLES ||
        rate_hz < 1 || rate_hz > METERING_MAX_RATE_HZ) {
        return -1;
    }
    m->channels = channels;
    m->window_samples = window_samples;
    m->rate_hz = rate_hz;
    m->windows = 0;
    for (uint32_t c = 0; c < METERING_CHANNELS; c++) {
        m->open[c].charge = 0;
        m->open[c].charge_rest = 0;
    }
    open_window(m);
    return 0;
}

// At most PART_SAMPLES samples of one channel, stride codes apart. The only loop that runs once a sample.
static void fold_part(metering_channel_t *channel, const uint16_t *code, uint32_t stride, uint32_t samples) {
    const uint16_t *end = code + samples * stride;
    uint32_t part_sq = 0;
    int32_t part_sum = 0;
    int32_t low = channel->low;
    int32_t high = channel->high;
    while (code != end) {
        int32_t x = (int32_t)*code - METERING_MID_CODE;
        code += stride;
        part_sum += x;
        part_sq += (uint32_t)(x * x);
        if (x < low) {
            low = x;
        }
        if (x > high) {
            high = x;
        }
    }
    channel->low = low;
    channel->high = high;
    channel->sum += part_sum;
    channel->sum_sq += part_sq;
}

uint32_t metering_isqrt(uint64_t v) {
    uint64_t root = 0;
    for (uint64_t bit = (uint64_t)1 << 62; bit != 0; bit >>= 2) {
        if (v >= root + bit) {
            v -= root + bit;
            root = (root >> 1) + bit;
        } else {
            root >>= 1;
        }
    }
    return (uint32_t)(v > root ? root + 1 : root); // v is now the remainder: above root means above root + 1/2
}

uint64_t metering_variance_q20(uint64_t sum_sq, int64_t sum, uint32_t samples) {
    // samples <= 2^20 and |x| <= 2^11: every product stays below 2^63. Dividing twice by samples rounds as dividing once by its square.
    uint64_t size = sum < 0 ? (uint64_t)-sum : (uint64_t)sum;
    uint64_t spread = samples * sum_sq - size * size;
    uint64_t whole = spread / samples;
    uint64_t rest = spread % samples;
    return ((whole << 20) + (rest << 20) / samples) / samples;
}

// rms <= 2^21 and samples <= 2^20: the product stays below 2^52.
static void add_charge(metering_channel_t *channel, uint32_t rms_q10, uint32_t samples, uint32_t rate_hz) {
    uint64_t grown = (uint64_t)rms_q10 * samples * 1000 + channel->charge_rest;
    channel->charge += grown / rate_hz;
    channel->charge_rest = (uint32_t)(grown % rate_hz);
}

static void close_window(metering_t *m) {
    for (uint32_t c = 0; c < m->channels; c++) {
        metering_channel_t *open = &m->open[c];
        metering_window_t *closed = &m->closed[c];
        uint64_t variance_q20 = metering_variance_q20(open->sum_sq, open->sum, m->samples);
        add_charge(open, metering_isqrt(variance_q20), m->samples, m->rate_hz);
        closed->charge = open->charge;
        closed->sum_sq = open->sum_sq;
        closed->sum = open->sum;
        closed->samples = m->samples;
        closed->low = (int16_t)open->low;
        closed->high = (int16_t)open->high;
    }
    m->windows++;
    open_window(m);
}

uint32_t metering_fold(metering_t *m, const uint16_t *codes, uint32_t sets) {
    uint32_t used = 0;
    while (used < sets) {
        uint32_t part = m->window_samples - m->samples;
        if (part > sets - used) {
            part = sets - used;
        }
        if (part > PART_SAMPLES) {
            part = PART_SAMPLES;
        }
        for (uint32_t c = 0; c < m->channels; c++) {
            fold_part(&m->open[c], codes + used * m->channels + c, m->channels, part);
        }
        used += part;
        m->samples += part;
        if (m->samples == m->window_samples) {
            close_window(m);
            break;
        }
    }
    return used;
}
