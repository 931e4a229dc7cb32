/*
 * Times commands side by side: `runner ROUNDS WARMUP [PAUSE] <commands`. PAUSE
 * is the time that the kernel gets after each command to take away what that
 * has left, milliseconds.
 *
 * A command is a line, its words separated by tabs. The first word says how
 * it is timed: "run" starts the program each time, from before the spawn to
 * after the wait; "ask" starts it once, then writes a byte to it and waits
 * for the byte that it answers with.
 *
 * A round takes each command once, in a new random order, so that what one
 * leaves behind for the kernel to do later and what else the machine does
 * falls on all alike. Output: a line a round, nanoseconds in the order of the
 * commands; a last line, after the word "memory", what the largest process of
 * each had resident at its peak, KiB. A command that fails ends the run.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { COMMANDS = 32, WORDS = 4096 };

struct command {
  char *words[WORDS + 1]; /* the first is "run" or "ask" */
  pid_t pid;
  int asked, answers; /* an asked command's pipes, else -1 */
  long peak; /* KiB: it, and those that it has waited for */
};

static struct command commands[COMMANDS];
static int count;

static void read_command(char *line) {
  if (count == COMMANDS)
    errx(2, "more than %d commands", COMMANDS);
  struct command *c = &commands[count++];
  int n = 0;
  for (char *word; (word = strsep(&line, "\t")) != NULL;) {
    if (n == WORDS)
      errx(2, "more than %d words", WORDS);
    c->words[n++] = word;
  }
  if (n < 2)
    errx(2, "command %d is empty", count);
  c->asked = c->answers = -1;
}

static void read_commands(void) {
  char *line = NULL;
  size_t size = 0;
  for (ssize_t n; (n = getline(&line, &size, stdin)) > 0; line = NULL) {
    line[strcspn(line, "\n")] = '\0';
    read_command(line); /* keeps the line */
  }
}

static pid_t spawn(struct command *c, int in, int out) {
  pid_t pid;
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_adddup2(&files, in, 0);
  posix_spawn_file_actions_adddup2(&files, out, 1);
  int error = posix_spawnp(&pid, c->words[1], &files, NULL, c->words + 1,
                           environ);
  posix_spawn_file_actions_destroy(&files);
  if (error != 0)
    errx(1, "%s: %s", c->words[1], strerror(error));
  return pid;
}

static void await(struct command *c, pid_t pid) {
  int status;
  struct rusage usage;
  if (wait4(pid, &status, 0, &usage) == -1)
    err(1, "wait4");
  if (status != 0)
    errx(1, "%s: status %#x", c->words[1], (unsigned)status);
  if (usage.ru_maxrss > c->peak)
    c->peak = usage.ru_maxrss;
}

static void start(struct command *c) {
  int to[2], from[2];
  if (pipe2(to, O_CLOEXEC) == -1 || pipe2(from, O_CLOEXEC) == -1)
    err(1, "pipe");
  c->pid = spawn(c, to[0], from[1]);
  close(to[0]);
  close(from[1]);
  c->asked = to[1];
  c->answers = from[0];
}

static void ask(struct command *c) {
  char byte = '\n';
  if (write(c->asked, &byte, 1) != 1 || read(c->answers, &byte, 1) != 1)
    errx(1, "%s: no answer", c->words[1]);
}

static void stop(struct command *c) {
  close(c->asked);
  close(c->answers);
  await(c, c->pid);
}

static int64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t take(struct command *c, int null) {
  int64_t before = now();
  if (c->asked >= 0)
    ask(c);
  else
    await(c, spawn(c, null, null));
  return now() - before;
}

/* Fisher and Yates; the same orders in every run. */
static void shuffle(int order[]) {
  for (int i = count - 1; i > 0; i--) {
    int j = (int)(random() % (i + 1)), kept = order[i];
    order[i] = order[j];
    order[j] = kept;
  }
}

static void run_round(int order[], int null, int64_t took[], int pause_ms) {
  struct timespec pause = {pause_ms / 1000, pause_ms % 1000 * 1000000L};
  shuffle(order);
  for (int i = 0; i < count; i++) {
    took[order[i]] = take(&commands[order[i]], null);
    (void)nanosleep(&pause, NULL);
  }
}

static void print(const int64_t took[]) {
  for (int i = 0; i < count; i++)
    printf("%" PRId64 "%c", took[i], i + 1 < count ? '\t' : '\n');
}

static void print_memory(void) {
  printf("memory");
  for (int i = 0; i < count; i++)
    printf("\t%ld", commands[i].peak);
  printf("\n");
}

int main(int argc, char **argv) {
  int order[COMMANDS], null = open("/dev/null", O_RDWR | O_CLOEXEC);
  int64_t took[COMMANDS];
  if (argc < 3 || argc > 4 || null == -1)
    errx(2, "usage: runner ROUNDS WARMUP [PAUSE] <commands");
  (void)signal(SIGPIPE, SIG_IGN); /* an asked command's end is told */
  read_commands();
  for (int i = 0; i < count; i++) {
    order[i] = i;
    if (strcmp(commands[i].words[0], "ask") == 0)
      start(&commands[i]);
  }
  int rounds = atoi(argv[1]), warmup = atoi(argv[2]);
  int pause_ms = argc > 3 ? atoi(argv[3]) : 0;
  for (int i = -warmup; i < rounds; i++) {
    run_round(order, null, took, pause_ms);
    if (i >= 0)
      print(took);
  }
  for (int i = 0; i < count; i++)
    if (commands[i].asked >= 0)
      stop(&commands[i]);
  print_memory();
  return 0;
}
