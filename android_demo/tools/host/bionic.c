/* What an Android library takes from Android's libc and liblog, for a host with glibc.
 *
 * Built as liblog.so beside the rewritten libraries (see elf.py). Three kinds of functions: Android's own (logging,
 * properties, __errno), fortified variants that glibc does not have, and replacements for functions that both have but
 * that differ: those are asked for under a name that begins with X. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <unistd.h>

/* Logging: to the file that BIONIC_LOG names, so that a test can read what a delegate took; else to stderr. */
static FILE *log_begin(void) {
  const char *path = getenv("BIONIC_LOG");
  FILE *out = path ? fopen(path, "a") : NULL;
  return out ? out : stderr;
}
static void log_end(FILE *out) {
  if (out != stderr) fclose(out);
}
int __android_log_vprint(int priority, const char *tag, const char *format, va_list arguments) {
  FILE *out = log_begin();
  fprintf(out, "%d %s: ", priority, tag ? tag : "");
  int written = vfprintf(out, format, arguments);
  fputc('\n', out);
  log_end(out);
  return written;
}
int __android_log_print(int priority, const char *tag, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  int written = __android_log_vprint(priority, tag, format, arguments);
  va_end(arguments);
  return written;
}
int __android_log_write(int priority, const char *tag, const char *text) {
  return __android_log_print(priority, tag, "%s", text);
}
void __android_log_assert(const char *condition, const char *tag, const char *format, ...) {
  fprintf(stderr, "%s: assertion failed: %s\n", tag ? tag : "", condition ? condition : format ? format : "");
  abort();
}
void android_set_abort_message(const char *text) { fprintf(stderr, "abort: %s\n", text); }

/* Properties: TFLite leaves XNNPACK out, without a word, where ro.build.version.sdk is under 20. */
#define API_LEVEL "34"
const void *__system_property_find(const char *name) { return NULL; }
int __system_property_get(const char *name, char *value) {
  strcpy(value, strcmp(name, "ro.build.version.sdk") ? "" : API_LEVEL);
  return strlen(value);
}
int android_get_device_api_level(void) { return atoi(API_LEVEL); }

/* Fortified variants; their checks are left to the phone. */
int *__errno(void) { return __errno_location(); }
size_t __strlen_chk(const char *text, size_t size) { return strlen(text); }
char *__strchr_chk(const char *text, int c, size_t size) { return strchr(text, c); }
char *__strrchr_chk(const char *text, int c, size_t size) { return strrchr(text, c); }
char *__strncpy_chk2(char *to, const char *from, size_t n, size_t room, size_t size) { return strncpy(to, from, n); }
int __FD_ISSET_chk(int fd, const fd_set *set, size_t size) { return FD_ISSET(fd, set); }
void __FD_SET_chk(int fd, fd_set *set, size_t size) { FD_SET(fd, set); }
void __FD_CLR_chk(int fd, fd_set *set, size_t size) { FD_CLR(fd, set); }
char *__gnu_strerror_r(int error, char *to, size_t size) { return strerror_r(error, to, size); }

/* Streams: libraries built for old Android pass addresses inside __sF as stdin, stdout and stderr. */
#define STREAM_BYTES 152
char __sF[3 * STREAM_BYTES];
static FILE *stream(FILE *given) {
  char *at = (char *)given;
  if (at < __sF || at >= __sF + sizeof __sF) return given;
  long number = (at - __sF) / STREAM_BYTES;
  return number == 0 ? stdin : number == 1 ? stdout : stderr;
}
int Xflush(FILE *to) { return fflush(stream(to)); }
size_t Xwrite(const void *from, size_t size, size_t n, FILE *to) { return fwrite(from, size, n, stream(to)); }
int Xputs(const char *text, FILE *to) { return fputs(text, stream(to)); }
int Xputc(int c, FILE *to) { return fputc(c, stream(to)); }
int Xutc(int c, FILE *to) { return putc(c, stream(to)); }
int Xetc(FILE *from) { return getc(stream(from)); }
int Xngetc(int c, FILE *to) { return ungetc(c, stream(to)); }
int Xileno(FILE *of) { return fileno(stream(of)); }
int Xfprintf(FILE *to, const char *format, va_list arguments) {
  FILE *out = stream(to) == stderr ? log_begin() : stream(to); /* TFLite logs here too */
  int written = vfprintf(out, format, arguments);
  if (stream(to) == stderr) log_end(out);
  return written;
}
int Xprintf(FILE *to, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  int written = Xfprintf(to, format, arguments);
  va_end(arguments);
  return written;
}

/* Aligned memory: XNNPACK for Android asks for 32 bytes and then reads constants by instructions of AVX-512 that fault
 * unless they lie on 64, which a phone never has and a host may. */
#define WIDEST 64
void *Xemalign(size_t alignment, size_t size) {
  void *made = NULL;
  return posix_memalign(&made, alignment < WIDEST ? WIDEST : alignment, size) ? NULL : made;
}
int Xosix_memalign(void **made, size_t alignment, size_t size) {
  return posix_memalign(made, alignment < WIDEST ? WIDEST : alignment, size);
}

/* sysconf: Android numbers its questions differently. */
long Xysconf(int question) {
  switch (question) {
    case 6: return sysconf(_SC_CLK_TCK);
    case 39: case 40: return sysconf(_SC_PAGESIZE);
    case 96: return sysconf(_SC_NPROCESSORS_CONF);
    case 97: return sysconf(_SC_NPROCESSORS_ONLN);
    case 98: return sysconf(_SC_PHYS_PAGES);
    case 99: return sysconf(_SC_AVPHYS_PAGES);
  }
  fprintf(stderr, "sysconf(%d) of Android has no counterpart here\n", question);
  errno = EINVAL;
  return -1;
}

/* strerror_r: Android's is the POSIX one. */
extern int __xpg_strerror_r(int, char *, size_t);
int Xtrerror_r(int error, char *to, size_t size) { return __xpg_strerror_r(error, to, size); }

/* dlsym(RTLD_DEFAULT): Android also searches the caller's own library. TFLite finds its XNNPACK delegate this way. */
void *Xlsym(void *library, const char *name) {
  void *found = dlsym(library, name);
  Dl_info caller;
  if (found || library != RTLD_DEFAULT || !dladdr(__builtin_return_address(0), &caller) || !caller.dli_fname) return found;
  void *own = dlopen(caller.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
  if (!own) return NULL;
  found = dlsym(own, name);
  dlclose(own);
  return found;
}

/* Answers that are never NULL on Android, and are used without a look. */
char *Xlerror(void) {
  char *text = dlerror();
  return text ? text : "no error";
}
char *Xtrstr(const char *text, const char *part) { return text ? strstr(text, part) : NULL; }
const char *XglQueryString(void *display, int name) {
  static const char *(*query)(void *, int);
  if (!query) {
    void *egl = dlopen("libEGL.so.1", RTLD_LAZY);
    query = egl ? (const char *(*)(void *, int))dlsym(egl, "eglQueryString") : NULL;
  }
  const char *text = query ? query(display, name) : NULL;
  return text ? text : "";
}
