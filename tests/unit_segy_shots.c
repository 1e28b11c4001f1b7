/* Sources and receivers in the trace headers of SEG-Y, byte by byte of the standard (revision
   1, where bytes count from 1), and a shot of another program. */
#include "fathom/segy.h"
#include "io_test.h"

#define WORLD PETSC_COMM_WORLD

enum { TRACES = 2, SAMPLES = 6, TRACE = 240 + 4 * SAMPLES };

static const fm_segy_trace shot[TRACES] = {
    {{1234.5, -20.25, 3}, {1300, 40.125, -7.5}, 6, 0, 0, 0, 17, 1, 0},
    {{1234.5, -20.25, 3}, {-12.5, 8, 2.25}, 6, 0, 0, 0, 17, 2, 0}};
static const float samples[TRACES * SAMPLES] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

static const char *write_shot(const fm_segy_trace *trace) {
  const fm_segy_content content = {.format = FM_SEGY_IEEE,
                                   .traces = TRACES,
                                   .samples = SAMPLES,
                                   .dt = 0.002,
                                   .delay = -0.048,
                                   .trace = trace};

  fm_ok(fm_segy_write_content(WORLD, in_folder("s.sgy"), &content, samples));
  return in_folder("s.sgy");
}

/* the standard's byte numbers count from 1 */
static long long number(FILE *file, long at, int bytes) {
  long long value;

  fseek(file, at - 1, SEEK_SET);
  value = (signed char)fgetc(file);
  for (int i = 1; i < bytes; i++) value = value * 256 + fgetc(file);
  return value;
}

static void put(const char *path, long at, int bytes, long long value) {
  FILE *file = fopen(path, "r+b");

  assert_non_null(file);
  fseek(file, at - 1, SEEK_SET);
  for (int i = bytes - 1; i >= 0; i--) fputc((int)(value >> 8 * i & 255), file);
  fclose(file);
}

static void written_bytes(void **state) {
  FILE *file = fopen(write_shot(shot), "rb");
  const long second = 3600 + TRACE;

  assert_non_null(file);
  assert_int_equal(number(file, 3229, 2), 5); /* sorted by common source */
  assert_int_equal(number(file, 3255, 2), 1); /* metres */
  assert_int_equal(number(file, 3600 + 9, 4), 17);
  assert_int_equal(number(file, 3600 + 29, 2), 1);
  assert_int_equal(number(file, second + 29, 2), 2);
  assert_int_equal(number(file, 3600 + 69, 2), -1000);
  assert_int_equal(number(file, 3600 + 71, 2), -1000);
  assert_int_equal(number(file, 3600 + 73, 4), 1234500);
  assert_int_equal(number(file, 3600 + 77, 4), -20250);
  assert_int_equal(number(file, 3600 + 41, 4), -7500);
  assert_int_equal(number(file, 3600 + 45, 4), 3000);
  assert_int_equal(number(file, 3600 + 49, 4), 6000);
  assert_int_equal(number(file, second + 81, 4), -12500);
  assert_int_equal(number(file, second + 85, 4), 8000);
  assert_int_equal(number(file, second + 109, 2), -48);
  assert_int_equal(number(file, second + 115, 2), SAMPLES);
  assert_int_equal(number(file, second + 117, 2), 2000);
  assert_int_equal(number(file, 3600 + 37, 4), 89); /* |(65.5, 60.375)| */
  fclose(file);
}

static void read_back(const char *path, fm_segy_trace *trace) {
  fm_segy *segy;

  fm_ok(fm_segy_open(WORLD, path, &segy));
  assert_int_equal(fm_segy_traces(segy), TRACES);
  fm_ok(fm_segy_read_geometry(segy, 0, TRACES, trace));
  fm_expect_error(fm_segy_read_geometry(segy, 1, TRACES, trace + 1), "traces 1..2 of");
  fm_ok(fm_segy_close(&segy));
}

static void check_places(const fm_segy_trace *a, const fm_segy_trace *b, double factor) {
  for (int d = 0; d < 3; d++) {
    fm_near(a->source[d], factor * b->source[d], 1e-14);
    fm_near(a->receiver[d], factor * b->receiver[d], 1e-14);
  }
  fm_near(a->depth, factor * b->depth, 1e-14);
}

static void read_again(void **state) {
  fm_segy_trace trace[TRACES + 1];

  read_back(write_shot(shot), trace);
  for (int i = 0; i < TRACES; i++) {
    check_places(trace + i, shot + i, 1);
    assert_true(trace[i].record == 17 && trace[i].id == i + 1 && trace[i].units == 1);
    fm_near(trace[i].delay, -0.048, 1e-15);
    fm_near(trace[i].dt, 0.002, 1e-15);
    assert_int_equal(trace[i].samples, SAMPLES);
  }
}

/* a positive scalar multiplies, a negative one divides, 0 is 1; feet become metres */
static void scalars_and_feet(void **state) {
  const char *path = write_shot(shot);
  fm_segy_trace trace[TRACES + 1];

  put(path, 3600 + 71, 2, 10);
  put(path, 3600 + 69, 2, -100);
  put(path, 3600 + TRACE + 71, 2, 0);
  read_back(path, trace);
  assert_true(trace[0].source[0] == 12345000 && trace[0].receiver[1] == 401250);
  fm_near(trace[0].source[2], 30, 1e-14);
  fm_near(trace[0].depth, 60, 1e-14);
  fm_near(trace[0].receiver[2], -75, 1e-14);
  assert_true(trace[1].source[0] == 1234500 && trace[1].receiver[0] == -12500);
  path = write_shot(shot);
  put(path, 3255, 2, 2);
  read_back(path, trace);
  check_places(trace, shot, 0.3048);
}

/* millimetres do not hold 5,000 km */
static void far_away(void **state) {
  fm_segy_trace far[TRACES], trace[TRACES + 1];
  FILE *file;

  for (int i = 0; i < TRACES; i++) far[i] = shot[i];
  far[1].receiver[1] = 5123456.75;
  file = fopen(write_shot(far), "rb");
  assert_non_null(file);
  assert_int_equal(number(file, 3600 + 71, 2), -100);
  assert_int_equal(number(file, 3600 + TRACE + 85, 4), 512345675);
  fclose(file);
  read_back(in_folder("s.sgy"), trace);
  fm_near(trace[1].receiver[1], 5123456.75, 1e-14);
}

/* a section in depth: CDP X, and metres where others have milliseconds */
static void depth_section(void **state) {
  const double cdp[TRACES] = {1000, 1012.5};
  const fm_segy_content content = {.format = FM_SEGY_IBM,
                                   .traces = TRACES,
                                   .samples = SAMPLES,
                                   .dt = 0.0125,
                                   .delay = 0.03,
                                   .text = {"a line of words"},
                                   .cdp = cdp};
  FILE *file;

  fm_ok(fm_segy_write_content(WORLD, in_folder("d.sgy"), &content, samples));
  file = fopen(in_folder("d.sgy"), "rb");
  assert_non_null(file);
  assert_int_equal(number(file, 3217, 2), 12500);
  assert_int_equal(number(file, 3600 + TRACE + 71, 2), -1000);
  assert_int_equal(number(file, 3600 + TRACE + 181, 4), 1012500);
  assert_int_equal(number(file, 3600 + TRACE + 21, 4), 2);
  assert_int_equal(number(file, 3600 + 109, 2), 30);
  assert_int_equal((unsigned char)number(file, 80 + 5, 1), 0x81); /* a in EBCDIC */
  fclose(file);
}

/* of JUDI's test data: source (250, 20) m, receivers x = 10..990 at 50 m, dt .75 ms; there
   elevations are depths */
static void another_program(void **state) {
  const char *shared = getenv("FATHOM_SHARED");
  fm_segy_trace trace[99];
  char path[1024];
  fm_segy *segy;

  snprintf(path, sizeof(path), "%s/data/seismic/shot_250m.segy", shared ? shared : "../shared");
  if (access(path, R_OK)) {
    print_message("skipped: the shot is absent, %s\n", path);
    skip();
  }
  fm_ok(fm_segy_open(WORLD, path, &segy));
  fm_ok(fm_segy_read_geometry(segy, 0, 99, trace));
  for (int i = 0; i < 99; i++) {
    assert_true(trace[i].source[0] == 250 && trace[i].source[2] == 20);
    assert_true(trace[i].receiver[0] == 10 * (i + 1) && trace[i].receiver[2] == 50);
    assert_true(trace[i].record == 1 && trace[i].samples == 667);
    fm_near(trace[i].dt, 0.00075, 1e-15);
  }
  fm_ok(fm_segy_close(&segy));
}

FM_TEST_MAIN(io_test(written_bytes), io_test(read_again), io_test(scalars_and_feet),
             io_test(far_away), io_test(depth_section), io_test(another_program))
