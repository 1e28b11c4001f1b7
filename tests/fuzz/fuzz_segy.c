/* SEG-Y: what opens is read as a whole, and cannot be larger than its file. */
#include "fathom/segy.h"
#include "fuzz.h"
#include <math.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv) {
  fuzz_begin();
  return 0;
}

static void check_size(const fm_segy *s, int64_t size) {
  const int64_t each = fm_segy_samples(s) * (fm_segy_get_format(s) == FM_SEGY_INT16 ? 2 : 4);

  if (fm_segy_traces(s) < 1 || fm_segy_samples(s) < 1) fuzz_fault("an empty section");
  if (3600 + fm_segy_traces(s) * (240 + each) > size)
    fuzz_fault("a section is larger than its file");
  if (!(fm_segy_dt(s) >= 0)) fuzz_fault("a sample interval is negative");
}

static void read_all(fm_segy *s) {
  const int64_t traces = fm_segy_traces(s), samples = fm_segy_samples(s);
  float *data = malloc((size_t)(traces * samples) * sizeof(*data));
  int32_t *lines = malloc((size_t)traces * 2 * sizeof(*lines));
  fm_segy_trace *headers = malloc((size_t)traces * sizeof(*headers));

  if (!fm_segy_read_traces(s, 0, traces, data))
    for (int64_t i = 0; i < traces * samples; i++)
      if (!isfinite(data[i])) fuzz_fault("a sample is not finite");
  (void)!fm_segy_read_lines(s, 0, traces, lines);
  if (!fm_segy_read_geometry(s, 0, traces, headers))
    for (int64_t i = 0; i < traces; i++)
      if (!isfinite(headers[i].source[0] + headers[i].receiver[2] + headers[i].depth))
        fuzz_fault("a coordinate is not finite");
  if (!fm_segy_read_traces(s, traces - 1, 2, data)) fuzz_fault("a trace beyond the last");
  free(headers);
  free(lines);
  free(data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const int64_t live = fuzz_live;
  fm_segy *s = NULL;

  if (!fm_segy_open(PETSC_COMM_SELF, fuzz_file(data, size), &s)) {
    check_size(s, (int64_t)size);
    read_all(s);
    fuzz_ok(fm_segy_close(&s));
  }
  if (fuzz_live != live) fuzz_fault("fm_segy leaves memory");
  return 0;
}
