/* SPDX-License-Identifier: MIT */
#include "table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int table_grow(struct table *table) {
        uint32_t capacity = table->capacity ? table->capacity * 2 : 16;
        uint32_t *free_numbers;
        void **entries;

        if (capacity > INT32_MAX / sizeof(*entries))
                return -ENOMEM;
        entries = realloc(table->entries, capacity * sizeof(*entries));
        if (!entries)
                return -ENOMEM;
        table->entries = entries;
        free_numbers = realloc(table->free_numbers, capacity * sizeof(*free_numbers));
        if (!free_numbers)
                return -ENOMEM;
        table->free_numbers = free_numbers;
        table->capacity = capacity;
        if (table->used == 0)
                entries[table->used++] = NULL;
        return 0;
}

int32_t table_add(struct table *table, void *entry) {
        uint32_t number;

        if (table->free_count > 0) {
                number = table->free_numbers[--table->free_count];
        } else {
                if (table->used == table->capacity) {
                        int error = table_grow(table);

                        if (error)
                                return error;
                }
                number = table->used++;
        }
        table->entries[number] = entry;
        return (int32_t)number;
}

void *table_find(const struct table *table, int32_t number) {
        if (number <= 0 || (uint32_t)number >= table->used)
                return NULL;
        return table->entries[number];
}

void table_remove(struct table *table, int32_t number) {
        if (!table_find(table, number))
                return;
        table->entries[number] = NULL;
        table->free_numbers[table->free_count++] = (uint32_t)number;
}

void table_clear(struct table *table) {
        free(table->entries);
        free(table->free_numbers);
        memset(table, 0, sizeof(*table));
}
