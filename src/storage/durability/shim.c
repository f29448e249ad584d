/*
 * A disk that can lose power. Preloaded into a process, this library passes file calls on to the C library and keeps a log,
 * in order, of what was written to the files of one folder and of what was synced. From that log the test builds the files
 * as a power cut could have left them. It can also make syncs slow, let them fail, and let the disk be full.
 *
 *   SHIM_DIR      the folder to watch, as an absolute path without links
 *   SHIM_LOG      the log to write (optional)
 *   SHIM_SYNC_US  how long each sync takes at least, in microseconds (optional)
 *   SHIM_FAULTS   a folder; while it holds a file "full", writes that lengthen a file fail with ENOSPC;
 *                 while it holds "eio", syncs fail with EIO (optional)
 *
 * A record of the log: type, file, offset, length as little-endian 64-bit integers, then `length` bytes of data.
 * The data of the beginning of a sync is "m" on the main thread, "t" on another.
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
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { FILE_NAMED = 1, FILE_CREATED = 2, WRITTEN = 3, TRUNCATED = 4, SYNC_BEGINS = 5, SYNC_ENDS = 6, REMOVED = 7 };

#define MAX_FDS 65536
#define MAX_FILES 64

static int file_of[MAX_FDS]; /* 0: not watched; else 1 + index in names */
static char names[MAX_FILES][256];
static int name_count;
static int log_fd = -1;
static long sync_us;
static char watched[4096];
static size_t watched_length;
static const char *faults;
static uint64_t sync_token;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static int (*real_open)(const char *, int, ...);
static int (*real_openat)(int, const char *, int, ...);
static int (*real_close)(int);
static int (*real_ftruncate)(int, off_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_unlink)(const char *);

static void start(void) {
  real_write = REAL(write);
  real_pwrite = REAL(pwrite);
  real_open = REAL(open);
  real_openat = REAL(openat);
  real_close = REAL(close);
  real_ftruncate = REAL(ftruncate);
  real_fsync = REAL(fsync);
  real_fdatasync = REAL(fdatasync);
  real_unlink = REAL(unlink);
  const char *folder = getenv("SHIM_DIR");
  if (folder != NULL && strlen(folder) < sizeof watched) {
    strcpy(watched, folder);
    watched_length = strlen(watched);
  }
  faults = getenv("SHIM_FAULTS");
  const char *us = getenv("SHIM_SYNC_US");
  sync_us = us == NULL ? 0 : atol(us);
  const char *log = getenv("SHIM_LOG");
  if (log != NULL) log_fd = real_open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static void begin(void) { pthread_once(&once, start); }

/* Call with the mutex held. */
static void record(uint64_t type, uint64_t file, uint64_t offset, uint64_t length, const void *data) {
  if (log_fd < 0) return;
  uint64_t head[4] = {type, file, offset, length};
  struct iovec parts[2] = {{head, sizeof head}, {(void *)data, data == NULL ? 0 : length}};
  if (data == NULL) head[3] = 0;
  ssize_t want = (ssize_t)(parts[0].iov_len + parts[1].iov_len);
  if (writev(log_fd, parts, 2) != want) abort();
}

static int faulty(const char *name) {
  if (faults == NULL) return 0;
  char path[4200];
  snprintf(path, sizeof path, "%s/%s", faults, name);
  int kept = errno;
  int found = access(path, F_OK) == 0;
  errno = kept;
  return found;
}

/* The name inside the folder, "." for the folder itself, NULL for what is not watched. */
static const char *inside(const char *path) {
  if (watched_length == 0 || path == NULL || strncmp(path, watched, watched_length) != 0) return NULL;
  const char *rest = path + watched_length;
  if (*rest == '\0' || (rest[0] == '/' && rest[1] == '\0')) return ".";
  if (*rest != '/') return NULL;
  rest++;
  size_t length = strlen(rest);
  if (length >= sizeof names[0] || strchr(rest, '/') != NULL) return NULL;
  /* Rebuilt after a crash, and never read again. */
  if (length > 4 && strcmp(rest + length - 4, "-shm") == 0) return NULL;
  if (length > 5 && strcmp(rest + length - 5, "-lock") == 0) return NULL;
  return rest;
}

/* Call with the mutex held. */
static int index_of(const char *name) {
  for (int i = 0; i < name_count; i++)
    if (strcmp(names[i], name) == 0) return i;
  if (name_count == MAX_FILES) abort();
  strcpy(names[name_count], name);
  record(FILE_NAMED, (uint64_t)name_count, 0, strlen(name), name);
  return name_count++;
}

static void opened(int fd, const char *name, int created) {
  if (fd < 0 || fd >= MAX_FDS) return;
  pthread_mutex_lock(&mutex);
  int file = index_of(name);
  file_of[fd] = file + 1;
  if (created) record(FILE_CREATED, (uint64_t)file, 0, 0, NULL);
  pthread_mutex_unlock(&mutex);
}

static int open_any(int at, int has_at, const char *path, int flags, mode_t mode) {
  begin();
  const char *name = inside(path);
  int created = name != NULL && (flags & O_CREAT) != 0 && access(path, F_OK) != 0;
  int fd = has_at ? real_openat(at, path, flags, mode) : real_open(path, flags, mode);
  if (name != NULL) opened(fd, name, created);
  return fd;
}

#define MODE(flags)                     \
  mode_t mode = 0;                      \
  if ((flags & O_CREAT) != 0) {         \
    va_list list;                       \
    va_start(list, flags);              \
    mode = (mode_t)va_arg(list, int);   \
    va_end(list);                       \
  }

int open(const char *path, int flags, ...) { MODE(flags) return open_any(0, 0, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags) return open_any(0, 0, path, flags | O_LARGEFILE, mode); }
int openat(int at, const char *path, int flags, ...) { MODE(flags) return open_any(at, 1, path, flags, mode); }
int openat64(int at, const char *path, int flags, ...) { MODE(flags) return open_any(at, 1, path, flags | O_LARGEFILE, mode); }

int close(int fd) {
  begin();
  if (fd >= 0 && fd < MAX_FDS && file_of[fd] != 0) {
    pthread_mutex_lock(&mutex);
    file_of[fd] = 0;
    pthread_mutex_unlock(&mutex);
  }
  return real_close(fd);
}

static int watched_file(int fd) { return fd >= 0 && fd < MAX_FDS ? file_of[fd] - 1 : -1; }

static int no_space(int fd, off_t end) {
  struct stat status;
  if (!faulty("full") || fstat(fd, &status) != 0 || end <= status.st_size) return 0;
  errno = ENOSPC;
  return 1;
}

ssize_t write(int fd, const void *data, size_t length) {
  begin();
  int file = watched_file(fd);
  if (file < 0) return real_write(fd, data, length);
  pthread_mutex_lock(&mutex);
  /* Plain writes append; only the list of acknowledgements is written so. */
  ssize_t done = real_write(fd, data, length);
  if (done > 0) record(WRITTEN, (uint64_t)file, UINT64_MAX, (uint64_t)done, data);
  pthread_mutex_unlock(&mutex);
  return done;
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) {
  begin();
  int file = watched_file(fd);
  if (file < 0) return real_pwrite(fd, data, length, offset);
  pthread_mutex_lock(&mutex);
  ssize_t done = no_space(fd, offset + (off_t)length) ? -1 : real_pwrite(fd, data, length, offset);
  if (done > 0) record(WRITTEN, (uint64_t)file, (uint64_t)offset, (uint64_t)done, data);
  pthread_mutex_unlock(&mutex);
  return done;
}

ssize_t pwrite64(int fd, const void *data, size_t length, off64_t offset) { return pwrite(fd, data, length, offset); }

int ftruncate(int fd, off_t length) {
  begin();
  int file = watched_file(fd);
  if (file < 0) return real_ftruncate(fd, length);
  pthread_mutex_lock(&mutex);
  int result = real_ftruncate(fd, length);
  if (result == 0) record(TRUNCATED, (uint64_t)file, (uint64_t)length, 0, NULL);
  pthread_mutex_unlock(&mutex);
  return result;
}

int ftruncate64(int fd, off64_t length) { return ftruncate(fd, length); }

/* A sync covers what was written before it began, and counts once it has returned. */
static int sync_any(int fd, int (*real)(int)) {
  int file = watched_file(fd);
  if (file < 0) return real(fd);
  pthread_mutex_lock(&mutex);
  uint64_t token = ++sync_token;
  record(SYNC_BEGINS, (uint64_t)file, token, 1, syscall(SYS_gettid) == getpid() ? "m" : "t");
  pthread_mutex_unlock(&mutex);
  if (sync_us > 0) usleep((useconds_t)sync_us);
  if (faulty("eio")) {
    errno = EIO;
    return -1;
  }
  /* The log stands in for the disk: the real sync would only cost time. */
  if (log_fd < 0 && real(fd) != 0) return -1;
  pthread_mutex_lock(&mutex);
  record(SYNC_ENDS, (uint64_t)file, token, 0, NULL);
  pthread_mutex_unlock(&mutex);
  return 0;
}

int fsync(int fd) {
  begin();
  return sync_any(fd, real_fsync);
}

int fdatasync(int fd) {
  begin();
  return sync_any(fd, real_fdatasync);
}

int unlink(const char *path) {
  begin();
  const char *name = inside(path);
  int result = real_unlink(path);
  if (name != NULL && result == 0) {
    pthread_mutex_lock(&mutex);
    record(REMOVED, (uint64_t)index_of(name), 0, 0, NULL);
    pthread_mutex_unlock(&mutex);
  }
  return result;
}
