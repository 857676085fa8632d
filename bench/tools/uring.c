/*
 * What io_uring could save a bus: a router between two peers on Unix sockets, once with epoll_wait, recvmsg and sendmsg
 * as native/src has them, and once with io_uring, in four ways. Prints CPU time of the router for each message.
 *
 *   gcc -O2 -Wall -Wextra -o uring bench/tools/uring.c && ./uring [ROUNDS [SECONDS]]
 *
 * Ping-pong: one message of 200 bytes goes there and back. Pipeline: 64 are on their way. The router runs on the first CPU
 * that this process may use, the peers on the second, or all on the first.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/io_uring.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MESSAGE = 200, BUFFER = 1 << 16, CONTROL = 512, ENTRIES = 64, GROUP = 1, BUFFERS = 16 };

struct shared { _Atomic long messages; _Atomic int stop; };
static struct shared *shared;

static void die(const char *what) { perror(what); exit(1); }

static void pin(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  if (sched_setaffinity(0, sizeof set, &set)) die("sched_setaffinity");
}

/* Keeps `window` messages on their way and counts those that have come back. */
static void client(int fd, int window) {
  static char out[MESSAGE * 64], in[BUFFER];
  if (write(fd, out, (size_t)window * MESSAGE) < 0) die("write");
  size_t pending = 0;
  while (!shared->stop) {
    ssize_t got = read(fd, in, sizeof in);
    if (got <= 0) return;
    pending += (size_t)got;
    size_t whole = pending / MESSAGE;
    pending %= MESSAGE;
    shared->messages += 2 * (long)whole;
    for (; whole > 0; whole--) if (write(fd, out, MESSAGE) != MESSAGE) return;
  }
}

static void echo(int fd) {
  static char in[BUFFER];
  ssize_t got;
  size_t pending = 0;
  while ((got = read(fd, in, sizeof in)) > 0) {
    pending += (size_t)got;
    for (; pending >= MESSAGE; pending -= MESSAGE) if (write(fd, in, MESSAGE) != MESSAGE) return;
  }
}

/* The three system calls of native/src. */
static void route_epoll(const int fds[2]) {
  int epoll = epoll_create1(0);
  for (int i = 0; i < 2; i++) {
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)i};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i], &event)) die("epoll_ctl");
  }
  static char bytes[BUFFER], control[CONTROL];
  for (;;) {
    struct epoll_event events[8];
    int count = epoll_wait(epoll, events, 8, -1);
    for (int i = 0; i < count; i++) {
      int from = (int)events[i].data.u32;
      struct iovec iov = {bytes, sizeof bytes};
      struct msghdr in = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
      ssize_t got = recvmsg(fds[from], &in, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
      if (got <= 0) return;
      struct iovec rest = {bytes, (size_t)got};
      struct msghdr out = {.msg_iov = &rest, .msg_iovlen = 1};
      if (sendmsg(fds[!from], &out, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) return;
    }
  }
}

struct ring {
  int fd;
  unsigned *sq_tail, *sq_mask, *sq_array, *cq_head, *cq_tail, *cq_mask;
  struct io_uring_sqe *sqes;
  struct io_uring_cqe *cqes;
  unsigned queued;
};

static int ring_open(struct ring *ring, unsigned flags) {
  struct io_uring_params params = {.flags = flags};
  ring->fd = (int)syscall(__NR_io_uring_setup, ENTRIES, &params);
  if (ring->fd < 0) return -1;
  size_t size = params.cq_off.cqes + params.cq_entries * sizeof(struct io_uring_cqe);
  size_t other = params.sq_off.array + params.sq_entries * sizeof(unsigned);
  char *base = mmap(NULL, size > other ? size : other, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring->fd,
                    IORING_OFF_SQ_RING);
  ring->sqes = mmap(NULL, params.sq_entries * sizeof(struct io_uring_sqe), PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_POPULATE, ring->fd, IORING_OFF_SQES);
  if (base == MAP_FAILED || ring->sqes == MAP_FAILED) die("mmap");
  ring->sq_tail = (unsigned *)(base + params.sq_off.tail);
  ring->sq_mask = (unsigned *)(base + params.sq_off.ring_mask);
  ring->sq_array = (unsigned *)(base + params.sq_off.array);
  ring->cq_head = (unsigned *)(base + params.cq_off.head);
  ring->cq_tail = (unsigned *)(base + params.cq_off.tail);
  ring->cq_mask = (unsigned *)(base + params.cq_off.ring_mask);
  ring->cqes = (struct io_uring_cqe *)(base + params.cq_off.cqes);
  ring->queued = 0;
  return 0;
}

static struct io_uring_sqe *entry(struct ring *ring) {
  unsigned tail = *ring->sq_tail, index = tail & *ring->sq_mask;
  struct io_uring_sqe *sqe = &ring->sqes[index];
  memset(sqe, 0, sizeof *sqe);
  ring->sq_array[index] = index;
  atomic_store_explicit((_Atomic unsigned *)ring->sq_tail, tail + 1, memory_order_release);
  ring->queued++;
  return sqe;
}

enum { RECEIVE, SEND };
static uint64_t tag(int kind, int socket, unsigned buffer) {
  return (uint64_t)kind | (uint64_t)socket << 8 | (uint64_t)buffer << 16;
}

/* `multishot`: one request to receive stays, with buffers from a ring of them; otherwise one request for each message. */
static void route_uring(const int fds[2], unsigned flags, int multishot) {
  struct ring ring;
  if (ring_open(&ring, flags)) die("io_uring_setup");
  static char bytes[BUFFERS][BUFFER], control[2][CONTROL];
  static struct iovec in_iov[2], out_iov[BUFFERS];
  static struct msghdr in[2], out[BUFFERS];
  struct io_uring_buf_ring *group = NULL;
  if (multishot) {
    group = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct io_uring_buf_reg reg = {.ring_addr = (uint64_t)(uintptr_t)group, .ring_entries = BUFFERS, .bgid = GROUP};
    if (syscall(__NR_io_uring_register, ring.fd, IORING_REGISTER_PBUF_RING, &reg, 1) < 0) die("register buffers");
    for (unsigned i = 0; i < BUFFERS; i++) {
      group->bufs[i] = (struct io_uring_buf){.addr = (uint64_t)(uintptr_t)bytes[i], .len = BUFFER, .bid = (uint16_t)i};
    }
    atomic_store((_Atomic uint16_t *)&group->tail, BUFFERS);
  }
  int armed[2] = {0, 0};
  for (;;) {
    for (int i = 0; i < 2; i++) {
      if (armed[i]) continue;
      armed[i] = 1;
      struct io_uring_sqe *sqe = entry(&ring);
      in_iov[i] = (struct iovec){bytes[i], BUFFER};
      in[i] = (struct msghdr){.msg_iov = &in_iov[i], .msg_iovlen = 1, .msg_control = control[i], .msg_controllen = CONTROL};
      if (multishot) {
        in[i] = (struct msghdr){.msg_controllen = CONTROL};
        sqe->ioprio = IORING_RECV_MULTISHOT;
        sqe->flags = IOSQE_BUFFER_SELECT;
        sqe->buf_group = GROUP;
      }
      sqe->opcode = IORING_OP_RECVMSG;
      sqe->fd = fds[i];
      sqe->addr = (uint64_t)(uintptr_t)&in[i];
      sqe->len = 1;
      sqe->msg_flags = MSG_CMSG_CLOEXEC;
      sqe->user_data = tag(RECEIVE, i, 0);
    }
    unsigned queued = ring.queued;
    ring.queued = 0;
    if (syscall(__NR_io_uring_enter, ring.fd, queued, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0 && errno != EINTR) die("enter");
    unsigned head = *ring.cq_head;
    while (head != atomic_load_explicit((_Atomic unsigned *)ring.cq_tail, memory_order_acquire)) {
      struct io_uring_cqe *cqe = &ring.cqes[head & *ring.cq_mask];
      int socket = (int)(cqe->user_data >> 8 & 0xff);
      unsigned buffer = (unsigned)(cqe->user_data >> 16);
      if ((cqe->user_data & 0xff) == RECEIVE) {
        if (cqe->res == -ENOBUFS) { armed[socket] = 0; head++; continue; }
        if (cqe->res <= 0) return;
        char *data = bytes[socket];
        size_t length = (size_t)cqe->res;
        buffer = (unsigned)socket;
        if (multishot) {
          buffer = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
          struct io_uring_recvmsg_out *head_of = (struct io_uring_recvmsg_out *)bytes[buffer];
          data = bytes[buffer] + sizeof *head_of + CONTROL;
          length = head_of->payloadlen;
          if (length == 0) return;
          armed[socket] = (cqe->flags & IORING_CQE_F_MORE) != 0;
        }
        out_iov[buffer] = (struct iovec){data, length};
        out[buffer] = (struct msghdr){.msg_iov = &out_iov[buffer], .msg_iovlen = 1};
        struct io_uring_sqe *sqe = entry(&ring);
        sqe->opcode = IORING_OP_SENDMSG;
        sqe->fd = fds[!socket];
        sqe->addr = (uint64_t)(uintptr_t)&out[buffer];
        sqe->len = 1;
        sqe->msg_flags = MSG_NOSIGNAL;
        sqe->user_data = tag(SEND, socket, buffer);
      } else {
        if (cqe->res <= 0) return;
        if (multishot) {
          uint16_t tail = group->tail;
          group->bufs[tail & (BUFFERS - 1)] =
              (struct io_uring_buf){.addr = (uint64_t)(uintptr_t)bytes[buffer], .len = BUFFER, .bid = (uint16_t)buffer};
          atomic_store((_Atomic uint16_t *)&group->tail, (uint16_t)(tail + 1));
        } else {
          armed[socket] = 0;
        }
      }
      head++;
    }
    atomic_store_explicit((_Atomic unsigned *)ring.cq_head, head, memory_order_release);
  }
}

static const struct { const char *name; unsigned flags; int multishot; } ways[] = {
  {"epoll", 0, 0},
  {"io_uring", 0, 0},
  {"io_uring, deferred task work", IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN, 0},
  {"io_uring, multishot", 0, 1},
  {"io_uring, both", IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN, 1},
};
enum { WAYS = sizeof ways / sizeof *ways };

static double cpu_of(pid_t pid) {
  char path[64], text[1024];
  snprintf(path, sizeof path, "/proc/%d/schedstat", pid);
  FILE *file = fopen(path, "r");
  if (file == NULL || fgets(text, sizeof text, file) == NULL) die(path);
  fclose(file);
  return strtod(text, NULL);
}

/* Nanoseconds of the router's CPU for each message. */
static double measure(int way, int window, int router_cpu, int peer_cpu, double seconds) {
  int a[2], b[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, a) || socketpair(AF_UNIX, SOCK_STREAM, 0, b)) die("socketpair");
  shared->messages = 0;
  shared->stop = 0;
  pid_t router = fork();
  if (router == 0) {
    pin(router_cpu);
    close(a[1]);
    close(b[1]);
    int fds[2] = {a[0], b[0]};
    if (way == 0) route_epoll(fds);
    else route_uring(fds, ways[way].flags, ways[way].multishot);
    _exit(0);
  }
  close(a[0]);
  close(b[0]);
  pid_t peers[2];
  for (int i = 0; i < 2; i++) {
    peers[i] = fork();
    if (peers[i] != 0) continue;
    pin(peer_cpu);
    close(i == 0 ? b[1] : a[1]);
    if (i == 0) client(a[1], window);
    else echo(b[1]);
    _exit(0);
  }
  close(a[1]);
  close(b[1]);
  struct timespec part = {(time_t)(seconds / 4), (long)(seconds / 4 * 1e9) % 1000000000};
  struct timespec whole = {(time_t)seconds, (long)(seconds * 1e9) % 1000000000};
  nanosleep(&part, NULL);
  long before = shared->messages;
  double cpu = cpu_of(router);
  nanosleep(&whole, NULL);
  cpu = cpu_of(router) - cpu;
  long messages = shared->messages - before;
  for (int i = 0; i < 2; i++) kill(peers[i], SIGKILL);
  kill(router, SIGKILL);
  while (wait(NULL) > 0) continue;
  return messages == 0 ? -1 : cpu / (double)messages;
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

int main(int argc, char **argv) {
  int rounds = argc > 1 ? atoi(argv[1]) : 7;
  double seconds = argc > 2 ? atof(argv[2]) : 0.5;
  if (rounds < 1 || rounds > 99 || seconds <= 0) {
    fprintf(stderr, "usage: uring [ROUNDS (1 to 99) [SECONDS]]\n");
    return 2;
  }
  shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  static const struct { const char *name; int window, peers; } loads[] = {
    {"ping-pong, two CPUs", 1, 1}, {"ping-pong, one CPU", 1, 0}, {"pipeline of 64, two CPUs", 64, 1}};
  for (unsigned load = 0; load < 3; load++) {
    static double all[WAYS][99];
    for (int round = 0; round < rounds; round++) {
      for (int way = 0; way < WAYS; way++) all[way][round] = measure(way, loads[load].window, 0, loads[load].peers, seconds);
    }
    printf("%s\n", loads[load].name);
    for (int way = 0; way < WAYS; way++) {
      qsort(all[way], (size_t)rounds, sizeof(double), ascending);
      printf("  %-30s %7.0f ns  (%.0f to %.0f)\n", ways[way].name, all[way][rounds / 2], all[way][0], all[way][rounds - 1]);
    }
  }
  return 0;
}
