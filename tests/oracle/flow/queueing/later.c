/* Gives a program another load average, $LOAD, and another time: moves the clock of a program ahead by $LATER seconds, or by as many as /run/later says at the time (sixteen characters, for a whole
   machine's processes): preloaded, so that retry times, ages and time-outs can be compared without waiting. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const char *told;

static void look(void)
{
    int file = open("/run/later", O_RDONLY | O_CLOEXEC);
    void *map;
    if (file < 0) return;
    map = mmap(NULL, 16, PROT_READ, MAP_SHARED, file, 0);
    close(file);
    if (map != MAP_FAILED) told = map;
}

static time_t ahead(void)
{
    static time_t by = -1;
    const char *text;
    if (by == -1) { text = getenv("LATER"); by = text ? atol(text) : 0; look(); }
    return told ? atol(told) : by;
}

__attribute__((constructor)) static void begin(void) { ahead(); }

int clock_gettime(clockid_t which, struct timespec *at)
{
    static int (*real)(clockid_t, struct timespec *);
    int code;
    if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    code = real(which, at);
    if (code == 0 && which == CLOCK_REALTIME) at->tv_sec += ahead();
    return code;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone)
{
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    at->tv_sec = now.tv_sec;
    at->tv_usec = now.tv_nsec / 1000;
    return 0;
}

/* For those that ask the C library. */
int getloadavg(double averages[], int count)
{
    static int (*real)(double[], int);
    const char *told_load = getenv("LOAD");
    int place;
    if (!told_load) {
        if (!real) real = (int (*)(double[], int))dlsym(RTLD_NEXT, "getloadavg");
        return real(averages, count);
    }
    for (place = 0; place < count; place++) averages[place] = atof(told_load);
    return count;
}

time_t time(time_t *at)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at) *at = now.tv_sec;
    return now.tv_sec;
}
