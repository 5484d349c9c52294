// MicroPython's view of the pulse inputs. edge() is what a pin's interrupt calls: nothing of ours between them is Python. It
// finds its state in one place, for a bound method and the look into its buffer cost 900 cycles each time (edge() takes 420).
#include "py/dynruntime.h"

#include "pulses.h"

pulses_t state; // zero when the module is loaded
mp_obj_t pin_of[PULSES_INPUTS]; // by it an interrupt tells whose it is

// Interrupts may come between any two instructions of what is not itself one.
#if defined(__arm__)
static uint32_t hold_interrupts(void) {
    uint32_t before;
    __asm volatile ("mrs %0, primask\n cpsid i" : "=r" (before) : : "memory");
    return before;
}

static void let_interrupts(uint32_t before) {
    __asm volatile ("msr primask, %0" : : "r" (before) : "memory");
}
#else
static uint32_t hold_interrupts(void) {
    return 0;
}

static void let_interrupts(uint32_t before) {
    (void)before;
}
#endif

static uint32_t number_of(mp_obj_t value_in, uint32_t end) {
    mp_int_t value = mp_obj_get_int(value_in);
    if (value < 0 || (mp_uint_t)value >= end) {
        mp_raise_ValueError(MP_ERROR_TEXT("number out of range"));
    }
    return (uint32_t)value;
}

// init(timer, levels, pending, enabled): addresses of the registers; no input is left
static mp_obj_t init(size_t n_args, const mp_obj_t *args) {
    (void)n_args;
    uintptr_t address[4];
    for (size_t i = 0; i < 4; i++) {
        address[i] = (uintptr_t)mp_obj_get_int_truncated(args[i]);
        if (address[i] == 0 || (address[i] & 3) != 0) {
            mp_raise_ValueError(MP_ERROR_TEXT("no address of a word"));
        }
    }
    pulses_registers_t registers = { address[0], address[1], address[2], address[3] };
    uint32_t before = hold_interrupts();
    pulses_init(&state, &registers);
    let_interrupts(before);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(init_obj, 4, 4, init);

// add(gpio, pin) -> index
static mp_obj_t add(mp_obj_t gpio_in, mp_obj_t pin) {
    uint32_t gpio = number_of(gpio_in, PULSES_GPIOS);
    uint32_t index = state.registers.levels == 0 ? PULSES_NONE : pulses_add(&state, gpio);
    if (index == PULSES_NONE) {
        mp_raise_ValueError(MP_ERROR_TEXT("no room for this input, or no init before"));
    }
    pin_of[index] = pin;
    return MP_OBJ_NEW_SMALL_INT(index);
}
static MP_DEFINE_CONST_FUN_OBJ_2(add_obj, add);

// limits(index, width_us, gap_us)
static mp_obj_t limits(mp_obj_t index_in, mp_obj_t width_in, mp_obj_t gap_in) {
    uint32_t index = number_of(index_in, state.inputs);
    uint32_t width_us = number_of(width_in, PULSES_LIMIT_US), gap_us = number_of(gap_in, PULSES_LIMIT_US);
    uint32_t before = hold_interrupts();
    pulses_limits(&state, index, width_us, gap_us);
    let_interrupts(before);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_3(limits_obj, limits);

// edge(pin): the interrupt
static mp_obj_t edge(mp_obj_t pin) {
    for (uint32_t index = 0; index < state.inputs; index++) {
        if (pin_of[index] == pin) {
            pulses_edge(&state, index);
            break;
        }
    }
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(edge_obj, edge);

// poll()
static mp_obj_t poll(void) {
    uint32_t before = hold_interrupts();
    if (state.inputs != 0) {
        pulses_poll(&state);
    }
    let_interrupts(before);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_0(poll_obj, poll);

// take(index, out): count, began_us, interval_us, rejected and storms into out, array('I') of five
static mp_obj_t take(mp_obj_t index_in, mp_obj_t out_in) {
    uint32_t index = number_of(index_in, state.inputs);
    mp_buffer_info_t out;
    mp_get_buffer_raise(out_in, &out, MP_BUFFER_WRITE);
    if (out.typecode != 'I' || out.len != sizeof(pulses_told_t) || ((uintptr_t)out.buf & 3) != 0) {
        mp_raise_ValueError(MP_ERROR_TEXT("out: want array('I') of 5"));
    }
    uint32_t before = hold_interrupts();
    *(pulses_told_t *)out.buf = state.input[index].told;
    let_interrupts(before);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_2(take_obj, take);

mp_obj_t mpy_init(mp_obj_fun_bc_t *self, size_t n_args, size_t n_kw, mp_obj_t *args) {
    MP_DYNRUNTIME_INIT_ENTRY
    mp_store_global(MP_QSTR_init, MP_OBJ_FROM_PTR(&init_obj));
    mp_store_global(MP_QSTR_add, MP_OBJ_FROM_PTR(&add_obj));
    mp_store_global(MP_QSTR_limits, MP_OBJ_FROM_PTR(&limits_obj));
    mp_store_global(MP_QSTR_edge, MP_OBJ_FROM_PTR(&edge_obj));
    mp_store_global(MP_QSTR_poll, MP_OBJ_FROM_PTR(&poll_obj));
    mp_store_global(MP_QSTR_take, MP_OBJ_FROM_PTR(&take_obj));
    MP_DYNRUNTIME_INIT_EXIT
}
