// A port of the MLPerf-Tiny firmware to a process: standard input and output are its UART.
//
// Only what a port has to bring. The parser itself comes from a checkout of mlcommons/tiny
// (`benchmark/api`), which this project does not ship; test_tiny_reference.py builds the two
// together where HIL_MLPERF_TINY names that checkout's folder `benchmark`.

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "api/internally_implemented.h"
#include "api/submitter_implemented.h"

static unsigned long microseconds() {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (unsigned long)now.tv_sec * 1000000UL + (unsigned long)now.tv_nsec / 1000UL;
}

void th_printf(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vprintf(format, arguments);
  va_end(arguments);
  fflush(stdout);
}

void th_timestamp(void) {
#if EE_CFG_ENERGY_MODE == 0
  th_printf(EE_MSG_TIMESTAMP, microseconds());
#endif
}

void th_serialport_initialize(void) {}

void th_timestamp_initialize(void) {
  th_printf(EE_MSG_TIMESTAMP_MODE);
  th_timestamp();
}

void th_final_initialize(void) {}
void th_load_tensor() {}
void th_pre() {}
void th_post() {}
void th_infer() { usleep(2000); }

// The sum of the buffer's bytes, so that a test sees whether they arrived.
void th_results() {
  static uint8_t tensor[MAX_DB_INPUT_SIZE];
  const size_t count = ee_get_buffer(tensor, sizeof tensor);
  unsigned long sum = 0;
  for (size_t i = 0; i < count; ++i) sum += tensor[i];
  th_printf("m-results-[%0.3f,%0.3f]\r\n", (double)count, (double)sum);
}

void th_command_ready(char volatile *command) {
  ee_serial_command_parser_callback((char *)command);
}

size_t th_strnlen(const char *text, size_t most) { return strnlen(text, most); }

int main() {
  ee_benchmark_initialize();
  for (int c = getchar(); c != EOF; c = getchar()) ee_serial_callback((char)c);
  return 0;
}
