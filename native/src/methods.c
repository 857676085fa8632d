/* SPDX-License-Identifier: MIT */
#include "poller.h"

#include "credentials.h"
#include "sockets.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/*
 * Reads `count` arguments, the first `numbers` of them into `out`. NULL if something was thrown. A stopped
 * poller is returned like any other: what the method still has to do (close a descriptor) is its own business.
 */
static struct poller *begin(napi_env env, napi_callback_info info, size_t count, napi_value *values, size_t numbers,
                            int32_t *out) {
        struct poller *poller;
        napi_value self;
        size_t i;

        if (!read_arguments(env, info, count, values, &self))
                return NULL;
        poller = unwrap_poller(env, self);
        if (!poller)
                return NULL;
        for (i = 0; i < numbers; i++)
                if (!read_int32(env, values[i], &out[i]))
                        return NULL;
        return poller;
}

/* The connection of a method that has the slot as its first number. */
static struct connection *connection_of(struct poller *poller, int32_t slot) {
        return poller->is_stopped ? NULL : find_connection(poller, slot);
}

static napi_value js_add_listener(napi_env env, napi_callback_info info) {
        napi_value values[2];
        int32_t numbers[2]; /* fd, listener */
        struct poller *poller = begin(env, info, 2, values, 2, numbers);

        if (!poller)
                return NULL;
        if (poller->is_stopped) {
                close(numbers[0]);
                return make_int32(env, -EBADF);
        }
        return make_int32(env, open_listener(poller, numbers[0], numbers[1]));
}

static napi_value js_set_listening(napi_env env, napi_callback_info info) {
        napi_value values[2];
        int32_t number, index;
        struct poller *poller = begin(env, info, 2, values, 1, &number);
        struct listener *listener;
        bool is_listening;

        if (!poller || !read_bool(env, values[1], &is_listening))
                return NULL;
        listener = poller->is_stopped ? NULL : find_listener(poller, number, &index);
        return make_int32(env, listener ? watch_listener(poller, listener, index, is_listening) : -ENOENT);
}

static napi_value js_set_max_queued_descriptors(napi_env env, napi_callback_info info) {
        napi_value value;
        int32_t most;
        struct poller *poller = begin(env, info, 1, &value, 1, &most);

        if (!poller)
                return NULL;
        if (most < 0)
                return make_int32(env, -EINVAL);
        poller->max_queued_descriptors = (uint32_t)most;
        return make_int32(env, 0);
}

static napi_value js_close_listener(napi_env env, napi_callback_info info) {
        napi_value value;
        int32_t number, index;
        struct poller *poller = begin(env, info, 1, &value, 1, &number);
        struct listener *listener;

        if (!poller)
                return NULL;
        listener = poller->is_stopped ? NULL : find_listener(poller, number, &index);
        if (!listener)
                return make_int32(env, -ENOENT);
        close_listener(poller, listener, index);
        return make_int32(env, 0);
}

static napi_value js_add_connection(napi_env env, napi_callback_info info) {
        napi_value value;
        int32_t fd;
        struct ucred credentials = { .uid = (uid_t)-1 };
        socklen_t length = sizeof(credentials);
        struct poller *poller = begin(env, info, 1, &value, 1, &fd);

        if (!poller)
                return NULL;
        if (poller->is_stopped) {
                close(fd);
                return make_int32(env, -EBADF);
        }
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length);
        return make_int32(env, open_connection(poller, fd, credentials.uid, false));
}

static napi_value js_receive_into(napi_env env, napi_callback_info info) {
        napi_value values[4];
        int32_t numbers[4]; /* slot, segment, have, want */
        struct poller *poller = begin(env, info, 4, values, 4, numbers);
        struct connection *connection;

        if (!poller)
                return NULL;
        connection = connection_of(poller, numbers[0]);
        if (!connection)
                return make_int32(env, -ENOENT);
        if (numbers[2] < 0 || numbers[3] < 0)
                return make_int32(env, -EINVAL);
        return make_int32(env,
                          set_target(poller, connection, numbers[1], (uint32_t)numbers[2], (uint32_t)numbers[3]));
}

static napi_value js_add_segment(napi_env env, napi_callback_info info) {
        struct bytes bytes;
        napi_value value;
        struct poller *poller = begin(env, info, 1, &value, 0, NULL);

        if (!poller || !read_array_buffer(env, value, &bytes))
                return NULL;
        return make_int32(env, poller->is_stopped ? -EBADF : add_segment(poller, value, bytes));
}

static napi_value js_remove_segment(napi_env env, napi_callback_info info) {
        struct segment *segment;
        napi_value value;
        int32_t number;
        struct poller *poller = begin(env, info, 1, &value, 1, &number);

        if (!poller)
                return NULL;
        segment = find_segment(poller, number);
        if (!segment)
                return make_int32(env, -ENOENT);
        if (segment->references > 0 || segment->receivers > 0)
                return make_int32(env, -EBUSY);
        /* Detached, its memory is free at once: garbage of this size would lie there until V8 has a reason to look. */
        if (napi_get_reference_value(env, segment->buffer, &value) == napi_ok && value)
                napi_detach_arraybuffer(env, value);
        remove_segment(poller, segment);
        return make_int32(env, 0);
}

static napi_value js_flush(napi_env env, napi_callback_info info) {
        napi_value value;
        int32_t count;
        struct poller *poller = begin(env, info, 1, &value, 1, &count);

        if (!poller)
                return NULL;
        if (count < 0 || (uint32_t)count > poller->operation_words)
                throw_type_error(env, "there are not as many words of operations");
        else if (!poller->is_stopped)
                run_flush(poller, (uint32_t)count);
        return NULL;
}

static napi_value js_set_reading(napi_env env, napi_callback_info info) {
        struct connection *connection;
        napi_value values[2];
        bool is_reading;
        int32_t slot;
        struct poller *poller = begin(env, info, 2, values, 1, &slot);

        if (!poller || !read_bool(env, values[1], &is_reading))
                return NULL;
        connection = connection_of(poller, slot);
        if (!connection)
                return make_int32(env, -ENOENT);
        if (is_reading && !connection->is_reading) {
                connection->is_redelivering = true;
                mark_pending(poller, connection);
        }
        connection->is_reading = is_reading;
        return make_int32(env, update_interest(poller, connection));
}

static napi_value js_close(napi_env env, napi_callback_info info) {
        struct connection *connection;
        napi_value value;
        int32_t slot;
        struct poller *poller = begin(env, info, 1, &value, 1, &slot);

        if (!poller)
                return NULL;
        connection = connection_of(poller, slot);
        if (!connection)
                return make_int32(env, -ENOENT);
        close_connection(poller, connection);
        return make_int32(env, 0);
}

static napi_value js_unsent_messages(napi_env env, napi_callback_info info) {
        struct connection *connection;
        napi_value value;
        int32_t slot;
        struct poller *poller = begin(env, info, 1, &value, 1, &slot);

        if (!poller)
                return NULL;
        connection = connection_of(poller, slot);
        return make_int32(env, connection ? (int32_t)count_unsent(&connection->output) : -ENOENT);
}

static napi_value js_take_descriptors(napi_env env, napi_callback_info info) {
        struct connection *connection;
        struct descriptor_set *set;
        napi_value values[2];
        int32_t numbers[2]; /* slot, count */
        struct poller *poller = begin(env, info, 2, values, 2, numbers);
        uint32_t count;

        if (!poller)
                return NULL;
        connection = connection_of(poller, numbers[0]);
        if (!connection)
                return make_int32(env, -ENOENT);
        count = (uint32_t)numbers[1];
        if (count == 0 || count > MAX_SET_DESCRIPTORS || count > connection->received_count)
                return make_int32(env, -EINVAL);
        set = make_set(poller, connection->received + connection->received_first, count);
        if (!set)
                return make_int32(env, -ENOMEM);
        connection->received_first += count;
        count_descriptors(poller, connection, -(int32_t)count);
        if (connection->received_count == 0) {
                free(connection->received);
                connection->received = NULL;
                connection->received_first = connection->received_capacity = 0;
        }
        return make_int32(env, set->number);
}

static napi_value js_put_descriptors(napi_env env, napi_callback_info info) {
        int fds[MAX_SET_DESCRIPTORS];
        struct descriptor_set *set = NULL;
        uint32_t count, from = 0;
        int error = -EINVAL;
        napi_value value;
        struct poller *poller = begin(env, info, 1, &value, 0, NULL);

        if (!poller || !read_numbers(env, value, 0, MAX_SET_DESCRIPTORS, fds, &count))
                return NULL;
        if (poller->is_stopped) {
                error = -EBADF;
        } else if (count > 0 && count <= MAX_SET_DESCRIPTORS) {
                set = make_set(poller, fds, count);
                error = -ENOMEM;
        }
        if (set)
                return make_int32(env, set->number);
        /* They are ours all the same, however many they are. */
        for (; from < count; from += MAX_SET_DESCRIPTORS)
                if (read_numbers(env, value, from, MAX_SET_DESCRIPTORS, fds, &count))
                        close_all(fds, count - from < MAX_SET_DESCRIPTORS ? count - from : MAX_SET_DESCRIPTORS);
        return make_int32(env, error);
}

static napi_value js_retain_descriptors(napi_env env, napi_callback_info info) {
        struct descriptor_set *set;
        napi_value value;
        int32_t number;
        struct poller *poller = begin(env, info, 1, &value, 1, &number);

        if (!poller)
                return NULL;
        set = find_set(poller, number);
        if (!set)
                return make_int32(env, -EBADF);
        set->references++;
        set->retained++;
        return make_int32(env, 0);
}

static napi_value js_release_descriptors(napi_env env, napi_callback_info info) {
        struct descriptor_set *set;
        napi_value value;
        int32_t number;
        struct poller *poller = begin(env, info, 1, &value, 1, &number);

        if (!poller)
                return NULL;
        set = find_set(poller, number);
        if (!set || set->retained == 0)
                return make_int32(env, -EBADF);
        set->retained--;
        release_set(poller, set);
        return make_int32(env, 0);
}

static napi_value js_descriptors_of(napi_env env, napi_callback_info info) {
        struct descriptor_set *set;
        napi_value value;
        int32_t number;
        struct poller *poller = begin(env, info, 1, &value, 1, &number);

        if (!poller)
                return NULL;
        set = find_set(poller, number);
        return make_int32_array(env, set ? set->fds : NULL, set ? set->count : 0);
}

static napi_value js_credentials(napi_env env, napi_callback_info info) {
        struct connection *connection;
        napi_value value;
        int32_t slot;
        struct poller *poller = begin(env, info, 1, &value, 1, &slot);

        if (!poller)
                return NULL;
        connection = connection_of(poller, slot);
        return connection ? make_credentials(env, connection->fd) : make_int32(env, -ENOENT);
}

static napi_value js_counters(napi_env env, napi_callback_info info) {
        napi_value buffer, result = NULL;
        struct poller *poller = begin(env, info, 0, NULL, 0, NULL);
        void *data;

        if (!poller || napi_create_arraybuffer(env, sizeof(poller->counters), &data, &buffer) != napi_ok)
                return NULL;
        memcpy(data, poller->counters, sizeof(poller->counters));
        napi_create_typedarray(env, napi_float64_array, COUNTERS, buffer, 0, &result);
        return result;
}

static napi_value js_stop(napi_env env, napi_callback_info info) {
        struct poller *poller = begin(env, info, 0, NULL, 0, NULL);

        if (poller)
                stop_poller(poller);
        return NULL;
}

napi_status define_methods(napi_env env, napi_value object) {
        const napi_property_descriptor methods[] = {
                { "addListener", NULL, js_add_listener, NULL, NULL, NULL, napi_enumerable, NULL },
                { "setListening", NULL, js_set_listening, NULL, NULL, NULL, napi_enumerable, NULL },
                { "setMaxQueuedDescriptors", NULL, js_set_max_queued_descriptors, NULL, NULL, NULL, napi_enumerable,
                  NULL },
                { "closeListener", NULL, js_close_listener, NULL, NULL, NULL, napi_enumerable, NULL },
                { "addConnection", NULL, js_add_connection, NULL, NULL, NULL, napi_enumerable, NULL },
                { "receiveInto", NULL, js_receive_into, NULL, NULL, NULL, napi_enumerable, NULL },
                { "addSegment", NULL, js_add_segment, NULL, NULL, NULL, napi_enumerable, NULL },
                { "removeSegment", NULL, js_remove_segment, NULL, NULL, NULL, napi_enumerable, NULL },
                { "flush", NULL, js_flush, NULL, NULL, NULL, napi_enumerable, NULL },
                { "setReading", NULL, js_set_reading, NULL, NULL, NULL, napi_enumerable, NULL },
                { "close", NULL, js_close, NULL, NULL, NULL, napi_enumerable, NULL },
                { "unsentMessages", NULL, js_unsent_messages, NULL, NULL, NULL, napi_enumerable, NULL },
                { "takeDescriptors", NULL, js_take_descriptors, NULL, NULL, NULL, napi_enumerable, NULL },
                { "putDescriptors", NULL, js_put_descriptors, NULL, NULL, NULL, napi_enumerable, NULL },
                { "retainDescriptors", NULL, js_retain_descriptors, NULL, NULL, NULL, napi_enumerable, NULL },
                { "releaseDescriptors", NULL, js_release_descriptors, NULL, NULL, NULL, napi_enumerable, NULL },
                { "descriptorsOf", NULL, js_descriptors_of, NULL, NULL, NULL, napi_enumerable, NULL },
                { "credentials", NULL, js_credentials, NULL, NULL, NULL, napi_enumerable, NULL },
                { "counters", NULL, js_counters, NULL, NULL, NULL, napi_enumerable, NULL },
                { "stop", NULL, js_stop, NULL, NULL, NULL, napi_enumerable, NULL },
        };

        return napi_define_properties(env, object, sizeof(methods) / sizeof(*methods), methods);
}
