/* Checkpoints: every part comes back bit by bit, a run goes on as if it had never stopped,
   and what does not fit is refused with the difference. */
#include "fathom/checkpoint.h"
#include "infer_cases.h"
#include "io_test.h"

typedef struct run {
  infer_fixture f;
  fm_trainer *t;
} run;

static fm_flow_spec small_flow(void) { return hint_spec(&toy, 2, 8); }

/* A refinement of the toy whose weights begin at `seed`. */
static void open_run(run *r, fm_flow_spec spec, uint64_t seed, fm_trained train) {
  fm_trainer_inputs in;

  infer_open(&r->f, &toy, PETSC_COMM_SELF, 1, spec);
  infer_random_theta(&r->f, seed, 0.1);
  fm_ok(fm_transport_observe(r->f.transport, r->f.theta, r->f.target->y));
  r->f.transport->train = train;
  infer_posterior(&r->f, FM_ESTIMATOR_PATH, 0, 10);
  in = infer_trainer_inputs(&r->f, 4);
  r->t = infer_trainer(&in, r->f.theta);
}

static void close_run(run *r) {
  fm_ok(fm_trainer_destroy(&r->t));
  infer_close(&r->f);
}

static void remember_best(fm_trainer *t, double value) {
  fm_ok(fm_calloc(t->layout->size, &t->best));
  for (int64_t i = 0; i < t->layout->size; i++) t->best[i] = t->theta[i] / 3;
  t->best_value = value;
}

/* ---- there and back ---- */

static void same_transport(const fm_transport *a, const fm_transport *b) {
  const size_t n = (size_t)a->n * sizeof(double), m = (size_t)a->m * sizeof(double);
  const fm_real *mine, *theirs;
  int64_t count, other;

  assert_memory_equal(a->x_mean, b->x_mean, n);
  assert_memory_equal(a->x_std, b->x_std, n);
  assert_memory_equal(a->y_mean, b->y_mean, m);
  assert_memory_equal(a->y_std, b->y_std, m);
  assert_memory_equal(a->y, b->y, m);
  assert_true(a->x_logstd == b->x_logstd && a->y_logstd == b->y_logstd);
  assert_int_equal(a->train, b->train);
  mine = fm_condition_values(a->condition, &count);
  theirs = fm_condition_values(b->condition, &other);
  assert_int_equal(count, other);
  assert_memory_equal(mine, theirs, (size_t)count * sizeof(fm_real));
}

/* The second run has other weights, whitening and observation until it resumes. */
static void resumes_bit_by_bit(fm_trained train) {
  const double mean[] = {9, 9}, std[] = {7, 7}, y[] = {5, 5};
  run a, b;

  open_run(&a, small_flow(), 1, train);
  infer_steps(a.t, 7);
  remember_best(a.t, 1. / 3);
  a.t->window = 0;
  for (int k = 0; k < 6; k++) a.t->ledger[k] += 1000003 * (k + 1);
  for (int k = 0; k < 3; k++) a.t->ledger_spent[k] += 5000011 * (k + 1);
  fm_ok(fm_history_append(a.t->history, "kl", 0.1));
  fm_ok(fm_history_append(a.t->timing, "step_seconds", 0.25));
  fm_ok(fm_checkpoint_save(a.t, in_folder("checkpoint.h5"), &(fm_keep){.files = 2}));
  open_run(&b, small_flow(), 2, train);
  fm_ok(fm_transport_whiten(b.f.transport, mean, std, mean, std));
  fm_ok(fm_transport_observe(b.f.transport, b.f.theta, y));
  fm_ok(fm_checkpoint_resume(b.t, in_folder("checkpoint.h5")));
  same_trainer(a.t, b.t);
  same_history(a.t->timing, b.t->timing);
  assert_memory_equal(a.t->best, b.t->best, (size_t)a.f.size * sizeof(fm_real));
  assert_true(b.t->best_value == 1. / 3);
  if (train == FM_TRAIN_ALL) fm_ok(fm_transport_refresh(a.f.transport, a.t->theta));
  same_transport(a.f.transport, b.f.transport);
  infer_steps(a.t, 5);
  infer_steps(b.t, 5);
  same_trainer(a.t, b.t);
  assert_int_equal(b.t->step, 12);
  close_run(&a);
  close_run(&b);
}

static void resumes_the_x_lane(void **state) { resumes_bit_by_bit(FM_TRAIN_XLANE); }
static void resumes_all(void **state) { resumes_bit_by_bit(FM_TRAIN_ALL); }

/* load: flow, whitening, observation and the weights asked for; the KL at the start is that of
   the run that saved, to the last bit. */
static void loads_what_is_asked_for(void **state) {
  fm_diagnosis before, after;
  fm_transport *transport;
  fm_real *theta;
  run a;

  open_run(&a, small_flow(), 1, FM_TRAIN_XLANE);
  infer_steps(a.t, 3);
  remember_best(a.t, 2);
  fm_ok(fm_checkpoint_save(a.t, in_folder("a.h5"), &(fm_keep){.files = 2}));
  for (int w = 0; w < 4; w++) {
    const fm_real *expected[] = {a.t->best, a.t->theta, a.t->average, a.t->best};

    fm_ok(fm_checkpoint_load(PETSC_COMM_SELF, in_folder("a.h5"), (fm_weights)w, &transport,
                             &theta));
    assert_memory_equal(theta, expected[w], (size_t)a.f.size * sizeof(fm_real));
    same_transport(a.f.transport, transport);
    assert_memory_equal(fm_flow_get_spec(transport->flow),
                        fm_flow_get_spec(a.f.transport->flow), sizeof(fm_flow_spec));
    fm_ok(fm_diagnose(a.f.target, a.f.transport, expected[w], 3, FM_STREAM_EVALUATE, 50,
                      TOY_EVIDENCE, PETSC_FALSE, &before));
    fm_ok(fm_diagnose(a.f.target, transport, theta, 3, FM_STREAM_EVALUATE, 50, TOY_EVIDENCE,
                      PETSC_FALSE, &after));
    assert_memory_equal(&before, &after, sizeof(before));
    fm_ok(PetscFree(theta));
    fm_ok(fm_transport_destroy(&transport));
  }
  fm_ok(PetscFree(a.t->best));
  fm_ok(fm_checkpoint_save(a.t, in_folder("b.h5"),
                           &(fm_keep){.files = 2})); /* auto: the average where no best is */
  fm_ok(fm_checkpoint_warm_start(PETSC_COMM_SELF, in_folder("b.h5"), FM_WEIGHTS_AUTO,
                                 a.t->layout, a.f.grad));
  assert_memory_equal(a.f.grad, a.t->average, (size_t)a.f.size * sizeof(fm_real));
  fm_expect_error(fm_checkpoint_warm_start(PETSC_COMM_SELF, in_folder("b.h5"), FM_WEIGHTS_BEST,
                                           a.t->layout, a.f.grad),
                  "no weights under /theta_best");
  close_run(&a);
}

/* What others may look for with h5py or h5dump. */
static void what_a_checkpoint_holds(void **state) {
  static const char *const object[] = {"/architecture/x_shape",
                                       "/architecture/y_shape",
                                       "/whitening/x_mean",
                                       "/whitening/x_std",
                                       "/whitening/y_mean",
                                       "/whitening/y_std",
                                       "/observation/y",
                                       "/observation/z_y",
                                       "/settings",
                                       "/operator",
                                       "/history/objective"};
  static const char *const group[] = {"/theta", "/theta_average", "/adam_m", "/adam_v"};
  static const char *const attribute[][2] = {{"/", "schema_version"},
                                             {"/", "program_version"},
                                             {"/", "precision"},
                                             {"/", "command"},
                                             {"/", "objective"},
                                             {"/architecture", "network"},
                                             {"/architecture", "depth"},
                                             {"/architecture", "hidden"},
                                             {"/architecture", "variant"},
                                             {"/state", "step"},
                                             {"/state", "seed"},
                                             {"/state", "streams"},
                                             {"/state", "window"},
                                             {"/state", "micro_batch"},
                                             {"/state", "cpu"},
                                             {"/state", "ranks_per_sample"},
                                             {"/ledger", "useful_F"},
                                             {"/ledger", "spent_JT"},
                                             {"/ledger", "diagnostic_F"},
                                             {"/observation", "train"},
                                             {"/schedule", "learning_rate"}};
  char path[200];
  fm_store *store;
  PetscBool has;
  run a;

  open_run(&a, small_flow(), 1, FM_TRAIN_XLANE);
  infer_steps(a.t, 1);
  fm_ok(fm_checkpoint_save(a.t, in_folder("a.h5"), &(fm_keep){.files = 2}));
  fm_ok(fm_store_open(PETSC_COMM_SELF, in_folder("a.h5"), &store));
  for (size_t k = 0; k < sizeof(object) / sizeof(object[0]); k++) {
    fm_ok(fm_store_has(store, object[k], &has));
    if (!has) fail_msg("no %s", object[k]);
  }
  for (size_t k = 0; k < sizeof(attribute) / sizeof(attribute[0]); k++) {
    fm_ok(fm_store_has_attribute(store, attribute[k][0], attribute[k][1], &has));
    if (!has) fail_msg("no attribute %s of %s", attribute[k][1], attribute[k][0]);
  }
  for (int g = 0; g < 4; g++)
    for (int64_t k = 0; k < a.t->layout->ntensor; k++) {
      snprintf(path, sizeof(path), "%s/%s", group[g], a.t->layout->tensor[k].name);
      fm_ok(fm_store_has(store, path, &has));
      if (!has) fail_msg("no %s", path);
    }
  fm_ok(fm_store_close(&store));
  close_run(&a);
}

static void the_previous_one_is_kept(void **state) {
  run a, b;
  PetscBool found;

  open_run(&a, small_flow(), 1, FM_TRAIN_XLANE);
  fm_ok(fm_checkpoint_exists(PETSC_COMM_SELF, in_folder("c.h5"), &found));
  assert_false(found);
  infer_steps(a.t, 2);
  fm_ok(fm_checkpoint_save(a.t, in_folder("c.h5"), &(fm_keep){.files = 2}));
  assert_false(exists(in_folder("c.previous.h5")));
  open_run(&b, small_flow(), 1, FM_TRAIN_XLANE);
  fm_ok(fm_checkpoint_resume(b.t, in_folder("c.h5")));
  infer_steps(a.t, 2);
  fm_ok(fm_checkpoint_save(a.t, in_folder("c.h5"), &(fm_keep){.files = 2}));
  fm_ok(fm_checkpoint_exists(PETSC_COMM_SELF, in_folder("c.h5"), &found));
  assert_true(found);
  fm_ok(fm_trainer_destroy(&b.t));
  infer_close(&b.f);
  open_run(&b, small_flow(), 3, FM_TRAIN_XLANE);
  fm_ok(fm_checkpoint_resume(b.t, in_folder("c.previous.h5")));
  assert_int_equal(b.t->step, 2);
  infer_steps(b.t, 2);
  same_trainer(a.t, b.t);
  close_run(&a);
  close_run(&b);
}

/* ---- what does not fit ---- */

/* Resume from a.h5 with a run that differs; afterwards nothing may be left open. */
static void refuse(run *r, const char *sentence) {
  fm_expect_error(fm_checkpoint_resume(r->t, in_folder("a.h5")), sentence);
  close_run(r);
}

static void another_run_is_refused(void **state) {
  fm_flow_spec official = small_flow();
  run a, b;

  open_run(&a, small_flow(), 1, FM_TRAIN_XLANE);
  infer_steps(a.t, 1);
  fm_ok(fm_checkpoint_save(a.t, in_folder("a.h5"), &(fm_keep){.files = 2}));
  close_run(&a);
  open_run(&b, small_flow(), 1, FM_TRAIN_XLANE);
  b.t->in.seed = 6;
  refuse(&b, "seed was 5 in the checkpoint and is 6 now");
  open_run(&b, small_flow(), 1, FM_TRAIN_XLANE);
  b.f.objective->batch = 11;
  refuse(&b, "batch was 10 in the checkpoint and is 11 now");
  open_run(&b, small_flow(), 1, FM_TRAIN_XLANE);
  b.f.objective->total = 100;
  refuse(&b, "samples was 0 in the checkpoint and is 100 now");
  open_run(&b, small_flow(), 1, FM_TRAIN_XLANE);
  b.t->in.micro_batch = 5;
  refuse(&b, "micro_batch was 4 in the checkpoint and is 5 now");
  snprintf(official.variant, sizeof(official.variant), "official");
  open_run(&b, official, 1, FM_TRAIN_XLANE);
  refuse(&b, "variant was 'default' in the checkpoint and is 'official' now");
  open_run(&b, hint_spec(&toy, 2, 9), 1, FM_TRAIN_XLANE);
  refuse(&b, "[8]");
}

static void misfits_are_listed(void **state) {
  run a, b;
  const char *path = in_folder("a.h5");

  open_run(&a, small_flow(), 1, FM_TRAIN_XLANE);
  fm_ok(fm_checkpoint_save(a.t, path, &(fm_keep){.files = 2}));
  open_run(&b, hint_spec(&toy, 3, 8), 1, FM_TRAIN_XLANE);
  fm_expect_error(
      fm_checkpoint_warm_start(PETSC_COMM_SELF, path, FM_WEIGHTS_LAST, b.t->layout, b.t->theta),
      "block3.x.actnorm.");
  assert_non_null(strstr(fm_test_message, "[2]: not in the checkpoint"));
  assert_non_null(strstr(fm_test_message, "-flow_depth"));
  close_run(&b);
  open_run(&b, hint_spec(&toy, 1, 8), 1, FM_TRAIN_XLANE);
  fm_expect_error(
      fm_checkpoint_warm_start(PETSC_COMM_SELF, path, FM_WEIGHTS_LAST, b.t->layout, b.t->theta),
      "only in the checkpoint");
  assert_non_null(strstr(fm_test_message, "block2."));
  close_run(&b);
  open_run(&b, hint_spec(&toy, 2, 12), 1, FM_TRAIN_XLANE);
  fm_expect_error(
      fm_checkpoint_warm_start(PETSC_COMM_SELF, path, FM_WEIGHTS_LAST, b.t->layout, b.t->theta),
      "in the checkpoint, [12]");
  close_run(&b);
  close_run(&a);
}

/* ---- edited files ---- */

/* HDF5 drops the checksum line; without the mark of a file that ought to have one, nobody asks
   for it. */
static hid_t open_to_edit(const char *path) {
  const hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);

  assert_true(file >= 0);
  if (H5Aexists(file, "fathom_checksum") > 0) H5Adelete(file, "fathom_checksum");
  return file;
}

static void write_attribute(hid_t file, const char *name, hid_t type, const void *value) {
  const hid_t space = H5Screate(H5S_SCALAR);
  hid_t attribute;

  assert_true(H5Adelete(file, name) >= 0);
  attribute = H5Acreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
  assert_true(H5Awrite(attribute, type, value) >= 0);
  H5Aclose(attribute);
  H5Sclose(space);
}

static void set_schema(const char *path, int64_t schema) {
  const hid_t file = open_to_edit(path);

  write_attribute(file, "schema_version", H5T_NATIVE_INT64, &schema);
  H5Fclose(file);
}

static void convert_tensor(hid_t file, const char *name, hid_t type) {
  const hid_t old = H5Dopen2(file, name, H5P_DEFAULT), space = H5Dget_space(old);
  double *v = malloc((size_t)H5Sget_simple_extent_npoints(space) * sizeof(*v));
  hid_t made;

  assert_true(H5Dread(old, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, v) >= 0);
  H5Dclose(old);
  assert_true(H5Ldelete(file, name, H5P_DEFAULT) >= 0);
  made = H5Dcreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  assert_true(H5Dwrite(made, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, v) >= 0);
  H5Dclose(made);
  H5Sclose(space);
  free(v);
}

/* As if the program of the other precision had written it. */
static void change_precision(const char *path, const fm_layout *layout) {
  const hid_t file = open_to_edit(path), text = H5Tcopy(H5T_C_S1);
  const PetscBool single = sizeof(fm_real) == 4 ? PETSC_TRUE : PETSC_FALSE;
  char name[200];

  H5Tset_size(text, single ? 6 : 5);
  write_attribute(file, "precision", text, single ? "double" : "float");
  for (int64_t k = 0; k < layout->ntensor; k++) {
    snprintf(name, sizeof(name), "/theta/%s", layout->tensor[k].name);
    convert_tensor(file, name, single ? H5T_IEEE_F64LE : H5T_IEEE_F32LE);
  }
  H5Tclose(text);
  H5Fclose(file);
}

static void schemas(void **state) {
  const char *path = in_folder("a.h5");
  fm_transport *transport;
  fm_real *theta;
  run a;

  open_run(&a, small_flow(), 1, FM_TRAIN_XLANE);
  fm_ok(fm_checkpoint_save(a.t, path, &(fm_keep){.files = 2}));
  set_schema(path, FM_SCHEMA_VERSION + 1);
  fm_expect_error(fm_checkpoint_resume(a.t, path), "checkpoint schema 2");
  fm_expect_error(
      fm_checkpoint_load(PETSC_COMM_SELF, path, FM_WEIGHTS_LAST, &transport, &theta),
      "use a newer fathom");
  fm_expect_error(
      fm_checkpoint_warm_start(PETSC_COMM_SELF, path, FM_WEIGHTS_LAST, a.t->layout, a.t->theta),
      "use a newer fathom");
  set_schema(path, FM_SCHEMA_VERSION);
  fm_ok(fm_checkpoint_resume(a.t, path));
  commit_small(PETSC_COMM_SELF, in_folder("foreign.h5"), 1, NULL);
  fm_expect_error(fm_checkpoint_resume(a.t, in_folder("foreign.h5")), "no fathom checkpoint");
  close_run(&a);
}

static void across_precisions(void **state) {
  const char *path = in_folder("a.h5");
  run a, b;

  open_run(&a, small_flow(), 1, FM_TRAIN_XLANE);
  infer_steps(a.t, 2);
  fm_ok(fm_checkpoint_save(a.t, path, &(fm_keep){.files = 2}));
  change_precision(path, a.t->layout);
  open_run(&b, small_flow(), 2, FM_TRAIN_XLANE);
  fm_expect_error(fm_checkpoint_resume(b.t, path), "cannot resume: precision was");
  fm_ok(fm_checkpoint_warm_start(PETSC_COMM_SELF, path, FM_WEIGHTS_LAST, b.t->layout,
                                 b.t->theta));
  for (int64_t i = 0; i < a.f.size; i++)
    assert_true(b.t->theta[i] == (fm_real)(float)a.t->theta[i]);
  close_run(&a);
  close_run(&b);
}

FM_TEST_MAIN(io_test(resumes_the_x_lane), io_test(resumes_all),
             io_test(loads_what_is_asked_for), io_test(what_a_checkpoint_holds),
             io_test(the_previous_one_is_kept), io_test(another_run_is_refused),
             io_test(misfits_are_listed), io_test(schemas), io_test(across_precisions))
