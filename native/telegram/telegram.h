// The lines of a smart meter's telegram -> its registers, in the form of board/shared/p1_wire.py, and the CRC of its bytes.
// C99 integers only; no heap, no globals, no MicroPython: the same source runs on the board and, through cffi, on the host.
// Only typedefs, prototypes and comments below the includes: native/build_cffi.py reads this file.
//
// It reads exactly as board/shared/p1_body.py does, which is the reference and has the reasons.
#ifndef FLUKSOMETER_TELEGRAM_H
#define FLUKSOMETER_TELEGRAM_H

#include <stdint.h>

enum {
    TELEGRAM_MAX_LINE = 2100, // bytes with the line end
    TELEGRAM_MAX_CODE = 20,   // characters
    TELEGRAM_MAX_UNIT = 16,   // characters: IEC 62056-21, 6.3.2
    TELEGRAM_STAMP = 13,      // characters at most
    TELEGRAM_MOST_DIGITS = 18
};

typedef struct {
    uint32_t crc;           // CRC-16 so far
    uint32_t max_registers; // more are left out
    uint32_t max_text;      // characters of a value without a unit
    uint32_t count;         // registers in out
    uint32_t used;          // bytes in out
    uint32_t strange;       // lines that were not understood
    uint32_t too_much;      // texts and registers that did not fit
    uint8_t crc_due;        // 1: something is there that only meters send which also send a CRC
    uint8_t open;           // 1: a reading on two lines still lacks its value
    uint8_t code_length, unit_length, stamp_length; // of that reading
    char code[TELEGRAM_MAX_CODE];
    char unit[TELEGRAM_MAX_UNIT];
    char stamp[TELEGRAM_STAMP];
} telegram_t;

// CRC-16 with polynomial 0x8005 reflected, carried on over length bytes.
uint32_t telegram_crc16(uint32_t crc, const uint8_t *data, uint32_t length);

// Bytes of a line with seven bits and even parity, received as eight bits: takes the parity away. One that is wrong becomes 0,
// which no telegram has. Returns how many were.
uint32_t telegram_even(uint8_t *data, uint32_t length);

// A new telegram, of which these bytes (its first line) are known.
void telegram_begin(telegram_t *t, uint32_t max_registers, uint32_t max_text, const uint8_t *head, uint32_t length);

// One line, whatever it holds; its registers go behind the t->used bytes of out, which has room for size bytes.
void telegram_line(telegram_t *t, const uint8_t *line, uint32_t length, uint8_t *out, uint32_t size);

// Whole lines of data, up to one that begins with "!", has a "/" or is too long. Returns how many bytes it has read.
uint32_t telegram_read(telegram_t *t, const uint8_t *data, uint32_t length, uint8_t *out, uint32_t size);

#endif
