/* A process whose second thread is in a uts namespace of its own, and tells
 * its number. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

static void *other(void *unused) {
  (void)unused;
  if (unshare(CLONE_NEWUTS) == 0)
    printf("%d\n", (int)gettid());
  fflush(stdout);
  pause();
  return NULL;
}

int main(void) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, other, NULL) == 0)
    pause();
  return 1;
}
