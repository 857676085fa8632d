/* SPDX-License-Identifier: MIT */
/*
 * Messages that several connections get.
 *
 * A broadcast to a hundred would be copied a hundred times before the kernel copies it once more for each
 * of them. Here it is written once, behind the one before it, and each receiver has a piece that refers to
 * it; whoever gets the same messages in a row has them in one piece. Where they end only matters to a
 * receiver that cannot be written to at once, so its marks are made only then.
 */
#include "poller.h"

#include <errno.h>
#include <string.h>

static bool can_hold(struct shared *shared, size_t length) {
        if (!shared->bytes) {
                shared->bytes = malloc(SHARED_BYTES);
                shared->marks = malloc(SHARED_MARKS * sizeof(*shared->marks));
                if (!shared->bytes || !shared->marks) {
                        clear_shared(shared);
                        return false;
                }
        }
        return length <= SHARED_BYTES - shared->used && shared->mark_count < SHARED_MARKS;
}

struct bytes share_bytes(struct shared *shared, const struct bytes *parts, int count, double sequence) {
        struct bytes whole = { 0 };
        size_t length = 0;
        int i;

        for (i = 0; i < count; i++)
                length += parts[i].length;
        if (length == 0 || !can_hold(shared, length))
                return whole;
        whole.data = shared->bytes + shared->used;
        for (i = 0; i < count; i++) {
                if (parts[i].length == 0)
                        continue;
                memcpy(whole.data + whole.length, parts[i].data, parts[i].length);
                whole.length += parts[i].length;
        }
        shared->used += (uint32_t)length;
        shared->marks[shared->mark_count].end = shared->used;
        shared->marks[shared->mark_count++].sequence = sequence;
        return whole;
}

int append_shared(struct poller *poller, struct output *output, struct bytes whole) {
        struct piece *last = output->last;
        int error;

        if (output->has_unmarked && last->bytes + last->length == whole.data) {
                last->length += whole.length;
                output->accepted += whole.length;
                return 0;
        }
        error = mark_shared(poller, output);
        if (!error)
                error = append_piece(&poller->pools, output, PIECE_BORROWED, whole.data, whole.length, NULL);
        if (!error) {
                output->has_unmarked = true;
                output->first_unmarked = poller->shared.mark_count - 1;
        }
        return error;
}

int mark_shared(struct poller *poller, struct output *output) {
        const struct shared *shared = &poller->shared;
        const struct piece *last = output->last;
        uint64_t end;
        uint32_t i;
        int error = 0;

        if (!output->has_unmarked)
                return 0;
        output->has_unmarked = false;
        end = (uint64_t)(last->bytes + last->length - shared->bytes);
        for (i = output->first_unmarked; i < shared->mark_count && shared->marks[i].end <= end && !error; i++) {
                uint64_t message_end = output->accepted - (end - shared->marks[i].end);

                if (message_end > output->written)
                        error = append_mark(&poller->pools, output, message_end, shared->marks[i].sequence);
        }
        return error;
}

void clear_shared(struct shared *shared) {
        free(shared->bytes);
        free(shared->marks);
        memset(shared, 0, sizeof(*shared));
}
