/* SPDX-License-Identifier: MIT */
/* Addresses as text on Linux; the other half of os/socket.h is in socket.c. */
#define _GNU_SOURCE 1
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/check.h"
#include "os/socket.h"

_Static_assert(sizeof(((struct wi_addr *)0)->data) >= sizeof(struct sockaddr_storage),
               "every address fits");

enum {
    HOST_BYTES = 80,
    PORT_MAX = 65535,
    UNIX_PREFIX_BYTES = 5,
    LABEL_BYTES_MAX = 63,
    NAME_BYTES_MAX = 253 + 1, /* RFC 1035, and a dot at the end */
};

#define UNIX_PATH_OFFSET offsetof(struct sockaddr_un, sun_path)

static int refuse(const char **reason, const char *why)
{
    if (reason != NULL)
        *reason = why;
    return WEIR_EINVAL;
}

static void store(struct wi_addr *out, const void *address, size_t bytes)
{
    *out = (struct wi_addr){ .bytes = (uint32_t)bytes };
    memcpy(out->data, address, bytes);
}

static sa_family_t family_of(const struct wi_addr *addr)
{
    sa_family_t family = AF_UNSPEC;
    if (addr->bytes >= sizeof(family))
        memcpy(&family, addr->data, sizeof(family));
    return family;
}

static int parse_unix(const char *path, struct wi_addr *out, const char **reason)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    const size_t bytes = strlen(path);
    if (bytes == 0)
        return refuse(reason, "the path after unix: is empty");
    if (bytes >= sizeof(address.sun_path))
        return refuse(reason, "the path after unix: is too long (107 bytes at most)");

    memcpy(address.sun_path, path, bytes);
    if (path[0] != '@') {
        store(out, &address, UNIX_PATH_OFFSET + bytes + 1);
        return 0;
    }
    if (bytes == 1)
        return refuse(reason, "the name after unix:@ is empty");
    address.sun_path[0] = '\0'; /* abstract names have no NUL at their end */
    store(out, &address, UNIX_PATH_OFFSET + bytes);
    return 0;
}

/* The port, or -1. */
static int parse_port(const char *text)
{
    int port = 0;
    if (*text == '\0')
        return -1;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9')
            return -1;
        port = port * 10 + (*text - '0');
        if (port > PORT_MAX)
            return -1;
    }
    return port;
}

static void store_v4(struct wi_addr *out, struct in_addr host, int port)
{
    const struct sockaddr_in address = { .sin_family = AF_INET,
                                         .sin_port = htons((uint16_t)port),
                                         .sin_addr = host };
    store(out, &address, sizeof(address));
}

static void store_v6(struct wi_addr *out, struct in6_addr host, uint32_t scope, int port)
{
    const struct sockaddr_in6 address = { .sin6_family = AF_INET6,
                                          .sin6_port = htons((uint16_t)port),
                                          .sin6_addr = host,
                                          .sin6_scope_id = scope };
    store(out, &address, sizeof(address));
}

static bool has_v6(void)
{
    const int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    close(fd);
    return true;
}

static void store_any(struct wi_addr *out, int port)
{
    if (has_v6())
        store_v6(out, in6addr_any, 0, port);
    else
        store_v4(out, (struct in_addr){ .s_addr = htonl(INADDR_ANY) }, port);
}

/* "addr" or "addr%interface". */
static int parse_v6(char *host, int port, struct wi_addr *out, const char **reason)
{
    uint32_t scope = 0;
    char *percent = strchr(host, '%');
    if (percent != NULL) {
        *percent = '\0';
        scope = if_nametoindex(percent + 1);
        if (scope == 0)
            return refuse(reason, "no such interface after %");
    }
    struct in6_addr address;
    if (inet_pton(AF_INET6, host, &address) != 1)
        return refuse(reason, "not an IPv6 address between [ and ]");
    store_v6(out, address, scope, port);
    return 0;
}

static int parse_host(char *host, int port, struct wi_addr *out, const char **reason)
{
    const size_t bytes = strlen(host);
    if (bytes == 0 || strcmp(host, "*") == 0) {
        store_any(out, port);
        return 0;
    }
    if (host[0] == '[' && host[bytes - 1] == ']') {
        host[bytes - 1] = '\0';
        return parse_v6(host + 1, port, out, reason);
    }
    if (strchr(host, ':') != NULL)
        return refuse(reason, "an IPv6 address needs brackets: [ADDRESS]:PORT");

    struct in_addr address;
    const char *literal = strcmp(host, "localhost") == 0 ? "127.0.0.1" : host;
    if (inet_pton(AF_INET, literal, &address) != 1)
        return refuse(reason, "not an IP address (names are not looked up here)");
    store_v4(out, address, port);
    return 0;
}

int wi_addr_parse(const char *text, struct wi_addr *out, const char **reason)
{
    wi_bug_unless(text != NULL);
    if (strncmp(text, "unix:", UNIX_PREFIX_BYTES) == 0)
        return parse_unix(text + UNIX_PREFIX_BYTES, out, reason);

    const char *colon = strrchr(text, ':');
    if (colon == NULL || strchr(colon, ']') != NULL)
        return refuse(reason, "the port is missing: ADDRESS:PORT");
    const int port = parse_port(colon + 1);
    if (port < 0)
        return refuse(reason, "the port is not a number from 0 to 65535");

    char host[HOST_BYTES];
    const size_t host_bytes = (size_t)(colon - text);
    if (host_bytes >= sizeof(host))
        return refuse(reason, "the address is too long");
    memcpy(host, text, host_bytes);
    host[host_bytes] = '\0';
    return parse_host(host, port, out, reason);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The length of the label that text begins with, 0 if there is none; *number: the C library would
 * take it for one, which "0x7f" is too. */
static size_t label_in(const char *text, bool *number)
{
    size_t len = 0;
    bool digits = true;
    for (; is_digit(text[len]) || is_letter(text[len]) || text[len] == '-' || text[len] == '_';
         len++)
        digits = digits && is_digit(text[len]);
    *number = digits || (text[0] == '0' && (text[1] == 'x' || text[1] == 'X'));
    return len;
}

int wi_addr_split_name(const char *text, char host[WI_NAME_BYTES], int *port)
{
    wi_bug_unless(text != NULL);
    const char *at = text;
    bool number = true;
    while (*at != ':') {
        const size_t len = label_in(at, &number);
        at += len;
        if (len == 0 || len > LABEL_BYTES_MAX || (*at != '.' && *at != ':'))
            return WEIR_EINVAL;
        if (*at == '.')
            at++;
    }
    const size_t bytes = (size_t)(at - text);
    *port = parse_port(at + 1);
    if (bytes == 0 || bytes > NAME_BYTES_MAX || number || *port < 0)
        return WEIR_EINVAL;
    for (size_t i = 0; i < bytes; i++)
        host[i] = text[i] >= 'A' && text[i] <= 'Z' ? (char)(text[i] | 0x20) : text[i];
    host[bytes] = '\0';
    return 0;
}

void wi_addr_set_port(struct wi_addr *addr, int port)
{
    const sa_family_t family = family_of(addr);
    wi_bug_unless(family == AF_INET || family == AF_INET6);
    const in_port_t network = htons((uint16_t)port);
    const size_t at = family == AF_INET ? offsetof(struct sockaddr_in, sin_port)
                                        : offsetof(struct sockaddr_in6, sin6_port);
    memcpy(addr->data + at, &network, sizeof(network));
}

/* A path is read up to its NUL; an abstract name may hold NULs, which are shown as '@' too. */
static void format_unix(const struct wi_addr *addr, char *text, size_t text_bytes)
{
    struct sockaddr_un address = { 0 };
    const size_t have = addr->bytes < sizeof(address) ? addr->bytes : sizeof(address);
    memcpy(&address, addr->data, have);
    size_t bytes = have > UNIX_PATH_OFFSET ? have - UNIX_PATH_OFFSET : 0;
    const char *path = address.sun_path;
    const bool abstract = bytes > 0 && path[0] == '\0';
    if (!abstract)
        bytes = strnlen(path, bytes);

    char name[sizeof(address.sun_path) + 1];
    for (size_t i = 0; i < bytes; i++)
        name[i] = path[i] == '\0' ? '@' : path[i];
    name[bytes] = '\0';
    snprintf(text, text_bytes, "unix:%s", name);
}

static void format_v4(const struct wi_addr *addr, char *text, size_t text_bytes)
{
    struct sockaddr_in address;
    memcpy(&address, addr->data, sizeof(address));
    char host[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &address.sin_addr, host, sizeof(host));
    snprintf(text, text_bytes, "%s:%u", host, (unsigned)ntohs(address.sin_port));
}

static void format_v6(const struct wi_addr *addr, char *text, size_t text_bytes)
{
    struct sockaddr_in6 address;
    memcpy(&address, addr->data, sizeof(address));
    char host[INET6_ADDRSTRLEN];
    char interface[IF_NAMESIZE] = "";
    inet_ntop(AF_INET6, &address.sin6_addr, host, sizeof(host));
    const bool scoped =
        address.sin6_scope_id != 0 && if_indextoname(address.sin6_scope_id, interface) != NULL;
    snprintf(text, text_bytes, "[%s%s%s]:%u", host, scoped ? "%" : "", interface,
             (unsigned)ntohs(address.sin6_port));
}

void wi_addr_format(const struct wi_addr *addr, char *text, size_t text_bytes)
{
    wi_bug_unless(text_bytes > 0);
    const sa_family_t family = family_of(addr);
    if (family == AF_UNIX)
        format_unix(addr, text, text_bytes);
    else if (family == AF_INET && addr->bytes >= sizeof(struct sockaddr_in))
        format_v4(addr, text, text_bytes);
    else if (family == AF_INET6 && addr->bytes >= sizeof(struct sockaddr_in6))
        format_v6(addr, text, text_bytes);
    else
        snprintf(text, text_bytes, "-");
}

bool wi_addr_is_unix(const struct wi_addr *addr)
{
    return family_of(addr) == AF_UNIX;
}

bool wi_addr_is_abstract(const struct wi_addr *addr)
{
    return wi_addr_is_unix(addr) && addr->bytes > UNIX_PATH_OFFSET &&
           addr->data[UNIX_PATH_OFFSET] == '\0';
}

uint64_t wi_addr_network(const struct wi_addr *addr)
{
    const size_t v4_at = offsetof(struct sockaddr_in, sin_addr);
    const size_t v6_at = offsetof(struct sockaddr_in6, sin6_addr);
    uint32_t v4 = 0;
    uint64_t v6 = 0;
    if (family_of(addr) == AF_INET) {
        memcpy(&v4, addr->data + v4_at, sizeof(v4));
        return v4;
    }
    if (family_of(addr) != AF_INET6)
        return 0;
    static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff }; /* ::ffff:a.b.c.d */
    if (memcmp(addr->data + v6_at, mapped, sizeof(mapped)) == 0) {
        memcpy(&v4, addr->data + v6_at + sizeof(mapped), sizeof(v4));
        return v4;
    }
    memcpy(&v6, addr->data + v6_at, sizeof(v6));
    return v6 != 0 ? v6 : 1; /* as ::1 */
}
