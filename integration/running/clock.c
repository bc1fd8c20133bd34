/* A clock on the wall that a test sets while a program runs: whoever asks for the time is told the
 * true one and so many milliseconds. Loaded by LD_PRELOAD; glibc on 64 bits only. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* Shared with the test. */
static volatile int64_t *ahead_ms;

__attribute__((constructor)) static void begin(void) {
    const char *shared = getenv("CLOCK_AHEAD");
    int fd = shared ? open(shared, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0) return;
    void *at = mmap(NULL, sizeof *ahead_ms, PROT_READ, MAP_SHARED, fd, 0);
    ahead_ms = at == MAP_FAILED ? NULL : at;
    close(fd);
}

int clock_gettime(clockid_t clock, struct timespec *at) {
    int result = (int)syscall(SYS_clock_gettime, clock, at);
    if (!result && ahead_ms && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        int64_t ahead = *ahead_ms, nanos = at->tv_nsec + ahead % 1000 * 1000000;
        at->tv_sec += ahead / 1000 + (nanos < 0 ? -1 : nanos / 1000000000);
        at->tv_nsec = nanos < 0 ? nanos + 1000000000 : nanos % 1000000000;
    }
    return result;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone) {
    (void)zone;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    at->tv_sec = now.tv_sec;
    at->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at) *at = now.tv_sec;
    return now.tv_sec;
}
