/* SPDX-License-Identifier: MIT */
#ifndef WEIR_WEIR_H
#define WEIR_WEIR_H

/* Everything; each header is the manual of its subject. */

#include "weir/app.h"
#include "weir/barrier.h"
#include "weir/budget.h"
#include "weir/chan.h"
#include "weir/client.h"
#include "weir/cluster.h"
#include "weir/cond.h"
#include "weir/defer.h"
#include "weir/dump.h"
#include "weir/err.h"
#include "weir/event.h"
#include "weir/future.h"
#include "weir/gather.h"
#include "weir/limit.h"
#include "weir/local.h"
#include "weir/memory.h"
#include "weir/mutex.h"
#include "weir/net.h"
#include "weir/once.h"
#include "weir/pool.h"
#include "weir/proc.h"
#include "weir/runtime.h"
#include "weir/rwlock.h"
#include "weir/scope.h"
#include "weir/select.h"
#include "weir/semaphore.h"
#include "weir/serve.h"
#include "weir/signal.h"
#include "weir/task.h"
#include "weir/time.h"
#include "weir/timeout.h"
#include "weir/timer.h"
#include "weir/wait_group.h"

/* glibc declares the function behind errno const, so a compiler may keep one thread's address over
 * a wait after which the task runs on another thread.  This one is asked again each time. */
#include <errno.h>
#undef errno
#define errno (*weir_errno_address())

#endif
