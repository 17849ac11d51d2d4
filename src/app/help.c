/* SPDX-License-Identifier: MIT */
/* The text of --help, from the same tables that the parser uses.  See help.h. */
#include "app/help.h"

#include <stdio.h>
#include <string.h>

#include "app/models.h"
#include "app/options.h"

enum {
    OPTION_COLUMNS = 23,
    COLUMNS = 80,
    INDENT = 2
};

/* Breaks between words, so that a line ends before the last column. */
static void write_title(struct wi_text *out, const struct weir_app_spec *spec)
{
    if (spec->summary == NULL)
        return;
    wi_text_add(out, "%s -", spec->name);
    size_t column = strlen(spec->name) + 2;
    for (const char *at = spec->summary; *at != '\0';) {
        const size_t letters = strcspn(at, " ");
        const bool breaks = column + 1 + letters > COLUMNS;
        wi_text_add(out, "%s%.*s", breaks ? "\n    " : " ", (int)letters, at);
        column = (breaks ? 4 : column + 1) + letters;
        at += letters;
        at += strspn(at, " ");
    }
    wi_text_add(out, "\n\n");
}

static void write_models(struct wi_text *out, const struct weir_app_spec *spec)
{
    const struct wi_model *fallback = wi_model_default(spec->state);
    wi_text_add(out, "\nThe same handlers run under every model; it says how they use cores and "
                     "memory:\n\n");
    wi_text_add(out, "  %-8s %-15s %-6s %-17s %s\n", "MODEL", "LIKE", "CORES", "MEMORY", "WEAK AT");
    for (int i = 0; i < WI_MODELS; i++) {
        const struct wi_model *model = &wi_models[i];
        wi_text_add(out, "%c %-8s %-15s %-6s %-17s %s\n", model == fallback ? '*' : ' ',
                    model->name, model->like, model->cores, model->memory, model->weak);
    }
    wi_text_add(out, "\n* the default.  Aliases:");
    for (int i = 0; i < WI_MODELS; i++) {
        const struct wi_model *model = &wi_models[i];
        for (int j = 0; j < WI_MODEL_ALIASES_MAX && model->aliases[j] != NULL; j++)
            wi_text_add(out, " %s", model->aliases[j]);
    }
    wi_text_add(out, ".\n");
}

/* Begins a line of the right-hand column. */
static void indent(struct wi_text *out)
{
    wi_text_add(out, "%*s", INDENT + OPTION_COLUMNS, "");
}

/* The default and the variable, behind the text if the line has room, else on the next. */
static void write_facts(struct wi_text *out, const struct wi_option_row *row, size_t used,
                        const char *fallback)
{
    char facts[96] = "";
    if (fallback != NULL && row->env != NULL)
        (void)snprintf(facts, sizeof(facts), "[%s] %s", fallback, row->env);
    else if (fallback != NULL)
        (void)snprintf(facts, sizeof(facts), "[%s]", fallback);
    else if (row->env != NULL)
        (void)snprintf(facts, sizeof(facts), "%s", row->env);
    if (facts[0] == '\0') {
        wi_text_add(out, "\n");
        return;
    }
    if (INDENT + OPTION_COLUMNS + used + 2 + strlen(facts) <= COLUMNS) {
        wi_text_add(out, "  %s\n", facts);
        return;
    }
    wi_text_add(out, "\n");
    indent(out);
    wi_text_add(out, "%s\n", facts);
}

static void write_option(struct wi_text *out, const struct wi_option_row *row, const char *fallback)
{
    char left[48];
    (void)snprintf(left, sizeof(left), "--%s%s%s", row->name, row->value != NULL ? "=" : "",
                   row->value != NULL ? row->value : "");
    wi_text_add(out, "  %-*s", OPTION_COLUMNS, left);
    if (strlen(left) >= OPTION_COLUMNS) {
        wi_text_add(out, "\n");
        indent(out);
    }

    const char *line = row->what;
    for (const char *end = strchr(line, '\n'); end != NULL; end = strchr(line, '\n')) {
        wi_text_add(out, "%.*s\n", (int)(end - line), line);
        indent(out);
        line = end + 1;
    }
    wi_text_add(out, "%s", line);
    write_facts(out, row, strlen(line), fallback);
}

static void write_options(struct wi_text *out, const struct weir_app_spec *spec)
{
    wi_text_add(out, "\nOptions, with [what holds without them] and the variable that does the "
                     "same:\n");
    for (const struct wi_option_row *row = wi_option_rows; row->name != NULL; row++) {
        const char *fallback = row->fallback;
        if (strcmp(row->name, "model") == 0)
            fallback = wi_model_default(spec->state)->name;
        if (strcmp(row->name, "listen") == 0)
            fallback = spec->listen != NULL ? spec->listen : "127.0.0.1:8080";
        if (row->group != NULL)
            wi_text_add(out, "\n%s\n", row->group);
        write_option(out, row, fallback);
    }
}

void wi_help_write(struct wi_text *out, const struct weir_app_spec *spec)
{
    write_title(out, spec);
    wi_text_add(out, "Usage: %s [OPTIONS]\n", spec->name);
    write_models(out, spec);
    write_options(out, spec);
    wi_text_add(out,
                "\nSIGTERM or SIGINT: answer what is in flight, then end.  Twice: end "
                "now.\nExit status: 0 ended in order, 1 could not start or finish, 2 wrong "
                "options.\n"
                "\nExamples\n"
                "  %s --model=loop\n"
                "  %s --model=cluster --listen=:8080 --admin=127.0.0.1:9900\n"
                "  %s --max-running=64 --max-waiting=200,500ms\n"
                "  WEIR_MODEL=threads %s --listen=unix:/run/app.sock\n",
                spec->name, spec->name, spec->name, spec->name);
}
