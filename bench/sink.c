/*
 * A syslog receiver that only counts, so that it is never what limits a benchmark.
 *
 *     cc -O2 -o sink sink.c && ./sink PORT EXPECTED          port 0: any that is free
 *
 * It listens on 127.0.0.1, takes frames of RFC 6587 (octet counting where a frame begins with a digit, else lines), and looks in
 * each for the mark that bench/records.ts puts into the Message-ID: ".record-N@bench.example". It answers the end of a stream
 * with its own, after reading everything: what `confirm: close` asks of a receiver.
 *
 * One line of JSON when it listens, one when EXPECTED different records have come, one at its end (SIGTERM).
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { STREAM_ROOM = 1 << 20, LARGEST_FRAME = 1 << 19 };

struct stream {
  int fd;
  size_t used;
  char bytes[STREAM_ROOM];
};

static struct {
  long messages, bytes, distinct, repeated, unmarked, connections;
  long long first, last; /* ms since 1970 */
} counts;

static unsigned char *seen; /* one bit a record */
static long expected;
static volatile sig_atomic_t stopping;

static void stop(int signal) {
  (void)signal;
  stopping = 1;
}

static long long now_ms(void) {
  struct timeval now;
  gettimeofday(&now, NULL);
  return now.tv_sec * 1000LL + now.tv_usec / 1000;
}

static void say(const char *event) {
  printf("{\"event\":\"%s\",\"messages\":%ld,\"bytes\":%ld,\"distinct\":%ld,\"repeated\":%ld,\"unmarked\":%ld,"
         "\"connections\":%ld,\"first\":%lld,\"last\":%lld}\n",
         event, counts.messages, counts.bytes, counts.distinct, counts.repeated, counts.unmarked, counts.connections,
         counts.first, counts.last);
  fflush(stdout);
}

/* The N of the mark; -1 when the message has none. */
static long mark_of(const char *message, size_t length) {
  static const char prefix[] = ".record-", suffix[] = "@bench.example";
  const char *end = message + length;
  const char *at = memmem(message, length, prefix, sizeof prefix - 1);
  if (!at) return -1;
  at += sizeof prefix - 1;
  long number = 0;
  const char *digits = at;
  while (at < end && *at >= '0' && *at <= '9' && at - digits < 9) number = number * 10 + (*at++ - '0');
  if (at == digits || (size_t)(end - at) < sizeof suffix - 1 || memcmp(at, suffix, sizeof suffix - 1)) return -1;
  return number;
}

static void count(const char *message, size_t length) {
  if (length == 0) return;
  counts.messages++;
  long number = mark_of(message, length);
  if (number < 0 || number >= expected) {
    counts.unmarked++;
    return;
  }
  unsigned char bit = 1 << (number & 7);
  if (seen[number >> 3] & bit) {
    counts.repeated++;
    return;
  }
  seen[number >> 3] |= bit;
  if (++counts.distinct == expected) say("complete");
}

/* Length of the frame at `at` with its octet count or line end, 0 when more bytes are needed. Counts the message in it. */
static size_t take_frame(const char *at, size_t room) {
  if (*at >= '1' && *at <= '9') {
    size_t digits = 0, length = 0;
    while (digits < room && digits < 7 && at[digits] >= '0' && at[digits] <= '9') length = length * 10 + (at[digits++] - '0');
    if (digits == room) return 0;
    if (at[digits] == ' ' && length <= LARGEST_FRAME) {
      if (digits + 1 + length > room) return 0;
      count(at + digits + 1, length);
      return digits + 1 + length;
    }
  }
  const char *end = memchr(at, '\n', room);
  if (!end) return 0;
  count(at, end - at);
  return end - at + 1;
}

static void take_frames(struct stream *stream) {
  size_t done = 0, taken;
  while (done < stream->used && (taken = take_frame(stream->bytes + done, stream->used - done)) > 0) done += taken;
  stream->used -= done;
  memmove(stream->bytes, stream->bytes + done, stream->used);
}

/* False when the stream is over. */
static int read_on(struct stream *stream) {
  ssize_t got = read(stream->fd, stream->bytes + stream->used, STREAM_ROOM - stream->used);
  if (got < 0) return errno == EINTR || errno == EAGAIN;
  if (got == 0) return 0;
  counts.last = now_ms();
  if (!counts.first) counts.first = counts.last;
  counts.bytes += got;
  stream->used += got;
  take_frames(stream);
  return stream->used < STREAM_ROOM;
}

static void watch(int poll, int fd, void *what) {
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = what};
  if (epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event)) perror("epoll_ctl"), exit(1);
}

static int listen_on(int port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  int on = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd, (void *)&address, size) || listen(fd, 64)) perror("sink"), exit(1);
  getsockname(fd, (void *)&address, &size);
  printf("{\"event\":\"listening\",\"port\":%d}\n", ntohs(address.sin_port));
  fflush(stdout);
  return fd;
}

static void take_connection(int poll, int listener) {
  int fd = accept(listener, NULL, NULL);
  if (fd < 0) return;
  struct stream *stream = malloc(sizeof *stream);
  if (!stream) abort();
  stream->fd = fd;
  stream->used = 0;
  counts.connections++;
  watch(poll, fd, stream);
}

int main(int argc, char **argv) {
  if (argc != 3) return fprintf(stderr, "usage: sink PORT EXPECTED\n"), 2;
  expected = atol(argv[2]);
  seen = calloc(expected / 8 + 1, 1);
  struct sigaction action = {.sa_handler = stop};
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGINT, &action, NULL);
  int poll = epoll_create1(0), listener = listen_on(atoi(argv[1]));
  watch(poll, listener, NULL);
  while (!stopping) {
    struct epoll_event events[16];
    int ready = epoll_wait(poll, events, 16, 1000);
    for (int i = 0; i < ready; i++) {
      struct stream *stream = events[i].data.ptr;
      if (!stream) take_connection(poll, listener);
      else if (!read_on(stream)) {
        close(stream->fd);
        free(stream);
      }
    }
  }
  say("end");
  return 0;
}
