/* SPDX-License-Identifier: MIT */
#include "credentials.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59
#endif
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

/* A socket option of unknown length in a malloc'ed buffer, or NULL if the kernel does not give it. */
static void *read_option(int fd, int option, socklen_t *length) {
        socklen_t size = 256;

        for (;;) {
                void *buffer = malloc(size);

                *length = size;
                if (!buffer)
                        return NULL;
                if (getsockopt(fd, SOL_SOCKET, option, buffer, length) == 0)
                        return buffer;
                free(buffer);
                /* ERANGE comes with the length that is needed */
                if (errno != ERANGE || *length <= size)
                        return NULL;
                size = *length;
        }
}

static napi_value make_groups(napi_env env, int fd) {
        napi_value result = NULL, value;
        socklen_t length;
        gid_t *groups = read_option(fd, SO_PEERGROUPS, &length);

        if (!groups) {
                napi_get_null(env, &result);
                return result;
        }
        if (napi_create_array_with_length(env, length / sizeof(*groups), &result) == napi_ok) {
                uint32_t i;

                for (i = 0; i < length / sizeof(*groups); i++) {
                        napi_create_uint32(env, groups[i], &value);
                        napi_set_element(env, result, i, value);
                }
        }
        free(groups);
        return result;
}

static napi_value make_security_label(napi_env env, int fd) {
        napi_value result = NULL;
        socklen_t length;
        char *label = read_option(fd, SO_PEERSEC, &length);

        if (label)
                result = make_uint8_array(env, label, length);
        else
                napi_get_null(env, &result);
        free(label);
        return result;
}

napi_value make_credentials(napi_env env, int fd) {
        napi_value result, groups, label, value;
        struct ucred credentials;
        socklen_t length = sizeof(int);
        int domain, process;

        if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) < 0)
                return make_int32(env, -errno);
        if (domain != AF_UNIX)
                return make_int32(env, -EOPNOTSUPP);
        length = sizeof(credentials);
        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) < 0)
                return make_int32(env, -errno);
        if (credentials.uid == (uid_t)-1)
                return make_int32(env, -ENOTCONN);

        groups = make_groups(env, fd);
        label = make_security_label(env, fd);
        if (!groups || !label || napi_create_object(env, &result) != napi_ok)
                return NULL;
        napi_set_named_property(env, result, "pid", make_int32(env, credentials.pid));
        napi_create_uint32(env, credentials.uid, &value);
        napi_set_named_property(env, result, "uid", value);
        napi_create_uint32(env, credentials.gid, &value);
        napi_set_named_property(env, result, "gid", value);
        napi_set_named_property(env, result, "groups", groups);
        napi_set_named_property(env, result, "securityLabel", label);
        /* Last, and nothing after it can fail: the caller owns this descriptor. The kernel makes it CLOEXEC. */
        length = sizeof(process);
        if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &process, &length) < 0)
                process = -1;
        napi_set_named_property(env, result, "pidDescriptor", make_int32(env, process));
        return result;
}

napi_value peer_credentials(napi_env env, napi_callback_info info) {
        napi_value value;
        int32_t fd;

        if (!read_arguments(env, info, 1, &value, NULL) || !read_int32(env, value, &fd))
                return NULL;
        return make_credentials(env, fd);
}
