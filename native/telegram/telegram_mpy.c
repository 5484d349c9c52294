// MicroPython's view of the telegram core: checks every argument, then forwards. A pointer that got past here would reset the chip.
#include "py/dynruntime.h"

#include "telegram.h"

static telegram_t *state_of(mp_obj_t state_in) {
    mp_buffer_info_t buffer;
    mp_get_buffer_raise(state_in, &buffer, MP_BUFFER_RW);
    if (buffer.len != sizeof(telegram_t) || ((uintptr_t)buffer.buf & 3) != 0) {
        mp_raise_ValueError(MP_ERROR_TEXT("state: want bytearray(STATE_BYTES)"));
    }
    return buffer.buf;
}

static uint32_t count_of(mp_obj_t value_in, uint32_t top) {
    mp_int_t value = mp_obj_get_int(value_in);
    if (value < 0 || (mp_uint_t)value > top) {
        mp_raise_ValueError(MP_ERROR_TEXT("number out of range"));
    }
    return (uint32_t)value;
}

// The state of a telegram whose bytes in out are really there.
static telegram_t *begun_state_of(mp_obj_t state_in, mp_obj_t out_in, mp_buffer_info_t *out) {
    telegram_t *t = state_of(state_in);
    mp_get_buffer_raise(out_in, out, MP_BUFFER_RW);
    if (t->used > out->len || t->code_length > TELEGRAM_MAX_CODE || t->unit_length > TELEGRAM_MAX_UNIT
        || t->stamp_length > TELEGRAM_STAMP) {
        mp_raise_ValueError(MP_ERROR_TEXT("state: call begin first"));
    }
    return t;
}

// crc16(crc, data) -> crc carried on
static mp_obj_t crc16(mp_obj_t crc_in, mp_obj_t data_in) {
    mp_buffer_info_t data;
    mp_get_buffer_raise(data_in, &data, MP_BUFFER_READ);
    return MP_OBJ_NEW_SMALL_INT(telegram_crc16(count_of(crc_in, 0xFFFF), data.buf, (uint32_t)data.len));
}
static MP_DEFINE_CONST_FUN_OBJ_2(crc16_obj, crc16);

// even(data) -> bytes of wrong parity, which are 0 now; data: bytearray
static mp_obj_t even(mp_obj_t data_in) {
    mp_buffer_info_t data;
    mp_get_buffer_raise(data_in, &data, MP_BUFFER_WRITE);
    return mp_obj_new_int_from_uint(telegram_even(data.buf, (uint32_t)data.len));
}
static MP_DEFINE_CONST_FUN_OBJ_1(even_obj, even);

// begin(state, max_registers, max_text, head)
static mp_obj_t begin(size_t n_args, const mp_obj_t *args) {
    (void)n_args;
    telegram_t *t = state_of(args[0]);
    mp_buffer_info_t head;
    mp_get_buffer_raise(args[3], &head, MP_BUFFER_READ);
    uint32_t max_registers = count_of(args[1], 0xFFFF), max_text = count_of(args[2], 0xFFFF);
    t->code_length = t->unit_length = t->stamp_length = 0;
    telegram_begin(t, max_registers, max_text, head.buf, (uint32_t)head.len);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(begin_obj, 4, 4, begin);

// skip(state, data, lines): bytes that only the CRC is about, of so many lines that are not understood
static mp_obj_t skip(mp_obj_t state_in, mp_obj_t data_in, mp_obj_t lines_in) {
    telegram_t *t = state_of(state_in);
    mp_buffer_info_t data;
    mp_get_buffer_raise(data_in, &data, MP_BUFFER_READ);
    t->strange += count_of(lines_in, 1);
    t->crc = telegram_crc16(t->crc, data.buf, (uint32_t)data.len);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_3(skip_obj, skip);

// line(state, line, out): one line, whatever it holds
static mp_obj_t line(mp_obj_t state_in, mp_obj_t line_in, mp_obj_t out_in) {
    mp_buffer_info_t data, out;
    telegram_t *t = begun_state_of(state_in, out_in, &out);
    mp_get_buffer_raise(line_in, &data, MP_BUFFER_READ);
    telegram_line(t, data.buf, (uint32_t)data.len, out.buf, (uint32_t)out.len);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_3(line_obj, line);

// read(state, data, at, out) -> where it stopped
static mp_obj_t read(size_t n_args, const mp_obj_t *args) {
    (void)n_args;
    mp_buffer_info_t data, out;
    telegram_t *t = begun_state_of(args[0], args[3], &out);
    mp_get_buffer_raise(args[1], &data, MP_BUFFER_READ);
    uint32_t at = count_of(args[2], (uint32_t)data.len);
    const uint8_t *rest = (const uint8_t *)data.buf + at;
    at += telegram_read(t, rest, (uint32_t)data.len - at, out.buf, (uint32_t)out.len);
    return mp_obj_new_int_from_uint(at);
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(read_obj, 4, 4, read);

// end(state) -> (CRC up to "!", crc_due, registers, lines that were not understood, too_much, bytes of out)
static mp_obj_t end(mp_obj_t state_in) {
    telegram_t *t = state_of(state_in);
    mp_obj_t items[6] = {
        mp_obj_new_int_from_uint(telegram_crc16(t->crc, (const uint8_t *)"!", 1)), mp_obj_new_bool(t->crc_due),
        mp_obj_new_int_from_uint(t->count), mp_obj_new_int_from_uint(t->strange + t->open),
        mp_obj_new_int_from_uint(t->too_much), mp_obj_new_int_from_uint(t->used),
    };
    return mp_obj_new_tuple(6, items);
}
static MP_DEFINE_CONST_FUN_OBJ_1(end_obj, end);

mp_obj_t mpy_init(mp_obj_fun_bc_t *self, size_t n_args, size_t n_kw, mp_obj_t *args) {
    MP_DYNRUNTIME_INIT_ENTRY
    mp_store_global(MP_QSTR_STATE_BYTES, MP_OBJ_NEW_SMALL_INT(sizeof(telegram_t)));
    mp_store_global(MP_QSTR_crc16, MP_OBJ_FROM_PTR(&crc16_obj));
    mp_store_global(MP_QSTR_even, MP_OBJ_FROM_PTR(&even_obj));
    mp_store_global(MP_QSTR_begin, MP_OBJ_FROM_PTR(&begin_obj));
    mp_store_global(MP_QSTR_skip, MP_OBJ_FROM_PTR(&skip_obj));
    mp_store_global(MP_QSTR_line, MP_OBJ_FROM_PTR(&line_obj));
    mp_store_global(MP_QSTR_read, MP_OBJ_FROM_PTR(&read_obj));
    mp_store_global(MP_QSTR_end, MP_OBJ_FROM_PTR(&end_obj));
    MP_DYNRUNTIME_INIT_EXIT
}
