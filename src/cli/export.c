/* export - an image, or several side by side, as a section of SEG-Y. */
#include "fathom/command.h"
#include "fathom/log.h"
#include "fathom/options.h"
#include "fathom/segy.h"
#include "fathom/store.h"
#include <math.h>

typedef struct {
  int64_t images, rows, columns; /* rows: time; columns: traces */
  double *data;                  /* [images][rows][columns] */
  float *trace;                  /* [images * columns][rows] */
  double dt, factor;
  fm_segy_format format;
} exporting;

/* the last two dimensions are the image's */
static PetscErrorCode read_images(fm_run *run, exporting *e) {
  int64_t shape[FM_STORE_NDIM];
  int ndim;

  PetscFunctionBegin;
  PetscCall(fm_store_option_array(run->comm.world, "images", &ndim, shape, &e->data));
  fm_check(ndim >= 2, run->comm.world, PETSC_ERR_USER,
           "export needs -images FILE:/dataset with images [...][time][trace]%s",
           ndim ? ": this has one dimension" : "");
  e->rows = shape[ndim - 2];
  e->columns = shape[ndim - 1];
  e->images = 1;
  for (int i = 0; i < ndim - 2; i++) e->images *= shape[i];
  fm_check(e->images * e->rows * e->columns > 0, run->comm.world, PETSC_ERR_USER,
           "-images holds no number");
  PetscFunctionReturn(0);
}

static PetscErrorCode read_options(exporting *e) {
  int format;

  PetscFunctionBegin;
  PetscCall(fm_option_choice("segy_format", "ibm|ieee", &format));
  e->format = format ? FM_SEGY_IEEE : FM_SEGY_IBM;
  PetscCall(fm_option_real_in("segy_dt", 1e-6, 0.032767, &e->dt)); /* 16 bits of us */
  PetscCall(fm_option_real("segy_factor", &e->factor));
  PetscFunctionReturn(0);
}

static void turn(const exporting *e) {
  for (int64_t i = 0; i < e->images; i++)
    for (int64_t k = 0; k < e->columns; k++)
      for (int64_t t = 0; t < e->rows; t++)
        e->trace[(i * e->columns + k) * e->rows + t] =
            (float)(e->factor * e->data[(i * e->rows + t) * e->columns + k]);
}

/* IBM and IEEE floats of four bytes end a little beyond 1e38. */
static PetscErrorCode check_amplitudes(const fm_run *run, const exporting *e) {
  const int64_t n = e->images * e->rows * e->columns;

  PetscFunctionBegin;
  for (int64_t i = 0; i < n; i++)
    fm_check(
        isfinite(e->trace[i]), run->comm.world, PETSC_ERR_USER,
        "sample %lld of trace %lld is beyond what a float of SEG-Y holds (3.4e38): a smaller "
        "-segy_factor than %g is needed",
        (long long)(i % e->rows), (long long)(i / e->rows), e->factor);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_command_export(fm_run *run) {
  char path[PETSC_MAX_PATH_LEN];
  exporting e = {0};

  PetscFunctionBegin;
  PetscCall(read_images(run, &e));
  PetscCall(read_options(&e));
  PetscCall(fm_calloc(e.images * e.rows * e.columns, &e.trace));
  turn(&e);
  PetscCall(check_amplitudes(run, &e));
  PetscCall(fm_run_path(run, "section.sgy", path));
  PetscCall(fm_segy_write(run->comm.world, path, e.format, e.images * e.columns, e.rows, e.dt,
                          e.trace));
  fm_log("wrote %lld traces of %lld samples to '%s'", (long long)(e.images * e.columns),
         (long long)e.rows, path);
  PetscCall(PetscFree(e.trace));
  PetscCall(PetscFree(e.data));
  PetscFunctionReturn(0);
}
