// Pulse inputs: what an edge interrupt notes, and when a level counts. No heap, no globals, no floats; times are those of the
// chip's 32-bit microsecond counter and may wrap at any moment.
//
// A level counts once it has held for width_us; a pulse is a low level that counts, and is dated at the first edge of the
// chatter before it. Behind the beginning of a pulse no other begins for gap_us: a line that goes low meanwhile begins
// its pulse when the gap ends, if it is low then.
#ifndef PULSES_H
#define PULSES_H

#include <stdint.h>

enum { PULSES_INPUTS = 4 };
#define PULSES_GPIOS 32
#define PULSES_LIMIT_US (1u << 30) // of width and gap
#define PULSES_NONE 0xFFFFFFFFu

// An input with so many edges within so short a time is shut until the next poll. At 9 us an edge (RP2040, what MicroPython
// does before and after included) four inputs just below that, 2600 pulses a second each, take 19 % of a core, four storms
// that are polled each 16 ms 14 %.
#define PULSES_STORM_EDGES 64
#define PULSES_STORM_US 12000

// A line that never rests: its first edge is forgotten, long before its time wraps.
#define PULSES_CHATTER_US 60000000

// Addresses of registers of 32 bits. pending and enabled: the first of the words that hold four bits for each pin.
typedef struct {
    uintptr_t timer;   // microseconds, counts up
    uintptr_t levels;  // bit n: the level at pin n
    uintptr_t pending; // edges that have come; written as 1 they are cleared
    uintptr_t enabled; // edges that interrupt
} pulses_registers_t;

// What a reader gets; all of it counts since the input was added, and wraps.
typedef struct {
    uint32_t count;       // pulses
    uint32_t began_us;    // when the last pulse began
    uint32_t interval_us; // between the beginnings of the last two; 0: fewer than two
    uint32_t rejected;    // edges that were bounce, or came to nothing in the gap
    uint32_t storms;      // times that the input was shut
} pulses_told_t;

typedef struct {
    pulses_told_t told;
    uint32_t gpio;
    uint32_t width_us;
    uint32_t gap_us;
    uint32_t edge_us;   // the last edge
    uint32_t first_us;  // the first edge since the line was at rest
    uint32_t window_us; // since when edges are counted for the storm limit
    uint32_t edges;     // since then
    uint8_t level;      // since the last edge
    uint8_t stable;     // the last level that held long enough
    uint8_t open;       // an edge has come and its level has not held long enough yet
    uint8_t gap;        // the gap behind the last pulse is not known to be over
    uint8_t taken;      // the last edge was seen before its interrupt came
    uint8_t shut;       // a storm: the interrupt is off
} pulses_input_t;

typedef struct {
    pulses_registers_t registers;
    uint32_t inputs;
    pulses_input_t input[PULSES_INPUTS];
} pulses_t;

void pulses_init(pulses_t *p, const pulses_registers_t *registers);

// Adds the input at a pin, at rest with the level that it has; its index, or PULSES_NONE when there are enough.
uint32_t pulses_add(pulses_t *p, uint32_t gpio);

// Both below PULSES_LIMIT_US.
void pulses_limits(pulses_t *p, uint32_t index, uint32_t width_us, uint32_t gap_us);

// The interrupt of an input: notes its edge, and those of all others that have changed, with the time of now.
void pulses_edge(pulses_t *p, uint32_t index);

// Between interrupts, at least once a second: levels that have held, gaps that are over, edges that the chip missed, and
// inputs that were shut are looked at again.
void pulses_poll(pulses_t *p);

#endif
