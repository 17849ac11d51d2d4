/* SPDX-License-Identifier: MIT */
/* The list of contestants and their command lines.  See contestant.h. */

#include "compare/contestant.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "compare/document.h"

/* Where Debian and go's own installer put what a plain PATH may lack. */
static const char *const further_folders[] = { "/usr/local/go/bin", "/usr/bin", "/usr/sbin", NULL };

static const struct {
    const char *option;
    const char *model;
    bool shares_memory;
    bool supervised;
} models[] = {
    { "loop", "event loop", true, false },
    { "cluster", "event loop in a process per core", false, true },
    { "tasks", "lightweight tasks over all cores", true, false },
    { "threads", "a thread per request", true, false },
    { "prefork", "processes of one request at a time", false, true },
};

/* -- choosing --------------------------------------------------------------------------------- */

static bool equal_ignoring_case(const char *a, const char *b, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (tolower((unsigned char)a[i]) != tolower((unsigned char)b[i]))
            return false;
    }
    return true;
}

/* "Go net/http" also names "Go net/http, guarded": in a list a comma ends the word. */
static bool names(const char *word, size_t length, const char *name)
{
    return strcspn(name, ",") == length && equal_ignoring_case(word, name, length);
}

/* Whether a list with commas has a word that is either. */
static bool listed(const char *list, const char *name, const char *family)
{
    for (const char *word = list; *word != '\0';) {
        const size_t length = strcspn(word, ",");
        if (names(word, length, name) || names(word, length, family))
            return true;
        word += length + (word[length] == ',');
    }
    return false;
}

static bool is_peer(const json_t *manifest, const char *word, size_t length)
{
    size_t i;
    const json_t *peer;
    json_array_foreach(manifest, i, peer)
    {
        if (names(word, length, text_of(peer, "name")) ||
            names(word, length, text_of(peer, "family")))
            return true;
    }
    return false;
}

static bool is_model(const char *word, size_t length)
{
    if (names(word, length, "none"))
        return true;
    for (size_t i = 0; i < wi_count_of(models); i++) {
        if (names(word, length, models[i].option))
            return true;
    }
    return false;
}

static int check_models(const char *list, char why[REASON_BYTES])
{
    for (const char *word = list; word != NULL && *word != '\0';) {
        const size_t length = strcspn(word, ",");
        if (!is_model(word, length)) {
            snprintf(
                why, REASON_BYTES,
                "there is no model '%.*s'; there are loop, cluster, tasks, threads, prefork, none",
                (int)length, word);
            return WEIR_EINVAL;
        }
        word += length + (word[length] == ',');
    }
    return 0;
}

static int check_peers(const json_t *manifest, const char *list, char why[REASON_BYTES])
{
    if (list[strspn(list, ",")] == '\0') {
        snprintf(why, REASON_BYTES, "--peers names nobody; 'none' leaves all peers out");
        return WEIR_EINVAL;
    }
    for (const char *word = list; *word != '\0';) {
        const size_t length = strcspn(word, ",");
        if (!is_peer(manifest, word, length)) {
            int used = snprintf(why, REASON_BYTES, "there is no peer '%.*s'; there are",
                                (int)length, word);
            size_t i;
            const json_t *peer;
            json_array_foreach(manifest, i, peer)
            {
                if (used > 0 && used < REASON_BYTES)
                    used += snprintf(why + used, (size_t)(REASON_BYTES - used), "%s %s",
                                     i == 0 ? "" : ",", text_of(peer, "name"));
            }
            return WEIR_EINVAL;
        }
        word += length + (word[length] == ',');
    }
    return 0;
}

/* -- listing ---------------------------------------------------------------------------------- */

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

/* A user's program may be called weir too; its rows are then told from the demo service's. */
static const char *app_name(const char *path)
{
    const char *name = base_name(path);
    return strcmp(name, "weir") == 0 ? "./weir" : name;
}

static void add_models(struct contestants *list, enum source source, const char *name)
{
    for (size_t i = 0; i < wi_count_of(models) && list->count < CONTESTANTS_MAX; i++) {
        if (list->choice->models != NULL && !listed(list->choice->models, models[i].option, ""))
            continue;
        struct contestant *who = &list->all[list->count++];
        *who = (struct contestant){
            .source = source,
            .family = source == SOURCE_APP ? "app" : "weir",
            .model = models[i].model,
            .option = models[i].option,
            .shares_memory = models[i].shares_memory,
            .supervised = models[i].supervised,
            .prepared = true,
        };
        snprintf(who->name, sizeof who->name, "%.50s %s", name, models[i].option);
        clean_text(who->name); /* the name of a file, perhaps cut */
    }
}

/* Says what is missing, and which package brings it. */
static void look_for_needs(struct contestant *who)
{
    size_t i;
    const json_t *need;
    json_array_foreach(json_object_get(who->manifest, "needs"), i, need)
    {
        char path[PATH_BYTES];
        if (command_find(text_of(need, "command"), further_folders, path))
            continue;
        snprintf(who->left_out, sizeof who->left_out, "%s is missing: install %s",
                 text_of(need, "command"), text_of(need, "package"));
        return;
    }
}

static void add_peers(struct contestants *list)
{
    const char *wanted = list->choice->peers;
    const bool all = wanted == NULL || strcmp(wanted, "all") == 0;
    size_t i;
    const json_t *peer;
    json_array_foreach(list->manifest, i, peer)
    {
        if (list->count == CONTESTANTS_MAX ||
            (!all && !listed(wanted, text_of(peer, "name"), text_of(peer, "family"))))
            continue;
        struct contestant *who = &list->all[list->count++];
        *who = (struct contestant){
            .source = SOURCE_PEER,
            .family = text_of(peer, "family"),
            .model = text_of(peer, "model"),
            .guarded = json_is_true(json_object_get(peer, "guarded")),
            .shares_memory = json_is_true(json_object_get(peer, "shares_memory")),
            .supervised = json_is_true(json_object_get(peer, "supervised")),
            .manifest = peer,
        };
        snprintf(who->name, sizeof who->name, "%s", text_of(peer, "name"));
        clean_text(who->name); /* perhaps cut */
        look_for_needs(who);
    }
}

/* The journal and the logs know a contestant by its name alone.  Models differ among themselves, so
 * two of one name involve peers.json. */
static int check_names(const struct contestants *list, char why[REASON_BYTES])
{
    for (int i = 0; i < list->count; i++) {
        for (int other = 0; other < i; other++) {
            if (strcmp(list->all[i].name, list->all[other].name) != 0)
                continue;
            snprintf(why, REASON_BYTES,
                     "two contestants are called '%s'; give each a name of its own in %.200s (the "
                     "first %d bytes count)",
                     list->all[i].name, list->manifest_path, NAME_BYTES - 1);
            return WEIR_EINVAL;
        }
    }
    return 0;
}

/* Beside the installed tool, else in the tree that it was built from. */
static bool find_peers_folder(struct contestants *list)
{
    char path[PATH_BYTES + 64];
    if (list->choice->peers_folder != NULL)
        return path_whole(list->choice->peers_folder, list->peers_folder);
    char folder[PATH_BYTES];
    snprintf(folder, sizeof folder, "%s", list->executable);
    char *slash = strrchr(folder, '/');
    if (slash != NULL)
        *slash = '\0';
    snprintf(path, sizeof path, "%s/../share/weir/peers", folder);
    return path_whole(path, list->peers_folder) ||
           path_whole(WEIR_PEERS_FOLDER, list->peers_folder);
}

static int read_manifest(struct contestants *list, char why[REASON_BYTES])
{
    const char *wanted = list->choice->peers;
    if (wanted != NULL && strcmp(wanted, "none") == 0)
        return 0;
    if (!find_peers_folder(list)) {
        if (list->choice->peers_folder == NULL && wanted == NULL)
            return 0; /* a tool that was copied alone compares weir's models */
        snprintf(why, REASON_BYTES, "the folder of the peers is not there: %.200s",
                 list->choice->peers_folder != NULL ? list->choice->peers_folder
                                                    : WEIR_PEERS_FOLDER);
        return WEIR_EINVAL;
    }
    const char *path = list->manifest_path;
    snprintf(list->manifest_path, sizeof list->manifest_path, "%s/peers.json", list->peers_folder);
    json_error_t error;
    list->manifest = json_load_file(path, 0, &error);
    if (!json_is_array(list->manifest)) {
        snprintf(why, REASON_BYTES, "%.200s is not a list of peers (line %d: %.100s)", path,
                 error.line, error.text);
        return WEIR_EINVAL;
    }
    if (wanted == NULL || strcmp(wanted, "all") == 0)
        return 0;
    return check_peers(list->manifest, wanted, why);
}

int contestants_list(struct contestants *out, const struct choice *choice, const char *work_folder,
                     char why[REASON_BYTES])
{
    memset(out, 0, sizeof *out);
    out->choice = choice;
    snprintf(out->work_folder, sizeof out->work_folder, "%s", work_folder);
    if (!executable_path(out->executable)) {
        snprintf(why, REASON_BYTES, "/proc is needed: /proc/self/exe cannot be read");
        return WEIR_EINVAL;
    }
    int rc = check_models(choice->models, why);
    if (rc == 0)
        rc = read_manifest(out, why);
    if (rc < 0)
        return rc;
    if (choice->app != NULL)
        add_models(out, SOURCE_APP, app_name(choice->app));
    if (choice->with_weir)
        add_models(out, SOURCE_WEIR, "weir");
    add_peers(out);
    if (out->count > 0)
        return check_names(out, why);
    snprintf(why, REASON_BYTES, "there is nobody to compare: no model and no peer");
    return WEIR_EINVAL;
}

void contestants_fini(struct contestants *list)
{
    json_decref(list->manifest);
    list->manifest = NULL;
    list->count = 0;
}

/* -- command lines ---------------------------------------------------------------------------- */

struct places {
    const struct contestants *list;
    int port;
    int cores;
};

static void put(struct command_line *line, const char *text, size_t length)
{
    if (line->used + length + 1 > sizeof line->text) {
        line->used = sizeof line->text; /* full: whoever asked for it looks */
        return;
    }
    memcpy(line->text + line->used, text, length);
    line->used += length;
}

/* What the placeholder at the start of `text` stands for; its length in *length, 0: it is none. */
static const char *meaning(const struct places *places, const char *text, size_t *length,
                           char number[16])
{
    static const char *const known[] = { "{port}", "{cores}", "{peers}", "{work}" };
    for (size_t i = 0; i < wi_count_of(known); i++) {
        *length = strlen(known[i]);
        if (strncmp(text, known[i], *length) != 0)
            continue;
        snprintf(number, 16, "%d", i == 0 ? places->port : places->cores);
        return i < 2 ? number : i == 2 ? places->list->peers_folder : places->list->work_folder;
    }
    *length = 0;
    return "";
}

/* Appends a text with its placeholders filled in, and returns where it stands. */
static char *expand(struct command_line *line, const struct places *places, const char *text)
{
    char *start = line->text + line->used;
    while (*text != '\0') {
        char number[16];
        size_t length;
        const char *instead = meaning(places, text, &length, number);
        if (length > 0)
            put(line, instead, strlen(instead));
        else
            put(line, text, length = 1);
        text += length;
    }
    put(line, "", 1);
    return start;
}

static bool expand_all(struct command_line *line, const struct places *places, const json_t *texts,
                       char **out)
{
    size_t i;
    const json_t *text;
    json_array_foreach(texts, i, text)
    {
        if (i == ARGUMENTS_MAX || !json_is_string(text))
            return false;
        out[i] = expand(line, places, json_string_value(text));
    }
    return line->used < sizeof line->text;
}

/* An environment may be a list of "NAME=value" or an object. */
static bool expand_environment(struct command_line *line, const struct places *places,
                               const json_t *environment)
{
    if (json_is_array(environment))
        return expand_all(line, places, environment, line->extra);
    size_t count = 0;
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)environment, name, value)
    {
        if (count == ARGUMENTS_MAX || !json_is_string(value))
            return false;
        line->extra[count++] = line->text + line->used;
        put(line, name, strlen(name));
        put(line, "=", 1);
        (void)expand(line, places, json_string_value(value)); /* stands behind the two */
    }
    return line->used < sizeof line->text;
}

json_t *contestant_settings(const struct contestants *list, const struct contestant *who)
{
    const struct places places = { .list = list, .cores = 1 };
    const json_t *settings = json_object_get(who->manifest, "settings");
    json_t *all = json_array();
    struct command_line line;
    memset(&line, 0, sizeof line);
    if (!expand_all(&line, &places, settings, line.arguments))
        return all; /* too long to be shown */
    for (size_t i = 0; line.arguments[i] != NULL; i++)
        (void)json_array_append_new(all, json_string(line.arguments[i]));
    return all;
}

/* The command by its whole path, so that PATH need not have it. */
static bool find_command(struct command_line *line)
{
    char path[PATH_BYTES];
    if (line->arguments[0] == NULL)
        return false;
    if (!command_find(line->arguments[0], further_folders, path))
        return true; /* starting it will tell */
    line->arguments[0] = line->text + line->used;
    put(line, path, strlen(path) + 1);
    return line->used < sizeof line->text;
}

static bool of_manifest(const struct places *places, const json_t *command,
                        const json_t *environment, struct command_line *out)
{
    return expand_all(out, places, command, out->arguments) &&
           expand_environment(out, places, environment) && find_command(out);
}

static void add(struct command_line *line, int *count, const char *format, const char *text)
{
    char whole[PATH_BYTES + 32];
    const int bytes = snprintf(whole, sizeof whole, format, text);
    if (*count == ARGUMENTS_MAX || bytes < 0 || (size_t)bytes >= sizeof whole) {
        line->used = sizeof line->text;
        return;
    }
    line->arguments[(*count)++] = line->text + line->used;
    put(line, whole, (size_t)bytes + 1);
}

/* Both take the options of weir_main(). */
static bool of_weir_main(const struct places *places, const struct contestant *who,
                         const char *serve_option, struct command_line *out)
{
    const struct choice *choice = places->list->choice;
    char number[16];
    int count = 0;
    if (who->source == SOURCE_APP) {
        add(out, &count, "%s", choice->app);
    } else {
        add(out, &count, "%s", places->list->executable);
        add(out, &count, "%s", "serve");
    }
    add(out, &count, "--model=%s", who->option);
    snprintf(number, sizeof number, "%d", places->port);
    add(out, &count, "--listen=127.0.0.1:%s", number);
    snprintf(number, sizeof number, "%d", places->cores);
    add(out, &count, "--cores=%s", number);
    if (who->source == SOURCE_WEIR && serve_option != NULL)
        add(out, &count, "%s", serve_option);
    for (int i = 0; who->source == SOURCE_APP && i < choice->app_argument_count; i++)
        add(out, &count, "%s", choice->app_arguments[i]);
    return out->used < sizeof out->text;
}

bool contestant_command(const struct contestants *list, const struct contestant *who, int port,
                        int cores, const char *serve_option, struct command_line *out)
{
    const struct places places = { .list = list, .port = port, .cores = cores };
    memset(out, 0, sizeof *out);
    if (who->source != SOURCE_PEER)
        return of_weir_main(&places, who, serve_option, out);
    return of_manifest(&places, json_object_get(who->manifest, "run"),
                       json_object_get(who->manifest, "environment"), out);
}

int contestant_preparation(const struct contestants *list, const struct contestant *who, int cores,
                           struct command_line *out)
{
    const struct places places = { .list = list, .cores = cores };
    const json_t *command = json_object_get(who->manifest, "prepare");
    memset(out, 0, sizeof *out);
    if (json_array_size(command) == 0)
        return WEIR_ENOENT;
    return of_manifest(&places, command, json_object_get(who->manifest, "prepare_environment"), out)
               ? 0
               : WEIR_EINVAL;
}
