/* SPDX-License-Identifier: MIT */
/*
 * When turns happen: as a guest of libuv's loop, or as its host.
 *
 * A guest's epoll set lies in libuv's: the kernel wakes through two sets, looks for cycles whenever the
 * inner one gets a new member, and each turn costs a wait in either. A host turns that round: its own
 * set holds libuv's, and it waits in a prepare callback, where libuv is about to wait itself. Whenever
 * libuv has something to do (a descriptor, a timer, an idle or a closing handle) the callback returns,
 * with an idle handle active so that libuv does not wait.
 * https://docs.libuv.org/en/v1.x/loop.html#c.uv_backend_fd
 */
#include "poller.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* What epoll tells us back for libuv's own set; no slot and no listener is called so. */
#define LOOP_EVENT ((uint64_t)1 << 33)

/* Takes libuv's event out of the first `*count`, and says whether it was there. */
static bool take_loop_event(struct epoll_event *events, uint32_t *count) {
        uint32_t i;

        for (i = 0; i < *count; i++) {
                if (events[i].data.u64 != LOOP_EVENT)
                        continue;
                (*count)--;
                memmove(events + i, events + i + 1, (*count - i) * sizeof(*events));
                return true;
        }
        return false;
}

/* A turn with what is ready within `timeout` ms, if anything is or `is_due`; says whether libuv has an event. */
static bool wait_and_run(struct poller *poller, int timeout, bool is_due) {
        int n = epoll_wait(poller->epoll_fd, poller->events, MAX_EVENTS, timeout);
        uint32_t count = n < 0 ? 0 : (uint32_t)n;
        bool has_loop_event = poller->is_host && take_loop_event(poller->events, &count);

        poller->counters[COUNTER_WAITS]++;
        if (timeout != 0)
                uv_update_time(poller->loop);
        if (count > 0 || is_due)
                run_turn(poller, count);
        return has_loop_event;
}

static void on_wake(uv_idle_t *handle) {
        wait_and_run(handle->data, 0, true);
}

void wake_poller(struct poller *poller) {
        if (!poller->is_in_turn && !poller->is_stopped)
                uv_idle_start(&poller->wake, on_wake);
}

static uv_handle_t *waiting_handle(struct poller *poller) {
        return poller->is_host ? (uv_handle_t *)&poller->prepare : (uv_handle_t *)&poller->poll;
}

void update_liveness(struct poller *poller) {
        if (poller->listener_count + poller->connection_count > 0)
                uv_ref(waiting_handle(poller));
        else
                uv_unref(waiting_handle(poller));
}

/* ---- guest ---- */

static void on_poll(uv_poll_t *handle, int status, int events) {
        (void)status;
        (void)events;
        wait_and_run(handle->data, 0, true);
}

/* ---- host ---- */

static void on_stay(uv_idle_t *handle) {
        (void)handle; /* it is enough that it is active */
}

static void on_prepare(uv_prepare_t *handle) {
        struct poller *poller = handle->data;
        bool is_libuv_due = false;

        poller->holds++;
        uv_idle_stop(&poller->stay);
        while (!poller->is_stopped && !is_libuv_due) {
                int timeout = uv_backend_timeout(handle->loop);

                is_libuv_due = wait_and_run(poller, timeout, false) || timeout == 0;
        }
        if (!poller->is_stopped)
                uv_idle_start(&poller->stay, on_stay);
        release_poller(poller);
}

/* ---- life ---- */

static void on_handle_closed(uv_handle_t *handle) {
        struct poller *poller = handle->data;

        /* Without this hook a worker thread would end while its loop still has open handles. */
        if (--poller->open_handles == 0 && poller->cleanup)
                napi_remove_async_cleanup_hook(poller->cleanup);
        release_poller(poller);
}

static void count_handle(struct poller *poller, uv_handle_t *handle) {
        handle->data = poller;
        poller->open_handles++;
        poller->holds++;
}

int open_loop(struct poller *poller) {
        if (napi_get_uv_event_loop(poller->env, &poller->loop) != napi_ok)
                return -EINVAL;
        poller->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        if (poller->epoll_fd < 0)
                return -errno;
        uv_idle_init(poller->loop, &poller->wake);
        count_handle(poller, (uv_handle_t *)&poller->wake);
        return 0;
}

static int start_guest(struct poller *poller) {
        int error = uv_poll_init(poller->loop, &poller->poll, poller->epoll_fd);

        if (error != 0)
                return error;
        count_handle(poller, (uv_handle_t *)&poller->poll);
        uv_unref((uv_handle_t *)&poller->poll);
        return uv_poll_start(&poller->poll, UV_READABLE, on_poll);
}

static int start_host(struct poller *poller) {
        struct epoll_event event = { .events = EPOLLIN, .data.u64 = LOOP_EVENT };

        if (epoll_ctl(poller->epoll_fd, EPOLL_CTL_ADD, uv_backend_fd(poller->loop), &event) < 0)
                return -errno;
        uv_idle_init(poller->loop, &poller->stay);
        count_handle(poller, (uv_handle_t *)&poller->stay);
        uv_unref((uv_handle_t *)&poller->stay);
        uv_prepare_init(poller->loop, &poller->prepare);
        count_handle(poller, (uv_handle_t *)&poller->prepare);
        uv_unref((uv_handle_t *)&poller->prepare);
        return uv_prepare_start(&poller->prepare, on_prepare);
}

int start_loop(struct poller *poller) {
        return poller->is_host ? start_host(poller) : start_guest(poller);
}

static void close_handle(uv_handle_t *handle) {
        if (handle->data)
                uv_close(handle, on_handle_closed);
}

void close_loop(struct poller *poller) {
        close_handle((uv_handle_t *)&poller->wake);
        close_handle((uv_handle_t *)&poller->poll);
        close_handle((uv_handle_t *)&poller->stay);
        close_handle((uv_handle_t *)&poller->prepare);
        close(poller->epoll_fd);
}
