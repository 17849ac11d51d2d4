/* SPDX-License-Identifier: MIT */
/* DWARF line tables.  See lines.h.  Source: DWARF 5, section 6.2 (and appendix D for the tables of
 * versions 2 to 4).
 *
 * A unit is a header with tables of folders and files, then a program whose steps make rows of
 * (address, file, line), each valid until the next row.  All places are looked for in one pass, as
 * rows are made; the tables are read again when a row of a unit was found to fit.
 *
 * A cursor that would leave its bytes stays at their end and is `bad`; what was read then is
 * zero. */
#include "os/linux/lines.h"

#include <string.h>

enum {
    OPCODES_MAX = 256,
    FORMATS_MAX = 16,
    /* standard opcodes */
    LNS_COPY = 1,
    LNS_ADVANCE_PC = 2,
    LNS_ADVANCE_LINE = 3,
    LNS_SET_FILE = 4,
    LNS_CONST_ADD_PC = 8,
    LNS_FIXED_ADVANCE_PC = 9,
    /* extended opcodes */
    LNE_END_SEQUENCE = 1,
    LNE_SET_ADDRESS = 2,
    /* what a column of a table holds */
    LNCT_PATH = 1,
    LNCT_FOLDER = 2,
    /* forms */
    FORM_BLOCK2 = 0x03,
    FORM_BLOCK4 = 0x04,
    FORM_DATA2 = 0x05,
    FORM_DATA4 = 0x06,
    FORM_DATA8 = 0x07,
    FORM_STRING = 0x08,
    FORM_BLOCK = 0x09,
    FORM_BLOCK1 = 0x0a,
    FORM_DATA1 = 0x0b,
    FORM_STRP = 0x0e,
    FORM_UDATA = 0x0f,
    FORM_DATA16 = 0x1e,
    FORM_LINE_STRP = 0x1f,
};

struct cursor {
    const uint8_t *at;
    const uint8_t *end;
    bool bad;
};

struct texts {
    struct wi_elf_part line_str;
    struct wi_elf_part str;
};

struct format {
    uint64_t content;
    uint64_t form;
};

struct unit {
    /* of the header */
    unsigned version;
    bool wide; /* 64-bit DWARF: offsets have 8 bytes */
    unsigned min_instruction;
    int line_base;
    unsigned line_range;
    unsigned opcode_base;
    uint8_t operands[OPCODES_MAX];
    struct cursor tables;
    struct cursor program;
};

struct row {
    uint64_t address;
    uint64_t file;
    int64_t line;
};

/* -- reading ---------------------------------------------------------------------------------- */

static bool skip(struct cursor *cursor, uint64_t bytes)
{
    if (bytes > (uint64_t)(cursor->end - cursor->at)) {
        cursor->at = cursor->end;
        cursor->bad = true;
        return false;
    }
    cursor->at += bytes;
    return true;
}

static uint64_t fixed(struct cursor *cursor, unsigned bytes)
{
    const uint8_t *at = cursor->at;
    uint64_t value = 0;
    if (!skip(cursor, bytes))
        return 0;
    for (unsigned i = 0; i < bytes && i < 8; i++)
        value |= (uint64_t)at[i] << (8 * i);
    return value;
}

static uint64_t uleb(struct cursor *cursor)
{
    uint64_t value = 0;
    for (unsigned shift = 0; cursor->at < cursor->end; shift += 7) {
        const uint8_t byte = *cursor->at++;
        if (shift < 64)
            value |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0)
            return value;
    }
    cursor->bad = true;
    return 0;
}

static int64_t sleb(struct cursor *cursor)
{
    uint64_t value = 0;
    for (unsigned shift = 0; cursor->at < cursor->end;) {
        const uint8_t byte = *cursor->at++;
        if (shift < 64)
            value |= (uint64_t)(byte & 0x7f) << shift;
        shift += 7;
        if ((byte & 0x80) != 0)
            continue;
        if (shift < 64 && (byte & 0x40) != 0)
            value |= ~UINT64_C(0) << shift;
        return (int64_t)value;
    }
    cursor->bad = true;
    return 0;
}

static const char *text(struct cursor *cursor)
{
    const uint8_t *start = cursor->at;
    const uint8_t *zero = memchr(start, '\0', (size_t)(cursor->end - start));
    if (zero == NULL) {
        (void)skip(cursor, UINT64_MAX);
        return "";
    }
    cursor->at = zero + 1;
    return (const char *)start;
}

static const char *text_in(const struct wi_elf_part *part, uint64_t at)
{
    if (at >= part->size || memchr(part->bytes + at, '\0', part->size - at) == NULL)
        return "";
    return (const char *)part->bytes + at;
}

/* -- tables ----------------------------------------------------------------------------------- */

struct value {
    const char *text; /* NULL: a number */
    uint64_t number;
};

static struct value form_value(struct cursor *cursor, const struct unit *unit, uint64_t form,
                               const struct texts *texts)
{
    const unsigned offset_bytes = unit->wide ? 8 : 4;
    switch (form) {
    case FORM_STRING:
        return (struct value){ .text = text(cursor) };
    case FORM_LINE_STRP:
        return (struct value){ .text = text_in(&texts->line_str, fixed(cursor, offset_bytes)) };
    case FORM_STRP:
        return (struct value){ .text = text_in(&texts->str, fixed(cursor, offset_bytes)) };
    case FORM_UDATA:
        return (struct value){ .number = uleb(cursor) };
    case FORM_DATA1:
        return (struct value){ .number = fixed(cursor, 1) };
    case FORM_DATA2:
        return (struct value){ .number = fixed(cursor, 2) };
    case FORM_DATA4:
        return (struct value){ .number = fixed(cursor, 4) };
    case FORM_DATA8:
        return (struct value){ .number = fixed(cursor, 8) };
    case FORM_DATA16:
        (void)skip(cursor, 16);
        break;
    case FORM_BLOCK:
        (void)skip(cursor, uleb(cursor));
        break;
    case FORM_BLOCK1:
        (void)skip(cursor, fixed(cursor, 1));
        break;
    case FORM_BLOCK2:
        (void)skip(cursor, fixed(cursor, 2));
        break;
    case FORM_BLOCK4:
        (void)skip(cursor, fixed(cursor, 4));
        break;
    default: /* of unknown length: what follows cannot be read */
        (void)skip(cursor, UINT64_MAX);
        break;
    }
    return (struct value){ .number = 0 };
}

struct name {
    const char *text;
    uint64_t folder;
};

/* Entry `wanted` of a table of version 5, leaving the cursor behind the table. */
static struct name entry_of_5(struct cursor *cursor, const struct unit *unit, uint64_t wanted,
                              const struct texts *texts)
{
    struct name found = { "", 0 };
    struct format formats[FORMATS_MAX];
    const uint64_t format_count = fixed(cursor, 1);
    if (format_count > FORMATS_MAX) {
        (void)skip(cursor, UINT64_MAX);
        return found;
    }
    for (uint64_t i = 0; i < format_count; i++) {
        formats[i].content = uleb(cursor);
        formats[i].form = uleb(cursor);
    }
    const uint64_t count = uleb(cursor);
    for (uint64_t i = 0; i < count && !cursor->bad && format_count > 0; i++) {
        for (uint64_t k = 0; k < format_count; k++) {
            const struct value value = form_value(cursor, unit, formats[k].form, texts);
            if (i != wanted)
                continue;
            if (formats[k].content == LNCT_PATH && value.text != NULL)
                found.text = value.text;
            if (formats[k].content == LNCT_FOLDER)
                found.folder = value.number;
        }
    }
    return found;
}

static void names_of_5(const struct unit *unit, uint64_t file, const struct texts *texts,
                       struct wi_place *place)
{
    struct cursor cursor = unit->tables;
    (void)entry_of_5(&cursor, unit, UINT64_MAX, texts);
    const struct name name = entry_of_5(&cursor, unit, file, texts);
    cursor = unit->tables;
    const struct name folder = entry_of_5(&cursor, unit, name.folder, texts);
    place->file = name.text;
    place->folder = name.folder != 0 ? folder.text : ""; /* 0: where the compiler ran */
}

/* Before version 5: texts until an empty one; files carry three numbers; both count from 1. */
static void names_of_4(const struct unit *unit, uint64_t file, struct wi_place *place)
{
    struct cursor cursor = unit->tables;
    while (text(&cursor)[0] != '\0') {
    }
    uint64_t folder = 0;
    for (uint64_t i = 1; !cursor.bad; i++) {
        const char *name = text(&cursor);
        if (name[0] == '\0')
            return;
        folder = uleb(&cursor);
        (void)uleb(&cursor);
        (void)uleb(&cursor);
        if (i == file) {
            place->file = name;
            break;
        }
    }
    place->folder = "";
    cursor = unit->tables;
    for (uint64_t i = 1; i <= folder && !cursor.bad; i++) {
        const char *name = text(&cursor);
        if (name[0] == '\0')
            return;
        if (i == folder)
            place->folder = name;
    }
}

static void take_row(const struct unit *unit, const struct row *row, uint64_t end,
                     const struct texts *texts, struct wi_place *places, size_t count)
{
    if (end <= places[0].in_module || row->address > places[count - 1].in_module)
        return;
    if (row->line <= 0 || row->line > INT32_MAX)
        return;
    for (size_t i = wi_places_from(places, count, row->address);
         i < count && places[i].in_module < end; i++) {
        struct wi_place *place = &places[i];
        if (unit->version >= 5)
            names_of_5(unit, row->file, texts, place);
        else
            names_of_4(unit, row->file, place);
        if (place->file != NULL && place->file[0] == '\0')
            place->file = NULL;
        place->line = (int)row->line;
    }
}

/* -- units ------------------------------------------------------------------------------------ */

static uint64_t length_of(struct cursor *cursor, bool *wide)
{
    uint64_t bytes = fixed(cursor, 4);
    *wide = bytes == 0xffffffffu;
    return *wide ? fixed(cursor, 8) : bytes;
}

/* Takes the next unit off the section.  False: it cannot be read, but the cursor is behind it. */
static bool next_unit(struct cursor *section, struct unit *unit)
{
    const uint64_t bytes = length_of(section, &unit->wide);
    struct cursor cursor = { section->at, section->at, false };
    if (!skip(section, bytes))
        return false;
    cursor.end = section->at;
    unit->version = (unsigned)fixed(&cursor, 2);
    if (unit->version < 2 || unit->version > 5)
        return false;
    if (unit->version >= 5)
        (void)skip(&cursor, 2); /* sizes of addresses and segments */
    const uint64_t header_bytes = fixed(&cursor, unit->wide ? 8 : 4);
    unit->program = cursor;
    if (!skip(&unit->program, header_bytes))
        return false;
    unit->min_instruction = (unsigned)fixed(&cursor, 1);
    if (unit->version >= 4)
        (void)skip(&cursor, 1); /* operations in an instruction: 1 on machines that are not VLIW */
    (void)skip(&cursor, 1);     /* whether rows are statements at first */
    unit->line_base = (int8_t)fixed(&cursor, 1);
    unit->line_range = (unsigned)fixed(&cursor, 1);
    unit->opcode_base = (unsigned)fixed(&cursor, 1);
    for (unsigned i = 1; i < unit->opcode_base; i++)
        unit->operands[i] = (uint8_t)fixed(&cursor, 1);
    cursor.end = unit->program.at;
    unit->tables = cursor;
    return !cursor.bad && unit->line_range != 0 && unit->opcode_base != 0 &&
           cursor.at <= cursor.end;
}

static const struct row first_row = { .address = 0, .file = 1, .line = 1 };

/* An extended opcode.  True: it ended the sequence. */
static bool extended(struct cursor *program, struct row *row)
{
    const uint64_t bytes = uleb(program);
    struct cursor operand = *program;
    if (!skip(program, bytes) || bytes == 0)
        return false;
    operand.end = program->at;
    const uint64_t opcode = fixed(&operand, 1);
    if (opcode == LNE_SET_ADDRESS)
        row->address = fixed(&operand, (unsigned)(operand.end - operand.at));
    return opcode == LNE_END_SEQUENCE;
}

/* A standard opcode that makes no row. */
static void standard(const struct unit *unit, unsigned opcode, struct cursor *program,
                     struct row *row)
{
    switch (opcode) {
    case LNS_ADVANCE_PC:
        row->address += uleb(program) * unit->min_instruction;
        return;
    case LNS_ADVANCE_LINE:
        row->line = (int64_t)((uint64_t)row->line + (uint64_t)sleb(program));
        return;
    case LNS_SET_FILE:
        row->file = uleb(program);
        return;
    case LNS_CONST_ADD_PC:
        row->address +=
            (uint64_t)((255 - unit->opcode_base) / unit->line_range) * unit->min_instruction;
        return;
    case LNS_FIXED_ADVANCE_PC:
        row->address += fixed(program, 2);
        return;
    default:
        for (unsigned i = 0; i < unit->operands[opcode]; i++)
            (void)uleb(program);
        return;
    }
}

static void run_program(const struct unit *unit, const struct texts *texts, struct wi_place *places,
                        size_t count)
{
    struct cursor program = unit->program;
    struct row row = first_row;
    struct row before = first_row; /* the row that holds until the next */
    bool open = false;             /* whether there is one */
    while (program.at < program.end && !program.bad) {
        const unsigned opcode = (unsigned)fixed(&program, 1);
        bool ended = false;
        bool made = opcode == LNS_COPY || opcode >= unit->opcode_base;
        if (opcode >= unit->opcode_base) {
            const unsigned step = opcode - unit->opcode_base;
            row.address += (uint64_t)(step / unit->line_range) * unit->min_instruction;
            row.line += unit->line_base + (int)(step % unit->line_range);
        } else if (opcode == 0) {
            ended = extended(&program, &row);
            made = ended;
        } else if (opcode != LNS_COPY) {
            standard(unit, opcode, &program, &row);
        }
        if (!made)
            continue;
        /* The linker puts dropped functions at 0, where no code is. */
        if (open && before.address != 0 && before.address < row.address)
            take_row(unit, &before, row.address, texts, places, count);
        before = row;
        open = !ended;
        if (ended)
            row = first_row;
    }
}

void wi_lines_find(const struct wi_elf *elf, struct wi_place *places, size_t count)
{
    const struct wi_elf_part lines = wi_elf_section(elf, ".debug_line");
    const struct texts texts = {
        .line_str = wi_elf_section(elf, ".debug_line_str"),
        .str = wi_elf_section(elf, ".debug_str"),
    };
    if (lines.bytes == NULL || count == 0)
        return;
    struct cursor section = { lines.bytes, lines.bytes + lines.size, false };
    while (section.at < section.end) {
        struct unit unit = { .version = 0 };
        if (next_unit(&section, &unit))
            run_program(&unit, &texts, places, count);
    }
}
