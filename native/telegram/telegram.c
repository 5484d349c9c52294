#include "telegram.h"

typedef struct {
    const uint8_t *at;
    uint32_t n;
} span_t;

typedef struct {
    uint8_t *out;
    uint32_t size, used;
} writer_t; // used may grow beyond size: then it did not fit

static const uint16_t NIBBLES[16] = {
    0x0000, 0xCC01, 0xD801, 0x1400, 0xF001, 0x3C00, 0x2800, 0xE401,
    0xA001, 0x6C00, 0x7800, 0xB401, 0x5000, 0x9C01, 0x8801, 0x4400,
};

uint32_t telegram_crc16(uint32_t crc, const uint8_t *data, uint32_t length) {
    crc &= 0xFFFF;
    for (uint32_t i = 0; i < length; i++) {
        crc ^= data[i];
        crc = (crc >> 4) ^ NIBBLES[crc & 15];
        crc = (crc >> 4) ^ NIBBLES[crc & 15];
    }
    return crc;
}

uint32_t telegram_even(uint8_t *data, uint32_t length) {
    uint32_t wrong = 0;
    for (uint32_t i = 0; i < length; i++) {
        uint32_t folded = data[i] ^ (uint32_t)data[i] >> 4;
        if (0x6996u >> (folded & 15) & 1) {
            data[i] = 0;
            wrong++;
        } else {
            data[i] &= 0x7F;
        }
    }
    return wrong;
}

static int is_digit(uint8_t c) {
    return c >= '0' && c <= '9';
}

static int all_digits(span_t s) {
    for (uint32_t i = 0; i < s.n; i++) {
        if (!is_digit(s.at[i])) {
            return 0;
        }
    }
    return s.n != 0;
}

static int ends_with(span_t s, const char *end, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) {
        if (s.n < n || s.at[s.n - n + i] != (uint8_t)end[i]) {
            return 0;
        }
    }
    return 1;
}

static int same(span_t s, const char *text, uint32_t n) {
    return s.n == n && ends_with(s, text, n);
}

static uint32_t find(span_t s, uint8_t wanted) { // s.n when it is not there
    uint32_t i = 0;
    while (i < s.n && s.at[i] != wanted) {
        i++;
    }
    return i;
}

static span_t part(span_t s, uint32_t from, uint32_t to) {
    span_t p = {s.at + from, to - from};
    return p;
}

static int is_stamp(span_t s) {
    if (s.n != 12 && s.n != 13) {
        return 0;
    }
    return all_digits(part(s, 0, 12)) && (s.n == 12 || s.at[12] == 'S' || s.at[12] == 'W');
}

static int is_plain(span_t s) {
    return find(s, '(') == s.n && find(s, ')') == s.n;
}

static int is_unit(span_t s) {
    return s.n <= TELEGRAM_MAX_UNIT && is_plain(s);
}

static int is_number(span_t s) {
    if (s.n != 0 && s.at[0] == '-') {
        s = part(s, 1, s.n);
    }
    uint32_t point = find(s, '.');
    return all_digits(part(s, 0, point)) && s.n <= TELEGRAM_MOST_DIGITS
        && (point == s.n || all_digits(part(s, point + 1, s.n)));
}

// The OBIS code of an address, without a last *255; 0 when it has another form.
static int code_of(span_t *s) {
    if (ends_with(*s, "*255", 4)) {
        s->n -= 4;
    }
    if (s->n < 3 || s->n > TELEGRAM_MAX_CODE) {
        return 0;
    }
    for (uint32_t i = 0; i < s->n; i++) {
        uint8_t c = s->at[i];
        if (!is_digit(c) && !(c >= 'A' && c <= 'F') && c != 'L' && c != 'P' && c != '.' && c != ':' && c != '-' && c != '*') {
            return 0;
        }
    }
    return 1;
}

static void put(writer_t *w, uint8_t c) {
    if (w->used < w->size) {
        w->out[w->used] = c;
    }
    w->used++;
}

static void put_span(writer_t *w, span_t s) {
    for (uint32_t i = 0; i < s.n; i++) {
        put(w, s.at[i]);
    }
}

// Exact thousandths: further decimals are cut off.
static void put_thousandths(writer_t *w, span_t s) {
    int negative = s.at[0] == '-';
    s = part(s, (uint32_t)negative, s.n);
    uint32_t point = find(s, '.'), begun = 0;
    for (uint32_t i = 0; i < point + 3; i++) {
        uint32_t at = i < point ? i : i + 1;
        uint8_t c = at < s.n ? s.at[at] : '0';
        if (c != '0' && !begun) {
            begun = 1;
            if (negative) {
                put(w, '-');
            }
        }
        if (begun) {
            put(w, c);
        }
    }
    if (!begun) {
        put(w, '0');
    }
}

// A number's unit: what follows the star, or the kW that one meter sends without it. 0: it is no number.
static int split(span_t s, span_t *number, span_t *unit) {
    uint32_t star = find(s, '*');
    if (star < s.n) {
        *number = part(s, 0, star);
        *unit = part(s, star + 1, s.n);
        return 1;
    }
    if (!ends_with(s, "kW", 2) || !is_digit(s.at[0])) {
        return 0;
    }
    *number = part(s, 0, s.n - 2);
    *unit = part(s, s.n - 2, s.n);
    return 1;
}

// unit.at 0: value is a text. stamp.n, before.n 0: there is none.
static void keep(telegram_t *t, writer_t *w, span_t code, span_t value, span_t unit, span_t stamp, span_t before) {
    uint32_t used = w->used;
    if (stamp.n == TELEGRAM_STAMP || same(code, "0-0:1.0.0", 9) || same(code, "1-3:0.2.8", 9) || same(code, "0-0:96.1.4", 10)) {
        t->crc_due = 1;
    }
    if (t->count >= t->max_registers || (!unit.at && value.n > t->max_text)) {
        t->too_much++;
        return;
    }
    put_span(w, code);
    put(w, '\t');
    if (unit.at) {
        put_thousandths(w, value);
        put(w, '\t');
        put_span(w, unit);
    } else {
        put(w, '"');
        put_span(w, value);
        if (stamp.n != 0) {
            put(w, '\t');
        }
    }
    if (stamp.n != 0) {
        put(w, '\t');
        put_span(w, stamp);
    }
    if (before.n != 0) {
        put(w, '\t');
        put_span(w, before);
    }
    put(w, '\n');
    if (w->used > w->size) {
        w->used = used;
        t->too_much++;
    } else {
        t->count++;
    }
}

static const span_t NOTHING = {0, 0};

// Remembers the first half of a reading: (stamp)(status)(minutes)(count)(code of the value)(unit).
static void remember(telegram_t *t, span_t code, span_t unit, span_t stamp) {
    t->open = 1;
    t->code_length = (uint8_t)code.n;
    t->unit_length = (uint8_t)unit.n;
    t->stamp_length = (uint8_t)stamp.n;
    for (uint32_t i = 0; i < code.n; i++) {
        t->code[i] = (char)code.at[i];
    }
    for (uint32_t i = 0; i < unit.n; i++) {
        t->unit[i] = (char)unit.at[i];
    }
    for (uint32_t i = 0; i < stamp.n; i++) {
        t->stamp[i] = (char)stamp.at[i];
    }
}

static int second_half(telegram_t *t, writer_t *w, span_t text) {
    span_t value = part(text, 1, text.n - 1);
    span_t code = {(const uint8_t *)t->code, t->code_length}, unit = {(const uint8_t *)t->unit, t->unit_length};
    span_t stamp = {(const uint8_t *)t->stamp, t->stamp_length};
    if (!is_number(value)) {
        return 0;
    }
    keep(t, w, code, value, unit, stamp, NOTHING);
    return 1;
}

// Takes the next group from what stands between the outer brackets; groups are parted by ")(".
static span_t next_group(span_t *rest) {
    for (uint32_t i = 0; i + 1 < rest->n; i++) {
        if (rest->at[i] == ')' && rest->at[i + 1] == '(') {
            span_t group = part(*rest, 0, i);
            *rest = part(*rest, i + 2, rest->n);
            return group;
        }
    }
    span_t group = *rest;
    rest->at = 0;
    return group;
}

static uint32_t count_groups(span_t rest) {
    uint32_t groups = 0;
    while (rest.at) {
        next_group(&rest);
        groups++;
    }
    return groups;
}

static int two_lines(telegram_t *t, writer_t *w, span_t rest, uint32_t groups) {
    span_t given[7];
    for (uint32_t i = 0; i < groups; i++) {
        given[i] = next_group(&rest);
    }
    span_t stamp = is_stamp(given[0]) ? given[0] : NOTHING;
    if (!code_of(&given[4]) || !is_unit(given[5])) {
        return 0;
    }
    if (groups == 6) {
        remember(t, given[4], given[5], stamp);
        return 1;
    }
    if (!is_number(given[6])) {
        return 0;
    }
    keep(t, w, given[4], given[6], given[5], stamp, NOTHING);
    return 1;
}

// Stamps hold for the values behind them. Counts and codes in between only say what is in the list.
static int values(telegram_t *t, writer_t *w, span_t code, span_t rest, uint32_t groups) {
    span_t stamp = NOTHING, before = NOTHING, number, unit;
    while (rest.at) {
        span_t group = next_group(&rest);
        if (groups > 1 && is_stamp(group)) {
            before = stamp;
            stamp = group;
        } else if (split(group, &number, &unit)) {
            if (!is_number(number) || !is_unit(unit)) {
                return 0;
            }
            keep(t, w, code, number, unit, stamp, before);
        } else if (!is_plain(group)) {
            return 0;
        } else if (groups == 1 || (groups == 2 && stamp.n != 0)) {
            keep(t, w, code, group, NOTHING, stamp, NOTHING);
        }
    }
    return 1;
}

// Returns 0 when the line was not understood.
static int read_text(telegram_t *t, writer_t *w, span_t text) {
    int half = t->open;
    t->open = 0;
    if (text.at[0] == '(') {
        return half && text.n > 1 && text.at[text.n - 1] == ')' && second_half(t, w, text);
    }
    uint32_t bracket = find(text, '(');
    if (bracket + 1 >= text.n || text.at[text.n - 1] != ')') {
        return 0;
    }
    span_t code = part(text, 0, bracket), rest = part(text, bracket + 1, text.n - 1);
    if (!code_of(&code)) {
        return 0;
    }
    uint32_t groups = count_groups(rest);
    if (ends_with(code, "24.3.0", 6) && (groups == 6 || groups == 7)) {
        return two_lines(t, w, rest, groups);
    }
    return values(t, w, code, rest, groups);
}

static span_t strip(span_t s) {
    while (s.n != 0 && (s.at[0] == '\r' || s.at[0] == '\n')) {
        s = part(s, 1, s.n);
    }
    while (s.n != 0 && (s.at[s.n - 1] == '\r' || s.at[s.n - 1] == '\n')) {
        s.n--;
    }
    return s;
}

static int is_text(span_t s) {
    for (uint32_t i = 0; i < s.n; i++) {
        if (s.at[i] < 32 || s.at[i] > 126) {
            return 0;
        }
    }
    return 1;
}

void telegram_begin(telegram_t *t, uint32_t max_registers, uint32_t max_text, const uint8_t *head, uint32_t length) {
    t->crc = telegram_crc16(0, head, length);
    t->max_registers = max_registers;
    t->max_text = max_text;
    t->count = t->used = t->strange = t->too_much = 0;
    t->crc_due = t->open = 0;
}

void telegram_line(telegram_t *t, const uint8_t *line, uint32_t length, uint8_t *out, uint32_t size) {
    span_t whole = {line, length};
    span_t text = strip(whole);
    t->crc = telegram_crc16(t->crc, line, length);
    if (text.n == 0) {
        return;
    }
    if (t->open && text.at[0] != '(') {
        t->strange++; // a reading without its value
    }
    if (!is_text(text)) {
        t->strange++;
        return;
    }
    uint32_t count = t->count, too_much = t->too_much;
    uint8_t crc_due = t->crc_due;
    writer_t w = {out, size, t->used};
    if (read_text(t, &w, text)) {
        t->used = w.used;
    } else {
        t->count = count; // of a line that is not understood nothing is kept
        t->too_much = too_much;
        t->crc_due = crc_due;
        t->strange++;
    }
}

uint32_t telegram_read(telegram_t *t, const uint8_t *data, uint32_t length, uint8_t *out, uint32_t size) {
    uint32_t at = 0;
    while (at < length && data[at] != '!') {
        uint32_t end = at;
        while (end < length && data[end] != '\n' && data[end] != '/') {
            end++;
        }
        if (end == length || data[end] == '/' || end - at >= TELEGRAM_MAX_LINE) {
            break;
        }
        telegram_line(t, data + at, end + 1 - at, out, size);
        at = end + 1;
    }
    return at;
}
