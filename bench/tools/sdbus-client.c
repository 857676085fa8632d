/*
 * sdbus-client - the client of `npm run bench -- client` in C, on libsystemd.
 *
 * Calls Echo of bench/clients/service.ts, WINDOW calls at a time, for WARMUP
 * and then SECONDS seconds, and prints the CPU time of this process for each
 * call as one JSON object. Diagnostics go to stderr, exit status 1 on failure.
 *
 * Build: node bench/build-tools.mjs
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <systemd/sd-bus.h>
#include <time.h>

/* As bench/clients/names.ts has them. */
#define SERVICE_NAME "org.example.Measured"
#define OBJECT_PATH "/org/example/Measured"
#define INTERFACE "org.example.Measured"
#define CALL_TEXT "a text of thirty-two characters."

static sd_bus *bus;
static uint64_t done;

static void check(int result, const char *what) {
        if (result >= 0)
                return;
        fprintf(stderr, "sdbus-client: %s: %s\n", what, strerror(-result));
        exit(1);
}

static uint64_t now_ns(void) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static uint64_t cpu_ns(void) {
        struct rusage usage;
        getrusage(RUSAGE_SELF, &usage);
        return 1000 * ((uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
                       (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec));
}

static sd_bus_message *make_call(uint32_t number) {
        sd_bus_message *call;
        check(sd_bus_message_new_method_call(bus, &call, SERVICE_NAME, OBJECT_PATH, INTERFACE, "Echo"),
              "cannot make a call");
        check(sd_bus_message_append(call, "su", CALL_TEXT, number), "cannot append arguments");
        return call;
}

static void take_reply(sd_bus_message *reply, uint32_t expected) {
        uint32_t number;
        check(sd_bus_message_read(reply, "u", &number), "the reply has no number");
        if (number != expected) {
                fprintf(stderr, "sdbus-client: the reply is that of another call\n");
                exit(1);
        }
        done++;
}

static void call_once(void) {
        uint32_t number = (uint32_t)done & 0xffff;
        sd_bus_message *call = make_call(number), *reply = NULL;
        check(sd_bus_call(bus, call, 0, NULL, &reply), "the call failed");
        take_reply(reply, number);
        sd_bus_message_unref(reply);
        sd_bus_message_unref(call);
}

static void begin_call(void);

static int replied(sd_bus_message *reply, void *number, sd_bus_error *error) {
        (void)error;
        check(-sd_bus_message_get_errno(reply), "the call failed");
        take_reply(reply, (uint32_t)(uintptr_t)number);
        begin_call();
        return 0;
}

static void begin_call(void) {
        uint32_t number = (uint32_t)done & 0xffff;
        sd_bus_message *call = make_call(number);
        check(sd_bus_call_async(bus, NULL, call, replied, (void *)(uintptr_t)number, 0), "cannot call");
        sd_bus_message_unref(call);
}

static void run(bool is_pipelined, double seconds) {
        uint64_t end = now_ns() + (uint64_t)(seconds * 1e9);
        while (now_ns() < end) {
                if (!is_pipelined) {
                        call_once();
                        continue;
                }
                int result = sd_bus_process(bus, NULL);
                check(result, "the connection failed");
                if (result == 0)
                        check(sd_bus_wait(bus, UINT64_MAX), "cannot wait");
        }
}

int main(int argc, char **argv) {
        if (argc != 5) {
                fprintf(stderr, "usage: sdbus-client SOCKET WINDOW SECONDS WARMUP\n");
                return 1;
        }
        char address[256];
        int window = atoi(argv[2]);
        snprintf(address, sizeof address, "unix:path=%s", argv[1]);
        check(sd_bus_new(&bus), "cannot make a connection");
        check(sd_bus_set_address(bus, address), "the address is wrong");
        check(sd_bus_set_bus_client(bus, true), "cannot be a client");
        check(sd_bus_start(bus), "cannot connect");

        if (window > 1)
                for (int i = 0; i < window; i++)
                        begin_call();
        run(window > 1, atof(argv[4]));
        uint64_t start = now_ns(), cpu = cpu_ns(), before = done;
        run(window > 1, atof(argv[3]));
        uint64_t calls = done - before;
        if (calls == 0) {
                fprintf(stderr, "sdbus-client: no call came back in time\n");
                return 1;
        }
        printf("{\"cpuNs\": %.1f, \"perSecond\": %.1f, \"byteLength\": 0}\n", (double)(cpu_ns() - cpu) / (double)calls,
               1e9 * (double)calls / (double)(now_ns() - start));
        return 0;
}
