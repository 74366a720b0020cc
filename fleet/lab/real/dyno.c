/* A lab dyno: listens on PORT, and like a real app keeps loading parts of its stack and running their code.
 * Environment: PORT; BOOT_MS until it listens; PAUSE_MS mean pause between pieces of work;
 * FAULT_PER_MILLION chance that one piece of work ends in the app's own crash (the normal noise of a platform). */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PARTS = 16, CALLS = 12 };
typedef unsigned (*piece)(unsigned);
static unsigned seed;

static unsigned roll(unsigned below) {
    seed = seed * 1664525u + 1013904223u;
    return (unsigned)(((unsigned long long)seed * below) >> 32);
}

static long setting(const char *name, long otherwise) {
    const char *text = getenv(name);
    return text ? atol(text) : otherwise;
}

static long milliseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000L + now.tv_nsec / 1000000L;
}

static int open_port(int port) {
    int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 16)) {
        perror("port");
        exit(1);
    }
    return listener;
}

/* Whoever connects gets one line. Waits for the pause between two pieces of work. */
static void attend(int listener, long pause) {
    long until = milliseconds() + pause, left;
    while ((left = until - milliseconds()) > 0) {
        struct pollfd waiting = {.fd = listener, .events = POLLIN};
        if (poll(&waiting, 1, (int)left) > 0) {
            int caller = accept4(listener, 0, 0, SOCK_CLOEXEC);
            if (caller >= 0) {
                (void)!write(caller, "ok\n", 3);
                close(caller);
            }
        }
    }
}

/* Load one part of the stack, run some of its code, let it go. A part that does not load is a fatal error. */
static unsigned work(unsigned value) {
    char path[64];
    snprintf(path, sizeof path, "/usr/lib/stack/part%02u.so", roll(PARTS));
    void *part = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    piece *pieces = part ? (piece *)dlsym(part, "pieces") : 0;
    const unsigned *count = part ? (const unsigned *)dlsym(part, "piece_count") : 0;
    if (!pieces || !count) {
        fprintf(stderr, "cannot load: %s\n", dlerror());
        abort();
    }
    for (int call = 0; call < CALLS; call++) value = pieces[roll(*count)](value);
    dlclose(part);
    return value;
}

int main(void) {
    unsigned value = 1;
    (void)!getrandom(&seed, sizeof seed, 0);
    usleep((useconds_t)setting("BOOT_MS", 300) * 1000);
    int listener = open_port((int)setting("PORT", 5000));
    long pause = setting("PAUSE_MS", 1000), faults = setting("FAULT_PER_MILLION", 0);
    for (;;) {
        attend(listener, pause / 2 + roll((unsigned)pause + 1));
        if (roll(1000000) < (unsigned)faults) {
            if (roll(4) == 0) exit(1);
            if (roll(2)) abort();
            *(volatile unsigned *)0 = value;
        }
        value = work(value);
    }
}
