/* SEG-Y sections: files of other programs against numbers that numpy decoded from their bytes
   (skipped where ../shared is absent), what is written and read again, what is refused. */
#include "io_test.h"
#include "fathom/segy.h"

#define WORLD PETSC_COMM_WORLD

/* ---- files that others wrote ---- */

typedef struct known_file {
  const char *name;
  int64_t traces, samples;
  double dt;
  fm_segy_format format;
  double sum, square, most; /* of all samples, and of their squares; largest magnitude */
  int32_t line[2][2];       /* inline and crossline of the first and the last trace */
  struct {
    int64_t trace, sample;
    double value;
  } at[4];
} known_file;

/* numpy: the bytes after 3600, rows of 240 + 4 n or 240 + 2 n bytes, big-endian; an IBM float
   is (-1)^s 16^(e - 64) f 2^-24 with 1, 7 and 24 bits of s, e and f */
static const known_file known[] = {
    {"penobscot_xl1155.sgy",
     601,
     1501,
     0.004,
     FM_SEGY_IBM,
     -836909,
     2196120713313,
     25805,
     {{1000, 1155}, {1600, 1155}},
     {{0, 10, 0}, {300, 750, 1356}, {600, 1500, 0}, {200, 375, 1378}}},
    {"small.sgy",
     25,
     50,
     0.004,
     FM_SEGY_IBM,
     4025.305853843689,
     15462.720037888397,
     5.2404899597167969,
     {{1, 20}, {5, 24}},
     {{0, 10, 1.2000999450683594},
      {12, 25, 3.2202491760253906},
      {24, 49, 5.2404899597167969},
      {8, 12, 2.2301197052001953}}},
    {"shot_250m.segy",
     99,
     667,
     0.00075,
     FM_SEGY_IEEE,
     102.06735059861096,
     116479.5614125023,
     14.008706092834473,
     {{0, 0}, {0, 0}},
     {{0, 10, -4.711388100986369e-06},
      {49, 333, 3.1978199481964111},
      {98, 666, 0.00011801957589341328},
      {33, 166, 2.405832052230835}}},
    {"f3_crop.sgy",
     414,
     75,
     0.004,
     FM_SEGY_INT16,
     780251,
     144915152529,
     10827,
     {{111, 875}, {133, 892}},
     {{0, 10, 0}, {207, 37, -2222}, {413, 74, -121}, {138, 18, -3212}}}};

static void check_numbers(const known_file *k, const float *x) {
  double sum = 0, square = 0, most = 0;

  for (int64_t i = 0; i < k->traces * k->samples; i++) {
    sum += (double)x[i];
    square += (double)x[i] * (double)x[i];
    most = fmax(most, fabs((double)x[i]));
  }
  fm_near(sum, k->sum, 1e-12);
  fm_near(square, k->square, 1e-12);
  assert_true(most == k->most);
  for (int i = 0; i < 4; i++)
    assert_true((double)x[k->at[i].trace * k->samples + k->at[i].sample] == k->at[i].value);
}

static void check_lines(const known_file *k, fm_segy *segy) {
  int32_t *lines = malloc((size_t)(2 * k->traces) * sizeof(*lines)), one[2];

  fm_ok(fm_segy_read_lines(segy, 0, k->traces, lines));
  assert_memory_equal(lines, k->line[0], sizeof(one));
  assert_memory_equal(lines + 2 * (k->traces - 1), k->line[1], sizeof(one));
  fm_ok(fm_segy_read_lines(segy, k->traces - 1, 1, one));
  assert_memory_equal(one, k->line[1], sizeof(one));
  fm_expect_error(fm_segy_read_lines(segy, k->traces, 1, one), "which has");
  free(lines);
}

static void check_file(const known_file *k) {
  const char *shared = getenv("FATHOM_SHARED");
  char path[1024];
  fm_segy *segy;
  float *x;

  snprintf(path, sizeof(path), "%s/data/seismic/%s", shared ? shared : "../shared", k->name);
  if (access(path, R_OK)) {
    print_message("skipped: the section is absent, %s\n", path);
    skip();
  }
  fm_ok(fm_segy_open(WORLD, path, &segy));
  assert_true(fm_segy_traces(segy) == k->traces && fm_segy_samples(segy) == k->samples);
  assert_true(fm_segy_get_format(segy) == k->format);
  fm_near(fm_segy_dt(segy), k->dt, 1e-12);
  x = malloc((size_t)(k->traces * k->samples) * sizeof(*x));
  fm_ok(fm_segy_read_traces(segy, 0, k->traces, x));
  check_numbers(k, x);
  check_lines(k, segy);
  fm_ok(fm_segy_read_traces(segy, k->at[3].trace, 1, x));
  assert_true((double)x[k->at[3].sample] == k->at[3].value);
  fm_ok(fm_segy_close(&segy));
  assert_null(segy);
  free(x);
}

static void penobscot(void **state) { check_file(&known[0]); }
static void small(void **state) { check_file(&known[1]); }
static void shot(void **state) { check_file(&known[2]); }
static void f3(void **state) { check_file(&known[3]); }

/* ---- written and read again ---- */

enum { TRACES = 3, SAMPLES = 5 };
static const float section[TRACES * SAMPLES] = {0,      1,        -1,      0.1f, -118.625f,
                                                1e-20f, -3.5e15f, 1.f / 3, 0,    255,
                                                16,     1.f / 16, -256,    7e5f, 2.5e-7f};

static const char *write_section(fm_segy_format format) {
  fm_ok(fm_segy_write(WORLD, in_folder("s.sgy"), format, TRACES, SAMPLES, 0.002, section));
  return in_folder("s.sgy");
}

static void round_trip(fm_segy_format format, double tolerance) {
  float x[TRACES * SAMPLES];
  fm_segy *segy;

  fm_ok(fm_segy_open(WORLD, write_section(format), &segy));
  assert_true(gone(in_folder("s.sgy.tmp")));
  assert_true(fm_segy_traces(segy) == TRACES && fm_segy_samples(segy) == SAMPLES);
  assert_true(fm_segy_get_format(segy) == format);
  fm_near(fm_segy_dt(segy), 0.002, 1e-12);
  fm_ok(fm_segy_read_traces(segy, 0, TRACES, x));
  for (int i = 0; i < TRACES * SAMPLES; i++)
    if (!(fabs((double)x[i] - (double)section[i]) <= tolerance * fabs((double)section[i])))
      fail_msg("number %d is %.9g, was %.9g", i, (double)x[i], (double)section[i]);
  fm_ok(fm_segy_close(&segy));
}

static void written_as_ieee(void **state) { round_trip(FM_SEGY_IEEE, 0); }
/* 24 bits of which up to three are zero */
static void written_as_ibm(void **state) { round_trip(FM_SEGY_IBM, ldexp(1, -20)); }

/* -118.625 is the IBM float C276A000: the number of the textbooks */
static void bytes_of_an_ibm_float(void **state) {
  const unsigned char right[4] = {0xc2, 0x76, 0xa0, 0x00};
  unsigned char bytes[4];
  FILE *file = fopen(write_section(FM_SEGY_IBM), "rb");

  assert_non_null(file);
  fseek(file, 3600 + 240 + 4 * 4, SEEK_SET);
  assert_int_equal(fread(bytes, 1, 4, file), 4);
  fclose(file);
  assert_memory_equal(bytes, right, 4);
}

static int big_endian(FILE *file, long at, int bytes) {
  int value = 0;

  fseek(file, at, SEEK_SET);
  for (int i = 0; i < bytes; i++) value = value << 8 | fgetc(file);
  return value;
}

/* by the standard's byte numbers, which count from 1 */
static void headers(void **state) {
  FILE *file = fopen(write_section(FM_SEGY_IEEE), "rb");

  assert_non_null(file);
  assert_int_equal(fgetc(file), 0xc3); /* C in EBCDIC */
  assert_int_equal(big_endian(file, 3217 - 1, 2), 2000);
  assert_int_equal(big_endian(file, 3221 - 1, 2), SAMPLES);
  assert_int_equal(big_endian(file, 3225 - 1, 2), 5);
  for (int i = 0; i < TRACES; i++) {
    const long at = 3600 + i * (240 + 4 * SAMPLES);

    assert_int_equal(big_endian(file, at + 1 - 1, 4), i + 1);
    assert_int_equal(big_endian(file, at + 21 - 1, 4), i + 1);
    assert_int_equal(big_endian(file, at + 189 - 1, 4), 1);
    assert_int_equal(big_endian(file, at + 193 - 1, 4), i + 1);
    assert_int_equal(big_endian(file, at + 115 - 1, 2), SAMPLES);
    assert_int_equal(big_endian(file, at + 117 - 1, 2), 2000);
  }
  fclose(file);
}

/* ---- refused ---- */

static void refused(const char *path, const char *word) {
  fm_segy *segy;

  fm_expect_error(fm_segy_open(WORLD, path, &segy), word);
  assert_null(segy);
}

/* a section of which two bytes at `at` are others */
static const char *spoilt(long at, int high, int low) {
  const char *path = write_section(FM_SEGY_IEEE);
  FILE *file = fopen(path, "r+b");

  fseek(file, at, SEEK_SET);
  fputc(high, file);
  fputc(low, file);
  fclose(file);
  return path;
}

static void what_is_refused(void **state) {
  const char *path = write_section(FM_SEGY_IEEE);

  refused(in_folder("absent.sgy"), "no such file");
  refused(test_folder, "is no file");
  assert_int_equal(truncate(path, 3600 + 2 * (240 + 4 * SAMPLES) + 100), 0);
  refused(path, "is truncated or has traces of different lengths");
  assert_int_equal(truncate(path, 3700), 0);
  refused(path, "3700 bytes hold less than");
  refused(spoilt(3224, 0, 4), "SEG-Y format 4");
  refused(spoilt(3224, 0, 99), "is no SEG-Y file");
  refused(spoilt(3224, 5, 0), "little-endian");
  refused(spoilt(3220, 0, 0), "0 samples");
  refused(spoilt(3220, 0, 6), "traces of different lengths");
}

static void no_number(void **state) {
  float x[2 * SAMPLES];
  fm_segy *segy;

  /* 0x7fc00000 at sample 2 of trace 1 */
  fm_ok(fm_segy_open(WORLD, spoilt(3600 + 260 + 240 + 8, 0x7f, 0xc0), &segy));
  fm_ok(fm_segy_read_traces(segy, 0, 1, x));
  fm_expect_error(fm_segy_read_traces(segy, 0, 2, x), "trace 1 of ");
  assert_non_null(strstr(fm_test_message, "nan at sample 2"));
  fm_expect_error(fm_segy_read_traces(segy, 2, 2, x), "traces 2..3 of");
  fm_ok(fm_segy_close(&segy));
}

static void what_cannot_be_written(void **state) {
  fm_expect_error(fm_segy_write(WORLD, in_folder("w"), FM_SEGY_IBM, 1, 65536, 0.001, section),
                  "1 to 65535 samples");
  fm_expect_error(fm_segy_write(WORLD, in_folder("w"), FM_SEGY_IBM, 1, 5, 0.07, section),
                  "0.065535 s");
  fm_expect_error(fm_segy_write(WORLD, in_folder("w"), FM_SEGY_INT16, 1, 5, 0.001, section),
                  "not as format 3");
  fm_expect_error(fm_segy_write(WORLD, in_folder("no/w"), FM_SEGY_IBM, 1, 5, 0.001, section),
                  "cannot write");
  assert_true(gone(in_folder("w")));
}

FM_TEST_MAIN(io_test(penobscot), io_test(small), io_test(shot), io_test(f3),
             io_test(written_as_ieee), io_test(written_as_ibm), io_test(bytes_of_an_ibm_float),
             io_test(headers), io_test(what_is_refused), io_test(no_number),
             io_test(what_cannot_be_written))
