/* A lab dyno: listens on PORT, and like a real app keeps mapping parts of its stack and running their code.
 * Environment: PORT; BOOT_MS until it listens; PAUSE_MS mean pause between pieces of work;
 * FAULT_PER_MILLION chance that one piece of work ends in the app's own crash (the normal noise of a platform). */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PARTS = 16, CALLS = 12, CHECKED_ONE_IN = 8, MAGIC = 0x54524150 };
typedef unsigned (*piece)(unsigned);
struct part {
    unsigned magic, count, offsets[];
};
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

static void give_up(const char *path, const char *why) {
    fprintf(stderr, "cannot load: %s: %s\n", path, why);
    abort();
}

/* Now and then a part is looked at before it is used, as loaders do. */
static void check(int file, const char *path) {
    unsigned magic = 0;
    if (pread(file, &magic, sizeof magic, 0) < 0) give_up(path, strerror(errno));
    if (magic != MAGIC) give_up(path, "not a part");
}

/* Map one part of the stack, run some of its code, let it go. What is mapped is trusted, as by any program. */
static unsigned work(unsigned value) {
    char path[64];
    struct stat about;
    snprintf(path, sizeof path, "/usr/lib/stack/part%02u.code", roll(PARTS));
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0 || fstat(file, &about)) give_up(path, strerror(errno));
    if (roll(CHECKED_ONE_IN) == 0) check(file, path);
    char *start = mmap(0, (size_t)about.st_size, PROT_READ | PROT_EXEC, MAP_PRIVATE, file, 0);
    if (start == MAP_FAILED) give_up(path, strerror(errno));
    close(file);
    const struct part *part = (const struct part *)start;
    for (int call = 0; call < CALLS; call++) value = ((piece)(start + part->offsets[roll(part->count)]))(value);
    munmap(start, (size_t)about.st_size);
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
