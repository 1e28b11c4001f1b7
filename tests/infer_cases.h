/* The problems on which objectives, trainers and checkpoints are tested: the toy, the linear-
   Gaussian row of golds/linear_gaussian.txt, and one whose operator fails for some models. */
#ifndef INFER_CASES_H
#define INFER_CASES_H

#include "fathom/diagnostics.h"
#include "fathom/options.h"
#include "fathom/trainer.h"
#include "fm_test.h"

#define LG_N 8
#define LG_M 6
#define TOY_EVIDENCE (-4.00060)

/* What the command line declares besides. */
static const fm_option infer_options[] = {
    {"operator", FM_OPTION_TEXT, "", "", "forward operator"},
    {"prior", FM_OPTION_TEXT, "", "", "prior"},
    {"observed", FM_OPTION_ARRAY, "", "", "observed data"},
    {NULL, FM_OPTION_FLAG, NULL, NULL, NULL}};

typedef struct infer_problem {
  int64_t n, m;
  const char *options[9][2];    /* ends with a NULL name; a NULL value: from the golds */
  double mean[LG_N], std[LG_N]; /* whitening of x */
} infer_problem;

static const infer_problem toy = {2,
                                  2,
                                  {{"-operator", "dense"},
                                   {"-prior", "rosenbrock"},
                                   {"-dense_matrix", "0.97184667938860603,-0.23559919500329846,"
                                                     "0.17669939625247383,0.73624748438530763"},
                                   {"-noise_std", "0.4"},
                                   {"-observed", "1.2012965787640182,2.9983887300461785"}},
                                  {0.3, 1.1},
                                  {1.2, 1.7}};

static const infer_problem linear_gaussian = {LG_N,
                                              LG_M,
                                              {{"-operator", "dense"},
                                               {"-prior", "gaussian"},
                                               {"-gaussian_mean", "3.14"},
                                               {"-gaussian_std", "3"},
                                               {"-dense_rows", "6"},
                                               {"-dense_matrix", NULL},
                                               {"-noise_std", "0.31622776601683794"},
                                               {"-observed", NULL}},
                                              {3.14, 3, 2, 3.5, 1, 4, 3.1, 2.9},
                                              {3, 2.5, 2, 3, 1.5, 3.5, 3, 2}};

/* F(x) overflows where |x_i| > DBL_MAX/1e308 = 1.797...: those samples fail. */
#define CLIFF_AT 1.7976931348623157
static const infer_problem cliff = {2,
                                    2,
                                    {{"-operator", "dense"},
                                     {"-prior", "gaussian"},
                                     {"-gaussian_mean", "0"},
                                     {"-gaussian_std", "1"},
                                     {"-dense_matrix", "1e308,0,0,1e308"},
                                     {"-noise_std", "1e307"},
                                     {"-observed", "0,0"}},
                                    {0.1, -0.2},
                                    {1.1, 0.9}};

/* ---- golds ---- */

/* The line "NAME v1,v2,..." of golds/linear_gaussian.txt, without the name. */
static inline const char *gold_text(const char *name) {
  static char line[8192];
  const char *root = getenv("FATHOM_SOURCE"), *slash = strrchr(__FILE__, '/');
  char path[1024];
  FILE *file;

  if (root)
    snprintf(path, sizeof(path), "%s/tests/golds/linear_gaussian.txt", root);
  else
    snprintf(path, sizeof(path), "%.*s/golds/linear_gaussian.txt",
             slash ? (int)(slash - __FILE__) : 1, slash ? __FILE__ : ".");
  file = fopen(path, "r");
  if (!file) fail_msg("no %s (FATHOM_SOURCE says where the source is)", path);
  while (fgets(line, sizeof(line), file)) {
    const size_t length = strlen(name);

    line[strcspn(line, "\n")] = 0;
    if (strncmp(line, name, length) || line[length] != ' ') continue;
    fclose(file);
    return line + length + 1;
  }
  fclose(file);
  fail_msg("no %s in %s", name, path);
  return NULL;
}

static inline void gold(const char *name, int count, double *v) {
  const char *at = gold_text(name);

  for (int i = 0; i < count; i++) {
    char *end;

    v[i] = strtod(at, &end);
    assert_true(end != at);
    at = end + (*end == ',');
  }
}

/* ---- a problem with a flow ---- */

typedef struct infer_fixture {
  const infer_problem *p;
  fm_comm comm;
  fm_target *target;
  fm_transport *transport;
  fm_objective *objective; /* made by infer_posterior */
  fm_share *share;
  fm_real *theta, *grad; /* [size] */
  int64_t size;
  fm_tempering tempering; /* of the objective */
} infer_fixture;

static inline fm_flow_spec hint_spec(const infer_problem *p, int64_t depth, int64_t hidden) {
  return (fm_flow_spec){.network = "hint",
                        .linear = "none",
                        .scales = 1,
                        .variant = "default",
                        .depth = depth,
                        .hidden = hidden,
                        .reflections = 3,
                        .x = fm_shape_vector(p->n),
                        .y = fm_shape_vector(p->m)};
}

static inline fm_flow_spec triangular_spec(const infer_problem *p) {
  fm_flow_spec spec = hint_spec(p, 1, 1);

  snprintf(spec.network, sizeof(spec.network), "triangular");
  spec.y = (fm_shape){0, {1, 1, 1}};
  return spec;
}

static inline void infer_set_options(const infer_problem *p, PetscBool set) {
  for (int k = 0; k < 9 && p->options[k][0]; k++) {
    const char *name = p->options[k][0], *value = p->options[k][1];

    if (set && !value) value = gold_text(strcmp(name, "-observed") ? "A" : "y");
    if (set)
      fm_ok(PetscOptionsSetValue(NULL, name, value));
    else
      fm_ok(PetscOptionsClearValue(NULL, name));
  }
}

/* theta = starting weights of `seed`, each moved by amplitude N(0, 1). */
static inline void infer_random_theta(infer_fixture *f, uint64_t seed, double amplitude) {
  fm_ok(fm_flow_initialize(f->transport->flow, (fm_rng){seed, FM_STREAM_INITIAL}, f->theta));
  fm_rng_normal((fm_rng){seed, FM_STREAM_CHECK}, 0, 1, (size_t)f->size, f->grad);
  for (int64_t i = 0; i < f->size; i++) f->theta[i] += (fm_real)amplitude * f->grad[i];
}

static inline void infer_open(infer_fixture *f, const infer_problem *p, MPI_Comm world,
                              PetscMPIInt ranks_per_sample, fm_flow_spec spec) {
  static const double y_mean[LG_M] = {0.7, 1.9, -0.3, 0.1, -1, 2};
  static const double y_std[LG_M] = {1.3, 2.1, 0.8, 1, 1.7, 2.2};

  memset(f, 0, sizeof(*f));
  f->p = p;
  fm_ok(fm_options_declare(infer_options));
  fm_ok(fm_operators_declare_options());
  fm_ok(fm_energies_declare_options());
  fm_ok(fm_comm_create(world, ranks_per_sample, &f->comm));
  infer_set_options(p, PETSC_TRUE);
  fm_ok(fm_target_create(&f->comm, p->n, p->m, NULL, &f->target));
  infer_set_options(p, PETSC_FALSE);
  fm_ok(fm_transport_create(&spec, &f->transport));
  fm_ok(fm_transport_whiten(f->transport, p->mean, p->std, y_mean, y_std));
  f->size = fm_flow_layout(f->transport->flow)->size;
  fm_ok(fm_calloc(f->size, &f->theta));
  fm_ok(fm_calloc(f->size, &f->grad));
  fm_ok(fm_share_create(f->size, &f->share));
  infer_random_theta(f, 1, 0.1);
  fm_ok(fm_transport_observe(f->transport, f->theta, f->target->y));
}

static inline void infer_close(infer_fixture *f) {
  fm_ok(fm_objective_destroy(&f->objective));
  fm_ok(fm_share_destroy(&f->share));
  fm_ok(PetscFree(f->theta));
  fm_ok(PetscFree(f->grad));
  fm_ok(fm_transport_destroy(&f->transport));
  fm_ok(fm_target_destroy(&f->target));
  fm_ok(fm_comm_destroy(&f->comm));
}

/* The reverse KL of the fixture; one that was there goes. */
static inline void infer_posterior(infer_fixture *f, fm_estimator estimator, int64_t latents,
                                   int64_t batch) {
  const fm_posterior_inputs in = {.transport = f->transport,
                                  .target = f->target,
                                  .estimator = estimator,
                                  .latents = latents,
                                  .seed = 5,
                                  .batch = batch,
                                  .steps_per_epoch = 4,
                                  .tempering = f->tempering};

  fm_ok(fm_objective_destroy(&f->objective));
  fm_ok(fm_posterior_create(&in, &f->objective));
}

/* Samples [first, first + count) of a step into an empty share. The window is finer than a
   trainer's: terms to 2^-56, gradients below 2^14. */
static inline void infer_add(infer_fixture *f, const fm_real *theta, int64_t step,
                             int64_t first, int64_t count) {
  fm_share_begin(f->share, 36);
  fm_ok(fm_objective_add(f->objective, theta, step, first, count, f->share));
  assert_int_equal(fm_share_verdict(f->share), FM_SHARE_GOOD);
}

/* ---- pairs ---- */

/* x of the toy's prior, y = x + 0.4 e, as a pairs file. Collective. */
static inline void infer_write_pairs(MPI_Comm comm, const char *path, int64_t count) {
  const int64_t shape[] = {count, 2};
  fm_store *store;
  fm_real *x, *y;

  fm_ok(PetscMalloc2(2 * count, &x, 2 * count, &y));
  for (int64_t s = 0; s < count; s++) {
    fm_real z[4];

    fm_rng_normal((fm_rng){3, FM_STREAM_MODEL}, 0, (uint64_t)s, 4, z);
    x[2 * s] = z[0];
    x[2 * s + 1] = (fm_real)((double)z[0] * (double)z[0] + sqrt(0.5) * (double)z[1]);
    for (int i = 0; i < 2; i++) y[2 * s + i] = x[2 * s + i] + (fm_real)0.4 * z[2 + i];
  }
  fm_ok(fm_store_create(comm, path, &store));
  fm_ok(fm_store_write(store, "/x", FM_TYPE_REAL, 2, shape, x));
  fm_ok(fm_store_write(store, "/y", FM_TYPE_REAL, 2, shape, y));
  fm_ok(fm_store_commit(&store, NULL));
  fm_ok(PetscFree2(x, y));
}

/* ---- training ---- */

static inline fm_trainer_inputs infer_trainer_inputs(infer_fixture *f, int64_t micro_batch) {
  return (fm_trainer_inputs){
      .comm = &f->comm,
      .transport = f->transport,
      .objective = f->objective,
      .schedule = {FM_DECAY_COSINE, 2e-3, 0.9, 0.01, 60, 4, 0},
      .micro_batch = micro_batch,
      .clip = 50,
      .average_power = 8,
      .seed = 5,
      .command = "test",
      .settings = "-seed 5\n",
      .operator_text = "dense",
  };
}

/* Begins at the fixture's theta. */
static inline fm_trainer *infer_trainer(const fm_trainer_inputs *in, const fm_real *theta) {
  fm_trainer *t;

  fm_ok(fm_trainer_create(in, &t));
  memcpy(t->theta, theta, (size_t)t->layout->size * sizeof(*theta));
  memcpy(t->average, theta, (size_t)t->layout->size * sizeof(*theta));
  return t;
}

static inline void infer_steps(fm_trainer *t, int count) {
  for (int k = 0; k < count; k++) fm_ok(fm_trainer_step(t));
}

static inline void same_history(const fm_history *a, const fm_history *b) {
  assert_int_equal(a->nseries, b->nseries);
  for (int i = 0; i < a->nseries; i++) {
    const fm_series *s = &a->series[i], *other = fm_history_find(b, s->name);

    assert_non_null(other);
    assert_int_equal(s->n, other->n);
    assert_memory_equal(s->value, other->value, (size_t)s->n * sizeof(double));
  }
}

/* Everything that a continuation needs, byte for byte. */
static inline void same_trainer(const fm_trainer *a, const fm_trainer *b) {
  const size_t bytes = (size_t)a->layout->size * sizeof(fm_real);

  assert_int_equal(a->layout->size, b->layout->size);
  assert_int_equal(a->step, b->step);
  assert_int_equal(a->window, b->window);
  assert_memory_equal(a->theta, b->theta, bytes);
  assert_memory_equal(a->average, b->average, bytes);
  assert_memory_equal(a->optimizer->m, b->optimizer->m, bytes);
  assert_memory_equal(a->optimizer->v, b->optimizer->v, bytes);
  assert_memory_equal(a->ledger, b->ledger, sizeof(a->ledger));
  assert_memory_equal(a->ledger_spent, b->ledger_spent, sizeof(a->ledger_spent));
  same_history(a->history, b->history);
}

/* Lower Cholesky factor of c, in place, and its inverse. */
static inline void lg_factorize(double c[LG_N][LG_N], double inverse[LG_N][LG_N]) {
  for (int i = 0; i < LG_N; i++)
    for (int j = 0; j < LG_N; j++) {
      double sum = c[i][j];

      for (int k = 0; k < PetscMin(i, j); k++) sum -= c[i][k] * c[j][k];
      c[i][j] = j > i ? 0 : j == i ? sqrt(sum) : sum / c[j][j];
    }
  for (int j = 0; j < LG_N; j++)
    for (int i = 0; i < LG_N; i++) {
      double sum = i == j;

      for (int k = j; k < i; k++) sum -= c[i][k] * inverse[k][j];
      inverse[i][j] = i < j ? 0 : sum / c[i][i];
    }
}

#endif
