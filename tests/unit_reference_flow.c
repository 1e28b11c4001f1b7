/* The HINT network against an independent PyTorch implementation: values, log-determinants,
   loss and every gradient, in both directions, from the frozen file reference/hint_torch.txt
   (written by hint_torch.py beside it). */
#include "fm_test.h"
#include "fathom/flow.h"
#include <stdlib.h>

#ifdef FM_SINGLE
static const double TOLERANCE = 1e-4;
#else
static const double TOLERANCE = 1e-11;
#endif

/* ---- the file ---- */

typedef struct array {
  char group[32], name[FM_NAME_MAX];
  int64_t count;
  double *v;
} array;

typedef struct record {
  char name[32];
  fm_flow_spec spec;
  int64_t nb, narray;
  array array[512];
} record;

static FILE *open_reference(void) {
  const char *root = getenv("FATHOM_SOURCE"), *slash = strrchr(__FILE__, '/');
  char path[1024];
  FILE *file;

  if (root)
    snprintf(path, sizeof(path), "%s/tests/reference/hint_torch.txt", root);
  else
    snprintf(path, sizeof(path), "%.*s/reference/hint_torch.txt",
             slash ? (int)(slash - __FILE__) : 1, slash ? __FILE__ : ".");
  file = fopen(path, "r");
  if (!file) fail_msg("cannot open %s; set FATHOM_SOURCE to the source folder", path);
  return file;
}

static void read_array(FILE *file, const char *group, record *r) {
  array *a = &r->array[r->narray++];
  long count;

  assert_true(r->narray <= 512);
  snprintf(a->group, sizeof(a->group), "%s", group);
  assert_int_equal(fscanf(file, "%95s %ld", a->name, &count), 2);
  a->count = count;
  fm_ok(fm_calloc(count, &a->v));
  for (long i = 0; i < count; i++) assert_int_equal(fscanf(file, "%lf", &a->v[i]), 1);
}

static void read_case(FILE *file, record *r) {
  long n, m, depth, hidden, nb;

  memset(r, 0, sizeof(*r));
  assert_int_equal(fscanf(file, "%31s %ld %ld %ld %ld %31s %ld", r->name, &n, &m, &depth,
                          &hidden, r->spec.variant, &nb),
                   7);
  snprintf(r->spec.network, sizeof(r->spec.network), "hint");
  r->spec.depth = depth;
  r->spec.hidden = hidden;
  r->spec.reflections = 3;
  r->spec.x = fm_shape_vector(n);
  r->spec.y = fm_shape_vector(m);
  r->nb = nb;
}

static void free_case(record *r) {
  for (int64_t i = 0; i < r->narray; i++) fm_ok(PetscFree(r->array[i].v));
}

static const array *find(const record *r, const char *group, const char *name) {
  for (int64_t i = 0; i < r->narray; i++)
    if (!strcmp(r->array[i].group, group) && !strcmp(r->array[i].name, name))
      return &r->array[i];
  fail_msg("case %s has no %s %s", r->name, group, name);
  return NULL;
}

/* ---- the comparison ---- */

/* |ours - theirs| <= tolerance * max(1, largest |theirs|) */
static void compare(const record *r, const char *group, const char *name, int64_t count,
                    const fm_real *ours) {
  const array *a = find(r, group, name);
  double scale = 1;

  assert_int_equal(a->count, count);
  for (int64_t i = 0; i < count; i++) scale = fmax(scale, fabs(a->v[i]));
  for (int64_t i = 0; i < count; i++)
    if (!(fabs((double)ours[i] - a->v[i]) <= TOLERANCE * scale))
      fail_msg("case %s, %s, %s[%d]: %.17g, PyTorch has %.17g", r->name, group, name, (int)i,
               (double)ours[i], a->v[i]);
}

static void copy(const array *a, fm_real *to) {
  for (int64_t i = 0; i < a->count; i++) to[i] = (fm_real)a->v[i];
}

enum { MOST = 128 };

typedef struct batch {
  fm_real x[MOST], y[MOST], logdet_x[MOST], logdet_y[MOST];
} batch;

static double squares(int64_t count, const fm_real *v) {
  double sum = 0;

  for (int64_t i = 0; i < count; i++) sum += (double)v[i] * (double)v[i];
  return sum;
}

static double sum(int64_t count, const fm_real *v) {
  double total = 0;

  for (int64_t i = 0; i < count; i++) total += (double)v[i];
  return total;
}

/* The two losses of hint_torch.py; `bar` gets their cotangents. */
static double loss(const record *r, fm_direction direction, const batch *out, batch *bar) {
  const int64_t nx = r->nb * r->spec.x.c, ny = r->nb * r->spec.y.c, nb = r->nb;
  const int kl = direction == FM_NORMALIZE;
  const double of_x = kl ? 1. / (double)nb : 1, of_y = kl ? of_x : 1;
  const double of_lx = kl ? -of_x : 0.7, of_ly = kl ? -of_x : -0.4;
  const double constant = kl ? .5 * (double)(nx + ny) / (double)nb * log(2 * PETSC_PI) : 0;

  for (int64_t i = 0; i < nx; i++) bar->x[i] = (fm_real)of_x * out->x[i];
  for (int64_t i = 0; i < ny; i++) bar->y[i] = (fm_real)of_y * out->y[i];
  for (int64_t b = 0; b < nb; b++) bar->logdet_x[b] = (fm_real)of_lx;
  for (int64_t b = 0; b < nb; b++) bar->logdet_y[b] = (fm_real)of_ly;
  return .5 * of_x * squares(nx, out->x) + .5 * of_y * squares(ny, out->y) +
         of_lx * sum(nb, out->logdet_x) + of_ly * sum(nb, out->logdet_y) + constant;
}

static fm_lanes lanes(const record *r, batch *b) {
  return (fm_lanes){.x = b->x, .y = r->spec.y.c ? b->y : NULL};
}

static void compare_direction(const record *r, const fm_flow *flow, const fm_real *theta,
                              fm_direction direction) {
  const char *group = direction == FM_NORMALIZE ? "normalize" : "generate";
  const fm_layout *layout = fm_flow_layout(flow);
  const int64_t nx = r->nb * r->spec.x.c, ny = r->nb * r->spec.y.c;
  char gradient[40];
  batch in, out, bar;
  fm_real value, *theta_bar;

  snprintf(gradient, sizeof(gradient), "%s.gradient", group);
  fm_ok(fm_calloc(layout->size, &theta_bar));
  copy(find(r, "in", "x"), in.x);
  if (ny) copy(find(r, "in", "y"), in.y);
  fm_ok(fm_flow_apply(flow, theta, direction, r->nb, lanes(r, &in), lanes(r, &out),
                      (fm_logdet){out.logdet_x, out.logdet_y}));
  compare(r, group, "x", nx, out.x);
  compare(r, group, "logdet_x", r->nb, out.logdet_x);
  if (ny) compare(r, group, "y", ny, out.y);
  if (ny) compare(r, group, "logdet_y", r->nb, out.logdet_y);
  value = (fm_real)loss(r, direction, &out, &bar);
  compare(r, group, "loss", 1, &value);
  fm_ok(fm_flow_vjp(flow, theta, direction, r->nb, lanes(r, &out), lanes(r, &bar),
                    (fm_logdet){bar.logdet_x, bar.logdet_y}, lanes(r, &out), lanes(r, &bar),
                    theta_bar));
  compare(r, gradient, "x", nx, bar.x);
  if (ny) compare(r, gradient, "y", ny, bar.y);
  compare(r, "in", "x", nx, out.x); /* rebuilt */
  for (int64_t t = 0; t < layout->ntensor; t++)
    compare(r, gradient, layout->tensor[t].name, layout->tensor[t].size,
            theta_bar + layout->tensor[t].offset);
  fm_ok(PetscFree(theta_bar));
}

static int64_t count_theta(const record *r) {
  int64_t count = 0;

  for (int64_t i = 0; i < r->narray; i++)
    if (!strcmp(r->array[i].group, "theta")) count += r->array[i].count;
  return count;
}

static void compare_case(const record *r) {
  fm_flow *flow;
  fm_real *theta;

  fm_ok(fm_flow_create(&r->spec, &flow));
  assert_int_equal(count_theta(r), fm_flow_layout(flow)->size);
  fm_ok(fm_calloc(fm_flow_layout(flow)->size, &theta));
  for (int64_t t = 0; t < fm_flow_layout(flow)->ntensor; t++) {
    const fm_tensor *tensor = &fm_flow_layout(flow)->tensor[t];

    assert_int_equal(find(r, "theta", tensor->name)->count, tensor->size);
    copy(find(r, "theta", tensor->name), theta + tensor->offset);
  }
  compare_direction(r, flow, theta, FM_NORMALIZE);
  compare_direction(r, flow, theta, FM_GENERATE);
  fm_ok(PetscFree(theta));
  fm_ok(fm_flow_destroy(&flow));
}

static void test_against_pytorch(void **state) {
  static record r;
  FILE *file = open_reference();
  char word[32];
  int ncase = 0;

  while (fscanf(file, "%31s", word) == 1) {
    if (word[0] == '#')
      assert_int_equal(fscanf(file, "%*[^\n]"), 0);
    else if (strcmp(word, "case"))
      read_array(file, word, &r);
    else {
      if (ncase++) compare_case(&r);
      free_case(&r);
      read_case(file, &r);
    }
  }
  compare_case(&r);
  free_case(&r);
  assert_int_equal(ncase, 6);
  fclose(file);
}

FM_TEST_MAIN(cmocka_unit_test(test_against_pytorch))
