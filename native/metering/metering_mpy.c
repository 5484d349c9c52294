// MicroPython's view of the metering core: checks every argument, then forwards. A pointer that got past here would reset the chip.
#include "py/dynruntime.h"

#include "metering.h"

static metering_t *state_of(mp_obj_t state_in) {
    mp_buffer_info_t buffer;
    mp_get_buffer_raise(state_in, &buffer, MP_BUFFER_RW);
    if (buffer.len != sizeof(metering_t) || ((uintptr_t)buffer.buf & 7) != 0) {
        mp_raise_ValueError(MP_ERROR_TEXT("state: want bytearray(STATE_BYTES)"));
    }
    return buffer.buf;
}

static metering_t *begun_state_of(mp_obj_t state_in) {
    metering_t *m = state_of(state_in);
    if (m->channels < 1 || m->channels > METERING_CHANNELS || m->samples >= m->target) {
        mp_raise_ValueError(MP_ERROR_TEXT("state: call init first"));
    }
    return m;
}

static int16_t *table_of(mp_obj_t table_in, mp_uint_t flags) {
    mp_buffer_info_t table;
    mp_get_buffer_raise(table_in, &table, flags);
    if (table.typecode != 'h' || table.len != METERING_CODES * sizeof(int16_t) || ((uintptr_t)table.buf & 1) != 0) {
        mp_raise_ValueError(MP_ERROR_TEXT("table: want array('h') of 4096"));
    }
    return table.buf;
}

static uint32_t count_of(mp_obj_t value_in, uint32_t top) {
    mp_int_t value = mp_obj_get_int(value_in);
    if (value < 0 || (mp_uint_t)value > top) {
        mp_raise_ValueError(MP_ERROR_TEXT("number out of range"));
    }
    return (uint32_t)value;
}

static mp_obj_t done(int32_t result) {
    if (result != 0) {
        mp_raise_ValueError(MP_ERROR_TEXT("number out of range"));
    }
    return mp_const_none;
}

// identity(table): fills array('h') of 4096 with the table of an ideal converter
static mp_obj_t identity(mp_obj_t table_in) {
    metering_identity(table_of(table_in, MP_BUFFER_RW));
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(identity_obj, identity);

// init(state, channels, rate_hz)
static mp_obj_t init(mp_obj_t state_in, mp_obj_t channels_in, mp_obj_t rate_in) {
    metering_t *m = state_of(state_in);
    return done(metering_init(m, count_of(channels_in, METERING_CHANNELS), count_of(rate_in, METERING_MAX_RATE_HZ)));
}
static MP_DEFINE_CONST_FUN_OBJ_3(init_obj, init);

// noise(state, channel, floor_q20)
static mp_obj_t noise(mp_obj_t state_in, mp_obj_t channel_in, mp_obj_t floor_in) {
    metering_t *m = begun_state_of(state_in);
    return done(metering_floor(m, count_of(channel_in, METERING_CHANNELS), count_of(floor_in, INT32_MAX)));
}
static MP_DEFINE_CONST_FUN_OBJ_3(noise_obj, noise);

static int32_t coefficient_of(mp_obj_t value_in) {
    mp_int_t value = mp_obj_get_int(value_in);
    if (value < -(1 << 20) || value > 1 << 20) {
        mp_raise_ValueError(MP_ERROR_TEXT("number out of range"));
    }
    return (int32_t)value;
}

// multiply(state, a, b, c0, c1)
static mp_obj_t multiply(size_t n_args, const mp_obj_t *args) {
    (void)n_args;
    metering_t *m = begun_state_of(args[0]);
    uint32_t a = count_of(args[1], METERING_CHANNELS);
    uint32_t b = count_of(args[2], METERING_CHANNELS);
    return done(metering_multiply(m, a, b, coefficient_of(args[3]), coefficient_of(args[4])));
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(multiply_obj, 5, 5, multiply);

// watch(state, channel)
static mp_obj_t watch(mp_obj_t state_in, mp_obj_t channel_in) {
    metering_t *m = begun_state_of(state_in);
    return done(metering_watch(m, count_of(channel_in, METERING_CHANNELS)));
}
static MP_DEFINE_CONST_FUN_OBJ_2(watch_obj, watch);

// gap(state): samples are missing here
static mp_obj_t gap(mp_obj_t state_in) {
    metering_break(begun_state_of(state_in));
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(gap_obj, gap);

// fold(state, table, ring, first, sets) -> sets used; ring: array('H'), first: index of the first code to fold
static mp_obj_t fold(size_t n_args, const mp_obj_t *args) {
    (void)n_args;
    metering_t *m = begun_state_of(args[0]);
    const int16_t *table = table_of(args[1], MP_BUFFER_READ);
    mp_buffer_info_t ring;
    mp_get_buffer_raise(args[2], &ring, MP_BUFFER_READ);
    if (ring.typecode != 'H' || ((uintptr_t)ring.buf & 1) != 0) {
        mp_raise_ValueError(MP_ERROR_TEXT("ring: want array('H')"));
    }
    uint32_t codes = (uint32_t)(ring.len / 2);
    uint32_t first = count_of(args[3], codes);
    uint32_t sets = count_of(args[4], (codes - first) / m->channels);
    return mp_obj_new_int_from_uint(metering_fold(m, table, (const uint16_t *)ring.buf + first, sets));
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(fold_obj, 5, 5, fold);

// windows(state) -> windows closed since init
static mp_obj_t windows(mp_obj_t state_in) {
    return mp_obj_new_int_from_uint(begun_state_of(state_in)->windows);
}
static MP_DEFINE_CONST_FUN_OBJ_1(windows_obj, windows);

static mp_obj_t copy_out(const mp_obj_t *args, const void *from, size_t size) {
    mp_buffer_info_t out;
    mp_get_buffer_raise(args[2], &out, MP_BUFFER_WRITE);
    if (out.len < size) {
        mp_raise_ValueError(MP_ERROR_TEXT("out: too short"));
    }
    uint32_t at = count_of(args[3], (uint32_t)(out.len - size));
    for (size_t i = 0; i < size; i++) {
        ((uint8_t *)out.buf)[at + i] = ((const uint8_t *)from)[i];
    }
    return mp_const_none;
}

static metering_t *closed_state_of(mp_obj_t state_in) {
    metering_t *m = begun_state_of(state_in);
    if (m->windows == 0) {
        mp_raise_ValueError(MP_ERROR_TEXT("no window closed yet"));
    }
    return m;
}

// take(state, channel, out, at): writes the WINDOW_BYTES of the window closed last into out, from byte at
static mp_obj_t take(size_t n_args, const mp_obj_t *args) {
    (void)n_args;
    metering_t *m = closed_state_of(args[0]);
    return copy_out(args, &m->closed[count_of(args[1], m->channels - 1)], sizeof(metering_window_t));
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(take_obj, 4, 4, take);

// take_pair(state, pair, out, at): the same for the PAIR_BYTES of a pair; pair: a + b - 1
static mp_obj_t take_pair(size_t n_args, const mp_obj_t *args) {
    (void)n_args;
    metering_t *m = closed_state_of(args[0]);
    uint32_t pair = count_of(args[1], METERING_PAIRS - 1);
    if (!m->products[pair].used) {
        mp_raise_ValueError(MP_ERROR_TEXT("pair: not multiplied"));
    }
    return copy_out(args, &m->pairs[pair], sizeof(metering_pair_t));
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(take_pair_obj, 4, 4, take_pair);

// pick(ring, first, stride, out): every stride-th code from first on into out, both array('H'), as many as out holds
static mp_obj_t pick(size_t n_args, const mp_obj_t *args) {
    (void)n_args;
    mp_buffer_info_t ring, out;
    mp_get_buffer_raise(args[0], &ring, MP_BUFFER_READ);
    mp_get_buffer_raise(args[3], &out, MP_BUFFER_WRITE);
    if (ring.typecode != 'H' || out.typecode != 'H' || (((uintptr_t)ring.buf | (uintptr_t)out.buf) & 1) != 0) {
        mp_raise_ValueError(MP_ERROR_TEXT("ring, out: want array('H')"));
    }
    uint32_t codes = (uint32_t)(ring.len / 2);
    uint32_t wanted = (uint32_t)(out.len / 2);
    uint32_t first = count_of(args[1], codes);
    uint32_t stride = count_of(args[2], METERING_CHANNELS);
    if (stride == 0 || (wanted != 0 && (wanted - 1) * stride + first >= codes)) {
        mp_raise_ValueError(MP_ERROR_TEXT("ring: too short"));
    }
    const uint16_t *from = (const uint16_t *)ring.buf + first;
    for (uint32_t i = 0; i < wanted; i++) {
        ((uint16_t *)out.buf)[i] = from[i * stride];
    }
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(pick_obj, 4, 4, pick);

mp_obj_t mpy_init(mp_obj_fun_bc_t *self, size_t n_args, size_t n_kw, mp_obj_t *args) {
    MP_DYNRUNTIME_INIT_ENTRY
    mp_store_global(MP_QSTR_STATE_BYTES, MP_OBJ_NEW_SMALL_INT(sizeof(metering_t)));
    mp_store_global(MP_QSTR_WINDOW_BYTES, MP_OBJ_NEW_SMALL_INT(sizeof(metering_window_t)));
    mp_store_global(MP_QSTR_PAIR_BYTES, MP_OBJ_NEW_SMALL_INT(sizeof(metering_pair_t)));
    mp_store_global(MP_QSTR_identity, MP_OBJ_FROM_PTR(&identity_obj));
    mp_store_global(MP_QSTR_init, MP_OBJ_FROM_PTR(&init_obj));
    mp_store_global(MP_QSTR_noise, MP_OBJ_FROM_PTR(&noise_obj));
    mp_store_global(MP_QSTR_multiply, MP_OBJ_FROM_PTR(&multiply_obj));
    mp_store_global(MP_QSTR_watch, MP_OBJ_FROM_PTR(&watch_obj));
    mp_store_global(MP_QSTR_gap, MP_OBJ_FROM_PTR(&gap_obj));
    mp_store_global(MP_QSTR_fold, MP_OBJ_FROM_PTR(&fold_obj));
    mp_store_global(MP_QSTR_windows, MP_OBJ_FROM_PTR(&windows_obj));
    mp_store_global(MP_QSTR_take, MP_OBJ_FROM_PTR(&take_obj));
    mp_store_global(MP_QSTR_take_pair, MP_OBJ_FROM_PTR(&take_pair_obj));
    mp_store_global(MP_QSTR_pick, MP_OBJ_FROM_PTR(&pick_obj));
    MP_DYNRUNTIME_INIT_EXIT
}
