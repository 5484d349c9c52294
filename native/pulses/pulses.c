#include "pulses.h"

#define EDGES_OF_A_PIN 0xCu // falling and rising, of the four bits that a pin has

static volatile uint32_t *at(uintptr_t address) {
    return (volatile uint32_t *)address;
}

// The word of `pending` or `enabled` that has this pin's bits, and the bits of both its edges.
static volatile uint32_t *word_of(uintptr_t first, uint32_t gpio) {
    return at(first + (gpio >> 3) * 4);
}

static uint32_t edges_of(uint32_t gpio) {
    return EDGES_OF_A_PIN << ((gpio & 7) * 4);
}

void pulses_init(pulses_t *p, const pulses_registers_t *registers) {
    volatile uint8_t *bytes = (volatile uint8_t *)p; // a module has no memset, which the compiler would make of this
    for (uint32_t n = 0; n < sizeof(*p); n++) {
        bytes[n] = 0;
    }
    p->registers = *registers;
}

uint32_t pulses_add(pulses_t *p, uint32_t gpio) {
    if (p->inputs == PULSES_INPUTS || gpio >= PULSES_GPIOS) {
        return PULSES_NONE;
    }
    uint32_t index = p->inputs;
    pulses_input_t *i = &p->input[index];
    i->gpio = gpio;
    i->level = i->stable = *at(p->registers.levels) >> gpio & 1;
    p->inputs = index + 1;
    return index;
}

void pulses_limits(pulses_t *p, uint32_t index, uint32_t width_us, uint32_t gap_us) {
    p->input[index].width_us = width_us;
    p->input[index].gap_us = gap_us;
}

// A pulse that would begin in the gap begins where the gap ends.
static void put_behind_gap(pulses_input_t *i) {
    uint32_t end_us = i->told.began_us + i->gap_us;
    if ((int32_t)(end_us - i->first_us) > 0) {
        i->first_us = end_us;
    }
    if ((int32_t)(end_us - i->edge_us) > 0) {
        i->edge_us = end_us;
    }
}

// Has the level since the last edge held long enough?
static void judge(pulses_input_t *i, uint32_t now) {
    if (!i->open) {
        return;
    }
    if (i->gap && !i->level && i->stable) {
        put_behind_gap(i);
    }
    int32_t held_us = (int32_t)(now - i->edge_us);
    if (held_us < 0 || (uint32_t)held_us < i->width_us) {
        return;
    }
    i->open = 0;
    if (i->level == i->stable) {
        i->told.rejected++; // the first edge came to nothing either
        return;
    }
    i->stable = i->level;
    if (!i->level) {
        i->told.interval_us = i->told.count != 0 ? i->first_us - i->told.began_us : 0;
        i->told.began_us = i->first_us;
        i->told.count++;
        i->gap = 1;
    }
}

static void note(pulses_input_t *i, uint32_t now, uint32_t level) {
    judge(i, now);
    if (i->open) {
        i->told.rejected++;
    } else {
        i->open = 1;
        i->first_us = now;
    }
    i->edge_us = now;
    i->level = level;
}

// Edges of inputs other than `index` whose interrupt is still to come, or never comes.
static void note_changed(pulses_t *p, uint32_t now, uint32_t levels, uint32_t index) {
    for (uint32_t n = 0; n < p->inputs; n++) {
        pulses_input_t *i = &p->input[n];
        uint32_t level = levels >> i->gpio & 1;
        if (level != i->level && n != index && !i->shut) {
            note(i, now, level);
            i->taken = 1;
        }
    }
}

static void shut(pulses_t *p, pulses_input_t *i) {
    *word_of(p->registers.enabled, i->gpio) &= ~edges_of(i->gpio);
    i->shut = 1;
    i->told.storms++;
}

// What the line did meanwhile nobody knows: whatever its level is, it begins here.
static void open_again(pulses_t *p, pulses_input_t *i, uint32_t now, uint32_t level) {
    i->shut = i->taken = 0;
    i->edges = 0;
    i->open = 1;
    i->first_us = i->edge_us = now;
    i->level = level;
    *word_of(p->registers.pending, i->gpio) = edges_of(i->gpio);
    *word_of(p->registers.enabled, i->gpio) |= edges_of(i->gpio);
}

void pulses_edge(pulses_t *p, uint32_t index) {
    uint32_t now = *at(p->registers.timer);
    uint32_t levels = *at(p->registers.levels);
    pulses_input_t *i = &p->input[index];
    note_changed(p, now, levels, index);
    if (i->shut) {
        return;
    }
    uint32_t level = levels >> i->gpio & 1;
    if (level != i->level) {
        note(i, now, level);
    } else if (!i->taken) { // there and back, faster than the interrupt
        note(i, now, level ^ 1);
        note(i, now, level);
    }
    i->taken = 0;
    if (i->edges++ == 0) {
        i->window_us = now;
    } else if (i->edges == PULSES_STORM_EDGES) {
        i->edges = 0;
        if (now - i->window_us < PULSES_STORM_US) {
            shut(p, i);
        }
    }
}

static void poll_input(pulses_t *p, pulses_input_t *i, uint32_t now, uint32_t levels) {
    if (i->shut) {
        open_again(p, i, now, levels >> i->gpio & 1);
    }
    judge(i, now);
    if (i->gap && now - i->told.began_us >= i->gap_us) {
        if (i->open && !i->level && i->stable) {
            put_behind_gap(i);
        }
        i->gap = 0;
    }
    if (i->open && now - i->first_us > PULSES_CHATTER_US && (int32_t)(now - i->first_us) > 0) {
        i->first_us = i->edge_us;
    }
    if (i->edges != 0 && now - i->window_us >= PULSES_STORM_US) {
        i->edges = 0;
    }
}

void pulses_poll(pulses_t *p) {
    uint32_t now = *at(p->registers.timer);
    uint32_t levels = *at(p->registers.levels);
    for (uint32_t n = 0; n < p->inputs; n++) {
        poll_input(p, &p->input[n], now, levels);
    }
    note_changed(p, now, levels, PULSES_NONE);
}
