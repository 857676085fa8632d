/* SPDX-License-Identifier: MIT */
/*
 * What the connections of one user have together, so that nobody gets more by opening more of them: bytes read
 * in a turn, and received descriptors.
 */
#include "poller.h"

enum {
        /* Two users who are read within so many turns of each other are read side by side. */
        CONTENTION_TURNS = 64,
        /* What a user's connections may be given in one turn then; adapted so that a turn takes about so long. */
        LEAST_READ_BYTES = 2048,
        MOST_READ_BYTES = 262144,
        TURN_NANOSECONDS = 300000,
        /* So many descriptors a user may have waiting whatever the others have, if there is room. */
        FREE_DESCRIPTORS = 64,
};

/* There are few users, and an account is looked for when a connection is opened. */
struct account *take_account(struct poller *poller, uint32_t uid) {
        struct account *account;

        for (account = poller->accounts; account; account = account->next)
                if (account->uid == uid)
                        break;
        if (!account) {
                account = calloc(1, sizeof(*account));
                if (!account)
                        return NULL;
                account->uid = uid;
                account->next = poller->accounts;
                poller->accounts = account;
        }
        account->connections++;
        return account;
}

void release_account(struct poller *poller, struct account *account) {
        struct account **link = &poller->accounts;

        if (--account->connections > 0)
                return;
        while (*link != account)
                link = &(*link)->next;
        *link = account->next;
        if (poller->last_read_account == account)
                poller->last_read_account = NULL;
        free(account);
}

/* ---- bytes ---- */

static bool is_contended(const struct poller *poller) {
        return poller->turn < poller->contended_until;
}

uint32_t read_allowance(struct poller *poller, struct connection *connection) {
        struct account *account = connection->account;
        uint32_t budget = poller->read_budget;

        if (!is_contended(poller))
                return UINT32_MAX;
        if (account->read_turn != poller->turn)
                return budget;
        /* A few bytes more would only be half a message. */
        if (account->read_bytes + LEAST_READ_BYTES / 4 > budget) {
                poller->is_budget_spent = true;
                return 0;
        }
        return budget - account->read_bytes;
}

void count_read(struct poller *poller, struct connection *connection, size_t length) {
        struct account *account = connection->account;

        if (poller->last_read_account != account) {
                if (poller->last_read_account)
                        poller->contended_until = poller->turn + CONTENTION_TURNS;
                poller->last_read_account = account;
        }
        if (account->read_turn != poller->turn) {
                account->read_turn = poller->turn;
                account->read_bytes = 0;
        }
        account->read_bytes += (uint32_t)length;
}

void begin_budget(struct poller *poller) {
        if (poller->read_budget == 0)
                poller->read_budget = MOST_READ_BYTES;
        poller->is_budget_spent = false;
        poller->turn_start = is_contended(poller) ? uv_hrtime() : 0;
}

/* Only turns in which somebody was kept waiting tell whether they are too long or shorter than need be. */
void adapt_budget(struct poller *poller) {
        uint64_t taken;

        if (!poller->is_budget_spent || poller->turn_start == 0)
                return;
        taken = uv_hrtime() - poller->turn_start;
        if (taken > TURN_NANOSECONDS && poller->read_budget > LEAST_READ_BYTES)
                poller->read_budget /= 2;
        else if (taken < TURN_NANOSECONDS / 4 && poller->read_budget < MOST_READ_BYTES)
                poller->read_budget *= 2;
}

/* ---- descriptors ---- */

/*
 * A user who has none of the rest may come to half of it, one of two to a third and so on: what is free when
 * somebody comes is never nothing.
 */
bool may_wait(const struct poller *poller, const struct account *account, uint32_t count) {
        uint64_t own = account->descriptors, users = poller->descriptor_users + (own == 0 ? 1u : 0u), free_count;

        if (poller->descriptor_count >= poller->max_descriptors)
                return false;
        free_count = poller->max_descriptors - poller->descriptor_count;
        if (count > free_count)
                return false;
        return own + count <= FREE_DESCRIPTORS || (own + count) * (users + 1) <= free_count + own;
}

void count_descriptors(struct poller *poller, struct connection *connection, int32_t change) {
        struct account *account = connection->account;
        bool had = account->descriptors > 0;

        account->descriptors += (uint32_t)change;
        poller->descriptor_count += (uint32_t)change;
        poller->descriptor_users += (account->descriptors > 0 ? 1u : 0u) - (had ? 1u : 0u);
        connection->received_count += (uint32_t)change;
        poller->descriptor_counts[connection->slot] = (int32_t)connection->received_count;
}
