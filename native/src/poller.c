/* SPDX-License-Identifier: MIT */
#include "poller.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* What epoll tells us back: a slot, or this bit and a number in the table of listeners. */
#define LISTENER_EVENT ((uint64_t)1 << 32)

/* Marks our JavaScript objects, so that no other wrapped object is taken for one. */
static const napi_type_tag poller_tag = { 0x6f6e65686f70504full, 0x8c1d5a4e27b9f013ull };

int32_t *add_record(struct poller *poller, int32_t slot, enum record_kind kind) {
        int32_t *record;

        if (poller->record_count == poller->record_capacity)
                return NULL;
        record = poller->records + poller->record_count++ * RECORD_WORDS;
        memset(record, 0, RECORD_WORDS * sizeof(*record));
        record[AT_SLOT] = slot;
        record[AT_KIND] = kind;
        return record;
}

/* ---- listeners ---- */

struct listener *find_listener(struct poller *poller, int32_t number, int32_t *index) {
        uint32_t i;

        for (i = 1; i < poller->listeners.used; i++) {
                struct listener *listener = table_find(&poller->listeners, (int32_t)i);

                if (listener && listener->number == number) {
                        *index = (int32_t)i;
                        return listener;
                }
        }
        return NULL;
}

int watch_listener(struct poller *poller, struct listener *listener, int32_t index, bool is_listening) {
        struct epoll_event event = { .events = EPOLLIN, .data.u64 = LISTENER_EVENT | (uint32_t)index };

        if (listener->is_listening == is_listening)
                return 0;
        if (epoll_ctl(poller->epoll_fd, is_listening ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, listener->fd, &event) < 0)
                return -errno;
        listener->is_listening = is_listening;
        return 0;
}

int32_t open_listener(struct poller *poller, int fd, int32_t number) {
        struct listener *listener;
        int32_t index;
        int error;

        if (find_listener(poller, number, &index)) {
                close(fd);
                return -EEXIST;
        }
        listener = calloc(1, sizeof(*listener));
        index = listener ? table_add(&poller->listeners, listener) : -ENOMEM;
        if (index < 0) {
                free(listener);
                close(fd);
                return index;
        }
        listener->fd = fd;
        listener->number = number;
        poller->listener_count++;
        error = watch_listener(poller, listener, index, true);
        if (error)
                close_listener(poller, listener, index);
        else
                update_liveness(poller);
        return error;
}

void close_listener(struct poller *poller, struct listener *listener, int32_t index) {
        watch_listener(poller, listener, index, false);
        table_remove(&poller->listeners, index);
        close(listener->fd);
        free(listener);
        poller->listener_count--;
        update_liveness(poller);
}

/* ---- connections ---- */

struct connection *find_connection(struct poller *poller, int32_t slot) {
        struct connection *connection;

        if (slot < 0 || (uint32_t)slot >= poller->used_slots)
                return NULL;
        connection = poller->connections[slot];
        return connection && !connection->is_closing ? connection : NULL;
}

int update_interest(struct poller *poller, struct connection *connection) {
        bool is_wanted = connection->is_reading && !connection->is_input_over;
        uint32_t wanted = (is_wanted ? EPOLLIN : 0u) | (connection->is_blocked ? EPOLLOUT : 0u);
        struct epoll_event event = { .events = wanted, .data.u64 = connection->slot };
        /* A hang-up cannot be masked: what waits for nothing must leave the set, or it would wake us for ever. */
        int change = wanted == 0 ? EPOLL_CTL_DEL : connection->interest == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;

        if (wanted == connection->interest)
                return 0;
        if (epoll_ctl(poller->epoll_fd, change, connection->fd, &event) < 0)
                return -errno;
        connection->interest = wanted;
        return 0;
}

void mark_pending(struct poller *poller, struct connection *connection) {
        if (!connection->is_pending) {
                connection->is_pending = true;
                poller->pending.slots[poller->pending.count++] = connection->slot;
        }
        wake_poller(poller);
}

static void forget_pending(struct poller *poller, uint32_t slot) {
        struct slot_list *pending = &poller->pending;
        uint32_t i = 0;

        while (pending->slots[i] != slot)
                i++;
        memmove(pending->slots + i, pending->slots + i + 1, (pending->count - i - 1) * sizeof(*pending->slots));
        pending->count--;
}

/* Frees a connection at once, with its descriptor and all it holds. */
static void destroy_connection(struct poller *poller, struct connection *connection) {
        struct slot_list *list = poller->is_in_turn ? &poller->retired : &poller->free_slots;
        uint32_t slot = connection->slot;

        if (connection->is_pending)
                forget_pending(poller, slot);
        clear_input(poller, connection);
        release_account(poller, connection->account);
        discard_output(poller, &connection->output);
        /*
         * Closing does not suffice if a duplicate of the descriptor lives elsewhere: then epoll goes on to report
         * it. A child process has one until it runs its program, so what is reported may be nobody's any more.
         */
        if (connection->interest != 0 && !connection->is_sole)
                epoll_ctl(poller->epoll_fd, EPOLL_CTL_DEL, connection->fd, NULL);
        close(connection->fd);
        free(connection);
        poller->connections[slot] = NULL;
        poller->unsent_bytes[slot] = poller->unsent_from[slot] = 0;
        poller->connection_count--;
        list->slots[list->count++] = slot;
        update_liveness(poller);
}

int32_t open_connection(struct poller *poller, int fd, uint32_t uid, bool is_sole) {
        struct connection *connection;
        uint32_t slot;
        int error;

        if (poller->free_slots.count == 0 && poller->used_slots == poller->max_slots) {
                close(fd);
                return -ENOSPC;
        }
        connection = calloc(1, sizeof(*connection));
        if (connection)
                connection->account = take_account(poller, uid);
        if (!connection || !connection->account) {
                free(connection);
                close(fd);
                return -ENOMEM;
        }
        slot = poller->free_slots.count > 0 ? poller->free_slots.slots[--poller->free_slots.count] : poller->used_slots++;
        connection->fd = fd;
        connection->slot = slot;
        connection->is_sole = is_sole;
        connection->is_reading = true;
        poller->connections[slot] = connection;
        poller->connection_count++;
        poller->unsent_bytes[slot] = poller->unsent_from[slot] = 0;
        poller->descriptor_counts[slot] = 0;
        error = update_interest(poller, connection);
        if (error) {
                destroy_connection(poller, connection);
                return error;
        }
        update_liveness(poller);
        return (int32_t)slot;
}

void close_connection(struct poller *poller, struct connection *connection) {
        connection->is_closing = true;
        clear_input(poller, connection);
        poller->closing.slots[poller->closing.count++] = connection->slot;
        wake_poller(poller);
}

/* ---- the turn ---- */

void run_flush(struct poller *poller, uint32_t word_count) {
        uint32_t i;

        run_operations(poller, word_count);
        for (i = 0; i < poller->dirty.count; i++)
                flush_connection(poller, poller->connections[poller->dirty.slots[i]]);
        poller->dirty.count = poller->shared.used = poller->shared.mark_count = 0;
        for (i = 0; i < poller->closing.count; i++)
                destroy_connection(poller, poller->connections[poller->closing.slots[i]]);
        poller->closing.count = 0;
}

/* What onTurn threw is an uncaught exception, as in a callback of libuv. */
static void report_exception(napi_env env) {
        napi_value exception;
        bool is_pending = false;

        if (napi_is_exception_pending(env, &is_pending) != napi_ok || !is_pending)
                return; /* JavaScript may not run any more: the thread is ending */
        if (napi_get_and_clear_last_exception(env, &exception) == napi_ok)
                napi_fatal_exception(env, exception);
}

/* How many words of operations JavaScript wants run. */
static uint32_t call_on_turn(struct poller *poller) {
        napi_value self, function, count, result;
        napi_env env = poller->env;
        int32_t words;

        if (napi_get_reference_value(env, poller->refs[REF_SELF], &self) != napi_ok ||
            napi_get_reference_value(env, poller->refs[REF_ON_TURN], &function) != napi_ok ||
            napi_create_uint32(env, poller->record_count, &count) != napi_ok)
                return 0;
        if (napi_call_function(env, self, function, 1, &count, &result) != napi_ok) {
                report_exception(env);
                return 0;
        }
        if (napi_get_value_int32(env, result, &words) != napi_ok || words < 0 ||
            (uint32_t)words > poller->operation_words) {
                throw_type_error(env, "onTurn must return how many words of operations to run");
                report_exception(env);
                return 0;
        }
        return (uint32_t)words;
}

/* Most connections whose input is over have been closed by now: there is no need to tell epoll about those. */
static void rest_from_input(struct poller *poller) {
        struct slot_list *over = &poller->over;
        uint32_t i;

        for (i = 0; i < over->count; i++) {
                struct connection *connection = find_connection(poller, (int32_t)over->slots[i]);

                if (connection)
                        update_interest(poller, connection);
        }
        over->count = 0;
}

static void end_turn(struct poller *poller, uint32_t word_count) {
        struct slot_list *retired = &poller->retired;
        bool has_more;

        keep_remainders(poller);
        run_flush(poller, word_count);
        rest_from_input(poller);
        release_transient_sets(poller);
        memcpy(poller->free_slots.slots + poller->free_slots.count, retired->slots,
               retired->count * sizeof(*retired->slots));
        poller->free_slots.count += retired->count;
        retired->count = 0;
        poller->is_in_turn = false;
        has_more = poller->pending.count > 0 || poller->first_released;
        if (has_more)
                wake_poller(poller);
}

/* Handles the first `n` events; fills the table of records. */
static void collect(struct poller *poller, uint32_t n) {
        struct epoll_event *events = poller->events;
        uint32_t first, i;

        for (i = 0; i < n; i++) {
                struct connection *connection;

                if (events[i].data.u64 & LISTENER_EVENT)
                        continue;
                connection = poller->connections[events[i].data.u64];
                if (connection && connection->is_blocked && (events[i].events & (EPOLLOUT | EPOLLHUP | EPOLLERR))) {
                        connection->is_blocked = false;
                        flush_connection(poller, connection);
                }
        }
        if (!report_released_segments(poller) || !report_pending(poller) || n == 0)
                return;
        /*
         * epoll gives those who always have more in the same order each time, and all others behind them. The
         * receive area may be full before their turn comes: so whoever found no room is first the next time.
         */
        if (poller->first_event == 0 && poller->turn < poller->contended_until)
                poller->first_event = (uint32_t)poller->turn;
        first = poller->first_event % n;
        poller->first_event = 0;
        for (i = 0; i < n; i++) {
                uint32_t at = (first + i) % n;
                struct epoll_event *event = &events[at];

                if (event->data.u64 & LISTENER_EVENT) {
                        int32_t index = (int32_t)(uint32_t)event->data.u64;

                        accept_connections(poller, table_find(&poller->listeners, index), index);
                } else if (event->events & ~(uint32_t)EPOLLOUT && poller->connections[event->data.u64]) {
                        read_connection(poller, poller->connections[event->data.u64]);
                }
                if (poller->first_event == 0 && !has_room(poller))
                        poller->first_event = at + 1;
        }
}

void release_poller(struct poller *poller) {
        if (--poller->holds == 0)
                free(poller);
}

void run_turn(struct poller *poller, uint32_t event_count) {
        napi_callback_scope callback_scope = NULL;
        napi_handle_scope handle_scope;
        napi_env env = poller->env;
        napi_value self;

        if (poller->is_stopped)
                return;
        poller->holds++;
        poller->is_in_turn = true;
        poller->turn++;
        poller->counters[COUNTER_TURNS]++;
        poller->record_count = poller->receive_at = 0;
        uv_idle_stop(&poller->wake);
        begin_budget(poller);
        collect(poller, event_count);
        if (poller->record_count == 0) {
                end_turn(poller, 0);
        } else if (napi_open_handle_scope(env, &handle_scope) == napi_ok) {
                /*
                 * Promise reactions and nextTick callbacks run when the callback scope closes, and may stage
                 * and flush themselves. So the operations of this turn run before that.
                 */
                uint32_t word_count = 0;

                if (napi_get_reference_value(env, poller->refs[REF_SELF], &self) == napi_ok &&
                    napi_open_callback_scope(env, self, poller->async_context, &callback_scope) == napi_ok)
                        word_count = call_on_turn(poller);
                if (!poller->is_stopped)
                        end_turn(poller, word_count);
                if (callback_scope)
                        napi_close_callback_scope(env, callback_scope);
                napi_close_handle_scope(env, handle_scope);
        }
        adapt_budget(poller);
        poller->is_in_turn = false;
        release_poller(poller);
}

/* ---- life ---- */

void stop_poller(struct poller *poller) {
        uint32_t i;

        if (poller->is_stopped)
                return;
        /* Connections first: their output refers to sets and segments. */
        for (i = 0; i < poller->used_slots; i++)
                if (poller->connections[i])
                        destroy_connection(poller, poller->connections[i]);
        for (i = 1; i < poller->listeners.used; i++) {
                struct listener *listener = table_find(&poller->listeners, (int32_t)i);

                if (listener)
                        close_listener(poller, listener, (int32_t)i);
        }
        table_clear(&poller->listeners);
        clear_holdings(poller);
        clear_pools(&poller->pools);
        poller->is_stopped = true;

        close_loop(poller);
        clear_shared(&poller->shared);
        free(poller->connections);
        free(poller->free_slots.slots);
        free(poller->retired.slots);
        free(poller->dirty.slots);
        free(poller->closing.slots);
        free(poller->pending.slots);
        free(poller->over.slots);
        for (i = 0; i < REFS; i++)
                if (poller->refs[i])
                        napi_delete_reference(poller->env, poller->refs[i]);
        if (poller->async_context)
                napi_async_destroy(poller->env, poller->async_context);
}

static void on_cleanup(napi_async_cleanup_hook_handle handle, void *data) {
        (void)handle; /* removed when the last uv handle is closed */
        stop_poller(data);
}

static void on_finalize(napi_env env, void *data, void *hint) {
        (void)env;
        (void)hint;
        stop_poller(data);
        release_poller(data);
}

struct poller *unwrap_poller(napi_env env, napi_value object) {
        bool is_ours = false;
        void *poller;

        if (napi_check_object_type_tag(env, object, &poller_tag, &is_ours) != napi_ok || !is_ours ||
            napi_unwrap(env, object, &poller) != napi_ok) {
                throw_type_error(env, "this is not a poller");
                return NULL;
        }
        return poller;
}

/* ---- options ---- */

static bool option(napi_env env, napi_value options, const char *name, napi_value *value) {
        return napi_get_named_property(env, options, name, value) == napi_ok;
}

static bool uint_option(napi_env env, napi_value options, const char *name, uint32_t least, uint32_t *out) {
        napi_value value;
        int32_t number;

        if (!option(env, options, name, &value) || !read_int32(env, value, &number))
                return false;
        *out = (uint32_t)number;
        return number >= 0 && *out >= least ? true : throw_type_error(env, "an option of the poller is out of range");
}

/* A typed array shared with JavaScript, of at least `least` elements. */
static bool shared_option(struct poller *poller, napi_value options, const char *name, napi_typedarray_type type,
                          size_t least, int ref, void *data, uint32_t *length) {
        napi_env env = poller->env;
        napi_value value;
        size_t n;

        if (!option(env, options, name, &value) || !read_typed_array(env, value, type, data, &n))
                return false;
        if (n < least || n > INT32_MAX)
                return throw_type_error(env, "an array of the poller's options has the wrong length");
        if (length)
                *length = (uint32_t)n;
        return napi_create_reference(env, value, 1, &poller->refs[ref]) == napi_ok;
}

static bool read_options(struct poller *poller, napi_value options) {
        napi_env env = poller->env;
        napi_value arena, is_host, on_turn;
        napi_valuetype type;
        uint32_t words;

        if (!uint_option(env, options, "receiveOffset", 0, &poller->receive_offset) ||
            !uint_option(env, options, "receiveLength", 64, &poller->receive_length) ||
            !uint_option(env, options, "maxSlots", 1, &poller->max_slots) ||
            !uint_option(env, options, "readLimit", 1, &poller->read_limit) ||
            !uint_option(env, options, "copyLimit", 0, &poller->copy_limit) ||
            !uint_option(env, options, "maxQueuedDescriptors", 0, &poller->max_queued_descriptors) ||
            !uint_option(env, options, "maxDescriptors", 0, &poller->max_descriptors) ||
            !option(env, options, "isHost", &is_host) || !read_bool(env, is_host, &poller->is_host) ||
            !option(env, options, "arena", &arena) || !read_array_buffer(env, arena, &poller->arena))
                return false;
        if (poller->receive_offset % 8 != 0 || poller->arena.length > INT32_MAX ||
            (size_t)poller->receive_offset + poller->receive_length > poller->arena.length)
                return throw_type_error(env, "the receive area must be aligned to 8 bytes and inside the arena");
        if (!shared_option(poller, options, "records", napi_int32_array, RECORD_WORDS, REF_RECORDS, &poller->records,
                           &words) ||
            !shared_option(poller, options, "operations", napi_int32_array, OPERATION_WORDS, REF_OPERATIONS,
                           &poller->operations, &poller->operation_words) ||
            !shared_option(poller, options, "unsentBytes", napi_float64_array, poller->max_slots, REF_UNSENT_BYTES,
                           &poller->unsent_bytes, NULL) ||
            !shared_option(poller, options, "unsentFrom", napi_float64_array, poller->max_slots, REF_UNSENT_FROM,
                           &poller->unsent_from, NULL) ||
            !shared_option(poller, options, "descriptorCounts", napi_int32_array, poller->max_slots,
                           REF_DESCRIPTOR_COUNTS, &poller->descriptor_counts, NULL))
                return false;
        poller->record_capacity = words / RECORD_WORDS;
        if (!option(env, options, "onTurn", &on_turn) || napi_typeof(env, on_turn, &type) != napi_ok ||
            type != napi_function)
                return throw_type_error(env, "onTurn must be a function");
        return napi_create_reference(env, arena, 1, &poller->refs[REF_ARENA]) == napi_ok &&
               napi_create_reference(env, on_turn, 1, &poller->refs[REF_ON_TURN]) == napi_ok;
}

static bool allocate_lists(struct poller *poller) {
        struct slot_list *lists[] = {
                &poller->free_slots, &poller->retired, &poller->dirty, &poller->closing, &poller->pending,
                &poller->over,
        };
        size_t i;

        poller->connections = calloc(poller->max_slots, sizeof(*poller->connections));
        for (i = 0; i < sizeof(lists) / sizeof(*lists); i++)
                lists[i]->slots = calloc(poller->max_slots, sizeof(*lists[i]->slots));
        for (i = 0; i < sizeof(lists) / sizeof(*lists); i++)
                if (!lists[i]->slots)
                        return false;
        return poller->connections != NULL;
}

static bool start(struct poller *poller, napi_value object) {
        napi_env env = poller->env;
        napi_value name;

        return allocate_lists(poller) && napi_create_string_utf8(env, "onehop", NAPI_AUTO_LENGTH, &name) == napi_ok &&
               napi_async_init(env, object, name, &poller->async_context) == napi_ok &&
               napi_create_reference(env, object, 1, &poller->refs[REF_SELF]) == napi_ok &&
               napi_add_async_cleanup_hook(env, on_cleanup, poller, &poller->cleanup) == napi_ok &&
               start_loop(poller) == 0;
}

napi_value create_poller(napi_env env, napi_callback_info info) {
        struct poller *poller;
        napi_value options, object;
        bool is_pending;

        if (!read_arguments(env, info, 1, &options, NULL))
                return NULL;
        poller = calloc(1, sizeof(*poller));
        if (!poller) {
                napi_throw_error(env, "ENOMEM", "out of memory");
                return NULL;
        }
        poller->env = env;
        poller->holds = 1;
        if (open_loop(poller) != 0) {
                free(poller);
                napi_throw_error(env, NULL, "the kernel refuses an epoll set");
                return NULL;
        }
        if (read_options(poller, options) && napi_create_object(env, &object) == napi_ok &&
            define_methods(env, object) == napi_ok &&
            napi_type_tag_object(env, object, &poller_tag) == napi_ok && start(poller, object)) {
                if (napi_wrap(env, object, poller, on_finalize, NULL, NULL) == napi_ok)
                        return object;
        }
        stop_poller(poller);
        release_poller(poller);
        if (napi_is_exception_pending(env, &is_pending) == napi_ok && !is_pending)
                napi_throw_error(env, NULL, "the poller cannot be set up");
        return NULL;
}
