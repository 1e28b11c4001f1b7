/* A journal's file: every record that the scan lists is looked for, under its key and with
   other sizes; a record is added, some are forgotten. Half of the inputs get right checksums,
   which hide what lies behind them. */
#include "../../io/journal_impl.h"
#include "fuzz.h"
#include <stddef.h>
#include <sys/stat.h>
#include <zlib.h>

#define N 3

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t most);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned int seed);

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv) {
  fuzz_in_folder("rank-00000-00001");
  fuzz_begin();
  return 0;
}

/* ---- mutation ---- */

static void mend_record(uint8_t *record, size_t room) {
  fm_journal_head head;

  memcpy(&head, record, sizeof(head));
  if (head.n >= 0 && (uint64_t)head.n <= (room - sizeof(head)) / 8)
    head.data_crc = (uint32_t)crc32_z(0, record + sizeof(head), 8 * (size_t)head.n);
  head.head_crc = fm_journal_head_crc(&head);
  memcpy(record, &head, sizeof(head));
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned int seed) {
  size = LLVMFuzzerMutate(data, size, most);
  if (seed & 1) return size;
  for (size_t at = 0; at + sizeof(fm_journal_head) <= size; at++)
    if (!memcmp(data + at, FM_JOURNAL_MAGIC, strlen(FM_JOURNAL_MAGIC)))
      mend_record(data + at, size - at);
  return size;
}

/* ---- one input ---- */

/* The sizes of what is listed fit into the file. */
static void find_all(fm_journal *j, size_t size) {
  for (int64_t i = 0; i < j->index.nentry; i++) {
    const fm_journal_head *head = &j->index.entry[i].head;
    fm_exact misfit = {0, 0};
    PetscBool found;
    double *data;

    if (head->n < 0 || (uint64_t)head->n > size / 8) fuzz_fault("a record beyond its file");
    data = malloc((size_t)head->n * 8 + 8);
    fuzz_ok(fm_journal_find(j, &head->key, head->n, &misfit, data, &found));
    fuzz_ok(fm_journal_find(j, &head->key, 1, &misfit, data, &found));
    free(data);
  }
}

static void use(fm_journal *j, size_t size) {
  const fm_journal_key key = {1, 5, 3, 4, 5};
  const double data[N] = {1, 2, 3};

  find_all(j, size);
  fuzz_ok(fm_journal_keep(j, &key, 1, N, (fm_exact){6, 7}, data));
  fuzz_ok(fm_journal_forget(j, 5));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const fm_journal_limits all = {0., 1e9, 1e9};
  const int64_t live = fuzz_live;
  fm_journal *j;

  fuzz_file(data, size);
  fuzz_ok(fm_journal_open(PETSC_COMM_SELF, fuzz_folder, PETSC_TRUE, &all, &j));
  use(j, size);
  fuzz_ok(fm_journal_close(&j, PETSC_TRUE));
  if (fuzz_live != live) fuzz_fault("the journal leaves memory");
  if (mkdir(fuzz_folder, 0700))
    fuzz_fault("the journal's folder is left"); /* close removed it */
  return 0;
}
