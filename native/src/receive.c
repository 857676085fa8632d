/* SPDX-License-Identifier: MIT */
#include "poller.h"

#include "sockets.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* ---- accepting ---- */

static void report_accept_failure(struct poller *poller, struct listener *listener, int32_t index, int error) {
        int32_t *record = add_record(poller, 0, RECORD_ACCEPT_FAILED);

        record[AT_SEGMENT] = listener->number;
        record[AT_AUX] = error;
        /* The connection that cannot be accepted would wake us for ever. */
        watch_listener(poller, listener, index, false);
}

/*
 * Accepts one, mostly, which saves the accept that finds nothing; a listener that is ready in one turn
 * after the other is asked for twice as many each time. A client sends its handshake without waiting,
 * so its bytes are read at once.
 */
void accept_connections(struct poller *poller, struct listener *listener, int32_t index) {
        bool is_busy = listener->last_turn + 1 == poller->turn;
        int i;

        if (!is_busy || listener->burst == 0 || listener->patience > 0)
                listener->burst = 1;
        else if (listener->burst < MAX_ACCEPTS)
                listener->burst *= 2;
        if (listener->patience > 0)
                listener->patience--;
        listener->last_turn = poller->turn;
        for (i = 0; i < listener->burst && poller->record_count < poller->record_capacity; i++) {
                struct ucred credentials = { .uid = (uid_t)-1, .gid = (gid_t)-1 };
                socklen_t length = sizeof(credentials);
                int32_t *record;
                int32_t slot;
                int fd;

                if (poller->used_slots == poller->max_slots && poller->free_slots.count == 0) {
                        /* Only the first round is sure that somebody waits. */
                        if (i == 0)
                                report_accept_failure(poller, listener, index, ENOSPC);
                        return;
                }
                fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
                if (fd < 0) {
                        if (errno == EINTR || errno == ECONNABORTED)
                                continue;
                        if (errno == EAGAIN)
                                listener->patience = ACCEPT_PATIENCE;
                        else
                                report_accept_failure(poller, listener, index, errno);
                        return;
                }
                getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length);
                slot = open_connection(poller, fd, credentials.uid, true);
                if (slot < 0) {
                        report_accept_failure(poller, listener, index, -slot);
                        return;
                }
                record = add_record(poller, slot, RECORD_ACCEPTED);
                record[AT_SEGMENT] = listener->number;
                record[AT_OFFSET] = credentials.pid;
                record[AT_LENGTH] = (int32_t)credentials.uid;
                record[AT_CONSUMED] = (int32_t)credentials.gid;
                read_connection(poller, poller->connections[slot]);
        }
}

/* ---- reading ---- */

static void drop_target(struct connection *connection) {
        if (connection->target)
                connection->target->receivers--;
        connection->target = NULL;
}

static void drop_kept(struct connection *connection) {
        free(connection->kept);
        connection->kept = NULL;
        connection->kept_length = 0;
}

void clear_input(struct poller *poller, struct connection *connection) {
        drop_target(connection);
        drop_kept(connection);
        close_all(connection->received + connection->received_first, connection->received_count);
        free(connection->received);
        connection->received = NULL;
        connection->received_first = connection->received_capacity = 0;
        count_descriptors(poller, connection, -(int32_t)connection->received_count);
}

/* Reports the end of input now or in the next turn, and reads no more. */
static void end_input(struct poller *poller, struct connection *connection, int reason) {
        int32_t *record = add_record(poller, (int32_t)connection->slot, RECORD_CLOSED);

        connection->is_input_over = true;
        drop_target(connection);
        drop_kept(connection);
        if (record) {
                record[AT_AUX] = reason;
        } else {
                connection->input_error = reason;
                mark_pending(poller, connection);
        }
        if (poller->is_in_turn)
                poller->over.slots[poller->over.count++] = connection->slot;
        else
                update_interest(poller, connection);
}

/* 0 or a reason to close; owns the descriptors in any case. */
static int queue_descriptors(struct poller *poller, struct connection *connection, const int *fds, uint32_t count) {
        uint32_t needed = connection->received_count + count;

        if (needed > poller->max_queued_descriptors || !may_wait(poller, connection->account, count)) {
                close_all(fds, count);
                return TOO_MANY_DESCRIPTORS;
        }
        if (connection->received_first + needed > connection->received_capacity) {
                int *fresh = malloc(needed * sizeof(*fresh));

                if (!fresh) {
                        close_all(fds, count);
                        return ENOMEM;
                }
                if (connection->received_count > 0)
                        memcpy(fresh, connection->received + connection->received_first,
                               connection->received_count * sizeof(*fresh));
                free(connection->received);
                connection->received = fresh;
                connection->received_first = 0;
                connection->received_capacity = needed;
        }
        memcpy(connection->received + connection->received_first + connection->received_count, fds, count * sizeof(*fds));
        count_descriptors(poller, connection, (int32_t)count);
        return 0;
}

/* The bytes read, or -1 if there is nothing to do any more: none were there, or input is over. */
static ssize_t receive(struct poller *poller, struct connection *connection, void *bytes, size_t length) {
        int fds[MAX_SET_DESCRIPTORS];
        struct iovec vector = { bytes, length };
        union control control;
        struct msghdr message = {
                .msg_iov = &vector,
                .msg_iovlen = 1,
                .msg_control = &control,
                .msg_controllen = sizeof(control),
        };
        ssize_t n;

        poller->counters[COUNTER_RECEIVES]++;
        n = recvmsg(connection->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (n < 0) {
                if (errno != EAGAIN && errno != EINTR)
                        end_input(poller, connection, errno);
                return -1;
        }
        if (message.msg_controllen > 0 || (message.msg_flags & MSG_CTRUNC)) {
                size_t count = get_descriptors(&message, fds);
                int reason = 0;

                if (message.msg_flags & MSG_CTRUNC) {
                        close_all(fds, count);
                        reason = DESCRIPTORS_LOST;
                } else if (count > 0) {
                        reason = queue_descriptors(poller, connection, fds, (uint32_t)count);
                }
                if (reason) {
                        end_input(poller, connection, reason);
                        return -1;
                }
        }
        if (n == 0) {
                end_input(poller, connection, 0);
                return -1;
        }
        poller->counters[COUNTER_RECEIVED] += (double)n;
        count_read(poller, connection, (size_t)n);
        return n;
}

static void add_bytes_record(struct poller *poller, struct connection *connection, int32_t segment, uint32_t offset,
                             uint32_t length) {
        int32_t *record = add_record(poller, (int32_t)connection->slot, RECORD_BYTES);

        connection->read_turn = poller->turn;
        record[AT_SEGMENT] = segment;
        record[AT_OFFSET] = (int32_t)offset;
        record[AT_LENGTH] = record[AT_CONSUMED] = (int32_t)length;
}

/* A record of the receive area's next `length` bytes. */
static void add_arena_record(struct poller *poller, struct connection *connection, uint32_t length) {
        add_bytes_record(poller, connection, 0, poller->receive_offset + poller->receive_at, length);
        poller->receive_at = (poller->receive_at + length + RECORD_SLACK + 7) & ~7u;
}

/* How many new bytes fit behind the kept ones in the receive area; 0: none in this turn. */
static uint32_t room_for(struct poller *poller, struct connection *connection) {
        uint64_t taken = (uint64_t)connection->kept_length + RECORD_SLACK;
        uint64_t room = poller->receive_at < poller->receive_length ? poller->receive_length - poller->receive_at : 0;

        if (taken + poller->read_limit <= room)
                return poller->read_limit;
        /* Only what would not fit an empty area either is read in smaller portions. */
        return poller->receive_at == 0 && taken < room ? (uint32_t)(room - taken) : 0;
}

bool has_room(struct poller *poller) {
        uint64_t needed = (uint64_t)RECORD_SLACK + poller->read_limit;

        return poller->record_count < poller->record_capacity &&
               (poller->receive_at == 0 || poller->receive_at + needed <= poller->receive_length);
}

static void read_to_segment(struct poller *poller, struct connection *connection) {
        struct segment *segment = connection->target;
        uint32_t length = connection->target_want - connection->target_have, before = connection->received_count;
        uint32_t allowance = read_allowance(poller, connection);
        ssize_t n;

        if (allowance > SEGMENT_READ_BYTES)
                allowance = SEGMENT_READ_BYTES;
        if (allowance == 0)
                return;
        n = receive(poller, connection, segment->bytes + connection->target_have,
                    length < allowance ? length : allowance);
        if (n < 0)
                return;
        connection->target_have += (uint32_t)n;
        if (connection->target_have < connection->target_want) {
                /* No other record would say so before the message is there as a whole. */
                if (connection->received_count != before)
                        add_record(poller, (int32_t)connection->slot, RECORD_DESCRIPTORS);
                return;
        }
        drop_target(connection);
        add_bytes_record(poller, connection, segment->number, 0, connection->target_want);
}

static void read_to_arena(struct poller *poller, struct connection *connection) {
        uint8_t *start = poller->arena.data + poller->receive_offset + poller->receive_at;
        uint32_t room = room_for(poller, connection), kept = connection->kept_length, allowance;
        ssize_t n;

        if (room == 0) {
                if (poller->receive_at == 0)
                        end_input(poller, connection, EMSGSIZE); /* more is kept than the area can hold */
                return;
        }
        allowance = read_allowance(poller, connection);
        if (allowance == 0)
                return;
        n = receive(poller, connection, start + kept, room < allowance ? room : allowance);
        if (n < 0)
                return;
        if (kept > 0)
                memcpy(start, connection->kept, kept);
        drop_kept(connection);
        add_arena_record(poller, connection, kept + (uint32_t)n);
}

void read_connection(struct poller *poller, struct connection *connection) {
        if (!connection->is_reading || connection->is_input_over || connection->is_closing ||
            connection->read_turn == poller->turn || poller->record_count == poller->record_capacity)
                return;
        if (connection->target)
                read_to_segment(poller, connection);
        else
                read_to_arena(poller, connection);
}

int set_target(struct poller *poller, struct connection *connection, int32_t number, uint32_t have, uint32_t want) {
        struct segment *segment = find_segment(poller, number);

        if (!segment || have >= want || want > segment->length || connection->is_input_over)
                return -EINVAL;
        drop_target(connection);
        drop_kept(connection);
        connection->target = segment;
        connection->target_have = have;
        connection->target_want = want;
        segment->receivers++;
        return 0;
}

/* ---- what is left over ---- */

static bool redeliver(struct poller *poller, struct connection *connection) {
        uint32_t kept = connection->kept_length;

        if (kept == 0 || !connection->is_reading)
                return true;
        if (poller->record_count == poller->record_capacity || room_for(poller, connection) == 0)
                return false;
        memcpy(poller->arena.data + poller->receive_offset + poller->receive_at, connection->kept, kept);
        drop_kept(connection);
        add_arena_record(poller, connection, kept);
        return true;
}

static bool report_connection(struct poller *poller, struct connection *connection) {
        int32_t *record;

        if (connection->send_error) {
                record = add_record(poller, (int32_t)connection->slot, RECORD_SEND_FAILED);
                if (!record)
                        return false;
                record[AT_AUX] = connection->send_error;
                connection->send_error = 0;
        }
        if (connection->dropped > 0) {
                record = add_record(poller, (int32_t)connection->slot, RECORD_DROPPED);
                if (!record)
                        return false;
                record[AT_AUX] = (int32_t)connection->dropped;
                connection->dropped = 0;
        }
        if (connection->input_error) {
                record = add_record(poller, (int32_t)connection->slot, RECORD_CLOSED);
                if (!record)
                        return false;
                record[AT_AUX] = connection->input_error;
                connection->input_error = 0;
        }
        if (connection->is_redelivering) {
                if (!redeliver(poller, connection))
                        return false;
                connection->is_redelivering = false;
        }
        connection->is_pending = false;
        return true;
}

bool report_pending(struct poller *poller) {
        struct slot_list *pending = &poller->pending;
        uint32_t i, left = 0;

        for (i = 0; i < pending->count; i++) {
                struct connection *connection = poller->connections[pending->slots[i]];

                if (connection->is_closing)
                        connection->is_pending = false;
                else if (!report_connection(poller, connection))
                        pending->slots[left++] = pending->slots[i];
        }
        pending->count = left;
        return left == 0;
}

void keep_remainders(struct poller *poller) {
        uint32_t i;

        for (i = 0; i < poller->record_count; i++) {
                const int32_t *record = poller->records + i * RECORD_WORDS;
                struct connection *connection;
                struct segment *segment;
                const uint8_t *bytes;
                size_t length;
                uint32_t left;

                if (record[AT_KIND] != RECORD_BYTES || record[AT_CONSUMED] >= record[AT_LENGTH])
                        continue;
                connection = find_connection(poller, record[AT_SLOT]);
                if (!connection || connection->target || connection->is_input_over)
                        continue;
                segment = find_segment(poller, record[AT_SEGMENT]);
                bytes = segment ? segment->bytes : poller->arena.data;
                length = segment ? segment->length : poller->arena.length;
                /* The table is JavaScript's to write: it must not make us read elsewhere. */
                if (record[AT_CONSUMED] < 0 || record[AT_OFFSET] < 0 ||
                    (size_t)record[AT_OFFSET] + (size_t)record[AT_LENGTH] > length)
                        continue;
                left = (uint32_t)(record[AT_LENGTH] - record[AT_CONSUMED]);
                drop_kept(connection);
                connection->kept = malloc(left);
                if (!connection->kept) {
                        connection->is_input_over = true;
                        connection->input_error = ENOMEM;
                        mark_pending(poller, connection);
                        update_interest(poller, connection);
                        continue;
                }
                memcpy(connection->kept, bytes + record[AT_OFFSET] + record[AT_CONSUMED], left);
                connection->kept_length = left;
        }
        poller->record_count = 0;
}
