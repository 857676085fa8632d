/* SPDX-License-Identifier: MIT */
/*
 * The poller's parts, as its own files see them.
 *
 * poller.c    life, the turn, and who is connected
 * loop.c      when turns happen
 * methods.c   what JavaScript may call
 * receive.c   accept and read; what is kept of the bytes JavaScript did not consume
 * account.c   what the connections of one user have together
 * send.c      operations, what waits to be written, writing it
 * shared.c    what several connections get at once
 * output.c    pools of the small blocks that waiting output is made of
 * holdings.c  descriptor sets and segments: things that JavaScript and waiting output hold together
 *
 * Who owns what: a connection owns its descriptor, its kept bytes, its received descriptors and its
 * output. Output owns references to segments and sets. The arena and the tables shared with JavaScript
 * belong to JavaScript; napi_refs keep them alive until stop.
 */
#ifndef ONEHOP_POLLER_H
#define ONEHOP_POLLER_H

#include "table.h"
#include "value.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <uv.h>

enum { RECORD_WORDS = 8, OPERATION_WORDS = 11 };

/* The destination of an operation that closes the connection with the slot behind it. */
enum { CLOSE_CONNECTION = -1 };

/* Words of a record; see binding.ts. */
enum { AT_SLOT, AT_KIND, AT_SEGMENT, AT_OFFSET, AT_LENGTH, AT_CONSUMED, AT_AUX, AT_AUX2 };

enum record_kind {
        RECORD_BYTES,
        RECORD_ACCEPTED,
        RECORD_CLOSED,
        RECORD_ACCEPT_FAILED,
        RECORD_SEGMENT_RELEASED,
        RECORD_SEND_FAILED,
        RECORD_DESCRIPTORS,
        RECORD_DROPPED,
};

/* Reasons to close that are no errno. */
enum { TOO_MANY_DESCRIPTORS = 0x10000, DESCRIPTORS_LOST = 0x10001 };

enum {
        MAX_EVENTS = 256,
        MAX_ACCEPTS = 64,
        ACCEPT_PATIENCE = 16,
        TRIM_BYTES = 1 << 20,
        MAX_VECTORS = 1024,               /* IOV_MAX on Linux */
        SEGMENT_READ_BYTES = 1024 * 1024, /* per connection and turn, straight into a segment */
        RECORD_SLACK = 16,                /* bytes after a record that JavaScript may read */
        CHUNK_BYTES = 4096 - 16,
        BLOCK_MARKS = 63,
        SHARED_BYTES = 256 * 1024,
        SHARED_MARKS = 4096,
};


/* ---- holdings ---- */

/*
 * Descriptors that travel together. References: one of the turn it was made in (is_transient), each
 * retain of JavaScript (also in `retained`), each message in unsent output.
 */
struct descriptor_set {
        struct descriptor_set *next_transient;
        uint32_t references, retained;
        int32_t number;
        bool is_transient;
        uint32_t count;
        int fds[];
};

/* A buffer of JavaScript. References are pieces of unsent output; receivers are receiveInto's. */
struct segment {
        struct segment *next_released;
        napi_ref buffer;
        uint8_t *bytes;
        size_t length;
        uint32_t references, receivers;
        int32_t number;
        bool is_released; /* in the list of segments to report */
};

/* ---- output ---- */

/* Small pieces of messages copied one after another; pieces refer to parts of it. */
struct chunk {
        struct chunk *next_free;
        uint32_t references, used;
        uint8_t bytes[CHUNK_BYTES];
};

enum piece_kind {
        PIECE_CHUNK,    /* owner: the chunk */
        PIECE_BORROWED, /* in the arena or in `shared`; copied out before either may change */
        PIECE_COPY,     /* owner: malloc'ed bytes, once borrowed */
        PIECE_SEGMENT,  /* owner: the segment */
};

struct piece {
        struct piece *next;
        const uint8_t *bytes;
        size_t length;
        void *owner;
        enum piece_kind kind;
};

/* Where a message ends in the stream of a connection's output. */
struct mark {
        uint64_t end;
        double sequence;
};

struct mark_block {
        struct mark_block *next;
        uint32_t first, count;
        struct mark marks[BLOCK_MARKS];
};

/* A message with descriptors starts here: a sendmsg must too. */
struct boundary {
        struct boundary *next;
        uint64_t start;
        struct descriptor_set *set;
};

struct output {
        struct piece *first, *last;
        struct piece *borrowed; /* no piece before it is borrowed; NULL: none is */
        struct chunk *chunk; /* where small pieces go next; one reference */
        struct mark_block *first_marks, *last_marks;
        struct boundary *first_boundary, *last_boundary;
        uint64_t accepted, written; /* bytes, since the beginning */
        bool has_unmarked; /* in the last piece there are shared messages without marks, from this one on */
        uint32_t first_unmarked;
};

/*
 * Small messages to several connections, written one behind the other once for all of them; empty after each
 * flush. Who gets the same ones in a row has them in one piece, and has marks for them only if it cannot
 * be written at once. A mark's end counts from the beginning of `bytes`.
 */
struct shared {
        uint8_t *bytes;
        struct mark *marks;
        uint32_t used, mark_count;
};

/* Blocks of output kept for reuse, since most live only from an operation to the end of its flush. */
struct pools {
        struct chunk *chunks;
        struct piece *pieces;
        struct mark_block *mark_blocks;
        uint32_t chunk_count, piece_count, mark_block_count;
};

/* ---- accounts ---- */

/* A user with connections. */
struct account {
        struct account *next;
        uint32_t uid, connections;
        uint32_t descriptors; /* received, and not yet taken */
        uint64_t read_turn;   /* when something was read from it last ... */
        uint32_t read_bytes;  /* ... and how much then */
};

/* ---- connections ---- */

struct connection {
        int fd;
        struct account *account;
        uint32_t slot;
        uint32_t interest; /* what epoll watches now; not in the set at all if 0 */
        bool is_sole;      /* no other descriptor refers to the socket */
        bool is_reading;   /* as JavaScript wants it */
        bool is_input_over, is_output_failed, is_closing;
        bool is_blocked;   /* the socket took less than it was given */
        bool is_dirty;     /* in the list of connections to flush */
        bool is_pending;   /* in the list of connections with something to report */
        bool is_redelivering; /* kept bytes go out again even if none arrive */
        int send_error, input_error; /* to be reported, or 0 */
        uint32_t dropped; /* messages that the kernel refused, to be reported */
        uint64_t read_turn; /* when it last got a record */
        /* input */
        uint8_t *kept;
        uint32_t kept_length;
        struct segment *target;
        uint32_t target_have, target_want;
        int *received;
        uint32_t received_first, received_count, received_capacity;
        struct output output;
};

struct listener {
        int fd;
        int32_t number; /* JavaScript's */
        int burst; /* how many to accept at once */
        int patience; /* in so many turns one, since there was no second one lately */
        uint64_t last_turn; /* when it was ready last */
        bool is_listening;
};

/* Slots in the order they were put in; each is in a list at most once. */
struct slot_list {
        uint32_t *slots;
        uint32_t count;
};

enum { COUNTER_TURNS, COUNTER_WAITS, COUNTER_RECEIVES, COUNTER_SENDS, COUNTER_SENT, COUNTER_RECEIVED, COUNTERS };

enum {
        REF_SELF,
        REF_ON_TURN,
        REF_ARENA,
        REF_RECORDS,
        REF_OPERATIONS,
        REF_UNSENT_BYTES,
        REF_UNSENT_FROM,
        REF_DESCRIPTOR_COUNTS,
        REFS,
};

struct poller {
        napi_env env;
        uint32_t holds; /* the JavaScript object, each open uv handle, a running turn */
        bool is_stopped, is_in_turn;
        napi_ref refs[REFS];
        napi_async_context async_context;
        napi_async_cleanup_hook_handle cleanup;
        uint32_t open_handles;
        int epoll_fd;

        /* the loop; a guest has `poll`, a host `stay` and `prepare` */
        bool is_host;
        uv_loop_t *loop;
        uv_idle_t wake, stay;
        uv_poll_t poll;
        uv_prepare_t prepare;
        struct epoll_event events[MAX_EVENTS];

        /* shared with JavaScript */
        struct bytes arena;
        int32_t *records, *operations, *descriptor_counts;
        double *unsent_bytes, *unsent_from;
        uint32_t record_capacity, operation_words;
        uint32_t receive_offset, receive_length, read_limit, copy_limit, max_queued_descriptors;
        uint32_t max_descriptors; /* received and not yet taken, of all connections */

        /* the turn */
        uint64_t turn;
        uint32_t record_count;
        uint32_t receive_at; /* used bytes of the receive area */
        uint32_t first_event; /* where reading starts among the events of the next turn */

        /* users side by side */
        struct account *accounts, *last_read_account;
        uint64_t contended_until; /* the turn */
        uint64_t turn_start;      /* ns, or 0 if nobody wants to know */
        uint32_t read_budget;     /* bytes of each user in a turn */
        bool is_budget_spent;     /* somebody has to wait for the next turn */
        uint32_t descriptor_count, descriptor_users; /* of `max_descriptors`, and how many users have some */

        struct connection **connections;
        uint32_t max_slots, used_slots, connection_count;
        struct slot_list free_slots, retired; /* retired: free when the turn is over */
        struct slot_list dirty, closing, pending, over; /* over: their input ended in this turn */
        struct table listeners; /* index in the table is the number epoll knows */
        uint32_t listener_count;

        struct table sets, segments;
        struct descriptor_set *transient_sets;
        struct segment *first_released, *last_released;

        struct pools pools;
        struct shared shared;
        uint64_t last_sequence;
        double counters[COUNTERS];
        struct iovec vectors[MAX_VECTORS];
};

/* ---- poller.c ---- */

napi_value create_poller(napi_env env, napi_callback_info info);
/* The poller that `object` wraps; throws and returns NULL if it wraps none. */
struct poller *unwrap_poller(napi_env env, napi_value object);
void stop_poller(struct poller *poller);
/* Gives up one of `holds`. */
void release_poller(struct poller *poller);
/* Handles the first of `events`, and what else is pending. */
void run_turn(struct poller *poller, uint32_t event_count);

/*
 * Takes ownership of `fd`, a connection of user `uid`, even if it fails; a slot or -errno. `is_sole`: no other
 * descriptor refers to the same socket.
 */
int32_t open_connection(struct poller *poller, int fd, uint32_t uid, bool is_sole);
struct connection *find_connection(struct poller *poller, int32_t slot);
/* 0 or -errno. */
int update_interest(struct poller *poller, struct connection *connection);
void close_connection(struct poller *poller, struct connection *connection);
/* There is something to report about this connection in the next turn. */
void mark_pending(struct poller *poller, struct connection *connection);
/* What a flush does: operations, writing, closing. */
void run_flush(struct poller *poller, uint32_t word_count);

int32_t open_listener(struct poller *poller, int fd, int32_t number);
struct listener *find_listener(struct poller *poller, int32_t number, int32_t *index);
int watch_listener(struct poller *poller, struct listener *listener, int32_t index, bool is_listening);
void close_listener(struct poller *poller, struct listener *listener, int32_t index);

/* NULL if the table is full. All words but slot and kind are 0. */
int32_t *add_record(struct poller *poller, int32_t slot, enum record_kind kind);

/* ---- loop.c ---- */

/* Makes a turn happen soon, if none is running. */
void wake_poller(struct poller *poller);
/* Like a server of net, the poller keeps the process alive while somebody may call or talk. */
void update_liveness(struct poller *poller);
/* 0 or an error. After this, close_loop undoes what follows. */
int open_loop(struct poller *poller);
/* From now on turns happen; 0 or an error. */
int start_loop(struct poller *poller);
void close_loop(struct poller *poller);

/* ---- methods.c ---- */

/* Gives `object` the methods of a Poller; each finds the poller that the object wraps. */
napi_status define_methods(napi_env env, napi_value object);

/* ---- receive.c ---- */

void accept_connections(struct poller *poller, struct listener *listener, int32_t index);
void read_connection(struct poller *poller, struct connection *connection);
/* Can a connection that kept nothing still be read in this turn? */
bool has_room(struct poller *poller);
/* Records for what connections have to report; false if there was no room for all. */
bool report_pending(struct poller *poller);
/* Keeps what the records of this turn left unconsumed. */
void keep_remainders(struct poller *poller);
int set_target(struct poller *poller, struct connection *connection, int32_t segment, uint32_t have, uint32_t want);
/* Frees everything that belongs to input. */
void clear_input(struct poller *poller, struct connection *connection);

/* ---- account.c ---- */

/* One more connection of this user; NULL if memory is short. */
struct account *take_account(struct poller *poller, uint32_t uid);
void release_account(struct poller *poller, struct account *account);
/* How many bytes may be read in this turn: no limit while only one user has something to say. */
uint32_t read_allowance(struct poller *poller, struct connection *connection);
void count_read(struct poller *poller, struct connection *connection, size_t length);
/* A turn begins, and ends. */
void begin_budget(struct poller *poller);
void adapt_budget(struct poller *poller);
/* May so many more received descriptors of this user wait? */
bool may_wait(const struct poller *poller, const struct account *account, uint32_t count);
/* So many more of `connection` wait, or fewer if it is negative. */
void count_descriptors(struct poller *poller, struct connection *connection, int32_t change);

/* ---- send.c ---- */

void run_operations(struct poller *poller, uint32_t word_count);
void flush_connection(struct poller *poller, struct connection *connection);

/* ---- output.c ---- */

/* 0 or -ENOMEM; what was appended before the failure stays. */
int append_copy(struct pools *pools, struct output *output, const uint8_t *bytes, size_t length);
int append_piece(struct pools *pools, struct output *output, enum piece_kind kind, const uint8_t *bytes, size_t length,
                 void *owner);
int append_mark(struct pools *pools, struct output *output, uint64_t end, double sequence);
int append_boundary(struct output *output, struct descriptor_set *set);
uint32_t count_unsent(const struct output *output);
/* Copies borrowed pieces. */
int keep_borrowed(struct output *output);
/* The kernel took `length` bytes. */
void advance_output(struct poller *poller, struct output *output, size_t length);
void discard_output(struct poller *poller, struct output *output);
void clear_pools(struct pools *pools);

/* ---- shared.c ---- */

/* A message in `count` parts as one, behind those before it; empty if there is no room. */
struct bytes share_bytes(struct shared *shared, const struct bytes *parts, int count, double sequence);
/* Appends the message that was shared last, which is `whole`; 0 or -ENOMEM. */
int append_shared(struct poller *poller, struct output *output, struct bytes whole);
/* Makes the marks that are missing, before anything else is appended or the flush ends; 0 or -ENOMEM. */
int mark_shared(struct poller *poller, struct output *output);
void clear_shared(struct shared *shared);

/* ---- holdings.c ---- */

/* A transient set that owns copies of these numbers, or NULL. */
struct descriptor_set *make_set(struct poller *poller, const int *fds, uint32_t count);
struct descriptor_set *find_set(struct poller *poller, int32_t number);
void release_set(struct poller *poller, struct descriptor_set *set);
void release_transient_sets(struct poller *poller);

int32_t add_segment(struct poller *poller, napi_value buffer, struct bytes bytes);
struct segment *find_segment(struct poller *poller, int32_t number);
void release_segment(struct poller *poller, struct segment *segment);
/* Lets JavaScript know if no output refers to this segment. */
void announce_unused(struct poller *poller, struct segment *segment);
void remove_segment(struct poller *poller, struct segment *segment);
/* Records for released segments; false if there was no room for all. */
bool report_released_segments(struct poller *poller);
void clear_holdings(struct poller *poller);

#endif
