/* patches - images of one size from a section of SEG-Y or a model of an HDF5 file, divided
   by one constant or not: what a flow of images trains on, or an unknown. */
#include "cli/patches.h"
#include "fathom/log.h"
#include "fathom/options.h"
#include "fathom/segy.h"
#include <math.h>

#define BLOCK_BYTES ((int64_t)1 << 24) /* of patches written at once by a rank */

/* ---- what to cut ---- */

PetscErrorCode fm_patches_range(const fm_cutting *c, const char *name, const char *what,
                                int64_t size, fm_range *r) {
  long long first = 0, end = size;
  const char *text;
  char rest;

  PetscFunctionBegin;
  PetscCall(fm_option_text(name, &text));
  fm_check(!text[0] || sscanf(text, "%lld:%lld%c", &first, &end, &rest) == 2,
           c->run->comm.world, PETSC_ERR_USER,
           "-%s takes FIRST:END, such as 0:%lld for all, not '%s'", name, (long long)size,
           text);
  fm_check(first >= 0 && first < end && end <= size, c->run->comm.world, PETSC_ERR_USER,
           "-%s %s leaves the section: '%s' has %lld %s, 0:%lld", name, text, c->path,
           (long long)size, what, (long long)size);
  *r = (fm_range){first, end};
  PetscFunctionReturn(0);
}

/* patches of a stride that fit into a window side of `size` */
static int64_t places(int64_t size, int64_t side, int64_t stride) {
  return (size - side) / stride + 1;
}

/* First traces whose patches keep away from -patch_exclude, a stride apart. */
static PetscErrorCode find_starts(fm_cutting *c, int64_t stride) {
  const int64_t most = places(c->t.end - c->t.first, c->columns, stride);
  fm_range away = {0, 0};
  const char *text;

  PetscFunctionBegin;
  PetscCall(fm_option_text("patch_exclude", &text));
  if (text[0]) PetscCall(fm_patches_range(c, "patch_exclude", "traces", c->traces, &away));
  PetscCall(fm_calloc(most, &c->start));
  for (int64_t k = 0; k < most; k++) {
    const int64_t at = c->t.first + k * stride;
    const double first = c->origin[1] + (double)at * c->step[1] - c->reach;
    const double last = c->origin[1] + (double)(at + c->columns - 1) * c->step[1] + c->reach;

    if (!text[0] || last < (double)away.first || first > (double)(away.end - 1))
      c->start[c->along++] = at;
  }
  fm_check(c->along, c->run->comm.world, PETSC_ERR_USER,
           "-patch_exclude %s leaves no place for a patch of %lld traces", text,
           (long long)c->columns);
  PetscFunctionReturn(0);
}

static PetscErrorCode read_stride(fm_cutting *c, PetscBool given) {
  PetscFunctionBegin;
  c->stride[0] = c->rows;
  c->stride[1] = c->columns;
  if (given)
    PetscCall(fm_option_shape("patch_stride", "samples and traces between patches as NTxNX",
                              c->stride));
  fm_check(c->stride[0] >= 1 && c->stride[1] >= 1, c->run->comm.world, PETSC_ERR_USER,
           "-patch_stride %lldx%lld: at least 1x1", (long long)c->stride[0],
           (long long)c->stride[1]);
  PetscFunctionReturn(0);
}

static PetscErrorCode read_count(fm_cutting *c) {
  PetscBool by_stride;

  PetscFunctionBegin;
  PetscCall(fm_option_given("patch_stride", &by_stride));
  PetscCall(fm_option_flag("patch_mirror", &c->mirror));
  PetscCall(fm_option_integer_in("patch_count", 0, (int64_t)1 << 40, &c->count));
  fm_check(!by_stride || !c->count, c->run->comm.world, PETSC_ERR_USER,
           "-patch_count %lld asks for random places and -patch_stride for regular ones: give "
           "one of them",
           (long long)c->count);
  c->at_random = c->count ? PETSC_TRUE : PETSC_FALSE;
  PetscCall(read_stride(c, by_stride));
  PetscCall(find_starts(c, c->at_random ? 1 : c->stride[1]));
  if (!c->at_random)
    c->count =
        c->along * places(c->s.end - c->s.first, c->rows, c->stride[0]) * (c->mirror ? 2 : 1);
  PetscFunctionReturn(0);
}

static PetscErrorCode read_window(fm_cutting *c) {
  int64_t shape[2];

  PetscFunctionBegin;
  PetscCall(fm_option_shape("patch_shape", "samples and traces of a patch as NTxNX", shape));
  c->rows = shape[0];
  c->columns = shape[1];
  fm_check(c->rows >= 1 && c->columns >= 1 && c->rows <= c->s.end - c->s.first &&
               c->columns <= c->t.end - c->t.first,
           c->run->comm.world, PETSC_ERR_USER,
           "-patch_shape %lldx%lld does not fit: the window has %lld samples and %lld traces",
           (long long)c->rows, (long long)c->columns, (long long)(c->s.end - c->s.first),
           (long long)(c->t.end - c->t.first));
  PetscCall(read_count(c));
  PetscFunctionReturn(0);
}

/* ---- a section, not a cube ---- */

static int by_number(const void *a, const void *b) {
  const int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;

  return (x > y) - (x < y);
}

/* different numbers among n of them, which are sorted on the way */
static int64_t different(int64_t n, int32_t *number) {
  int64_t count = n > 0;

  qsort(number, (size_t)n, sizeof(*number), by_number);
  for (int64_t i = 1; i < n; i++) count += number[i] != number[i - 1];
  return count;
}

/* different inlines and crosslines of traces [first, first + n); scratch [n] */
static void count_lines(const int32_t *lines, int64_t first, int64_t n, int32_t *scratch,
                        int64_t count[2]) {
  for (int k = 0; k < 2; k++) {
    for (int64_t i = 0; i < n; i++) scratch[i] = lines[2 * (first + i) + k];
    count[k] = different(n, scratch);
  }
}

/* Leading traces of one inline (k 0) or crossline (1). */
static int64_t leading(const fm_cutting *c, const int32_t *lines, int k) {
  int64_t end = 1;

  while (end < c->traces && lines[2 * end + k] == lines[k]) end++;
  return end;
}

/* A cube has several traces of each line in both directions; a section is one line of it. */
static PetscErrorCode refuse_cube(const fm_cutting *c, const int32_t *lines, int32_t *scratch) {
  const int k = leading(c, lines, 1) > leading(c, lines, 0) ? 1 : 0;
  int64_t all[2], window[2];

  PetscFunctionBegin;
  count_lines(lines, 0, c->traces, scratch, all);
  count_lines(lines, c->t.first, c->t.end - c->t.first, scratch, window);
  if (all[0] == 1 || all[1] == 1 || 2 * all[0] > c->traces || 2 * all[1] > c->traces ||
      window[0] == 1 || window[1] == 1)
    PetscFunctionReturn(0);
  SETERRQ(c->run->comm.world, PETSC_ERR_USER,
          "'%s' is a cube of %lld inlines and %lld crosslines, and patches are cut from one "
          "line: choose its traces, such as the first, %s %d, with -patch_traces 0:%lld",
          c->path, (long long)all[0], (long long)all[1], k ? "crossline" : "inline",
          (int)lines[k], (long long)leading(c, lines, k));
}

static PetscErrorCode check_lines(const fm_cutting *c, fm_segy *segy) {
  PetscErrorCode code;
  int32_t *lines;

  PetscFunctionBegin;
  PetscCall(fm_calloc(3 * c->traces, &lines));
  code = fm_segy_read_lines(segy, 0, c->traces, lines);
  if (!code) code = refuse_cube(c, lines, lines + 2 * c->traces);
  PetscCall(PetscFree(lines));
  PetscCall(code);
  PetscFunctionReturn(0);
}

/* Its place comes first: a window that leaves the file is said as that. */
static PetscErrorCode read_place(fm_cutting *c, fm_segy *segy) {
  PetscFunctionBegin;
  PetscCall(fm_patches_range(c, "patch_traces", "traces", c->traces, &c->t));
  PetscCall(check_lines(c, segy));
  PetscCall(fm_patches_range(c, "patch_samples", "samples a trace", c->samples, &c->s));
  PetscCall(read_window(c));
  PetscFunctionReturn(0);
}

static PetscErrorCode read_segy(fm_cutting *c) {
  fm_segy *segy;
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(fm_segy_open(c->run->comm.world, c->path, &segy));
  c->traces = fm_segy_traces(segy);
  c->samples = fm_segy_samples(segy);
  fm_log("'%s': %lld traces of %lld samples, %g ms", c->path, (long long)c->traces,
         (long long)c->samples, 1e3 * fm_segy_dt(segy));
  code = read_place(c, segy);
  if (!code) code = fm_calloc((c->t.end - c->t.first) * c->samples, &c->window);
  if (!code) code = fm_segy_read_traces(segy, c->t.first, c->t.end - c->t.first, c->window);
  PetscCall(fm_segy_close(&segy));
  PetscCall(code);
  PetscFunctionReturn(0);
}

/* What a SEG-Y section has no use for. */
static PetscErrorCode refuse_resampling(const fm_cutting *c) {
  static const char *const names[] = {"section_spacing", "patch_every", "patch_spacing",
                                      "patch_average"};
  PetscBool given;

  PetscFunctionBegin;
  for (int k = 0; k < 4; k++) {
    PetscCall(fm_option_given(names[k], &given));
    fm_check(!given, c->run->comm.world, PETSC_ERR_USER,
             "-%s is for models of -section: a SEG-Y section is not resampled", names[k]);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode read_section(fm_cutting *c) {
  const char *segy, *model;

  PetscFunctionBegin;
  PetscCall(fm_option_text("segy", &segy));
  PetscCall(fm_option_text("section", &model));
  c->path = model[0] ? model : segy;
  PetscCall(fm_run_not_over(c->run, "patches.h5", "patch_scale_from"));
  PetscCall(fm_run_not_over(c->run, "patches.h5", "section"));
  fm_check(c->path[0], c->run->comm.world, PETSC_ERR_USER,
           "no section: give -segy FILE.sgy (post-stack SEG-Y) or -section FILE.h5:/dataset");
  fm_check(!segy[0] || !model[0], c->run->comm.world, PETSC_ERR_USER,
           "-segy and -section both name a section: give one of them");
  if (!model[0]) {
    PetscCall(refuse_resampling(c));
    PetscCall(read_segy(c));
    PetscFunctionReturn(0);
  }
  PetscCall(fm_patches_model(c));
  PetscCall(read_window(c));
  PetscFunctionReturn(0);
}

/* ---- patches ---- */

/* the place that patch i is at, counted without mirror images */
static int64_t place_of(const fm_cutting *c, int64_t i) {
  return c->mirror && !c->at_random ? i / 2 : i;
}

static PetscBool is_mirrored(const fm_cutting *c, int64_t i) {
  double u[3];

  if (!c->mirror) return PETSC_FALSE;
  if (!c->at_random) return i % 2 ? PETSC_TRUE : PETSC_FALSE;
  fm_rng_uniform((fm_rng){c->run->seed, FM_STREAM_MODEL}, 0, (uint64_t)i, 3, u);
  return u[2] < 0.5 ? PETSC_TRUE : PETSC_FALSE;
}

/* first sample and first trace of patch i, in the section */
static void corner(const fm_cutting *c, int64_t i, int64_t at[2]) {
  double u[2];

  if (!c->at_random) {
    i = place_of(c, i);
    at[0] = c->s.first + i / c->along * c->stride[0];
    at[1] = c->start[i % c->along];
    return;
  }
  fm_rng_uniform((fm_rng){c->run->seed, FM_STREAM_MODEL}, 0, (uint64_t)i, 2, u);
  at[0] = c->s.first + (int64_t)(u[0] * (double)(c->s.end - c->s.first - c->rows + 1));
  at[1] = c->start[(int64_t)(u[1] * (double)c->along)];
}

/* the sample of row r and column k of a patch at `at` */
static double sample_of(const fm_cutting *c, const int64_t at[2], int64_t r, int64_t k) {
  return (double)c->window[(at[1] - c->t.first + k) * c->samples + at[0] + r];
}

/* the root mean square of all samples of all patches: amplitudes have mean 0, and none is taken
   from them; the same sum on every rank */
static double root_mean_square(const fm_cutting *c) {
  double sum = 0.;

  for (int64_t i = 0; i < c->count; i++) {
    double one = 0.;
    int64_t at[2];

    corner(c, i, at);
    for (int64_t k = 0; k < c->columns; k++)
      for (int64_t r = 0; r < c->rows; r++)
        one += sample_of(c, at, r, k) * sample_of(c, at, r, k);
    sum += one / (double)(c->rows * c->columns);
  }
  return sqrt(sum / (double)c->count);
}

static PetscBool is_constant(const fm_cutting *c, const int64_t at[2]) {
  const double first = sample_of(c, at, 0, 0);

  for (int64_t k = 0; k < c->columns; k++)
    for (int64_t r = 0; r < c->rows; r++)
      if (sample_of(c, at, r, k) != first) return PETSC_FALSE;
  return PETSC_TRUE;
}

/* Muted or dead traces teach a flow nothing and have no density. */
static void warn_of_constants(const fm_cutting *c) {
  int64_t count = 0;

  for (int64_t i = 0; i < c->count; i++) {
    int64_t at[2];

    corner(c, i, at);
    if (c->rows * c->columns > 1) count += is_constant(c, at);
  }
  if (count)
    fm_warn("%lld of %lld patches are constant (muted or dead traces?): choose another window "
            "with -patch_traces or -patch_samples",
            (long long)count, (long long)c->count);
}

static PetscErrorCode find_scale(fm_cutting *c) {
  const char *from;
  fm_store *store;
  PetscErrorCode code;
  PetscBool divide;

  PetscFunctionBegin;
  PetscCall(fm_option_text("patch_scale_from", &from));
  PetscCall(fm_option_flag("patch_divide", &divide));
  fm_check(divide || !from[0], c->run->comm.world, PETSC_ERR_USER,
           "-patch_divide false divides by nothing and -patch_scale_from %s by its scale: give "
           "one of them",
           from);
  c->scale = 1;
  if (!divide) PetscFunctionReturn(0);
  if (!from[0]) {
    c->scale = root_mean_square(c);
    fm_check(c->scale > 0, c->run->comm.world, PETSC_ERR_USER,
             "the patches of '%s' are zero everywhere: choose another window", c->path);
    PetscFunctionReturn(0);
  }
  PetscCall(fm_store_open(c->run->comm.world, from, &store));
  code = fm_store_get_real(store, "/x", "scale", &c->scale);
  PetscCall(fm_store_close(&store));
  PetscCall(code);
  fm_check(c->scale > 0 && isfinite(c->scale), c->run->comm.world, PETSC_ERR_USER,
           "the attribute scale of /x in '%s' is %g, expected a positive number", from,
           c->scale);
  PetscFunctionReturn(0);
}

/* ---- the file ---- */

/* what the file says of patch i: first sample and trace, in the numbers of the section's
   file */
static void say_corner(const fm_cutting *c, const int64_t at[2], int64_t out[2]) {
  for (int k = 0; k < 2; k++)
    out[k] = (int64_t)floor(c->origin[k] + (double)at[k] * c->step[k] + 0.5);
}

static void cut(const fm_cutting *c, int64_t first, int64_t nb, fm_real *x, int64_t *corners,
                int64_t *mirrored) {
  for (int64_t i = 0; i < nb; i++) {
    int64_t at[2];

    corner(c, first + i, at);
    say_corner(c, at, corners + 2 * i);
    mirrored[i] = is_mirrored(c, first + i);
    for (int64_t r = 0; r < c->rows; r++)
      for (int64_t k = 0; k < c->columns; k++) {
        const int64_t from = mirrored[i] ? c->columns - 1 - k : k;

        *x++ = (fm_real)(sample_of(c, at, r, from) / c->scale);
      }
  }
}

/* My rows, block by block; every rank makes as many collective writes as the one with the most
   rows. Only the first rank of a space communicator writes. */
static PetscErrorCode write_rows(fm_cutting *c) {
  const int64_t size = c->rows * c->columns;
  const int64_t block = PetscMax((int64_t)1, BLOCK_BYTES / (size * (int64_t)sizeof(fm_real)));
  int64_t first, count, most, *at, *mirrored;
  PetscMPIInt space;
  fm_real *x;

  PetscFunctionBegin;
  PetscCall(fm_comm_share(&c->run->comm, c->count, &first, &count));
  PetscCallMPI(MPI_Allreduce(&count, &most, 1, MPI_INT64_T, MPI_MAX, c->run->comm.world));
  PetscCallMPI(MPI_Comm_rank(c->run->comm.space, &space));
  PetscCall(PetscMalloc3(PetscMin(block, most) * size, &x, 2 * PetscMin(block, most), &at,
                         PetscMin(block, most), &mirrored));
  for (int64_t done = 0; done < most; done += block) {
    const int64_t nb = space ? 0 : PetscMax(0, PetscMin(block, count - done));
    const int64_t row = first + PetscMin(done, count);

    cut(c, row, nb, x, at, mirrored);
    PetscCall(fm_store_write_rows(c->store, "/x", row, nb, x));
    PetscCall(fm_store_write_rows(c->store, "/corner", row, nb, at));
    if (c->mirror) PetscCall(fm_store_write_rows(c->store, "/mirrored", row, nb, mirrored));
  }
  PetscCall(PetscFree3(x, at, mirrored));
  PetscFunctionReturn(0);
}

static PetscErrorCode fill(fm_cutting *c) {
  PetscFunctionBegin;
  PetscCall(fm_store_set_text(c->store, "/", "settings", c->run->settings));
  PetscCall(fm_store_set_real(c->store, "/x", "scale", c->scale));
  PetscCall(fm_store_set_real(c->store, "/x", "mean", 0.));
  for (int k = 0; k < 2 && c->spacing[0] > 0; k++)
    PetscCall(fm_store_set_real(c->store, "/x", k ? "spacing_x" : "spacing_z", c->spacing[k]));
  PetscCall(fm_store_set_text(c->store, "/corner", "columns", "first sample, first trace"));
  PetscCall(write_rows(c));
  PetscFunctionReturn(0);
}

static PetscErrorCode write_patches(fm_cutting *c) {
  const fm_field field[] = {{"/x", FM_TYPE_REAL, 3, {1, c->rows, c->columns}},
                            {"/corner", FM_INT64, 1, {2}},
                            {"/mirrored", FM_INT64, 0, {0}}};
  char path[PETSC_MAX_PATH_LEN];
  int64_t low[2], high[2];
  PetscErrorCode error;

  PetscFunctionBegin;
  say_corner(c, (const int64_t[]){c->s.first, c->t.first}, low);
  say_corner(c, (const int64_t[]){c->s.end - 1, c->t.end - 1}, high);
  PetscCall(fm_run_path(c->run, "patches.h5", path));
  PetscCall(fm_store_create_rows(c->run->comm.world, path, c->mirror ? 3 : 2, field, c->count,
                                 &c->store));
  error = fill(c);
  if (error) PetscCall(fm_store_close(&c->store)); /* and its file is gone */
  PetscCall(error);
  PetscCall(fm_store_commit(&c->store, NULL));
  fm_log("wrote %lld patches of %lld x %lld (samples x traces) from sample %lld to %lld, trace "
         "%lld to %lld, divided by %g, to '%s'",
         (long long)c->count, (long long)c->rows, (long long)c->columns, (long long)low[0],
         (long long)high[0], (long long)low[1], (long long)high[1], c->scale, path);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_command_patches(fm_run *run) {
  fm_cutting c = {.run = run, .step = {1, 1}};
  PetscErrorCode error;

  PetscFunctionBegin;
  error = read_section(&c);
  if (!error) error = find_scale(&c);
  if (!error) warn_of_constants(&c);
  if (!error) error = write_patches(&c);
  PetscCall(PetscFree(c.window));
  PetscCall(PetscFree(c.start));
  PetscCall(error);
  PetscCall(fm_result(run->results, "patches", (double)c.count, "1"));
  PetscCall(fm_result(run->results, "scale", c.scale, "amplitude"));
  PetscFunctionReturn(0);
}
