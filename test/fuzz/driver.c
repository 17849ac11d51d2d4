/* SPDX-License-Identifier: MIT */
/* Runs a fuzz target where the compiler brings no fuzzer: replays a corpus, then feeds mutations of
 * it.  Takes the arguments of libFuzzer that the build uses, so both run by the same command:
 *
 *   target [-runs=N] [-seed=N] FOLDER|FILE...
 *
 * A run is a function of the seed and the corpus, so it can be repeated; files are read in the
 * order of their names.  Each input is handed over in a block of exactly its size, so that a
 * sanitizer sees a read past its end.  An input that crashes, or that takes longer than
 * STUCK_SECONDS, is written to "crash-input" in the first folder and named before the end.
 *
 * Threads: one. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define INPUTS_MAX 4096
#define INPUT_BYTES_MAX 65536
#define MUTATIONS_MAX 6
#define STUCK_SECONDS 20

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* A sanitizer ends the process by itself; it calls this first when it is linked in. */
__attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)(void));

struct input {
    uint8_t *data;
    size_t bytes;
};

static struct input corpus[INPUTS_MAX];
static size_t corpus_count;
static uint64_t random_state;

/* What is running now, for the handlers. */
static const uint8_t *volatile current;
static volatile size_t current_bytes;
static volatile uint64_t executions;
static volatile uint64_t executions_at_tick;
static char crash_path[4096] = "crash-input";

/* Bytes and words on which parsers decide; each is also tried where it does not belong. */
static const char *const words[] = {
    "\r\n",
    "\n",
    "\r",
    "\r\n\r\n",
    ":",
    " ",
    "\t",
    ",",
    ";",
    "=",
    "\"",
    "\\",
    "/",
    "?",
    "#",
    "%",
    "%00",
    "%2e",
    "%2F",
    "../",
    "*",
    "HTTP/1.1",
    "HTTP/1.0",
    "GET ",
    "POST ",
    "CONNECT ",
    "Host:",
    "chunked",
    "close",
    "gzip",
    "identity",
    "keep-alive",
    "0\r\n",
    "ffffffff",
    "-1",
    "+1",
    "0x10",
    "00",
    "99999999999999999999",
    "18446744073709551615",
    "Transfer-Encoding: chunked\r\n",
    "Content-Length: 5\r\n",
    "Content-Length: 0\r\n",
    "Connection: close\r\n",
    "Expect: 100-continue\r\n",
    "http://",
};

static uint64_t next_random(void)
{
    /* Marsaglia 2003, xorshift64*. */
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return random_state * UINT64_C(2685821657736338717);
}

static size_t random_below(size_t limit)
{
    return limit == 0 ? 0 : (size_t)((next_random() >> 16) % limit);
}

/* Only calls that a signal handler may make. */
static void save_current(void)
{
    static volatile sig_atomic_t saved;
    if (saved || current == NULL)
        return;
    saved = 1;
    const int fd = open(crash_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return;
    ssize_t rc = write(fd, current, current_bytes);
    close(fd);
    static const char text[] = "fuzz: the input is in ";
    if (rc >= 0)
        rc = write(STDERR_FILENO, text, sizeof(text) - 1);
    if (rc >= 0)
        rc = write(STDERR_FILENO, crash_path, strlen(crash_path));
    if (rc >= 0)
        rc = write(STDERR_FILENO, "\n", 1);
    (void)rc;
}

static void on_crash(int number)
{
    save_current();
    signal(number, SIG_DFL);
    raise(number);
}

static void on_tick(int number)
{
    (void)number;
    if (executions == executions_at_tick && current != NULL) {
        static const char text[] = "fuzz: stuck in one input\n";
        const ssize_t rc = write(STDERR_FILENO, text, sizeof(text) - 1);
        (void)rc;
        save_current();
        _exit(1);
    }
    executions_at_tick = executions;
    alarm(STUCK_SECONDS);
}

static void run(const uint8_t *data, size_t bytes)
{
    uint8_t *exact = malloc(bytes == 0 ? 1 : bytes);
    if (exact == NULL) {
        fprintf(stderr, "fuzz: out of memory\n");
        exit(1);
    }
    memcpy(exact, data, bytes);
    current_bytes = bytes;
    current = exact;
    LLVMFuzzerTestOneInput(exact, bytes);
    current = NULL;
    executions++;
    free(exact);
}

static void add_file(const char *path)
{
    if (corpus_count == INPUTS_MAX) {
        fprintf(stderr, "fuzz: more than %d inputs: %s\n", INPUTS_MAX, path);
        exit(1);
    }
    FILE *file = fopen(path, "rb");
    uint8_t *data = malloc(INPUT_BYTES_MAX);
    if (file == NULL || data == NULL) {
        fprintf(stderr, "fuzz: cannot read %s\n", path);
        exit(1);
    }
    corpus[corpus_count].bytes = fread(data, 1, INPUT_BYTES_MAX, file);
    corpus[corpus_count].data = data;
    corpus_count++;
    fclose(file);
}

static void add_path(const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0) {
        fprintf(stderr, "fuzz: no such file or folder: %s\n", path);
        exit(1);
    }
    if (!S_ISDIR(status.st_mode)) {
        add_file(path);
        return;
    }
    struct dirent **entries = NULL;
    const int count = scandir(path, &entries, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        char full[4096];
        snprintf(full, sizeof(full), "%s/%s", path, entries[i]->d_name);
        if (stat(full, &status) == 0 && S_ISREG(status.st_mode))
            add_file(full);
        free(entries[i]);
    }
    free(entries);
}

/* Makes room for `added` bytes at `at` and returns the new length; the caller has checked that
 * they fit. */
static size_t open_gap(uint8_t *data, size_t bytes, size_t at, size_t added)
{
    memmove(data + at + added, data + at, bytes - at);
    return bytes + added;
}

static size_t insert(uint8_t *data, size_t bytes, const void *what, size_t added)
{
    if (bytes + added > INPUT_BYTES_MAX)
        return bytes;
    const size_t at = random_below(bytes + 1);
    bytes = open_gap(data, bytes, at, added);
    memcpy(data + at, what, added);
    return bytes;
}

static size_t erase(uint8_t *data, size_t bytes)
{
    if (bytes == 0)
        return 0;
    const size_t at = random_below(bytes);
    const size_t left = bytes - at;
    const size_t gone = 1 + random_below(left < 16 ? left : 16);
    const size_t removed = gone < left ? gone : left;
    memmove(data + at, data + at + removed, left - removed);
    return bytes - removed;
}

/* The start of this input and the end of another. */
static size_t join_another(uint8_t *data, size_t bytes)
{
    const struct input *other = &corpus[random_below(corpus_count)];
    const size_t kept = random_below(bytes + 1);
    const size_t from = random_below(other->bytes + 1);
    size_t taken = other->bytes - from;
    if (taken > INPUT_BYTES_MAX - kept)
        taken = INPUT_BYTES_MAX - kept;
    memcpy(data + kept, other->data + from, taken);
    return kept + taken;
}

/* A piece of the input once more: repeated lines and doubled numbers. */
static size_t repeat(uint8_t *data, size_t bytes)
{
    uint8_t piece[64];
    if (bytes == 0)
        return 0;
    const size_t from = random_below(bytes);
    size_t taken = 1 + random_below(sizeof(piece));
    if (taken > bytes - from)
        taken = bytes - from;
    memcpy(piece, data + from, taken);
    return insert(data, bytes, piece, taken);
}

static size_t mutate_once(uint8_t *data, size_t bytes)
{
    const char *word = words[random_below(sizeof(words) / sizeof(words[0]))];
    const uint8_t any = (uint8_t)next_random();
    switch (random_below(8)) {
    case 0:
        if (bytes > 0)
            data[random_below(bytes)] ^= (uint8_t)(1U << random_below(8));
        return bytes;
    case 1:
        if (bytes > 0)
            data[random_below(bytes)] = any;
        return bytes;
    case 2:
        return insert(data, bytes, &any, 1);
    case 3:
        return erase(data, bytes);
    case 4:
        return join_another(data, bytes);
    case 5:
        return repeat(data, bytes);
    case 6:
        return random_below(bytes + 1); /* cut off */
    default:
        return insert(data, bytes, word, strlen(word));
    }
}

static void mutate_runs(uint64_t runs)
{
    static uint8_t data[INPUT_BYTES_MAX];
    static uint8_t nothing[1];
    if (corpus_count == 0)
        corpus[corpus_count++] = (struct input){ .data = nothing, .bytes = 0 };
    for (uint64_t i = 0; i < runs; i++) {
        const struct input *base = &corpus[random_below(corpus_count)];
        size_t bytes = base->bytes;
        memcpy(data, base->data, bytes);
        for (size_t left = 1 + random_below(MUTATIONS_MAX); left > 0; left--)
            bytes = mutate_once(data, bytes);
        run(data, bytes);
    }
}

int main(int argc, char **argv)
{
    uint64_t runs = 0;
    uint64_t seed = 1;
    int folders = 0;
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "-runs=", 6) == 0) {
            runs = strtoull(argv[i] + 6, NULL, 10);
        } else if (strncmp(argv[i], "-seed=", 6) == 0) {
            seed = strtoull(argv[i] + 6, NULL, 10);
        } else if (argv[i][0] == '-') {
            fprintf(stderr, "usage: %s [-runs=N] [-seed=N] FOLDER|FILE...\n", argv[0]);
            return 2;
        } else {
            struct stat status;
            if (folders++ == 0 && stat(argv[i], &status) == 0 && S_ISDIR(status.st_mode))
                snprintf(crash_path, sizeof(crash_path), "%s/crash-input", argv[i]);
            add_path(argv[i]);
        }
    }
    /* The state must not be 0, and near seeds should not begin alike. */
    random_state = (seed + 1) * UINT64_C(0x9E3779B97F4A7C15) | 1;

    if (__sanitizer_set_death_callback != NULL)
        __sanitizer_set_death_callback(save_current);
    else
        signal(SIGSEGV, on_crash);
    signal(SIGABRT, on_crash);
    signal(SIGALRM, on_tick);
    alarm(STUCK_SECONDS);

    const size_t replayed = corpus_count;
    for (size_t i = 0; i < replayed; i++)
        run(corpus[i].data, corpus[i].bytes);
    mutate_runs(runs);
    printf("fuzz: %zu inputs replayed, %llu executions, seed %llu\n", replayed,
           (unsigned long long)executions, (unsigned long long)seed);
    return 0;
}
