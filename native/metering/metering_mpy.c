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
    if (m->channels < 1 || m->channels > METERING_CHANNELS || m->samples >= m->window_samples) {
        mp_raise_ValueError(MP_ERROR_TEXT("state: call init first"));
    }
    return m;
}

static uint32_t count_of(mp_obj_t value_in, uint32_t top) {
    mp_int_t value = mp_obj_get_int(value_in);
    if (value < 0 || (mp_uint_t)value > top) {
        mp_raise_ValueError(MP_ERROR_TEXT("number out of range"));
    }
    return (uint32_t)value;
}

// init(state, channels, window_samples, rate_hz)
static mp_obj_t init(size_t n_args, const mp_obj_t *args) {
    (void)n_args;
    metering_t *m = state_of(args[0]);
    uint32_t channels = count_of(args[1], METERING_CHANNELS);
    uint32_t window_samples = count_of(args[2], METERING_MAX_SAMPLES);
    if (metering_init(m, channels, window_samples, count_of(args[3], METERING_MAX_RATE_HZ)) != 0) {
        mp_raise_ValueError(MP_ERROR_TEXT("channels, samples and rate are 1 or more"));
    }
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(init_obj, 4, 4, init);

// fold(state, ring, first, sets) -> sets used; ring: array('H'), first: index of the first code to fold
static mp_obj_t fold(size_t n_args, const mp_obj_t *args) {
    (void)n_args;
    metering_t *m = begun_state_of(args[0]);
    mp_buffer_info_t ring;
    mp_get_buffer_raise(args[1], &ring, MP_BUFFER_READ);
    if (ring.typecode != 'H' || ((uintptr_t)ring.buf & 1) != 0) {
        mp_raise_ValueError(MP_ERROR_TEXT("ring: want array('H')"));
    }
    uint32_t codes = (uint32_t)(ring.len / 2);
    uint32_t first = count_of(args[2], codes);
    uint32_t sets = count_of(args[3], (codes - first) / m->channels);
    return mp_obj_new_int_from_uint(metering_fold(m, (const uint16_t *)ring.buf + first, sets));
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(fold_obj, 4, 4, fold);

// windows(state) -> windows closed since init
static mp_obj_t windows(mp_obj_t state_in) {
    return mp_obj_new_int_from_uint(begun_state_of(state_in)->windows);
}
static MP_DEFINE_CONST_FUN_OBJ_1(windows_obj, windows);

// take(state, channel, out, at): writes the WINDOW_BYTES of the window closed last into out, from byte at
static mp_obj_t take(size_t n_args, const mp_obj_t *args) {
    (void)n_args;
    metering_t *m = begun_state_of(args[0]);
    mp_buffer_info_t out;
    mp_get_buffer_raise(args[2], &out, MP_BUFFER_WRITE);
    uint32_t channel = count_of(args[1], m->channels - 1);
    if (m->windows == 0 || out.len < sizeof(metering_window_t)) {
        mp_raise_ValueError(MP_ERROR_TEXT("no window closed yet, or out too short"));
    }
    uint32_t at = count_of(args[3], (uint32_t)(out.len - sizeof(metering_window_t)));
    const uint8_t *from = (const uint8_t *)&m->closed[channel];
    for (uint32_t i = 0; i < sizeof(metering_window_t); i++) {
        ((uint8_t *)out.buf)[at + i] = from[i];
    }
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(take_obj, 4, 4, take);

mp_obj_t mpy_init(mp_obj_fun_bc_t *self, size_t n_args, size_t n_kw, mp_obj_t *args) {
    MP_DYNRUNTIME_INIT_ENTRY
    mp_store_global(MP_QSTR_STATE_BYTES, MP_OBJ_NEW_SMALL_INT(sizeof(metering_t)));
    mp_store_global(MP_QSTR_WINDOW_BYTES, MP_OBJ_NEW_SMALL_INT(sizeof(metering_window_t)));
    mp_store_global(MP_QSTR_init, MP_OBJ_FROM_PTR(&init_obj));
    mp_store_global(MP_QSTR_fold, MP_OBJ_FROM_PTR(&fold_obj));
    mp_store_global(MP_QSTR_windows, MP_OBJ_FROM_PTR(&windows_obj));
    mp_store_global(MP_QSTR_take, MP_OBJ_FROM_PTR(&take_obj));
    MP_DYNRUNTIME_INIT_EXIT
}
