/* SPDX-License-Identifier: MIT */
/* Unix sockets and single calls on descriptors; results are values or -errno. */
#ifndef ONEHOP_SOCKETS_H
#define ONEHOP_SOCKETS_H

#include "value.h"

#include <sys/socket.h>

/* The most descriptors the kernel passes in one message (SCM_MAX_FD). */
#define MAX_SET_DESCRIPTORS 253

/* Room for SCM_RIGHTS and for what SO_PASSCRED, SO_PASSPIDFD and SO_PASSSEC of an inherited listener would add. */
union control {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(MAX_SET_DESCRIPTORS * sizeof(int)) + CMSG_SPACE(3 * sizeof(int)) +
                   CMSG_SPACE(sizeof(int)) + CMSG_SPACE(256)];
};

/* Points `message` at `control` and fills it with one SCM_RIGHTS of 1 to MAX_SET_DESCRIPTORS descriptors. */
void put_descriptors(struct msghdr *message, union control *control, const int *fds, size_t count);

/* Copies the received descriptors to `fds` (MAX_SET_DESCRIPTORS of room), closes a pidfd; returns their count. */
size_t get_descriptors(struct msghdr *message, int *fds);

void close_all(const int *fds, size_t count);

napi_value listen_unix(napi_env env, napi_callback_info info);
napi_value adopt_listener(napi_env env, napi_callback_info info);
napi_value connect_unix(napi_env env, napi_callback_info info);
napi_value send_datagram(napi_env env, napi_callback_info info);
napi_value socket_pair(napi_env env, napi_callback_info info);
napi_value make_pipe(napi_env env, napi_callback_info info);
napi_value close_descriptor(napi_env env, napi_callback_info info);
napi_value duplicate_descriptor(napi_env env, napi_callback_info info);
napi_value close_on_exec(napi_env env, napi_callback_info info);
napi_value limit_open_files(napi_env env, napi_callback_info info);
napi_value map_blocks_from(napi_env env, napi_callback_info info);
napi_value memory_descriptor(napi_env env, napi_callback_info info);
napi_value read_descriptor(napi_env env, napi_callback_info info);
napi_value send_once(napi_env env, napi_callback_info info);
napi_value receive_once(napi_env env, napi_callback_info info);

#endif
