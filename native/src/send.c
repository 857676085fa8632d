/* SPDX-License-Identifier: MIT */
#include "poller.h"

#include "sockets.h"

#include <errno.h>
#include <string.h>

enum { PIECES = 3 };

/* An operation, checked: nothing in it points outside its buffer. */
struct message {
        const uint8_t *bytes[PIECES];
        uint32_t lengths[PIECES];
        struct segment *segments[PIECES]; /* NULL: the arena */
        struct descriptor_set *set;
        double sequence;
        int error;
};

static void fail_output(struct poller *poller, struct connection *connection, int error) {
        discard_output(poller, &connection->output);
        connection->is_output_failed = true;
        connection->is_blocked = false;
        connection->send_error = error;
        mark_pending(poller, connection);
}

/* How far JavaScript may count messages as sent. */
static void publish(struct poller *poller, struct connection *connection) {
        struct output *output = &connection->output;
        struct mark_block *marks = output->first_marks;

        poller->unsent_bytes[connection->slot] = (double)(output->accepted - output->written);
        poller->unsent_from[connection->slot] = marks ? marks->marks[marks->first].sequence : 0;
}

/* ---- staging ---- */

static int append_message(struct poller *poller, struct output *output, const struct message *message) {
        uint64_t before = output->accepted;
        int error = mark_shared(poller, output), i;

        if (!error && message->set)
                error = append_boundary(output, message->set);
        for (i = 0; i < PIECES && !error; i++) {
                struct segment *segment = message->segments[i];
                uint32_t length = message->lengths[i];

                if (length == 0)
                        continue;
                if (length <= poller->copy_limit)
                        error = append_copy(&poller->pools, output, message->bytes[i], length);
                else
                        error = append_piece(&poller->pools, output, segment ? PIECE_SEGMENT : PIECE_BORROWED,
                                             message->bytes[i], length, segment);
        }
        if (!error && output->accepted > before)
                error = append_mark(&poller->pools, output, output->accepted, message->sequence);
        return error;
}

/*
 * The message as one that all its receivers refer to, or an empty one if that does not pay: parts beyond
 * `copy_limit` are referred to where they lie, and descriptors need a boundary.
 */
static struct bytes share_message(struct poller *poller, const struct message *message) {
        const struct bytes nothing = { 0 };
        struct bytes parts[PIECES];
        int i;

        if (message->error || message->set)
                return nothing;
        for (i = 0; i < PIECES; i++) {
                if (message->lengths[i] > poller->copy_limit)
                        return nothing;
                parts[i].data = (uint8_t *)(uintptr_t)message->bytes[i];
                parts[i].length = message->lengths[i];
        }
        return share_bytes(&poller->shared, parts, PIECES, message->sequence);
}

/* `shared`: the same as one that was shared, or empty. */
static void stage_message(struct poller *poller, int32_t slot, const struct message *message, struct bytes shared) {
        struct connection *connection;
        int error;

        if (slot < 0 || (uint32_t)slot >= poller->used_slots)
                return;
        connection = poller->connections[slot];
        if (!connection || connection->is_output_failed)
                return;
        if (message->error)
                error = message->error;
        else if (shared.length > 0 && !connection->is_blocked) /* who is blocked would need a copy at once */
                error = append_shared(poller, &connection->output, shared);
        else
                error = append_message(poller, &connection->output, message);
        if (error)
                fail_output(poller, connection, -error);
        if (!connection->is_dirty) {
                connection->is_dirty = true;
                poller->dirty.slots[poller->dirty.count++] = (uint32_t)slot;
        }
}

static void read_piece(struct poller *poller, struct message *message, int piece, int32_t number, int32_t offset,
                       int32_t length) {
        struct bytes bytes = poller->arena;
        struct segment *segment = NULL;

        message->bytes[piece] = NULL;
        message->lengths[piece] = 0;
        message->segments[piece] = NULL;
        if (length == 0)
                return;
        if (number != 0) {
                segment = find_segment(poller, number);
                bytes.data = segment ? segment->bytes : NULL;
                bytes.length = segment ? segment->length : 0;
        }
        if (offset < 0 || length < 0 || (size_t)offset + (size_t)length > bytes.length) {
                message->error = -EFAULT;
                return;
        }
        message->bytes[piece] = bytes.data + offset;
        message->lengths[piece] = (uint32_t)length;
        message->segments[piece] = segment;
}

static void read_message(struct poller *poller, struct message *message, const int32_t *operation) {
        /* The low half of the sequence number tells how far it moved from the one before. */
        poller->last_sequence += (uint64_t)(int64_t)(int32_t)((uint32_t)operation[1] - (uint32_t)poller->last_sequence);
        message->sequence = (double)poller->last_sequence;
        message->error = 0;
        read_piece(poller, message, 0, operation[2], operation[3], operation[4]);
        read_piece(poller, message, 1, 0, operation[5], operation[6]);
        read_piece(poller, message, 2, operation[7], operation[8], operation[9]);
        message->set = NULL;
        if (operation[10] != 0) {
                message->set = find_set(poller, operation[10]);
                /* Descriptors travel with a byte. */
                if (!message->set || (message->lengths[0] | message->lengths[1] | message->lengths[2]) == 0)
                        message->error = -EBADF;
        }
}

void run_operations(struct poller *poller, uint32_t word_count) {
        const struct bytes nothing = { 0 };
        const int32_t *words = poller->operations;
        uint32_t at = 0;

        while (word_count - at >= OPERATION_WORDS) {
                int32_t destination = words[at];
                struct message message;
                int i;

                if (destination == CLOSE_CONNECTION) {
                        struct connection *connection = find_connection(poller, words[at + 1]);

                        if (connection)
                                close_connection(poller, connection);
                        at += OPERATION_WORDS;
                        continue;
                }
                read_message(poller, &message, words + at);
                at += OPERATION_WORDS;
                if (destination >= 0) {
                        stage_message(poller, destination, &message, nothing);
                } else {
                        uint32_t count = -(uint32_t)destination;
                        struct bytes shared = count > 1 ? share_message(poller, &message) : nothing;

                        for (; count > 0 && at < word_count; count--)
                                stage_message(poller, words[at++], &message, shared);
                }
                /* Nobody may have taken it: destinations that are gone or failed, pieces that were copied. */
                for (i = 0; i < PIECES; i++)
                        if (message.segments[i])
                                announce_unused(poller, message.segments[i]);
        }
}

/* ---- writing ---- */

/*
 * Drops the message at the front, of which nothing was written. The kernel refuses descriptors while the
 * processes of this user have too many in flight. Any of them can bring that about, at a time of its choice,
 * so it must not end the connection of whoever was to get the message: CVE-2014-3532 of dbus-daemon, which
 * has dropped such messages since.
 */
static void drop_message(struct poller *poller, struct output *output) {
        const struct mark_block *marks = output->first_marks;

        advance_output(poller, output, (size_t)(marks->marks[marks->first].end - output->written));
}

/* One sendmsg; 0 or -errno. */
static int write_once(struct poller *poller, struct connection *connection) {
        struct output *output = &connection->output;
        struct boundary *boundary = output->first_boundary;
        struct descriptor_set *set = NULL;
        struct msghdr message = { .msg_iov = poller->vectors };
        uint64_t most = UINT64_MAX, total = 0;
        struct piece *piece;
        union control control;
        ssize_t n;

        if (boundary && boundary->start == output->written) {
                set = boundary->set;
                boundary = boundary->next;
        }
        if (boundary)
                most = boundary->start - output->written;
        for (piece = output->first; piece && total < most && message.msg_iovlen < MAX_VECTORS; piece = piece->next) {
                size_t length = piece->length < most - total ? piece->length : (size_t)(most - total);

                poller->vectors[message.msg_iovlen].iov_base = (void *)(uintptr_t)piece->bytes;
                poller->vectors[message.msg_iovlen++].iov_len = length;
                total += length;
        }
        if (set) {
                memset(&control, 0, sizeof(control));
                put_descriptors(&message, &control, set->fds, set->count);
        }
        poller->counters[COUNTER_SENDS]++;
        do
                n = sendmsg(connection->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
        while (n < 0 && errno == EINTR);
        if (n < 0 && errno == ETOOMANYREFS && set) {
                drop_message(poller, output);
                connection->dropped++;
                mark_pending(poller, connection);
                return 0;
        }
        if (n < 0 && errno != EAGAIN)
                return -errno;
        connection->is_blocked = n < 0 || (uint64_t)n < total;
        if (n > 0) {
                poller->counters[COUNTER_SENT] += (double)n;
                advance_output(poller, output, (size_t)n);
        }
        return 0;
}

void flush_connection(struct poller *poller, struct connection *connection) {
        int error = 0;

        connection->is_dirty = false;
        while (!error && connection->output.first && !connection->is_blocked)
                error = write_once(poller, connection);
        if (!error && connection->output.first)
                error = mark_shared(poller, &connection->output);
        if (!error && connection->output.first)
                error = keep_borrowed(&connection->output);
        if (!error)
                error = update_interest(poller, connection);
        if (error) {
                fail_output(poller, connection, -error);
                update_interest(poller, connection);
        }
        publish(poller, connection);
}
