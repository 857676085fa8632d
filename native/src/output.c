/* SPDX-License-Identifier: MIT */
#include "poller.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <errno.h>
#include <string.h>

/* What the pools keep at most: 4 MiB of chunks, enough for a broadcast to a thousand. */
enum { POOLED_CHUNKS = 1024, POOLED_PIECES = 8192, POOLED_MARK_BLOCKS = 1024 };

static struct chunk *take_chunk(struct pools *pools) {
        struct chunk *chunk = pools->chunks;

        if (chunk) {
                pools->chunks = chunk->next_free;
                pools->chunk_count--;
        } else {
                chunk = malloc(sizeof(*chunk));
                if (!chunk)
                        return NULL;
        }
        chunk->references = 1;
        chunk->used = 0;
        return chunk;
}

static void release_chunk(struct pools *pools, struct chunk *chunk) {
        if (--chunk->references > 0)
                return;
        if (pools->chunk_count == POOLED_CHUNKS) {
                free(chunk);
                return;
        }
        chunk->next_free = pools->chunks;
        pools->chunks = chunk;
        pools->chunk_count++;
}

static struct mark_block *take_mark_block(struct pools *pools) {
        struct mark_block *block = pools->mark_blocks;

        if (block) {
                pools->mark_blocks = block->next;
                pools->mark_block_count--;
        } else {
                block = malloc(sizeof(*block));
                if (!block)
                        return NULL;
        }
        block->next = NULL;
        block->first = block->count = 0;
        return block;
}

static void release_mark_block(struct pools *pools, struct mark_block *block) {
        if (pools->mark_block_count == POOLED_MARK_BLOCKS) {
                free(block);
                return;
        }
        block->next = pools->mark_blocks;
        pools->mark_blocks = block;
        pools->mark_block_count++;
}

int append_piece(struct pools *pools, struct output *output, enum piece_kind kind, const uint8_t *bytes, size_t length,
                 void *owner) {
        struct piece *piece = pools->pieces;

        if (piece) {
                pools->pieces = piece->next;
                pools->piece_count--;
        } else {
                piece = malloc(sizeof(*piece));
                if (!piece)
                        return -ENOMEM;
        }
        piece->next = NULL;
        piece->bytes = bytes;
        piece->length = length;
        piece->owner = owner;
        piece->kind = kind;
        if (kind == PIECE_CHUNK)
                ((struct chunk *)owner)->references++;
        else if (kind == PIECE_SEGMENT)
                ((struct segment *)owner)->references++;
        if (output->last)
                output->last->next = piece;
        else
                output->first = piece;
        output->last = piece;
        if (kind == PIECE_BORROWED && !output->borrowed)
                output->borrowed = piece;
        output->accepted += length;
        return 0;
}

int append_copy(struct pools *pools, struct output *output, const uint8_t *bytes, size_t length) {
        while (length > 0) {
                struct chunk *chunk = output->chunk;
                struct piece *last = output->last;
                uint8_t *at;
                size_t n;

                if (!chunk || chunk->used == CHUNK_BYTES) {
                        struct chunk *fresh = take_chunk(pools);

                        if (!fresh)
                                return -ENOMEM;
                        if (chunk)
                                release_chunk(pools, chunk);
                        output->chunk = chunk = fresh;
                }
                at = chunk->bytes + chunk->used;
                n = CHUNK_BYTES - chunk->used;
                if (n > length)
                        n = length;
                memcpy(at, bytes, n);
                if (last && last->owner == chunk && last->bytes + last->length == at) {
                        last->length += n;
                        output->accepted += n;
                } else if (append_piece(pools, output, PIECE_CHUNK, at, n, chunk) < 0) {
                        return -ENOMEM;
                }
                chunk->used += (uint32_t)n;
                bytes += n;
                length -= n;
        }
        return 0;
}

int append_mark(struct pools *pools, struct output *output, uint64_t end, double sequence) {
        struct mark_block *block = output->last_marks;
        struct mark *mark;

        if (!block || block->count == BLOCK_MARKS) {
                struct mark_block *fresh = take_mark_block(pools);

                if (!fresh)
                        return -ENOMEM;
                if (block)
                        block->next = fresh;
                else
                        output->first_marks = fresh;
                output->last_marks = block = fresh;
        }
        mark = &block->marks[block->count++];
        mark->end = end;
        mark->sequence = sequence;
        return 0;
}

/* Messages that have not left as a whole. */
uint32_t count_unsent(const struct output *output) {
        const struct mark_block *block;
        uint32_t count = 0;

        for (block = output->first_marks; block; block = block->next)
                count += block->count - block->first;
        return count;
}

int append_boundary(struct output *output, struct descriptor_set *set) {
        struct boundary *boundary = malloc(sizeof(*boundary));

        if (!boundary)
                return -ENOMEM;
        boundary->next = NULL;
        boundary->start = output->accepted;
        boundary->set = set;
        set->references++;
        if (output->last_boundary)
                output->last_boundary->next = boundary;
        else
                output->first_boundary = boundary;
        output->last_boundary = boundary;
        return 0;
}

int keep_borrowed(struct output *output) {
        struct piece *piece;

        for (piece = output->borrowed; piece; piece = piece->next) {
                uint8_t *copy;

                if (piece->kind != PIECE_BORROWED)
                        continue;
                copy = malloc(piece->length);
                if (!copy)
                        return -ENOMEM;
                memcpy(copy, piece->bytes, piece->length);
                piece->bytes = piece->owner = copy;
                piece->kind = PIECE_COPY;
        }
        output->borrowed = NULL;
        return 0;
}

static void drop_first_piece(struct poller *poller, struct output *output) {
        struct pools *pools = &poller->pools;
        struct piece *piece = output->first;

        switch (piece->kind) {
        case PIECE_CHUNK:
                release_chunk(pools, piece->owner);
                break;
        case PIECE_COPY:
                free(piece->owner);
                break;
        case PIECE_SEGMENT:
                release_segment(poller, piece->owner);
                break;
        case PIECE_BORROWED:
                break;
        }
        output->first = piece->next;
        if (!output->first)
                output->last = NULL;
        if (output->borrowed == piece)
                output->borrowed = piece->next;
        if (pools->piece_count == POOLED_PIECES) {
                free(piece);
                return;
        }
        piece->next = pools->pieces;
        pools->pieces = piece;
        pools->piece_count++;
}

static void drop_first_mark_block(struct pools *pools, struct output *output) {
        struct mark_block *block = output->first_marks;

        output->first_marks = block->next;
        if (!output->first_marks)
                output->last_marks = NULL;
        release_mark_block(pools, block);
}

static void drop_first_boundary(struct poller *poller, struct output *output) {
        struct boundary *boundary = output->first_boundary;

        output->first_boundary = boundary->next;
        if (!output->first_boundary)
                output->last_boundary = NULL;
        release_set(poller, boundary->set);
        free(boundary);
}

/* A long queue leaves free memory between what is in use, which the C library would keep for ever. */
static void return_free_memory(void) {
#ifdef __GLIBC__
        malloc_trim(0);
#endif
}

void discard_output(struct poller *poller, struct output *output) {
        bool is_long = output->accepted - output->written >= TRIM_BYTES;

        while (output->first)
                drop_first_piece(poller, output);
        while (output->first_marks)
                drop_first_mark_block(&poller->pools, output);
        while (output->first_boundary)
                drop_first_boundary(poller, output);
        if (output->chunk)
                release_chunk(&poller->pools, output->chunk);
        output->chunk = NULL;
        output->has_unmarked = false;
        output->written = output->accepted;
        if (is_long)
                return_free_memory();
}

void advance_output(struct poller *poller, struct output *output, size_t length) {
        struct mark_block *block;

        output->written += length;
        if (output->written == output->accepted) {
                discard_output(poller, output);
                return;
        }
        while (length >= output->first->length) {
                length -= output->first->length;
                drop_first_piece(poller, output);
        }
        output->first->bytes += length;
        output->first->length -= length;
        while ((block = output->first_marks) && block->marks[block->first].end <= output->written)
                if (++block->first == block->count)
                        drop_first_mark_block(&poller->pools, output);
        while (output->first_boundary && output->first_boundary->start < output->written)
                drop_first_boundary(poller, output);
}

void clear_pools(struct pools *pools) {
        while (pools->chunks) {
                struct chunk *chunk = pools->chunks;

                pools->chunks = chunk->next_free;
                free(chunk);
        }
        while (pools->pieces) {
                struct piece *piece = pools->pieces;

                pools->pieces = piece->next;
                free(piece);
        }
        while (pools->mark_blocks) {
                struct mark_block *block = pools->mark_blocks;

                pools->mark_blocks = block->next;
                free(block);
        }
        memset(pools, 0, sizeof(*pools));
}
