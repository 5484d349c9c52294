#include "metering.h"

enum { PROBE = 16, END_CODES = 24, BIAS_STEPS = 3 * METERING_STEPS };

static void open_window(metering_t *m) {
    m->samples = 0;
    m->flags = 0;
    for (uint32_t c = 0; c < METERING_CHANNELS; c++) {
        metering_channel_t *channel = &m->open[c];
        channel->sum_sq = 0;
        channel->sum = 0;
        channel->low = INT16_MAX;
        channel->high = INT16_MIN;
    }
    for (uint32_t p = 0; p < METERING_PAIRS; p++) {
        m->products[p].product = 0;
        m->products[p].lagged = 0;
    }
}

int32_t metering_init(metering_t *m, uint32_t channels, uint32_t rate_hz) {
    if (channels < 1 || channels > METERING_CHANNELS || rate_hz < 1 || rate_hz > METERING_MAX_RATE_HZ) {
        return -1;
    }
    m->channels = channels;
    m->rate_hz = rate_hz;
    m->nominal = rate_hz;
    while (m->nominal > METERING_MAX_SAMPLES - METERING_MAX_SAMPLES / 8) {
        m->nominal /= 2;
    }
    m->windows = 0;
    m->fresh = 1;
    for (uint32_t c = 0; c < METERING_CHANNELS; c++) {
        metering_channel_t *channel = &m->open[c];
        channel->charge = 0;
        channel->charge_rest = 0;
        channel->floor_q20 = 0;
        channel->mean = 0;
        channel->spread = UINT16_MAX * 16; // of no window before: it may be anywhere
    }
    for (uint32_t p = 0; p < METERING_PAIRS; p++) {
        metering_product_t *product = &m->products[p];
        product->import_total = 0;
        product->export_total = 0;
        product->import_rest = 0;
        product->export_rest = 0;
        product->used = 0;
    }
    open_window(m);
    metering_mains_begin(m);
    return 0;
}

void metering_identity(int16_t *table) {
    for (int32_t code = 0; code < METERING_CODES; code++) {
        table[code] = (int16_t)((code - METERING_CODES / 2) * METERING_STEPS);
    }
    table[0] = -METERING_MAX_STEP; // one step short: at the converter's end nothing is measured anyway
}

int32_t metering_floor(metering_t *m, uint32_t channel, uint32_t floor_q20) {
    if (channel >= m->channels) {
        return -1;
    }
    m->open[channel].floor_q20 = floor_q20;
    return 0;
}

int32_t metering_multiply(metering_t *m, uint32_t a, uint32_t b, int32_t c0, int32_t c1) {
    const int32_t most = 1 << 20;
    if (a >= b || b >= m->channels || c0 > most || c0 < -most || c1 > most || c1 < -most) {
        return -1;
    }
    metering_product_t *product = &m->products[a + b - 1];
    if (!product->used && m->samples != 0) {
        return -1; // its first window would be a part of one
    }
    product->c0 = c0;
    product->c1 = c1;
    if (!product->used) {
        product->used = 1;
        m->fresh = 1;
    }
    return 0;
}

int32_t metering_watch(metering_t *m, uint32_t channel) {
    if (channel >= m->channels || m->windows != 0 || m->samples != 0) {
        return -1;
    }
    m->mains.channel = channel;
    m->mains.chosen = 1;
    return 0;
}

void metering_break(metering_t *m) {
    m->flags |= METERING_GAP;
    m->fresh = 1;
    metering_mains_break(m);
}

// The loop that runs once a sample. Squares are added up 32 bits wide: a 64-bit add costs four times as much on a Cortex-M0+.
// Chunks have 16 samples at most, and 16 x METERING_MAX_STEP^2 < 2^32. Two samples at a time, because of two only the lower
// one can be the lowest and only the higher one the highest.
static inline void fold_stride(metering_channel_t *channel, const int16_t *table, const uint16_t *code, uint32_t samples,
                               uint32_t first, uint32_t chunk, int32_t *sums, const uint32_t stride) {
    int32_t low = channel->low;
    int32_t high = channel->high;
    int32_t total = 0; // a part has at most METERING_PART_CHUNKS x 16 samples
    uint32_t part = first;
    while (samples != 0) {
        if (part > samples) {
            part = samples;
        }
        samples -= part;
        int32_t sum = 0;
        uint32_t square = 0;
        for (uint32_t pairs = part / 2; pairs != 0; pairs--) {
            int32_t x = table[code[0] & (METERING_CODES - 1)];
            int32_t y = table[code[stride] & (METERING_CODES - 1)];
            sum += x + y;
            if (x < y) {
                low = x < low ? x : low;
                high = y > high ? y : high;
            } else {
                low = y < low ? y : low;
                high = x > high ? x : high;
            }
            square += (uint32_t)(x * x);
            square += (uint32_t)(y * y);
            code += 2 * stride;
        }
        if (part & 1) {
            int32_t x = table[*code & (METERING_CODES - 1)];
            code += stride;
            sum += x;
            square += (uint32_t)(x * x);
            low = x < low ? x : low;
            high = x > high ? x : high;
        }
        *sums++ = sum;
        total += sum;
        channel->sum_sq += square;
        part = chunk;
    }
    channel->low = low;
    channel->high = high;
    channel->sum += total;
}

static void fold_channel(metering_t *m, uint32_t c, const int16_t *table, const uint16_t *codes, uint32_t sets, int32_t *sums) {
    uint32_t chunk = m->mains.chunk;
    uint32_t first = chunk - m->mains.filled;
    metering_channel_t *channel = &m->open[c];
    if (m->channels == 3) {
        fold_stride(channel, table, codes + c, sets, first, chunk, sums, 3);
    } else if (m->channels == 2) {
        fold_stride(channel, table, codes + c, sets, first, chunk, sums, 2);
    } else {
        fold_stride(channel, table, codes, sets, first, chunk, sums, 1);
    }
}

static void multiply(metering_product_t *product, const int16_t *table, const uint16_t *a, const uint16_t *b, uint32_t stride,
                     uint32_t sets) {
    int32_t before = product->before;
    while (sets != 0) {
        uint32_t part = sets < 4 ? sets : 4; // 4 x 2^28 fit 32 bits with a sign
        sets -= part;
        int32_t now = 0;
        int32_t lagged = 0;
        for (; part != 0; part--) {
            int32_t x = table[*a & (METERING_CODES - 1)];
            int32_t y = table[*b & (METERING_CODES - 1)];
            now += x * y;
            lagged += before * y;
            before = x;
            a += stride;
            b += stride;
        }
        product->product += now;
        product->lagged += lagged;
    }
    product->before = before;
}

static void multiply_pairs(metering_t *m, const int16_t *table, const uint16_t *codes, uint32_t sets) {
    for (uint32_t a = 0; a + 1 < m->channels; a++) {
        for (uint32_t b = a + 1; b < m->channels; b++) {
            metering_product_t *product = &m->products[a + b - 1];
            if (product->used) {
                if (m->fresh) {
                    product->before = table[codes[a] & (METERING_CODES - 1)];
                }
                multiply(product, table, codes + a, codes + b, m->channels, sets);
            }
        }
    }
    m->fresh = 0;
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
    // v is now the remainder: above root means above root + 1/2.
    return (uint32_t)(v > root && root < UINT32_MAX ? root + 1 : root);
}

static uint64_t size_of(int64_t v) {
    return v < 0 ? -(uint64_t)v : (uint64_t)v;
}

// numerator / samples^2 in 2^-bits, rounded down. Dividing twice by samples rounds as dividing once by its square.
// samples <= 2^17 and numerator < 2^62, so that no shift overflows for bits <= 20.
static uint64_t divide_twice(uint64_t numerator, uint32_t samples, uint32_t bits) {
    uint64_t whole = numerator / samples;
    uint64_t rest = numerator % samples;
    return (whole / samples << bits) + (((whole % samples) << bits) + (rest << bits) / samples) / samples;
}

uint64_t metering_variance_q20(uint64_t sum_sq, int64_t sum, uint32_t samples) {
    return divide_twice(samples * sum_sq - size_of(sum) * size_of(sum), samples, 20);
}

int64_t metering_covariance_q4(int64_t sum_ab, int64_t sum_a, int64_t sum_b, uint32_t samples) {
    int64_t spread = sum_ab * (int64_t)samples - sum_a * sum_b;
    uint64_t size = (divide_twice(size_of(spread), samples, 5) + 1) / 2;
    return spread < 0 ? -(int64_t)size : (int64_t)size;
}

// The root keeps the sign of what is left of the variance without the noise, so that noise alone adds nothing on average.
static void add_charge(const metering_t *m, metering_channel_t *channel) {
    int64_t rest_q20 = (int64_t)metering_variance_q20(channel->sum_sq, channel->sum, m->samples) - channel->floor_q20;
    int64_t rms_q10 = metering_isqrt(size_of(rest_q20));
    // rms <= 2^24 and samples <= 2^17: the product stays below 2^52.
    int64_t grown = (rest_q20 < 0 ? -rms_q10 : rms_q10) * m->samples * 1000 + channel->charge_rest;
    int64_t whole = grown / m->rate_hz;
    int64_t rest = grown % m->rate_hz;
    if (rest < 0) {
        whole--;
        rest += m->rate_hz;
    }
    channel->charge += whole;
    channel->charge_rest = (uint32_t)rest;
}

static void add_energy(const metering_t *m, metering_product_t *product, const metering_pair_t *pair) {
    int64_t weighted = pair->product * product->c0 + pair->lagged * product->c1;
    const uint64_t most = (uint64_t)1 << 33; // twice what two full square waves give: only absurd compensation reaches it
    uint64_t power_q4 = (size_of(weighted) + (1 << 13)) >> 14;
    power_q4 = power_q4 > most ? most : power_q4;
    int64_t *total = weighted < 0 ? &product->export_total : &product->import_total;
    uint32_t *rest = weighted < 0 ? &product->export_rest : &product->import_rest;
    uint64_t divisor = (uint64_t)m->rate_hz * 64; // steps^2 to LSB^2
    uint64_t grown = power_q4 * m->samples * 1000 + *rest;
    *total += (int64_t)(grown / divisor);
    *rest = (uint32_t)(grown % divisor);
}

static uint32_t distance(int32_t a, int32_t b) {
    return a > b ? (uint32_t)(a - b) : (uint32_t)(b - a);
}

static uint32_t channel_flags(metering_t *m, metering_channel_t *channel, const int16_t *table) {
    uint32_t flags = m->flags;
    int32_t mean = (int32_t)(channel->sum * 16 / (int64_t)m->samples);
    // The mean of a wave cut anywhere in its cycle is off by up to its peak / (pi x cycles).
    uint32_t spread = m->mains.cycles && !(m->flags & METERING_GAP) ? 0 : (uint32_t)(channel->high - channel->low) / 4;
    if (distance(mean, channel->mean) > BIAS_STEPS * 16 + channel->spread + spread) {
        flags |= METERING_BIAS_MOVED;
    }
    channel->mean = mean;
    channel->spread = spread;
    // A pin that stops at its supply reads some codes short of the end (13 to 16 on measured chips), not 0 or 4095.
    if (channel->low <= table[END_CODES] || channel->high >= table[METERING_CODES - 1 - END_CODES]) {
        flags |= METERING_CLIPPED;
    }
    return channel->low == channel->high ? flags | METERING_NO_SIGNAL : flags;
}

static void close_channel(metering_t *m, uint32_t c, const int16_t *table) {
    metering_channel_t *open = &m->open[c];
    metering_window_t *closed = &m->closed[c];
    add_charge(m, open);
    closed->charge = open->charge;
    closed->sum_sq = open->sum_sq;
    closed->sum = open->sum;
    closed->samples = m->samples;
    closed->low = (int16_t)open->low;
    closed->high = (int16_t)open->high;
    closed->flags = (uint16_t)channel_flags(m, open, table);
    closed->cycles = (uint16_t)m->mains.cycles;
}

static void close_pair(metering_t *m, uint32_t a, uint32_t b) {
    metering_product_t *product = &m->products[a + b - 1];
    metering_pair_t *closed = &m->pairs[a + b - 1];
    closed->product = metering_covariance_q4(product->product, m->open[a].sum, m->open[b].sum, m->samples);
    closed->lagged = metering_covariance_q4(product->lagged, m->open[a].sum, m->open[b].sum, m->samples);
    add_energy(m, product, closed);
    closed->import_total = product->import_total;
    closed->export_total = product->export_total;
    closed->samples = m->samples;
    closed->flags = m->closed[a].flags | m->closed[b].flags;
}

static void close_window(metering_t *m, const int16_t *table) {
    if (m->mains.cycles == 0) {
        m->flags |= METERING_NO_MAINS;
    }
    for (uint32_t c = 0; c < m->channels; c++) {
        close_channel(m, c, table);
    }
    for (uint32_t a = 0; a + 1 < m->channels; a++) {
        for (uint32_t b = a + 1; b < m->channels; b++) {
            if (m->products[a + b - 1].used) {
                close_pair(m, a, b);
            }
        }
    }
    uint32_t frequency_mhz = metering_mains_close(m);
    for (uint32_t c = 0; c < m->channels; c++) {
        m->closed[c].frequency_mhz = frequency_mhz;
    }
    m->windows++;
    open_window(m);
}

// How many sets may be added before something has to be decided: not behind the window's end, the probe, or METERING_PART_CHUNKS chunks.
static uint32_t part_of(const metering_t *m, uint32_t sets) {
    uint32_t part = m->target - m->samples;
    uint32_t probe = m->nominal / PROBE + 1;
    if (m->mains.band == 0 && m->samples < probe && part > probe - m->samples) {
        part = probe - m->samples;
    }
    uint32_t most = METERING_PART_CHUNKS * m->mains.chunk - m->mains.filled;
    part = part > most ? most : part;
    return part > sets ? sets : part;
}

static void fold_part(metering_t *m, const int16_t *table, const uint16_t *codes, uint32_t part) {
    metering_mains_t *mains = &m->mains;
    int32_t watched[METERING_PART_CHUNKS];
    int32_t others[METERING_PART_CHUNKS];
    for (uint32_t c = 0; c < m->channels; c++) {
        fold_channel(m, c, table, codes, part, c == mains->channel ? watched : others);
    }
    multiply_pairs(m, table, codes, part);
    watched[0] += mains->sum;
    m->samples += part;
    uint32_t whole = (mains->filled + part) / mains->chunk;
    mains->filled = (mains->filled + part) % mains->chunk;
    mains->sum = mains->filled ? watched[whole] : 0;
    metering_mains_chunks(m, watched, whole);
}

uint32_t metering_fold(metering_t *m, const int16_t *table, const uint16_t *codes, uint32_t sets) {
    uint32_t used = 0;
    while (used < sets) {
        uint32_t part = part_of(m, sets - used);
        fold_part(m, table, codes + used * m->channels, part);
        used += part;
        if (m->samples >= m->target) {
            close_window(m, table);
            break;
        }
        if (m->mains.band == 0 && m->samples > m->nominal / PROBE) {
            metering_mains_probe(m);
        }
    }
    return used;
}
