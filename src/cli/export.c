/* export - images of a file, or several side by side, as a section of SEG-Y in time or in
   depth, or shots with their sources and receivers. */
#include "fathom/command.h"
#include "fathom/log.h"
#include "fathom/options.h"
#include "fathom/segy.h"
#include "fathom/store.h"
#include <math.h>

typedef struct {
  MPI_Comm world;
  int64_t images, rows, columns; /* rows: time or depth; columns: traces */
  int64_t traces;                /* images * columns */
  double *data;                  /* [images][rows][columns]; shots: [traces][rows] */
  float *trace;                  /* [traces][rows] */
  double factor, dz, dx;         /* dz 0: the section is in time */
  double origin[2];              /* Z, X of the first sample and trace in m */
  double *cdp;                   /* [traces], in depth */
  fm_segy_trace *header;         /* [traces], of shots */
  fm_segy_content content;
} exporting;

static PetscErrorCode read_data(exporting *e, int *ndim, int64_t *shape) {
  PetscFunctionBegin;
  PetscCall(fm_store_option_array(e->world, "images", ndim, shape, &e->data));
  fm_check(*ndim, e->world, PETSC_ERR_USER,
           "export needs -images FILE:/dataset with images [...][time][trace]");
  PetscFunctionReturn(0);
}

/* ---- sections ---- */

/* the last two dimensions are the image's */
static PetscErrorCode shape_images(exporting *e, int ndim, const int64_t *shape) {
  int64_t most;

  PetscFunctionBegin;
  fm_check(ndim >= 2, e->world, PETSC_ERR_USER,
           "export needs -images FILE:/dataset with images [...][time][trace]: this has one "
           "dimension");
  e->rows = shape[ndim - 2];
  e->columns = shape[ndim - 1];
  e->images = 1;
  for (int i = 0; i < ndim - 2; i++) e->images *= shape[i];
  PetscCall(fm_option_integer_in("export_images", 0, INT64_MAX, &most));
  if (most) e->images = PetscMin(e->images, most);
  e->traces = e->images * e->columns;
  fm_check(e->traces * e->rows > 0, e->world, PETSC_ERR_USER, "-images holds no number");
  PetscFunctionReturn(0);
}

static void turn(const exporting *e) {
  for (int64_t i = 0; i < e->images; i++)
    for (int64_t k = 0; k < e->columns; k++)
      for (int64_t t = 0; t < e->rows; t++)
        e->trace[(i * e->columns + k) * e->rows + t] =
            (float)(e->factor * e->data[(i * e->rows + t) * e->columns + k]);
}

/* An attribute of the dataset that -images names; 0 where there is none. */
static PetscErrorCode attribute(const exporting *e, const char *name, double *value) {
  char file[PETSC_MAX_PATH_LEN], object[PETSC_MAX_PATH_LEN];
  const char *text, *rest;
  fm_store *store;
  PetscBool has;
  int64_t row;

  PetscFunctionBegin;
  *value = 0;
  PetscCall(fm_option_text("images", &text));
  PetscCall(fm_store_split(e->world, text, file, &rest));
  if (!rest) PetscFunctionReturn(0);
  PetscCall(PetscStrncpy(object, rest, sizeof(object)));
  PetscCall(fm_store_open(e->world, file, &store));
  PetscCall(fm_store_split_row(e->world, store, object, &row));
  PetscCall(fm_store_has_attribute(store, object, name, &has));
  if (has) PetscCall(fm_store_get_real(store, object, name, value));
  PetscCall(fm_store_close(&store));
  PetscFunctionReturn(0);
}

/* -export_spacing, else what the dataset says; dz 0: in time. */
static PetscErrorCode read_spacing(exporting *e) {
  int64_t shape[FM_STORE_NDIM];
  double *given;
  int ndim;

  PetscFunctionBegin;
  PetscCall(fm_store_option_array(e->world, "export_spacing", &ndim, shape, &given));
  fm_check(!ndim || (ndim == 1 && shape[0] <= 2), e->world, PETSC_ERR_USER,
           "-export_spacing takes H or DZ,DX in m");
  if (ndim) {
    e->dz = given[0];
    e->dx = given[shape[0] - 1];
    PetscCall(PetscFree(given));
  } else {
    PetscCall(attribute(e, "spacing_z", &e->dz));
    PetscCall(attribute(e, "spacing_x", &e->dx));
  }
  fm_check((e->dz > 0 && e->dx > 0) || (!ndim && e->dz == 0 && e->dx == 0), e->world,
           PETSC_ERR_USER, "the spacing of an image in depth must be positive, not %.6g,%.6g m",
           e->dz, e->dx);
  fm_check(e->dz < 65.5355, e->world, PETSC_ERR_USER,
           "a section of SEG-Y in depth has samples every 65.535 m at the most, not every %.6g",
           e->dz);
  PetscFunctionReturn(0);
}

static PetscErrorCode set_depth(exporting *e) {
  fm_segy_content *c = &e->content;
  PetscBool given;

  PetscFunctionBegin;
  PetscCall(fm_option_given("segy_dt", &given));
  fm_check(!given, e->world, PETSC_ERR_USER,
           "-segy_dt is for sections in time, the image has a spacing of %.6g m: leave one of "
           "them out",
           e->dz);
  PetscCall(fm_calloc(e->traces, &e->cdp));
  for (int64_t i = 0; i < e->traces; i++)
    e->cdp[i] = e->origin[1] + (double)(i % e->columns) * e->dx;
  c->dt = 1e-3 * e->dz;
  c->delay = 1e-3 * e->origin[0];
  c->cdp = e->cdp;
  c->text[1] = "DEPTH SECTION: THE SAMPLE INTERVAL IS IN MILLIMETRES, WHERE SECTIONS";
  c->text[2] = "IN TIME HAVE MICROSECONDS; BYTES 109: DEPTH OF THE FIRST SAMPLE IN M;";
  c->text[3] = "BYTES 181 (CDP X): DISTANCE ALONG THE LINE, M BY THE SCALAR OF BYTES 71";
  PetscFunctionReturn(0);
}

static PetscErrorCode prepare_section(exporting *e, int ndim, const int64_t *shape) {
  PetscFunctionBegin;
  PetscCall(shape_images(e, ndim, shape));
  PetscCall(read_spacing(e));
  PetscCall(fm_calloc(e->traces * e->rows, &e->trace));
  turn(e);
  if (e->dz > 0) PetscCall(set_depth(e));
  PetscFunctionReturn(0);
}

/* ---- shots ---- */

/* Pairs (z, x) of an option; *shots 1: the same for all. */
static PetscErrorCode read_places(const exporting *e, const char *option, int64_t *shots,
                                  int64_t *points, double **places) {
  int64_t shape[FM_STORE_NDIM], count = 1;
  int ndim;

  PetscFunctionBegin;
  PetscCall(fm_store_option_array(e->world, option, &ndim, shape, places));
  for (int d = 0; d < ndim; d++) count *= shape[d];
  fm_check(ndim && count > 0 && count % 2 == 0 && ndim <= 3, e->world, PETSC_ERR_USER,
           "-export_shots needs -%s: z,x,z,x,... in m, or FILE:/dataset of shape [n][2]",
           option);
  *shots = ndim == 3 ? shape[0] : 1;
  *points = count / 2 / *shots;
  PetscFunctionReturn(0);
}

static void set_place(const exporting *e, const double *at, double place[3]) {
  place[0] = e->origin[1] + at[1];
  place[1] = 0;
  place[2] = -(e->origin[0] + at[0]);
}

static PetscErrorCode set_headers(exporting *e, int64_t *nshot, int64_t *nreceiver) {
  double *source, *receiver;
  int64_t one, each;

  PetscFunctionBegin;
  PetscCall(read_places(e, "acoustic_sources", &one, nshot, &source));
  PetscCall(read_places(e, "acoustic_receivers", &each, nreceiver, &receiver));
  fm_check(one == 1 && (each == 1 || each == *nshot), e->world, PETSC_ERR_USER,
           "-acoustic_receivers are of %lld shots, -acoustic_sources of %lld", (long long)each,
           (long long)*nshot);
  e->traces = *nshot * *nreceiver;
  PetscCall(fm_calloc(e->traces, &e->header));
  for (int64_t i = 0; i < e->traces; i++) {
    const int64_t shot = i / *nreceiver, heard = each > 1 ? i : i % *nreceiver;
    fm_segy_trace *h = e->header + i;

    set_place(e, source + 2 * shot, h->source);
    set_place(e, receiver + 2 * heard, h->receiver);
    h->depth = -h->source[2]; /* below datum, where the surface is */
    h->source[2] = 0;
    h->record = shot + 1;
    h->id = 1;
  }
  PetscCall(PetscFree(source));
  PetscCall(PetscFree(receiver));
  PetscFunctionReturn(0);
}

static PetscErrorCode prepare_shots(exporting *e, int ndim, const int64_t *shape) {
  int64_t count = 1, nshot, nreceiver;

  PetscFunctionBegin;
  for (int d = 0; d < ndim; d++) count *= shape[d];
  PetscCall(set_headers(e, &nshot, &nreceiver));
  e->rows = count / e->traces;
  fm_check(count > 0 && count % e->traces == 0, e->world, PETSC_ERR_USER,
           "-images has %lld numbers, which are no traces of %lld shots of %lld receivers",
           (long long)count, (long long)nshot, (long long)nreceiver);
  PetscCall(fm_calloc(count, &e->trace));
  for (int64_t i = 0; i < count; i++) e->trace[i] = (float)(e->factor * e->data[i]);
  e->content.trace = e->header;
  PetscFunctionReturn(0);
}

/* ---- the file ---- */

static PetscErrorCode read_options(exporting *e) {
  int64_t shape[FM_STORE_NDIM];
  double *origin;
  int format, ndim;

  PetscFunctionBegin;
  PetscCall(fm_option_choice("segy_format", "ibm|ieee", &format));
  e->content.format = format ? FM_SEGY_IEEE : FM_SEGY_IBM;
  PetscCall(fm_option_real_in("segy_dt", 1e-6, 0.032767, &e->content.dt)); /* 16 bits of us */
  PetscCall(fm_option_real("segy_factor", &e->factor));
  PetscCall(fm_store_option_array(e->world, "export_origin", &ndim, shape, &origin));
  fm_check(ndim == 1 && shape[0] == 2, e->world, PETSC_ERR_USER,
           "-export_origin takes Z,X in m");
  for (int d = 0; d < 2; d++) e->origin[d] = origin[d];
  PetscCall(PetscFree(origin));
  PetscFunctionReturn(0);
}

/* IBM and IEEE floats of four bytes end a little beyond 1e38. */
static PetscErrorCode check_amplitudes(const exporting *e) {
  const int64_t n = e->traces * e->rows;

  PetscFunctionBegin;
  for (int64_t i = 0; i < n; i++)
    fm_check(
        isfinite(e->trace[i]), e->world, PETSC_ERR_USER,
        "sample %lld of trace %lld is beyond what a float of SEG-Y holds (3.4e38): a smaller "
        "-segy_factor than %g is needed",
        (long long)(i % e->rows), (long long)(i / e->rows), e->factor);
  PetscFunctionReturn(0);
}

static PetscErrorCode write_file(fm_run *run, exporting *e) {
  char path[PETSC_MAX_PATH_LEN];
  const char *name;

  PetscFunctionBegin;
  PetscCall(check_amplitudes(e));
  PetscCall(fm_option_text("images", &name));
  e->content.text[0] = name;
  e->content.traces = e->traces;
  e->content.samples = e->rows;
  PetscCall(fm_run_path(run, e->header ? "shots.sgy" : "section.sgy", path));
  PetscCall(fm_segy_write_content(run->comm.world, path, &e->content, e->trace));
  fm_log("wrote %lld traces of %lld samples to '%s'", (long long)e->traces, (long long)e->rows,
         path);
  if (e->dz > 0)
    fm_log("in depth: a sample is %.6g m, a trace %.6g m, from z = %.6g and x = %.6g m", e->dz,
           e->dx, e->origin[0], e->origin[1]);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_command_export(fm_run *run) {
  exporting e = {.world = run->comm.world};
  int64_t shape[FM_STORE_NDIM];
  PetscBool shots;
  int ndim;

  PetscFunctionBegin;
  PetscCall(read_data(&e, &ndim, shape));
  PetscCall(read_options(&e));
  PetscCall(fm_option_flag("export_shots", &shots));
  if (shots)
    PetscCall(prepare_shots(&e, ndim, shape));
  else
    PetscCall(prepare_section(&e, ndim, shape));
  PetscCall(write_file(run, &e));
  PetscCall(PetscFree(e.cdp));
  PetscCall(PetscFree(e.header));
  PetscCall(PetscFree(e.trace));
  PetscCall(PetscFree(e.data));
  PetscFunctionReturn(0);
}
