/* SPDX-License-Identifier: MIT */
#include "sockets.h"

#include <errno.h>
#include <fcntl.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#ifndef SCM_PIDFD
#define SCM_PIDFD 0x04
#endif

void put_descriptors(struct msghdr *message, union control *control, const int *fds, size_t count) {
        struct cmsghdr *header;

        message->msg_control = control;
        message->msg_controllen = CMSG_SPACE(count * sizeof(int));
        header = CMSG_FIRSTHDR(message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(header), fds, count * sizeof(int));
}

size_t get_descriptors(struct msghdr *message, int *fds) {
        struct cmsghdr *header;
        size_t count = 0;

        for (header = CMSG_FIRSTHDR(message); header; header = CMSG_NXTHDR(message, header)) {
                size_t n = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);

                if (header->cmsg_level != SOL_SOCKET)
                        continue;
                if (header->cmsg_type == SCM_RIGHTS && n <= MAX_SET_DESCRIPTORS - count) {
                        memcpy(fds + count, CMSG_DATA(header), n * sizeof(int));
                        count += n;
                } else if (header->cmsg_type == SCM_PIDFD && n == 1) {
                        int fd;

                        memcpy(&fd, CMSG_DATA(header), sizeof(fd));
                        close(fd);
                }
        }
        return count;
}

void close_all(const int *fds, size_t count) {
        size_t i;

        for (i = 0; i < count; i++)
                close(fds[i]);
}

/* Reads (name, isAbstract). A name that cannot be an address gives length 0 and *error. */
static bool read_address(napi_env env, napi_value *values, struct sockaddr_un *address, socklen_t *length, int *error) {
        char name[sizeof(address->sun_path) + 4]; /* a cut name must still be seen as too long */
        bool is_abstract;
        size_t n;

        if (napi_get_value_string_utf8(env, values[0], name, sizeof(name), &n) != napi_ok)
                return throw_type_error(env, "a string is expected");
        if (!read_bool(env, values[1], &is_abstract))
                return false;
        memset(address, 0, sizeof(*address));
        address->sun_family = AF_UNIX;
        *length = 0;
        *error = 0;
        if (n >= sizeof(address->sun_path))
                *error = -ENAMETOOLONG;
        else if (n == 0 || (!is_abstract && memchr(name, 0, n)))
                *error = -EINVAL;
        else {
                /* An abstract name starts with a NUL and has no end mark: its length is part of it. */
                memcpy(address->sun_path + (is_abstract ? 1 : 0), name, n);
                *length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + 1);
        }
        return true;
}

napi_value listen_unix(napi_env env, napi_callback_info info) {
        struct sockaddr_un address;
        napi_value values[3];
        socklen_t length;
        int32_t backlog;
        int fd, error;

        if (!read_arguments(env, info, 3, values, NULL) || !read_int32(env, values[2], &backlog) ||
            !read_address(env, values, &address, &length, &error))
                return NULL;
        if (error)
                return make_int32(env, error);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return make_int32(env, -errno);
        if (bind(fd, (struct sockaddr *)&address, length) < 0 || listen(fd, backlog) < 0) {
                error = -errno;
                close(fd);
                return make_int32(env, error);
        }
        return make_int32(env, fd);
}

napi_value adopt_listener(napi_env env, napi_callback_info info) {
        napi_value value;
        int is_listening = 0, flags;
        socklen_t length = sizeof(is_listening);
        int32_t fd;

        if (!read_arguments(env, info, 1, &value, NULL) || !read_int32(env, value, &fd))
                return NULL;
        if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &length) < 0)
                return make_int32(env, -errno);
        if (!is_listening)
                return make_int32(env, -EINVAL);
        flags = fcntl(fd, F_GETFL);
        if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
                return make_int32(env, -errno);
        return make_int32(env, 0);
}

napi_value connect_unix(napi_env env, napi_callback_info info) {
        struct sockaddr_un address;
        napi_value values[2];
        socklen_t length;
        int fd, error;

        if (!read_arguments(env, info, 2, values, NULL) || !read_address(env, values, &address, &length, &error))
                return NULL;
        if (error)
                return make_int32(env, error);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return make_int32(env, -errno);
        /* A Unix socket connects at once or not at all: EAGAIN means a full backlog, nothing is under way. */
        if (connect(fd, (struct sockaddr *)&address, length) < 0) {
                error = -errno;
                close(fd);
                return make_int32(env, error);
        }
        return make_int32(env, fd);
}

napi_value send_datagram(napi_env env, napi_callback_info info) {
        struct sockaddr_un address;
        struct bytes bytes;
        napi_value values[3];
        socklen_t length;
        int fd, error;
        ssize_t n;

        if (!read_arguments(env, info, 3, values, NULL) || !read_address(env, values, &address, &length, &error) ||
            !read_uint8_array(env, values[2], &bytes))
                return NULL;
        if (error)
                return make_int32(env, error);
        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return make_int32(env, -errno);
        do
                n = sendto(fd, bytes.data, bytes.length, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&address, length);
        while (n < 0 && errno == EINTR);
        error = n < 0 ? -errno : 0;
        close(fd);
        return make_int32(env, error);
}

napi_value socket_pair(napi_env env, napi_callback_info info) {
        napi_value result;
        int fds[2];

        (void)info;
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
                return make_int32(env, -errno);
        result = make_int32_array(env, fds, 2);
        if (!result)
                close_all(fds, 2);
        return result;
}

napi_value make_pipe(napi_env env, napi_callback_info info) {
        napi_value result;
        int fds[2];

        (void)info;
        if (pipe2(fds, O_CLOEXEC) < 0)
                return make_int32(env, -errno);
        result = make_int32_array(env, fds, 2);
        if (!result)
                close_all(fds, 2);
        return result;
}

napi_value close_descriptor(napi_env env, napi_callback_info info) {
        napi_value value;
        int32_t fd;

        if (!read_arguments(env, info, 1, &value, NULL) || !read_int32(env, value, &fd))
                return NULL;
        return make_int32(env, close(fd) < 0 ? -errno : 0);
}

napi_value duplicate_descriptor(napi_env env, napi_callback_info info) {
        napi_value value;
        int32_t fd;
        int copy;

        if (!read_arguments(env, info, 1, &value, NULL) || !read_int32(env, value, &fd))
                return NULL;
        copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        return make_int32(env, copy < 0 ? -errno : copy);
}

/* CLOSE_RANGE_CLOEXEC, which is newer than some headers; kernels since 5.11 have it. */
#define ONLY_CLOSE_ON_EXEC (1U << 2)

napi_value close_on_exec(napi_env env, napi_callback_info info) {
        napi_value value;
        int32_t first;

        if (!read_arguments(env, info, 1, &value, NULL) || !read_int32(env, value, &first))
                return NULL;
#ifdef SYS_close_range
        return make_int32(env, syscall(SYS_close_range, (unsigned)first, ~0U, ONLY_CLOSE_ON_EXEC) < 0 ? -errno : 0);
#else
        return make_int32(env, -ENOSYS);
#endif
}

napi_value limit_open_files(napi_env env, napi_callback_info info) {
        struct rlimit limit;
        napi_value values[3];
        int32_t pid, soft, hard;

        if (!read_arguments(env, info, 3, values, NULL) || !read_int32(env, values[0], &pid) ||
            !read_int32(env, values[1], &soft) || !read_int32(env, values[2], &hard))
                return NULL;
        if (soft < 0 || hard < 0)
                return make_int32(env, -EINVAL);
        limit.rlim_cur = (rlim_t)soft;
        limit.rlim_max = (rlim_t)hard;
        return make_int32(env, prlimit(pid, RLIMIT_NOFILE, &limit, NULL) < 0 ? -errno : 0);
}

napi_value map_blocks_from(napi_env env, napi_callback_info info) {
        napi_value value;
        int32_t bytes;

        if (!read_arguments(env, info, 1, &value, NULL) || !read_int32(env, value, &bytes))
                return NULL;
        if (bytes <= 0)
                return make_int32(env, -EINVAL);
#ifdef __GLIBC__
        return make_int32(env, mallopt(M_MMAP_THRESHOLD, bytes) == 1 ? 0 : -EINVAL);
#else
        return make_int32(env, -ENOSYS);
#endif
}

napi_value memory_descriptor(napi_env env, napi_callback_info info) {
        struct bytes bytes;
        napi_value value;
        size_t at = 0;
        int fd;

        if (!read_arguments(env, info, 1, &value, NULL) || !read_uint8_array(env, value, &bytes))
                return NULL;
        fd = memfd_create("onehop", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        if (fd < 0)
                return make_int32(env, -errno);
        while (at < bytes.length) {
                ssize_t n = pwrite(fd, bytes.data + at, bytes.length - at, (off_t)at);

                if (n < 0) {
                        int error = -errno;

                        if (error == -EINTR)
                                continue;
                        close(fd);
                        return make_int32(env, error);
                }
                at += (size_t)n;
        }
        return make_int32(env, fd);
}

napi_value read_descriptor(napi_env env, napi_callback_info info) {
        napi_value values[2], result;
        int32_t fd, length;
        size_t at = 0;
        char *buffer;

        if (!read_arguments(env, info, 2, values, NULL) || !read_int32(env, values[0], &fd) ||
            !read_int32(env, values[1], &length))
                return NULL;
        if (length < 0)
                return make_int32(env, -EINVAL);
        buffer = malloc((size_t)length + 1);
        if (!buffer)
                return make_int32(env, -ENOMEM);
        while (at < (size_t)length) {
                ssize_t n = pread(fd, buffer + at, (size_t)length - at, (off_t)at);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0) {
                        int error = -errno;

                        free(buffer);
                        return make_int32(env, error);
                }
                if (n == 0)
                        break;
                at += (size_t)n;
        }
        result = make_uint8_array(env, buffer, at);
        free(buffer);
        return result;
}

napi_value send_once(napi_env env, napi_callback_info info) {
        struct msghdr message = { 0 };
        struct iovec vector;
        struct bytes bytes;
        union control control;
        int fds[MAX_SET_DESCRIPTORS];
        napi_value values[3];
        uint32_t count;
        int32_t fd;
        ssize_t n;

        if (!read_arguments(env, info, 3, values, NULL) || !read_int32(env, values[0], &fd) ||
            !read_uint8_array(env, values[1], &bytes) ||
            !read_numbers(env, values[2], 0, MAX_SET_DESCRIPTORS, fds, &count))
                return NULL;
        if (count > MAX_SET_DESCRIPTORS)
                return make_int32(env, -EINVAL);
        vector.iov_base = bytes.data;
        /* The result must fit a small integer; a stream takes less than this at once anyway. */
        vector.iov_len = bytes.length < INT32_MAX ? bytes.length : INT32_MAX;
        message.msg_iov = &vector;
        message.msg_iovlen = 1;
        if (count > 0) {
                memset(&control, 0, sizeof(control));
                put_descriptors(&message, &control, fds, count);
        }
        do
                n = sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                n = -errno;
        return make_int32(env, (int32_t)n);
}

napi_value receive_once(napi_env env, napi_callback_info info) {
        int fds[MAX_SET_DESCRIPTORS];
        struct msghdr message = { 0 };
        napi_value values[3], result, descriptors;
        struct iovec vector;
        struct bytes bytes;
        union control control;
        int32_t fd, most;
        size_t count = 0;
        ssize_t n;

        if (!read_arguments(env, info, 3, values, NULL) || !read_int32(env, values[0], &fd) ||
            !read_uint8_array(env, values[1], &bytes) || !read_int32(env, values[2], &most))
                return NULL;
        vector.iov_base = bytes.data;
        vector.iov_len = bytes.length < INT32_MAX ? bytes.length : INT32_MAX;
        message.msg_iov = &vector;
        message.msg_iovlen = 1;
        message.msg_control = &control;
        message.msg_controllen = sizeof(control);
        do
                n = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        while (n < 0 && errno == EINTR);
        if (n < 0) {
                n = -errno;
        } else {
                count = get_descriptors(&message, fds);
                if ((int64_t)count > most || (message.msg_flags & MSG_CTRUNC)) {
                        close_all(fds, count);
                        count = 0;
                        n = -EMSGSIZE;
                }
        }
        descriptors = make_int32_array(env, fds, count);
        if (!descriptors || napi_create_object(env, &result) != napi_ok) {
                close_all(fds, count);
                return NULL;
        }
        napi_set_named_property(env, result, "byteLength", make_int32(env, (int32_t)n));
        napi_set_named_property(env, result, "descriptors", descriptors);
        return result;
}
