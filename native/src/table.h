/* SPDX-License-Identifier: MIT */
/* Small numbers for pointers: 1 and up, the ones given back are used again. */
#ifndef ONEHOP_TABLE_H
#define ONEHOP_TABLE_H

#include <stdint.h>

struct table {
        void **entries; /* entry 0 is never used */
        uint32_t *free_numbers;
        uint32_t capacity, used, free_count;
};

/* The number of a new entry, or -ENOMEM. */
int32_t table_add(struct table *table, void *entry);
/* NULL if there is no such entry. */
void *table_find(const struct table *table, int32_t number);
void table_remove(struct table *table, int32_t number);
/* Frees the table, not what it points to. */
void table_clear(struct table *table);

#endif
