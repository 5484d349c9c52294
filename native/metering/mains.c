// When does a whole number of mains cycles end? A wave rises through its mean once a cycle; noise and flat stretches (the
// current of a rectifier is zero most of the time) make that moment vague. So the moment counted lies midway between
// the last rise through -band and the next rise through +band, a quarter of the wave's peak to either side: both are steep.
#include "metering.h"

enum { LOWEST_HZ = 45, HIGHEST_HZ = 65, LEAST_CROSSINGS = 5, BELIEVED_WINDOWS = 10, LEAST_BAND = 3 * METERING_STEPS };

static void forget_crossings(metering_mains_t *mains, uint32_t at) {
    mains->begun = at;
    mains->filled = 0;
    mains->sum = 0;
    mains->seen = 0;
    mains->below = 0;
    mains->crossings = 0;
}

static uint32_t swing_of(const metering_channel_t *channel) {
    return channel->high > channel->low ? (uint32_t)(channel->high - channel->low) : 0;
}

// The channel that swings most, but not another one at each little change.
static void choose_channel(metering_t *m) {
    metering_mains_t *mains = &m->mains;
    for (uint32_t c = 0; c < m->channels && !mains->chosen; c++) {
        if (swing_of(&m->open[c]) > 2 * swing_of(&m->open[mains->channel])) {
            mains->channel = c;
        }
    }
}

// middle: of the watched channel's wave, 1/16 step
static void set_band(metering_t *m, int32_t middle) {
    metering_mains_t *mains = &m->mains;
    uint32_t band = swing_of(&m->open[mains->channel]) / 8;
    mains->level = middle * (int32_t)mains->chunk;
    mains->band = (int32_t)((band > LEAST_BAND ? band : LEAST_BAND) * 16 * mains->chunk);
}

// The open window shall have whole cycles of the period as it is known now, and end near the nominal grid: so that there is
// one window in each second whatever the frequency.
static void aim(metering_t *m) {
    uint64_t period_q16 = m->mains.period_q16;
    uint64_t wanted_q16 = (uint64_t)(m->nominal + (uint32_t)m->mains.carry) << 16;
    uint64_t cycles = (wanted_q16 + period_q16 / 2) / period_q16;
    uint32_t target = (uint32_t)((cycles * period_q16 + (1 << 15)) >> 16);
    // Samples so far behind the last chunk may have been added already: too late to end before them.
    if (target >= m->mains.begun + METERING_PART_CHUNKS * m->mains.chunk) {
        m->mains.cycles = (uint32_t)cycles;
        m->target = target;
    }
}

// Noise has no rhythm: what is no interval of the mains, or beside the mean of those before by more than an eighth, begins
// the count anew.
static int is_regular(const metering_t *m, uint64_t interval) {
    const metering_mains_t *mains = &m->mains;
    uint64_t second = (uint64_t)m->rate_hz << 8;
    uint64_t counted = mains->last_at - mains->first_at;
    uint64_t expected = interval * (mains->crossings - 1);
    uint64_t beside = expected > counted ? expected - counted : counted - expected;
    return interval * HIGHEST_HZ >= second && interval * LOWEST_HZ <= second && beside * 8 <= counted;
}

static void count_crossing(metering_t *m, uint32_t at) {
    metering_mains_t *mains = &m->mains;
    if (mains->crossings != 0 && !is_regular(m, at - mains->last_at)) {
        mains->crossings = 0;
    }
    if (mains->crossings == 0) {
        mains->first_at = at;
    }
    mains->last_at = at;
    mains->crossings++;
    if (mains->crossings >= LEAST_CROSSINGS) {
        mains->period_q16 = (uint32_t)(((uint64_t)(at - mains->first_at) << 8) / (mains->crossings - 1));
        mains->age = 0;
        aim(m);
    }
}

// When the straight line from the chunk before (which ended chunk sets earlier) to this height reached `wanted`.
static uint32_t time_of(const metering_mains_t *mains, int32_t wanted, int32_t height, uint32_t at) {
    uint64_t back = (uint64_t)(uint32_t)(height - wanted) * (mains->chunk << 8) / (uint32_t)(height - mains->before);
    return at - (uint32_t)back;
}

void metering_mains_chunks(metering_t *m, const int32_t *sums, uint32_t count) {
    metering_mains_t *mains = &m->mains;
    for (; count != 0; count--) {
        int32_t height = *sums++ * 16 - mains->level;
        mains->begun += mains->chunk;
        if (mains->band == 0) {
            continue;
        }
        if (mains->seen && mains->before < mains->band && height >= -mains->band) {
            uint32_t at = mains->begun << 8;
            if (mains->before < -mains->band) {
                mains->left_at = time_of(mains, -mains->band, height, at);
                mains->below = 1;
            }
            if (mains->below && height >= mains->band) {
                uint32_t right_at = time_of(mains, mains->band, height, at);
                mains->below = 0;
                count_crossing(m, mains->left_at + (right_at - mains->left_at) / 2);
            }
        }
        mains->before = height;
        mains->seen = 1;
    }
}

void metering_mains_begin(metering_t *m) {
    metering_mains_t *mains = &m->mains;
    // The sums of 16 samples at most, so that heights fit 32 bits; 0.8 ms, so that a straight line fits the wave.
    uint32_t chunk = m->rate_hz / 1250;
    mains->chunk = chunk < 1 ? 1 : chunk > 16 ? 16 : chunk;
    mains->channel = 0;
    mains->chosen = 0;
    mains->band = 0;
    mains->period_q16 = 0;
    mains->cycles = 0;
    mains->carry = 0;
    m->target = m->nominal;
    forget_crossings(mains, 0);
}

void metering_mains_probe(metering_t *m) {
    choose_channel(m);
    const metering_channel_t *watched = &m->open[m->mains.channel];
    set_band(m, (watched->low + watched->high) * 8);
    forget_crossings(&m->mains, m->samples);
}

void metering_mains_break(metering_t *m) {
    forget_crossings(&m->mains, m->samples);
}

uint32_t metering_mains_close(metering_t *m) {
    metering_mains_t *mains = &m->mains;
    uint32_t frequency_mhz = 0;
    if (mains->crossings >= LEAST_CROSSINGS) {
        frequency_mhz = (uint32_t)((((uint64_t)m->rate_hz * 1000 << 16) + mains->period_q16 / 2) / mains->period_q16);
    } else if (++mains->age > BELIEVED_WINDOWS) {
        mains->period_q16 = 0;
    }
    choose_channel(m);
    set_band(m, m->open[mains->channel].mean);
    forget_crossings(mains, 0);
    mains->carry += (int32_t)(m->nominal - m->samples);
    m->target = m->nominal;
    mains->cycles = 0;
    if (mains->period_q16 != 0) {
        aim(m);
    }
    return frequency_mhz;
}
