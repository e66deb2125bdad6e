/* Writes down, in order, what a process does to the files of one folder: every write, truncation, sync, removal and
 * renaming. TRACED_FOLDER names the folder, TRACE_FILE (elsewhere) the file that tells. disk_trace.py reads it.
 *
 * A record: operation (1 byte), offset (8), length of the name (2), length of the data (4), name, data.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#define MAX_FILES 4096
#define MAX_NAME 256

static pthread_mutex_t lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static char names[MAX_FILES][MAX_NAME];
static int trace = -1;

static const char *folder(void) {
    return getenv("TRACED_FOLDER");
}

static void put(const void *bytes, size_t length) {
    const char *rest = bytes;
    while (length > 0) {
        ssize_t written = syscall(SYS_write, trace, rest, length);
        if (written < 0) {
            if (errno == EINTR)
                continue;
            abort();
        }
        rest += written;
        length -= (size_t)written;
    }
}

static void note(char operation, const char *name, uint64_t offset, const void *data, uint32_t length) {
    if (trace < 0) {
        const char *path = getenv("TRACE_FILE");
        trace = path ? (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
        if (trace < 0)
            abort();
    }
    char head[15];
    uint16_t name_length = (uint16_t)strlen(name);
    head[0] = operation;
    memcpy(head + 1, &offset, 8);
    memcpy(head + 9, &name_length, 2);
    memcpy(head + 11, &length, 4);
    put(head, sizeof head);
    put(name, name_length);
    if (length > 0)
        put(data, length);
}

/* The name of a file within the folder, or NULL. */
static const char *within(const char *path) {
    const char *home = folder();
    size_t length = home ? strlen(home) : 0;
    if (length == 0 || path == NULL || strncmp(path, home, length) != 0 || path[length] != '/')
        return NULL;
    return path + length + 1;
}

static const char *name_of(int file) {
    return file >= 0 && file < MAX_FILES && names[file][0] ? names[file] : NULL;
}

static int opened(int file, const char *path, int flags) {
    const char *name = within(path);
    const char *home = folder();
    if (file < 0 || file >= MAX_FILES)
        return file;
    pthread_mutex_lock(&lock);
    names[file][0] = 0;
    if (name && strlen(name) < MAX_NAME) {
        strcpy(names[file], name);
        if (flags & O_TRUNC)
            note('t', name, 0, NULL, 0);
    } else if (home && path && strcmp(path, home) == 0) {
        strcpy(names[file], "."); /* the folder itself: a sync makes names last */
    }
    pthread_mutex_unlock(&lock);
    return file;
}

#define OPEN(function)                                                                                                 \
    int function(const char *path, int flags, ...) {                                                                   \
        static int (*real)(const char *, int, ...);                                                                    \
        if (!real)                                                                                                     \
            real = dlsym(RTLD_NEXT, #function);                                                                        \
        va_list rest;                                                                                                  \
        va_start(rest, flags);                                                                                         \
        mode_t mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(rest, mode_t) : 0;                                      \
        va_end(rest);                                                                                                  \
        return opened(real(path, flags, mode), path, flags);                                                           \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(function)                                                                                               \
    int function(int base, const char *path, int flags, ...) {                                                         \
        static int (*real)(int, const char *, int, ...);                                                               \
        if (!real)                                                                                                     \
            real = dlsym(RTLD_NEXT, #function);                                                                        \
        va_list rest;                                                                                                  \
        va_start(rest, flags);                                                                                         \
        mode_t mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(rest, mode_t) : 0;                                      \
        va_end(rest);                                                                                                  \
        return opened(real(base, path, flags, mode), path, flags);                                                     \
    }
OPENAT(openat)
OPENAT(openat64)

int close(int file) {
    static int (*real)(int);
    if (!real)
        real = dlsym(RTLD_NEXT, "close");
    if (file >= 0 && file < MAX_FILES)
        names[file][0] = 0;
    return real(file);
}

#define PWRITE(function, offset_type)                                                                                  \
    ssize_t function(int file, const void *data, size_t length, offset_type offset) {                                  \
        static ssize_t (*real)(int, const void *, size_t, offset_type);                                                \
        if (!real)                                                                                                     \
            real = dlsym(RTLD_NEXT, #function);                                                                        \
        const char *name = name_of(file);                                                                              \
        if (!name)                                                                                                     \
            return real(file, data, length, offset);                                                                   \
        pthread_mutex_lock(&lock);                                                                                     \
        ssize_t written = real(file, data, length, offset);                                                            \
        if (written > 0)                                                                                               \
            note('w', name, (uint64_t)offset, data, (uint32_t)written);                                                \
        pthread_mutex_unlock(&lock);                                                                                   \
        return written;                                                                                                \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

ssize_t write(int file, const void *data, size_t length) {
    static ssize_t (*real)(int, const void *, size_t);
    if (!real)
        real = dlsym(RTLD_NEXT, "write");
    const char *name = name_of(file);
    if (!name)
        return real(file, data, length);
    pthread_mutex_lock(&lock);
    ssize_t written = real(file, data, length);
    if (written > 0)
        note('w', name, (uint64_t)(lseek(file, 0, SEEK_CUR) - written), data, (uint32_t)written);
    pthread_mutex_unlock(&lock);
    return written;
}

#define TRUNCATE(function, offset_type)                                                                                \
    int function(int file, offset_type length) {                                                                       \
        static int (*real)(int, offset_type);                                                                          \
        if (!real)                                                                                                     \
            real = dlsym(RTLD_NEXT, #function);                                                                        \
        const char *name = name_of(file);                                                                              \
        if (!name)                                                                                                     \
            return real(file, length);                                                                                 \
        pthread_mutex_lock(&lock);                                                                                     \
        int result = real(file, length);                                                                               \
        if (result == 0)                                                                                               \
            note('t', name, (uint64_t)length, NULL, 0);                                                                \
        pthread_mutex_unlock(&lock);                                                                                   \
        return result;                                                                                                 \
    }
TRUNCATE(ftruncate, off_t)
TRUNCATE(ftruncate64, off64_t)

#define SYNC(function)                                                                                                 \
    int function(int file) {                                                                                           \
        static int (*real)(int);                                                                                       \
        if (!real)                                                                                                     \
            real = dlsym(RTLD_NEXT, #function);                                                                        \
        const char *name = name_of(file);                                                                              \
        if (!name)                                                                                                     \
            return real(file);                                                                                         \
        pthread_mutex_lock(&lock);                                                                                     \
        int result = real(file);                                                                                       \
        if (result == 0)                                                                                               \
            note('s', name, 0, NULL, 0);                                                                               \
        pthread_mutex_unlock(&lock);                                                                                   \
        return result;                                                                                                 \
    }
SYNC(fsync)
SYNC(fdatasync)

int unlink(const char *path) {
    static int (*real)(const char *);
    if (!real)
        real = dlsym(RTLD_NEXT, "unlink");
    const char *name = within(path);
    pthread_mutex_lock(&lock);
    int result = real(path);
    if (result == 0 && name)
        note('u', name, 0, NULL, 0);
    pthread_mutex_unlock(&lock);
    return result;
}

int rename(const char *from, const char *to) {
    static int (*real)(const char *, const char *);
    if (!real)
        real = dlsym(RTLD_NEXT, "rename");
    const char *old_name = within(from), *new_name = within(to);
    pthread_mutex_lock(&lock);
    int result = real(from, to);
    if (result == 0 && old_name && new_name)
        note('r', old_name, 0, new_name, (uint32_t)strlen(new_name));
    pthread_mutex_unlock(&lock);
    return result;
}
