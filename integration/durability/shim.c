/* Stands between a program and its files below one folder: writes down what it does to them, in
 * order, and fails what it is told to. Loaded by LD_PRELOAD; glibc on 64 bits only. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { WRITE = 1, SYNC = 2, OPEN = 4, RENAME = 8, UNLINK = 16, TRUNCATE = 32, MAKE = 64 };

/* Shared with the test, which arms and disarms it while the program runs. */
struct control {
    volatile int32_t kinds;
    volatile int32_t error;
    /* So many calls of these kinds go well before. */
    volatile int32_t before;
    /* Whether all that come after fail too. */
    volatile int32_t lasts;
    volatile int32_t failed;
};

static const char *below;
static struct control *control;
static int journal = -1;
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

__attribute__((constructor)) static void begin(void) {
    below = getenv("SHIM_BELOW");
    const char *log = getenv("SHIM_LOG"), *shared = getenv("SHIM_CONTROL");
    if (log) journal = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_APPEND | O_CLOEXEC, 0);
    if (shared) {
        int fd = (int)syscall(SYS_openat, AT_FDCWD, shared, O_RDWR | O_CLOEXEC, 0);
        void *at = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        control = at == MAP_FAILED ? NULL : at;
        syscall(SYS_close, fd);
    }
}

static int is_below(const char *path) {
    size_t length = below ? strlen(below) : 0;
    return length && !strncmp(path, below, length) && (path[length] == '/' || !path[length]);
}

static int path_of(int fd, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return is_below(path);
}

static int place_of(int folder, const char *name, char *path) {
    if (name[0] == '/') {
        snprintf(path, PATH_MAX, "%s", name);
        return is_below(path);
    }
    char above[PATH_MAX];
    if (folder == AT_FDCWD || !path_of(folder, above)) return 0;
    snprintf(path, PATH_MAX, "%.2000s/%.2000s", above, name);
    return 1;
}

static void note(char what, uint64_t inode, int64_t at, const char *one, const char *two,
                 const void *data, size_t length) {
    if (journal < 0) return;
    char head[128];
    int bytes = snprintf(head, sizeof head, "%c %lu %ld %zu %zu %zu\n", what, inode, at,
                         strlen(one), strlen(two), length);
    struct iovec parts[] = {{head, (size_t)bytes}, {(void *)one, strlen(one)},
                            {(void *)two, strlen(two)}, {(void *)data, length}};
    int saved = errno;
    if (syscall(SYS_writev, journal, parts, 4) < 0) abort();
    errno = saved;
}

/* Whether this call is one that fails. */
static int fails(int kind) {
    if (!control || !(control->kinds & kind)) return 0;
    if (control->before > 0) {
        control->before--;
        return 0;
    }
    if (control->before < 0 && !control->lasts) return 0;
    control->before = -1;
    control->failed++;
    errno = control->error;
    return 1;
}

static uint64_t inode_of(int fd) {
    struct stat it;
    return fstat(fd, &it) ? 0 : it.st_ino;
}

#define REAL(name, type) static type real; if (!real) real = (type)dlsym(RTLD_NEXT, name)

typedef int (*opener)(int, const char *, int, mode_t);

static int opened(int folder, const char *name, int flags, mode_t mode) {
    REAL("openat", opener);
    char path[PATH_MAX];
    int writes = flags & (O_CREAT | O_TRUNC | O_WRONLY | O_RDWR);
    if (!writes || (flags & O_TMPFILE) == O_TMPFILE || !place_of(folder, name, path))
        return real(folder, name, flags, mode);
    pthread_mutex_lock(&turn);
    int fd = -1;
    if (!fails(OPEN)) {
        struct stat before;
        int is_new = stat(path, &before) != 0;
        fd = real(folder, name, flags, mode);
        if (fd >= 0 && is_new) note('C', inode_of(fd), 0, path, "", "", 0);
        else if (fd >= 0 && (flags & O_TRUNC)) note('T', inode_of(fd), 0, "", "", "", 0);
    }
    int saved = errno;
    pthread_mutex_unlock(&turn);
    errno = saved;
    return fd;
}

static mode_t mode_in(int flags, va_list rest) {
    return flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
}

#define OPENS(name)                                                        \
    int name(const char *path, int flags, ...) {                           \
        va_list rest;                                                      \
        va_start(rest, flags);                                             \
        mode_t mode = mode_in(flags, rest);                                \
        va_end(rest);                                                      \
        return opened(AT_FDCWD, path, flags, mode);                        \
    }
OPENS(open)
OPENS(open64)

#define OPENS_AT(name)                                                     \
    int name(int folder, const char *path, int flags, ...) {               \
        va_list rest;                                                      \
        va_start(rest, flags);                                             \
        mode_t mode = mode_in(flags, rest);                                \
        va_end(rest);                                                      \
        return opened(folder, path, flags, mode);                          \
    }
OPENS_AT(openat)
OPENS_AT(openat64)

int creat(const char *path, mode_t mode) {
    return opened(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

/* At -1: where the file is read and written next. */
static ssize_t written(int fd, const void *data, size_t length, off_t at) {
    char path[PATH_MAX];
    if (!path_of(fd, path))
        return at < 0 ? syscall(SYS_write, fd, data, length)
                      : syscall(SYS_pwrite64, fd, data, length, at);
    pthread_mutex_lock(&turn);
    ssize_t count = -1;
    if (!fails(WRITE)) {
        off_t here = at;
        if (at < 0) {
            struct stat it;
            int appends = fcntl(fd, F_GETFL) & O_APPEND;
            here = appends && !fstat(fd, &it) ? it.st_size : lseek(fd, 0, SEEK_CUR);
        }
        count = at < 0 ? syscall(SYS_write, fd, data, length)
                       : syscall(SYS_pwrite64, fd, data, length, at);
        if (count > 0) note('W', inode_of(fd), here, path, "", data, (size_t)count);
    }
    int saved = errno;
    pthread_mutex_unlock(&turn);
    errno = saved;
    return count;
}

ssize_t write(int fd, const void *data, size_t length) { return written(fd, data, length, -1); }
ssize_t pwrite(int fd, const void *data, size_t length, off_t at) {
    return written(fd, data, length, at);
}
ssize_t pwrite64(int fd, const void *data, size_t length, off_t at) {
    return written(fd, data, length, at);
}

/* Copied by reading and writing instead, which is seen here. */
ssize_t copy_file_range(int a, off64_t *b, int c, off64_t *d, size_t e, unsigned f) {
    (void)a, (void)b, (void)c, (void)d, (void)e, (void)f;
    errno = ENOSYS;
    return -1;
}
ssize_t sendfile64(int a, int b, off64_t *c, size_t d) {
    (void)a, (void)b, (void)c, (void)d;
    errno = ENOSYS;
    return -1;
}

static int synced(int fd, long call) {
    char path[PATH_MAX];
    if (!path_of(fd, path)) return (int)syscall(call, fd);
    pthread_mutex_lock(&turn);
    struct stat it;
    int result = fails(SYNC) ? -1 : (int)syscall(call, fd);
    if (!result && !fstat(fd, &it))
        note(S_ISDIR(it.st_mode) ? 'D' : 'S', it.st_ino, 0, path, "", "", 0);
    int saved = errno;
    pthread_mutex_unlock(&turn);
    errno = saved;
    return result;
}

int fsync(int fd) { return synced(fd, SYS_fsync); }
int fdatasync(int fd) { return synced(fd, SYS_fdatasync); }

static int cut(int fd, off_t length) {
    char path[PATH_MAX];
    if (!path_of(fd, path)) return (int)syscall(SYS_ftruncate, fd, length);
    pthread_mutex_lock(&turn);
    int result = fails(TRUNCATE) ? -1 : (int)syscall(SYS_ftruncate, fd, length);
    if (!result) note('T', inode_of(fd), length, "", "", "", 0);
    int saved = errno;
    pthread_mutex_unlock(&turn);
    errno = saved;
    return result;
}

int ftruncate(int fd, off_t length) { return cut(fd, length); }
int ftruncate64(int fd, off64_t length) { return cut(fd, length); }

static int moved(int from_folder, const char *from, int to_folder, const char *to, unsigned flags) {
    char one[PATH_MAX], two[PATH_MAX];
    int is_ours = place_of(from_folder, from, one) & place_of(to_folder, to, two);
    if (!is_ours) return (int)syscall(SYS_renameat2, from_folder, from, to_folder, to, flags);
    pthread_mutex_lock(&turn);
    int result = -1;
    if (!fails(RENAME))
        result = (int)syscall(SYS_renameat2, from_folder, from, to_folder, to, flags);
    if (!result) note('R', 0, 0, one, two, "", 0);
    int saved = errno;
    pthread_mutex_unlock(&turn);
    errno = saved;
    return result;
}

int rename(const char *from, const char *to) { return moved(AT_FDCWD, from, AT_FDCWD, to, 0); }
int renameat(int one, const char *from, int two, const char *to) {
    return moved(one, from, two, to, 0);
}
int renameat2(int one, const char *from, int two, const char *to, unsigned flags) {
    return moved(one, from, two, to, flags);
}

static int removed(int folder, const char *name, int flags) {
    char path[PATH_MAX];
    if (!place_of(folder, name, path)) return (int)syscall(SYS_unlinkat, folder, name, flags);
    pthread_mutex_lock(&turn);
    int result = fails(UNLINK) ? -1 : (int)syscall(SYS_unlinkat, folder, name, flags);
    if (!result) note('U', 0, 0, path, "", "", 0);
    int saved = errno;
    pthread_mutex_unlock(&turn);
    errno = saved;
    return result;
}

int unlink(const char *path) { return removed(AT_FDCWD, path, 0); }
int unlinkat(int folder, const char *path, int flags) { return removed(folder, path, flags); }
int rmdir(const char *path) { return removed(AT_FDCWD, path, AT_REMOVEDIR); }

static int made(int folder, const char *name, mode_t mode) {
    char path[PATH_MAX];
    if (!place_of(folder, name, path)) return (int)syscall(SYS_mkdirat, folder, name, mode);
    pthread_mutex_lock(&turn);
    int result = fails(MAKE) ? -1 : (int)syscall(SYS_mkdirat, folder, name, mode);
    if (!result) note('M', 0, 0, path, "", "", 0);
    int saved = errno;
    pthread_mutex_unlock(&turn);
    errno = saved;
    return result;
}

int mkdir(const char *path, mode_t mode) { return made(AT_FDCWD, path, mode); }
int mkdirat(int folder, const char *path, mode_t mode) { return made(folder, path, mode); }
