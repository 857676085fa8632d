/* SPDX-License-Identifier: MIT */
#include "poller.h"

#include "sockets.h"

#include <errno.h>
#include <string.h>

struct descriptor_set *make_set(struct poller *poller, const int *fds, uint32_t count) {
        struct descriptor_set *set = malloc(sizeof(*set) + count * sizeof(*fds));

        if (!set)
                return NULL;
        memset(set, 0, sizeof(*set));
        set->number = table_add(&poller->sets, set);
        if (set->number < 0) {
                free(set);
                return NULL;
        }
        set->references = 1;
        set->is_transient = true;
        set->next_transient = poller->transient_sets;
        poller->transient_sets = set;
        set->count = count;
        memcpy(set->fds, fds, count * sizeof(*fds));
        wake_poller(poller);
        return set;
}

struct descriptor_set *find_set(struct poller *poller, int32_t number) {
        return table_find(&poller->sets, number);
}

void release_set(struct poller *poller, struct descriptor_set *set) {
        if (--set->references > 0)
                return;
        close_all(set->fds, set->count);
        table_remove(&poller->sets, set->number);
        free(set);
}

void release_transient_sets(struct poller *poller) {
        while (poller->transient_sets) {
                struct descriptor_set *set = poller->transient_sets;

                poller->transient_sets = set->next_transient;
                set->is_transient = false;
                release_set(poller, set);
        }
}

int32_t add_segment(struct poller *poller, napi_value buffer, struct bytes bytes) {
        struct segment *segment = calloc(1, sizeof(*segment));

        if (!segment)
                return -ENOMEM;
        segment->number = table_add(&poller->segments, segment);
        if (segment->number < 0) {
                free(segment);
                return -ENOMEM;
        }
        if (napi_create_reference(poller->env, buffer, 1, &segment->buffer) != napi_ok) {
                table_remove(&poller->segments, segment->number);
                free(segment);
                return -ENOMEM;
        }
        segment->bytes = bytes.data;
        segment->length = bytes.length;
        return segment->number;
}

struct segment *find_segment(struct poller *poller, int32_t number) {
        return table_find(&poller->segments, number);
}

void release_segment(struct poller *poller, struct segment *segment) {
        if (--segment->references == 0)
                announce_unused(poller, segment);
}

void announce_unused(struct poller *poller, struct segment *segment) {
        if (segment->references > 0 || segment->is_released)
                return;
        segment->is_released = true;
        segment->next_released = NULL;
        if (poller->last_released)
                poller->last_released->next_released = segment;
        else
                poller->first_released = segment;
        poller->last_released = segment;
        wake_poller(poller);
}

bool report_released_segments(struct poller *poller) {
        while (poller->first_released) {
                struct segment *segment = poller->first_released;

                /* Used again since: it will be back in the list. */
                if (segment->references == 0) {
                        int32_t *record = add_record(poller, 0, RECORD_SEGMENT_RELEASED);

                        if (!record)
                                return false;
                        record[AT_SEGMENT] = segment->number;
                }
                segment->is_released = false;
                poller->first_released = segment->next_released;
                if (!poller->first_released)
                        poller->last_released = NULL;
        }
        return true;
}

void remove_segment(struct poller *poller, struct segment *segment) {
        struct segment **link = &poller->first_released, *previous = NULL;

        for (; segment->is_released && *link; previous = *link, link = &(*link)->next_released) {
                if (*link != segment)
                        continue;
                *link = segment->next_released;
                if (poller->last_released == segment)
                        poller->last_released = previous;
                break;
        }
        napi_delete_reference(poller->env, segment->buffer);
        table_remove(&poller->segments, segment->number);
        free(segment);
}

void clear_holdings(struct poller *poller) {
        uint32_t i;

        for (i = 1; i < poller->segments.used; i++) {
                struct segment *segment = find_segment(poller, (int32_t)i);

                if (segment)
                        remove_segment(poller, segment);
        }
        table_clear(&poller->segments);
        poller->transient_sets = NULL;
        for (i = 1; i < poller->sets.used; i++) {
                struct descriptor_set *set = find_set(poller, (int32_t)i);

                if (!set)
                        continue;
                close_all(set->fds, set->count);
                free(set);
        }
        table_clear(&poller->sets);
}
