/* The journal of solves as files: what is kept is found, bit by bit; what is torn, flipped or
   another's is not; it is bounded, forgets, and never fails. */
#include "io_test.h"
#include "fathom/journal.h"
#include "fathom/rng.h"
#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>

#define N 3
#define RECORD (80 + 8 * N) /* bytes */

static const fm_journal_limits all = {0., 1e9, 1e9};

static fm_journal *journal(PetscBool keep, fm_journal_limits limits) {
  const int kept = fm_test_mute(stdout);
  fm_journal *j;

  fm_ok(fm_journal_open(PETSC_COMM_SELF, in_folder("journal"), keep, &limits, &j));
  fm_test_unmute(stdout, kept);
  return j;
}

static void close_journal(fm_journal **j, PetscBool remove) {
  const int kept = fm_test_mute(stdout);

  fm_ok(fm_journal_close(j, remove));
  assert_null(*j);
  fm_test_unmute(stdout, kept);
}

/* Record k: its key, misfit and data. */
static fm_journal_key key_of(uint64_t k) {
  return (fm_journal_key){7, k, 10 + k, k % 2, 0x123456789abcdefu * (k + 1)};
}

static fm_exact misfit_of(uint64_t k) {
  return (fm_exact){(int64_t)k - 5, -((int64_t)k << 40) - 1};
}

static void data_of(uint64_t k, double data[N]) {
  data[0] = -0.0;
  data[1] = 4.9e-324 * (double)(k + 1);
  data[2] = -1. / (double)(k + 3);
}

static void keep(fm_journal *j, uint64_t k, double seconds) {
  const fm_journal_key key = key_of(k);
  double data[N];

  data_of(k, data);
  fm_ok(fm_journal_keep(j, &key, seconds, N, misfit_of(k), data));
}

/* Whether record k is found; it is then the very one. */
static PetscBool finds(fm_journal *j, uint64_t k) {
  const fm_journal_key key = key_of(k);
  fm_exact misfit = {0, 0};
  double expected[N], data[N] = {0};
  PetscBool found;

  fm_ok(fm_journal_find(j, &key, N, &misfit, data, &found));
  if (!found) return PETSC_FALSE;
  data_of(k, expected);
  assert_memory_equal(data, expected, sizeof(data));
  assert_int_equal(misfit.hi, misfit_of(k).hi);
  assert_int_equal(misfit.lo, misfit_of(k).lo);
  return PETSC_TRUE;
}

/* A journal of records 0..count-1 in one file, closed as by a kill. */
static void write_records(uint64_t count) {
  fm_journal *j = journal(PETSC_FALSE, all);

  for (uint64_t k = 0; k < count; k++) keep(j, k, 1.);
  close_journal(&j, PETSC_FALSE);
}

/* How many files are in the journal; -1: no folder. */
static int files(void) {
  DIR *folder = opendir(in_folder("journal"));
  int count = 0;

  if (!folder) return -1;
  for (struct dirent *at; (at = readdir(folder));) count += at->d_name[0] != '.';
  closedir(folder);
  return count;
}

static const char *first_file(void) { return in_folder("journal/rank-00000-00001"); }

/* ---- written and found ---- */

static void what_is_kept_is_found(void **state) {
  fm_journal *j;

  write_records(40);
  assert_int_equal(files(), 1);
  j = journal(PETSC_TRUE, all);
  assert_int_equal(fm_journal_count(j).found, 40);
  assert_int_equal(fm_journal_count(j).damaged, 0);
  for (uint64_t k = 40; k-- > 0;) assert_true(finds(j, k));
  assert_false(finds(j, 40));
  assert_int_equal(fm_journal_count(j).recalled, 40);
  close_journal(&j, PETSC_TRUE);
  assert_int_equal(files(), -1);
}

/* Every part of the key and the length count. */
static void nothing_else_is_found(void **state) {
  fm_exact misfit;
  double data[N + 1];
  PetscBool found;
  fm_journal *j;

  write_records(3);
  j = journal(PETSC_TRUE, all);
  for (int part = 0; part < 6; part++) {
    fm_journal_key key = key_of(1);

    if (part == 0) key.seed++;
    if (part == 1) key.step++;
    if (part == 2) key.sample++;
    if (part == 3) key.index++;
    if (part == 4) key.hash ^= 1;
    fm_ok(fm_journal_find(j, &key, part == 5 ? N + 1 : N, &misfit, data, &found));
    assert_false(found);
  }
  assert_true(finds(j, 1));
  close_journal(&j, PETSC_TRUE);
}

/* A run that does not go on begins with none; one that goes on adds to what is there. */
static void only_a_resumed_run_finds(void **state) {
  fm_journal *j;

  write_records(3);
  j = journal(PETSC_TRUE, all);
  keep(j, 3, 1.);
  close_journal(&j, PETSC_FALSE);
  assert_int_equal(files(), 2);
  j = journal(PETSC_TRUE, all);
  for (uint64_t k = 0; k < 4; k++) assert_true(finds(j, k));
  close_journal(&j, PETSC_FALSE);
  j = journal(PETSC_FALSE, all);
  assert_int_equal(files(), -1);
  assert_int_equal(fm_journal_count(j).found, 0);
  assert_false(finds(j, 0));
  close_journal(&j, PETSC_FALSE);
}

static void other_files_stay(void **state) {
  fm_journal *j;

  write_records(1);
  save_bytes(in_folder("journal/rank-1-1"), "mine", 4);
  save_bytes(in_folder("journal/notes"), "mine", 4);
  j = journal(PETSC_TRUE, all);
  assert_int_equal(fm_journal_count(j).found, 1);
  assert_int_equal(fm_journal_count(j).damaged, 0);
  close_journal(&j, PETSC_TRUE);
  assert_int_equal(files(), 2);
}

/* ---- torn and damaged ---- */

static void torn_at_every_length(void **state) {
  unsigned char *bytes;
  size_t n;

  write_records(2);
  bytes = load_bytes(first_file(), &n);
  assert_int_equal(n, 2 * RECORD);
  for (size_t length = 0; length <= n; length++) {
    fm_journal *j;

    save_bytes(first_file(), bytes, length);
    j = journal(PETSC_TRUE, all);
    assert_int_equal(fm_journal_count(j).found, length / RECORD);
    assert_int_equal(fm_journal_count(j).damaged, length % RECORD ? 1 : 0);
    assert_int_equal(finds(j, 0), length >= RECORD);
    assert_int_equal(finds(j, 1), length == n);
    close_journal(&j, PETSC_FALSE);
  }
  free(bytes);
}

/* One byte of the middle record, each in turn, three ways: that one is lost, its neighbours are
   not. */
static void flipped_bytes(void **state) {
  static const unsigned char flips[] = {0x01, 0x80, 0xff};
  unsigned char *bytes;
  size_t n;

  write_records(3);
  bytes = load_bytes(first_file(), &n);
  for (size_t at = RECORD; at < 2 * RECORD; at++)
    for (size_t f = 0; f < sizeof(flips); f++) {
      fm_journal *j;

      bytes[at] ^= flips[f];
      save_bytes(first_file(), bytes, n);
      bytes[at] ^= flips[f];
      j = journal(PETSC_TRUE, all);
      assert_true(finds(j, 0));
      assert_false(finds(j, 1));
      assert_true(finds(j, 2));
      assert_int_equal(fm_journal_count(j).damaged, 1);
      close_journal(&j, PETSC_FALSE);
    }
  free(bytes);
}

/* Bytes cut out, bytes put in, a magic where none belongs, noise: what is whole is found. */
static void wreckage(void **state) {
  unsigned char *bytes, wreck[8 * RECORD];
  size_t n;
  fm_journal *j;

  write_records(3);
  bytes = load_bytes(first_file(), &n);
  for (size_t i = 0; i < sizeof(wreck); i++) wreck[i] = (unsigned char)(i * 97 + 13);
  memcpy(wreck + 5, bytes, RECORD);
  memcpy(wreck + 11 + RECORD, "fmsolve1", 8);
  memcpy(wreck + 3 * RECORD, bytes + RECORD, RECORD - 9); /* the end of record 1 is cut out */
  memcpy(wreck + 4 * RECORD - 9, bytes + 2 * RECORD, RECORD);
  memcpy(wreck + 7 * RECORD, bytes + RECORD, RECORD);
  save_bytes(first_file(), wreck, sizeof(wreck));
  free(bytes);
  j = journal(PETSC_TRUE, all);
  assert_true(finds(j, 0));
  assert_true(finds(j, 1)); /* its second copy */
  assert_true(fm_journal_count(j).damaged > 2);
  close_journal(&j, PETSC_FALSE);
}

/* Nothing that a file may hold leads astray. */
static void noise_is_no_record(void **state) {
  enum { BYTES = 4096 };
  double draw[BYTES];
  unsigned char noise[BYTES];

  write_records(1);
  for (uint64_t t = 0; t < 200; t++) {
    fm_journal *j;

    fm_rng_uniform((fm_rng){t, FM_STREAM_CHECK}, 0, 0, BYTES, draw);
    for (int i = 0; i < BYTES; i++) noise[i] = (unsigned char)(draw[i] * 256);
    for (int i = 0; i + 8 < BYTES; i += 100 + (int)t) memcpy(noise + i, "fmsolve1", 8);
    save_bytes(first_file(), noise, BYTES);
    j = journal(PETSC_TRUE, all);
    assert_int_equal(fm_journal_count(j).found, 0);
    assert_true(fm_journal_count(j).damaged > 0);
    close_journal(&j, PETSC_FALSE);
  }
}

/* ---- bounds and faults ---- */

static void quick_solves_are_not_kept(void **state) {
  fm_journal_limits limits = all;
  fm_journal *j;

  limits.min_seconds = 2.;
  j = journal(PETSC_FALSE, limits);
  keep(j, 0, 1.9);
  assert_int_equal(files(), -1); /* no trace of a journal that nobody needs */
  keep(j, 1, 2.);
  assert_int_equal(fm_journal_count(j).kept, 1);
  close_journal(&j, PETSC_FALSE);
  j = journal(PETSC_TRUE, limits);
  assert_false(finds(j, 0));
  assert_true(finds(j, 1));
  close_journal(&j, PETSC_TRUE);
}

static void bounded(void **state) {
  const int muted = fm_test_mute(stderr);
  fm_journal_limits limits = all;
  struct stat status;
  fm_journal *j;

  limits.bytes = 2.5 * RECORD;
  j = journal(PETSC_FALSE, limits);
  for (uint64_t k = 0; k < 5; k++) keep(j, k, 1.);
  assert_int_equal(fm_journal_count(j).kept, 2);
  assert_int_equal(stat(first_file(), &status), 0);
  assert_int_equal(status.st_size, 2 * RECORD);
  fm_ok(fm_journal_forget(j, 5));
  keep(j, 5, 1.);
  assert_int_equal(fm_journal_count(j).kept, 3);
  close_journal(&j, PETSC_FALSE);
  j = journal(PETSC_TRUE, limits); /* what was there counts */
  keep(j, 6, 1.);
  keep(j, 7, 1.);
  assert_int_equal(fm_journal_count(j).kept, 1);
  fm_ok(fm_journal_forget(j, 6)); /* and goes */
  keep(j, 8, 1.);
  assert_int_equal(fm_journal_count(j).kept, 2);
  close_journal(&j, PETSC_TRUE);
  fm_test_unmute(stderr, muted);
}

/* The disk ends in the middle of a record, as a limit of the size of files lets it. */
static void a_full_disk_ends_the_journal_alone(void **state) {
  const int muted = fm_test_mute(stderr);
  struct rlimit before, full;
  fm_journal *j = journal(PETSC_FALSE, all);
  struct stat status;

  signal(SIGXFSZ, SIG_IGN);
  getrlimit(RLIMIT_FSIZE, &before);
  full = before;
  full.rlim_cur = 2 * RECORD + 90;
  setrlimit(RLIMIT_FSIZE, &full);
  for (uint64_t k = 0; k < 4; k++) keep(j, k, 1.);
  setrlimit(RLIMIT_FSIZE, &before);
  keep(j, 4, 1.);
  signal(SIGXFSZ, SIG_DFL);
  assert_int_equal(fm_journal_count(j).kept, 2);
  assert_int_equal(stat(first_file(), &status), 0);
  assert_int_equal(status.st_size, 2 * RECORD); /* half a record is taken back */
  close_journal(&j, PETSC_FALSE);
  j = journal(PETSC_TRUE, all);
  assert_int_equal(fm_journal_count(j).found, 2);
  assert_int_equal(fm_journal_count(j).damaged, 0);
  close_journal(&j, PETSC_TRUE);
  fm_test_unmute(stderr, muted);
}

/* A file where the folder should be. */
static void no_place_is_no_error(void **state) {
  const int muted = fm_test_mute(stderr);
  fm_journal *j;

  save_bytes(in_folder("journal"), "x", 1);
  j = journal(PETSC_TRUE, all);
  keep(j, 0, 1.);
  assert_false(finds(j, 0));
  fm_ok(fm_journal_forget(j, 9));
  assert_int_equal(fm_journal_count(j).kept, 0);
  close_journal(&j, PETSC_TRUE);
  assert_true(exists(in_folder("journal")));
  fm_test_unmute(stderr, muted);
}

/* ---- forgetting ---- */

/* A file that holds old and new records waits, and what follows is written to another. */
static void what_a_checkpoint_holds_is_forgotten(void **state) {
  fm_journal *j = journal(PETSC_FALSE, all);

  fm_ok(fm_journal_forget(NULL, 5));
  keep(j, 1, 1.);
  keep(j, 2, 1.);
  fm_ok(fm_journal_forget(j, 1));
  assert_int_equal(files(), 1);
  fm_ok(fm_journal_forget(j, 2));
  keep(j, 3, 1.);
  assert_int_equal(files(), 2);
  fm_ok(fm_journal_forget(j, 3));
  assert_int_equal(files(), 1);
  close_journal(&j, PETSC_FALSE);
  j = journal(PETSC_TRUE, all);
  assert_int_equal(fm_journal_count(j).found, 1);
  assert_true(finds(j, 3));
  fm_ok(fm_journal_forget(j, 3));
  assert_int_equal(files(), 1);
  keep(j, 4, 1.);
  fm_ok(fm_journal_forget(j, 4)); /* an earlier job's file, too */
  assert_int_equal(files(), 1);
  fm_ok(fm_journal_forget(j, 5));
  assert_int_equal(files(), 0);
  keep(j, 5, 1.);
  assert_int_equal(files(), 1);
  close_journal(&j, PETSC_TRUE);
  assert_int_equal(files(), -1);
}

/* Checkpoints that lag behind, as a background writer's do: two intervals are kept at most. */
static void a_late_checkpoint_does_not_fill_the_disk(void **state) {
  fm_journal *j = journal(PETSC_FALSE, all);

  for (uint64_t k = 0; k < 200; k++) {
    keep(j, k, 1.);
    if (k % 10 == 3 && k > 10) fm_ok(fm_journal_forget(j, (int64_t)k - 3));
    assert_true(files() <= 2);
  }
  close_journal(&j, PETSC_FALSE);
  j = journal(PETSC_TRUE, all);
  for (uint64_t k = 190; k < 200; k++) assert_true(finds(j, k));
  assert_true(fm_journal_count(j).found <= 30);
  close_journal(&j, PETSC_TRUE);
}

FM_TEST_MAIN(io_test(what_is_kept_is_found), io_test(nothing_else_is_found),
             io_test(only_a_resumed_run_finds), io_test(other_files_stay),
             io_test(torn_at_every_length), io_test(flipped_bytes), io_test(wreckage),
             io_test(noise_is_no_record), io_test(quick_solves_are_not_kept), io_test(bounded),
             io_test(a_full_disk_ends_the_journal_alone), io_test(no_place_is_no_error),
             io_test(what_a_checkpoint_holds_is_forgotten),
             io_test(a_late_checkpoint_does_not_fill_the_disk))
