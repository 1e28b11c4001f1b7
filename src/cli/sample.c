/* sample - posterior samples x = T(z) in the user's units. */
#include "cli/maps.h"
#include "cli/mismatch.h"
#include "cli/models.h"
#include "cli/sample_moves.h"
#include "fathom/log.h"
#include "fathom/options.h"
#include "fathom/stop.h"
#include <math.h>
#include <signal.h>

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

    fm_sample_latents(run->seed, t->n, first + at, nb, z);
    PetscCall(fm_transport_generate(t, theta, nb, z, x + at * t->n, logdet));
  }
  PetscCall(PetscFree2(z, logdet));
  PetscFunctionReturn(0);
}

/* ---- the problem, where the options have one ---- */

typedef struct {
  fm_target *target; /* NULL: not needed */
  int64_t moves;     /* of samples, with the target */
  fm_operator *op;   /* borrowed of target, or owned; NULL: none is given */
} problem;

/* Moves need the posterior of which the checkpoint was trained. */
static PetscErrorCode open_posterior(const fm_run *run, const fm_transport *t, problem *p) {
  PetscBool given;

  PetscFunctionBegin;
  PetscCall(fm_run_all_shots(run));
  PetscCall(fm_sample_problem_fits(run));
  PetscCall(fm_option_given("observed", &given));
  PetscCall(fm_target_create(&run->comm, t->n, t->m, given ? NULL : t->y, &p->target));
  PetscCall(fm_run_target_fits(run, t, p->target));
  PetscCall(fm_run_prior_fits(run, t));
  p->op = p->target->op;
  PetscFunctionReturn(0);
}

/* The operator says what models are; what the flow sees of data that it has to condition on
   needs the likelihood, too. */
static PetscErrorCode open_problem(const fm_run *run, const fm_transport *t, problem *p) {
  PetscBool observed;
  int condition;
  const char *op;

  PetscFunctionBegin;
  PetscCall(fm_option_text("operator", &op));
  PetscCall(fm_option_choice("condition", FM_CONDITIONS, &condition));
  PetscCall(fm_option_given("observed", &observed));
  fm_check(!p->moves || op[0], run->comm.world, PETSC_ERR_USER,
           "-moves %lld needs -operator, its data, noise and prior, as `refine` had them",
           (long long)p->moves);
  if (p->moves) {
    PetscCall(open_posterior(run, t, p));
    PetscFunctionReturn(0);
  }
  if (!op[0]) PetscFunctionReturn(0);
  if (condition && observed && t->m)
    PetscCall(fm_target_create(&run->comm, t->n, t->m, NULL, &p->target));
  if (p->target)
    p->op = p->target->op;
  else
    PetscCall(fm_operator_create(run->comm.space, op, &p->op));
  PetscFunctionReturn(0);
}

static PetscErrorCode close_problem(problem *p) {
  PetscFunctionBegin;
  if (p->op && !p->target) PetscCall(fm_operator_destroy(&p->op));
  PetscCall(fm_target_destroy(&p->target));
  PetscFunctionReturn(0);
}

/* The physical models that this operator's unknowns mean; nodes 0: none. */
static PetscErrorCode describe_models(fm_run *run, const fm_transport *t, const problem *p,
                                      fm_models *m) {
  int64_t n = 0, data;
  PetscBool given;

  PetscFunctionBegin;
  *m = (fm_models){run, p->op, fm_operator_model_grid(p->op), t->n, 0};
  if (p->op) PetscCall(fm_operator_sizes(p->op, &n, &data));
  fm_check(!p->op || n == t->n, run->comm.world, PETSC_ERR_USER,
           "the operator %s takes %lld unknowns, the flow has %lld",
           p->op ? fm_operator_describe(p->op) : "", (long long)n, (long long)t->n);
  m->nodes = m->grid.rows * m->grid.columns;
  PetscCall(fm_option_given("truth_model", &given));
  fm_check(!given || m->nodes, run->comm.world, PETSC_ERR_USER,
           "-truth_model is a model of -operator acoustic or born, in m/s: of this flow's "
           "unknowns -truth is known");
  PetscFunctionReturn(0);
}

/* ---- results ---- */

/* The grid of /model, as export reads it. */
static PetscErrorCode say_grid(const fm_models *m, fm_store *store) {
  PetscFunctionBegin;
  PetscCall(fm_store_set_real(store, "/model", "spacing_z", m->grid.spacing[0]));
  PetscCall(fm_store_set_real(store, "/model", "spacing_x", m->grid.spacing[1]));
  PetscCall(fm_store_set_text(store, "/model", "unit", m->grid.unit));
  PetscFunctionReturn(0);
}

/* Rows of /x in the shape of the unknown, of /model in that of the models; a rank may have
   none. */
static PetscErrorCode write_samples(const fm_models *m, const fm_transport *t, int64_t total,
                                    int64_t first, int64_t count, const fm_real *x,
                                    const fm_real *model) {
  const fm_shape shape = fm_flow_get_spec(t->flow)->x;
  fm_field field[2] = {{"/x", FM_TYPE_REAL, 1, {shape.c}},
                       {"/model", FM_TYPE_REAL, 2, {m->grid.rows, m->grid.columns}}};
  char path[PETSC_MAX_PATH_LEN];
  fm_store *store;

  PetscFunctionBegin;
  if (fm_shape_size(shape) != shape.c)
    field[0] = (fm_field){"/x", FM_TYPE_REAL, 3, {shape.c, shape.n[0], shape.n[1]}};
  PetscCall(fm_run_path(m->run, "samples.h5", path));
  PetscCall(
      fm_store_create_rows(m->run->comm.world, path, m->nodes ? 2 : 1, field, total, &store));
  PetscCall(fm_store_set_text(store, "/", "settings", m->run->settings));
  if (m->nodes) PetscCall(say_grid(m, store));
  PetscCall(fm_store_write_rows(store, "/x", first, count, x));
  if (m->nodes) PetscCall(fm_store_write_rows(store, "/model", first, count, model));
  PetscCall(fm_store_commit(&store, NULL));
  fm_log("wrote %lld samples to '%s'", (long long)total, path);
  PetscFunctionReturn(0);
}

static PetscErrorCode say_samples(const fm_models *m, const fm_transport *t, int64_t total,
                                  int64_t first, int64_t count, const fm_real *x,
                                  const double *truth) {
  fm_real *model = NULL;
  PetscMPIInt space;

  PetscFunctionBegin;
  if (m->nodes) PetscCall(fm_models_of(m, count, x, &model));
  PetscCallMPI(MPI_Comm_rank(m->run->comm.space, &space));
  PetscCall(write_samples(m, t, total, first, space ? 0 : count, x, model));
  PetscCall(fm_result(m->run->results, "samples", (double)total, "1"));
  if (m->nodes)
    PetscCall(fm_models_maps(m, total, count, model));
  else
    PetscCall(fm_maps(m->run, t, truth, total, count, x));
  PetscCall(PetscFree(model));
  PetscFunctionReturn(0);
}

static PetscErrorCode draw(fm_run *run, fm_transport *t, const fm_real *theta, const problem *p,
                           const fm_models *m) {
  int64_t total, first, count;
  double *truth;
  fm_real *x;

  PetscFunctionBegin;
  PetscCall(fm_option_integer_in("samples", 1, (int64_t)1 << 40, &total));
  PetscCall(fm_maps_truth(run, t, &truth));
  if (p->moves)
    PetscCall(fm_comm_share(&run->comm, total, &first, &count));
  else
    PetscCall(fm_comm_share_blocks(&run->comm, total, fm_transport_block(t), &first, &count));
  PetscCall(fm_calloc(count * t->n, &x));
  if (p->moves)
    PetscCall(fm_sample_moves(run, p->target, t, theta, p->moves, total, first, count, x));
  else
    PetscCall(generate(run, t, theta, first, count, x));
  if (!run->stopped) PetscCall(say_samples(m, t, total, first, count, x, truth));
  PetscCall(PetscFree(truth));
  PetscCall(PetscFree(x));
  PetscFunctionReturn(0);
}

/* Moves are left with a file; without them a batch system's warning has nothing to save. */
static void mind_signals(int64_t moves) {
  if (moves)
    fm_stop_watch();
  else
    (void)signal(SIGUSR1, SIG_IGN);
}

PetscErrorCode fm_command_sample(fm_run *run) {
  fm_transport *t;
  fm_models models;
  fm_real *theta;
  problem p = {0};

  PetscFunctionBegin;
  PetscCall(fm_option_integer_in("moves", 0, 1 << 20, &p.moves));
  mind_signals(p.moves);
  PetscCall(fm_run_load(run, &t, &theta));
  PetscCall(open_problem(run, t, &p));
  if (p.target && t->m)
    PetscCall(fm_run_observe(t, theta, p.target->seen));
  else if (!p.target)
    PetscCall(observe(run, t, theta));
  PetscCall(describe_models(run, t, &p, &models));
  PetscCall(draw(run, t, theta, &p, &models));
  PetscCall(fm_judge_data(run, p.target, t));
  PetscCall(close_problem(&p));
  PetscCall(PetscFree(theta));
  PetscCall(fm_transport_destroy(&t));
  PetscFunctionReturn(0);
}
