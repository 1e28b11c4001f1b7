/* sample - posterior samples x = T(z) in the user's units. */
#include "cli/maps.h"
#include "cli/mismatch.h"
#include "fathom/log.h"
#include "fathom/options.h"
#include <math.h>

/* Condition on -observed where it is given, else on what the checkpoint was refined at. */
static PetscErrorCode observe(const fm_run *run, fm_transport *t, const fm_real *theta) {
  int64_t shape[FM_STORE_NDIM], count = 1;
  double *y;
  int ndim;

  PetscFunctionBegin;
  if (!t->m) PetscFunctionReturn(0);
  PetscCall(fm_store_option_array(run->comm.world, "observed", &ndim, shape, &y));
  fm_check(
      y || t->condition, run->comm.world, PETSC_ERR_USER,
      "this checkpoint was pretrained for any data: give -observed y1,y2,... or FILE:/dataset");
  for (int d = 0; d < ndim; d++) count *= shape[d];
  fm_check(!y || count == t->m, run->comm.world, PETSC_ERR_USER,
           "-observed has %lld values, the flow is conditioned on %lld", (long long)count,
           (long long)t->m);
  if (y)
    PetscCall(fm_run_image_fits(run, "observed", ndim, shape, fm_flow_get_spec(t->flow)->y));
  if (y) PetscCall(fm_run_observe(t, theta, y));
  PetscCall(PetscFree(y));
  PetscFunctionReturn(0);
}

static PetscErrorCode generate(const fm_run *run, fm_transport *t, const fm_real *theta,
                               int64_t first, int64_t count, fm_real *x) {
  const int64_t block = fm_transport_block(t);
  fm_real *z, *logdet;

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(block * t->n, &z, block, &logdet));
  for (int64_t at = 0; at < count; at += block) {
    const int64_t nb = PetscMin(block, count - at);

    for (int64_t s = 0; s < nb; s++)
      fm_rng_normal((fm_rng){run->seed, FM_STREAM_SAMPLE}, 0, (uint64_t)(first + at + s),
                    (size_t)t->n, z + s * t->n);
    PetscCall(fm_transport_generate(t, theta, nb, z, x + at * t->n, logdet));
  }
  PetscCall(PetscFree2(z, logdet));
  PetscFunctionReturn(0);
}

/* Rows of /x in the shape of the unknown. */
static PetscErrorCode write_samples(const fm_run *run, const fm_transport *t, int64_t total,
                                    int64_t first, int64_t count, const fm_real *x) {
  const fm_shape shape = fm_flow_get_spec(t->flow)->x;
  fm_field field = {"/x", FM_TYPE_REAL, 1, {shape.c}};
  char path[PETSC_MAX_PATH_LEN];
  fm_store *store;

  PetscFunctionBegin;
  if (fm_shape_size(shape) != shape.c)
    field = (fm_field){"/x", FM_TYPE_REAL, 3, {shape.c, shape.n[0], shape.n[1]}};
  PetscCall(fm_run_path(run, "samples.h5", path));
  PetscCall(fm_store_create_rows(run->comm.world, path, 1, &field, total, &store));
  PetscCall(fm_store_set_text(store, "/", "settings", run->settings));
  PetscCall(fm_store_write_rows(store, "/x", first, count, x));
  PetscCall(fm_store_commit(&store, NULL));
  fm_log("wrote %lld samples to '%s'", (long long)total, path);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_command_sample(fm_run *run) {
  fm_transport *t;
  fm_real *theta, *x;
  int64_t total, first, count, block;
  PetscMPIInt space;
  double *truth;

  PetscFunctionBegin;
  PetscCall(fm_option_integer_in("samples", 1, (int64_t)1 << 40, &total));
  PetscCall(fm_run_load(run, &t, &theta));
  PetscCall(observe(run, t, theta));
  PetscCall(fm_maps_truth(run, t, &truth));
  block = fm_transport_block(t);
  PetscCall(fm_comm_share(&run->comm, (total + block - 1) / block, &first, &count));
  count = PetscMax(0, PetscMin(total, (first + count) * block) - first * block);
  first *= block;
  PetscCall(fm_calloc(count * t->n, &x));
  PetscCall(generate(run, t, theta, first, count, x));
  PetscCallMPI(MPI_Comm_rank(run->comm.space, &space));
  PetscCall(write_samples(run, t, total, PetscMin(first, total), space ? 0 : count, x));
  PetscCall(fm_result(run->results, "samples", (double)total, "1"));
  PetscCall(fm_maps(run, t, truth, total, count, x));
  PetscCall(PetscFree(truth));
  PetscCall(fm_judge_data(run, t));
  PetscCall(PetscFree(x));
  PetscCall(PetscFree(theta));
  PetscCall(fm_transport_destroy(&t));
  PetscFunctionReturn(0);
}
