/* SPDX-License-Identifier: MIT */
/* Opening all listeners of a service, or none.  See listen.h. */
#include "app/listen.h"

#include <string.h>

#include "base/shortage.h"
#include "net/transport.h"
#include "os/file.h"

enum {
    NO_FD = -1,
    ADMIN_BACKLOG = 128
};

static int judge(struct wi_listener *listener, const char *option, const char *address,
                 struct wi_text *why)
{
    const char *reason = "not an address";
    listener->fd = NO_FD;
    const int rc = wi_addr_parse(address, &listener->addr, &reason);
    if (rc != 0)
        wi_text_add(why, "--%s=%.100s: %s", option, address, reason);
    return rc;
}

static int open_one(struct wi_listener *listener, const char *option, const char *address,
                    int backlog, struct wi_text *why)
{
    const int fd = wi_socket_listen(&listener->addr, backlog);
    if (fd < 0) {
        wi_text_add(why, "--%s=%.100s: %s", option, address, wi_shortage_text(fd));
        return fd;
    }
    listener->fd = fd;
    listener->path_ours = wi_addr_is_unix(&listener->addr) && !wi_addr_is_abstract(&listener->addr);
    struct wi_addr bound = listener->addr;
    if (!wi_addr_is_unix(&bound) && wi_socket_local(fd, &bound) != 0)
        bound = listener->addr;
    wi_addr_format(&bound, listener->text, sizeof(listener->text));
    return 0;
}

static int open_all(struct wi_listeners *out, const char *const *addresses, const char *admin,
                    int backlog, struct wi_text *why)
{
    for (int i = 0; i < out->count; i++) {
        const int rc = open_one(&out->serve[i], "listen", addresses[i], backlog, why);
        if (rc != 0)
            return rc;
    }
    return admin == NULL ? 0 : open_one(&out->admin, "admin", admin, ADMIN_BACKLOG, why);
}

int wi_listeners_open(struct wi_listeners *out, const char *const *addresses, int count,
                      const char *admin, int backlog, struct wi_text *why)
{
    *out = (struct wi_listeners){ .count = count, .admin = { .fd = NO_FD } };
    int rc = 0;
    for (int i = 0; i < count && rc == 0; i++)
        rc = judge(&out->serve[i], "listen", addresses[i], why);
    if (rc == 0 && admin != NULL)
        rc = judge(&out->admin, "admin", admin, why);
    if (rc != 0)
        return rc;

    rc = open_all(out, addresses, admin, backlog > 0 ? backlog : WI_TRANSPORT_BACKLOG, why);
    if (rc != 0) {
        wi_listeners_unlink(out);
        wi_listeners_unlink_admin(out);
        wi_listeners_close(out);
        wi_listeners_close_admin(out);
    }
    return rc;
}

static void unlink_one(struct wi_listener *listener)
{
    static const char prefix[] = "unix:";
    if (!listener->path_ours)
        return;
    (void)wi_file_remove_socket(listener->text + strlen(prefix));
    listener->path_ours = false;
}

void wi_listeners_unlink(struct wi_listeners *listeners)
{
    for (int i = 0; i < listeners->count; i++)
        unlink_one(&listeners->serve[i]);
}

void wi_listeners_unlink_admin(struct wi_listeners *listeners)
{
    unlink_one(&listeners->admin);
}

void wi_listeners_give(struct wi_listeners *listeners)
{
    for (int i = 0; i < listeners->count; i++)
        listeners->serve[i].path_ours = false;
}

static void close_one(struct wi_listener *listener)
{
    if (listener->fd != NO_FD)
        wi_socket_close(listener->fd);
    listener->fd = NO_FD;
}

void wi_listeners_close(struct wi_listeners *listeners)
{
    for (int i = 0; i < listeners->count; i++)
        close_one(&listeners->serve[i]);
}

void wi_listeners_close_admin(struct wi_listeners *listeners)
{
    close_one(&listeners->admin);
}

void wi_listener_describe(const struct wi_listener *listener, struct wi_text *out)
{
    wi_text_add(out, "%s%s", wi_addr_is_unix(&listener->addr) ? "" : "http://", listener->text);
}
