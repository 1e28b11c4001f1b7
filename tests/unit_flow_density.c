/* What makes a flow a density: it integrates to 1, log-determinants of a composition add, z_y
   does not see x, and the best Gaussian of the latents never has a higher loss. */
#include "fm_test.h"
#include "fathom/layer.h"

#ifdef FM_SINGLE
enum { SINGLE = 1 };
#else
enum { SINGLE = 0 };
#endif

static void make(const char *network, int64_t n, int64_t m, int64_t depth, fm_flow **flow,
                 fm_real **theta) {
  fm_flow_spec spec = {.variant = "default",
                       .depth = depth,
                       .hidden = 12,
                       .reflections = 3,
                       .x = fm_shape_vector(n),
                       .y = fm_shape_vector(m)};

  snprintf(spec.network, sizeof(spec.network), "%s", network);
  fm_ok(fm_flow_create(&spec, flow));
  fm_ok(fm_calloc(fm_flow_layout(*flow)->size, theta));
  fm_ok(fm_flow_initialize(*flow, (fm_rng){5, FM_STREAM_INITIAL}, *theta));
}

static void drop(fm_flow **flow, fm_real **theta) {
  fm_ok(fm_flow_destroy(flow));
  fm_ok(PetscFree(*theta));
}

static fm_real *normals(uint64_t step, int64_t count) {
  fm_real *p;

  fm_ok(fm_calloc(count, &p));
  fm_rng_normal((fm_rng){7, FM_STREAM_CHECK}, step, 0, (size_t)count, p);
  return p;
}

/* Sum of q(x | condition) over a grid of [-reach, reach]^2, times the area of a cell. */
static double integral(const fm_flow *flow, const fm_real *theta, const fm_condition *condition,
                       int side, double reach) {
  const double width = 2 * reach / side;
  fm_real x[2], z[2], logdet;
  double sum = 0;

  for (int i = 0; i < side; i++)
    for (int j = 0; j < side; j++) {
      x[0] = (fm_real)(-reach + (i + .5) * width);
      x[1] = (fm_real)(-reach + (j + .5) * width);
      fm_ok(fm_flow_apply(
          flow, theta, FM_NORMALIZE, 1, (fm_lanes){.x = x, .condition = condition},
          (fm_lanes){.x = z, .condition = condition}, (fm_logdet){&logdet, NULL}));
      sum += exp(-.5 * ((double)z[0] * (double)z[0] + (double)z[1] * (double)z[1]) +
                 (double)logdet);
    }
  return sum * width * width / (2 * PETSC_PI);
}

static void test_integrates_to_one(void **state) {
  fm_real y[] = {(fm_real)0.7, (fm_real)-1.2, (fm_real)0.4}, *theta;
  fm_condition *condition;
  fm_flow *flow;

  make("hint", 2, 0, 2, &flow, &theta);
  fm_near(integral(flow, theta, NULL, 400, 20), 1, 2e-3);
  drop(&flow, &theta);
  make("hint", 2, 3, 2, &flow, &theta);
  fm_ok(fm_flow_condition(flow, theta, y, &condition));
  fm_near(integral(flow, theta, condition, 400, 20), 1, 2e-3);
  fm_ok(fm_condition_destroy(&condition));
  drop(&flow, &theta);
}

/* theta of a deeper network is theta of its blocks, one after the other. */
static void test_composition(void **state) {
  enum { NB = 4, N = 5, M = 3 };
  fm_flow *whole, *block;
  fm_real *theta, *unused, *x = normals(1, NB * N), *y = normals(2, NB * M);
  fm_real zx[NB * N], zy[NB * M], lx[NB], ly[NB], vx[NB * N], vy[NB * M], sx[NB], sy[NB];
  int64_t half;

  make("hint", N, M, 2, &whole, &theta);
  make("hint", N, M, 1, &block, &unused);
  half = fm_flow_layout(block)->size;
  assert_int_equal(2 * half, fm_flow_layout(whole)->size);
  fm_ok(fm_flow_apply(whole, theta, FM_NORMALIZE, NB, (fm_lanes){.x = x, .y = y},
                      (fm_lanes){.x = zx, .y = zy}, (fm_logdet){lx, ly}));
  fm_ok(fm_flow_apply(block, theta, FM_NORMALIZE, NB, (fm_lanes){.x = x, .y = y},
                      (fm_lanes){.x = vx, .y = vy}, (fm_logdet){sx, sy}));
  for (int i = 0; i < NB; i++) {
    lx[i] -= sx[i];
    ly[i] -= sy[i];
  }
  fm_ok(fm_flow_apply(block, theta + half, FM_NORMALIZE, NB, (fm_lanes){.x = vx, .y = vy},
                      (fm_lanes){.x = vx, .y = vy}, (fm_logdet){sx, sy}));
  for (int i = 0; i < NB * N; i++) fm_near(zx[i], vx[i], 4 * FM_EPSILON);
  for (int i = 0; i < NB * M; i++) fm_near(zy[i], vy[i], 4 * FM_EPSILON);
  for (int i = 0; i < NB; i++) {
    fm_near(lx[i], sx[i], 16 * FM_EPSILON);
    fm_near(ly[i], sy[i], 16 * FM_EPSILON);
  }
  drop(&whole, &theta);
  drop(&block, &unused);
  fm_ok(PetscFree(x));
  fm_ok(PetscFree(y));
}

/* The Jacobian is block triangular: moving x leaves z_y and its logdet alone, to the bit;
   moving y moves z_x. */
static void test_block_triangular(void **state) {
  enum { N = 3, M = 2 };
  fm_flow *flow;
  fm_real *theta, x[N] = {0}, y[M] = {1, 2}, zx[N], zy[M], ly, zx2[N], zy2[M], ly2;

  make("hint", N, M, 3, &flow, &theta);
  fm_ok(fm_flow_apply(flow, theta, FM_NORMALIZE, 1, (fm_lanes){.x = x, .y = y},
                      (fm_lanes){.x = zx, .y = zy}, (fm_logdet){NULL, &ly}));
  x[1] = 3;
  fm_ok(fm_flow_apply(flow, theta, FM_NORMALIZE, 1, (fm_lanes){.x = x, .y = y},
                      (fm_lanes){.x = zx2, .y = zy2}, (fm_logdet){NULL, &ly2}));
  assert_memory_equal(zy, zy2, sizeof(zy));
  assert_true(ly == ly2);
  assert_true(fabs((double)(zx[0] - zx2[0])) > 1e-3);
  y[0] = 4;
  fm_ok(fm_flow_apply(flow, theta, FM_NORMALIZE, 1, (fm_lanes){.x = x, .y = y},
                      (fm_lanes){.x = zx}, (fm_logdet){NULL, NULL}));
  assert_true(fabs((double)(zx[0] - zx2[0])) > 1e-3);
  drop(&flow, &theta);
}

/* ---- the best Gaussian of the latents ---- */

static double loss(int64_t nb, int64_t n, const fm_real *z, const fm_real *logdet) {
  double sum = 0;

  for (int64_t i = 0; i < nb * n; i++) sum += .5 * (double)z[i] * (double)z[i];
  for (int64_t b = 0; b < nb; b++) sum -= (double)logdet[b];
  return sum / (double)nb;
}

/* log_scale and shift of maximum likelihood: the latents' mean and standard deviation become 0
   and 1. */
static void best(int64_t nb, int64_t n, const fm_real *z, fm_real *theta) {
  for (int64_t c = 0; c < n; c++) {
    double mean = 0, square = 0;

    for (int64_t b = 0; b < nb; b++) mean += (double)z[b * n + c] / (double)nb;
    for (int64_t b = 0; b < nb; b++) square += pow((double)z[b * n + c] - mean, 2) / (double)nb;
    theta[c] = (fm_real)(-.5 * log(square));
    theta[n + c] = (fm_real)(-mean / sqrt(square));
  }
}

static void refit(const fm_flow *flow, const fm_real *theta, const char *kind) {
  enum { NB = 40, N = 4 };
  fm_flow_spec spec = *fm_flow_get_spec(flow);
  fm_flow *top;
  fm_real *x = normals(3, NB * N), z[NB * N], logdet[NB], more[NB], top_theta[2 * N],
          exact[2 * N];
  double before, after;

  fm_ok(fm_flow_apply(flow, theta, FM_NORMALIZE, NB, (fm_lanes){.x = x}, (fm_lanes){.x = z},
                      (fm_logdet){logdet, NULL}));
  before = loss(NB, N, z, logdet);
  fm_ok(fm_flow_create_layer(&spec, kind, FM_LANE_X, &top));
  assert_int_equal(fm_flow_layout(top)->size, 2 * N);
  best(NB, N, z, exact);
  memcpy(top_theta, exact, sizeof(exact));
  if (!strcmp(kind, "actnorm")) /* its own start is the same closed form */
    fm_ok(fm_flow_start(top, top_theta, FM_NORMALIZE, NB, (fm_lanes){.x = z}));
  for (int i = 0; i < 2 * N; i++) fm_near(top_theta[i], exact[i], 20 * FM_EPSILON);
  fm_ok(fm_flow_apply(top, top_theta, FM_NORMALIZE, NB, (fm_lanes){.x = z}, (fm_lanes){.x = z},
                      (fm_logdet){more, NULL}));
  for (int b = 0; b < NB; b++) logdet[b] += more[b];
  after = loss(NB, N, z, logdet);
  if (!(after <= before)) fail_msg("%s: %.17g became %.17g", kind, before, after);
  fm_near(loss(NB, N, z, (fm_real[NB]){0}), .5 * N, SINGLE ? 1e-5 : 1e-12);
  fm_ok(fm_flow_destroy(&top));
  fm_ok(PetscFree(x));
}

static void test_best_gaussian_never_raises_the_loss(void **state) {
  fm_flow *flow;
  fm_real *theta;

  make("hint", 4, 0, 2, &flow, &theta);
  for (uint64_t seed = 1; seed <= 5; seed++) {
    fm_ok(fm_flow_initialize(flow, (fm_rng){seed, FM_STREAM_INITIAL}, theta));
    refit(flow, theta, "actnorm");
    refit(flow, theta, "elementwise");
  }
  drop(&flow, &theta);
}

/* The triangular network is any Gaussian: with L = C^-1 of a covariance C C^T its density is in
   closed form. */
static void test_triangular_is_gaussian(void **state) {
  const double a = 2, b = 3, c = -1.5; /* C = [a 0; c b], mean (1, -2) */
  fm_flow *flow;
  fm_real *theta, x[] = {2, 1}, z[2], logdet;
  double u, v;

  make("triangular", 2, 0, 1, &flow, &theta);
  theta[0] = (fm_real)-log(a);
  theta[1] = (fm_real)-log(b);
  theta[2] = (fm_real)(-1 / a);
  theta[3] = (fm_real)((2 + c / a) / b);
  theta[4] = (fm_real)(-c / (a * b));
  fm_ok(fm_flow_apply(flow, theta, FM_NORMALIZE, 1, (fm_lanes){.x = x}, (fm_lanes){.x = z},
                      (fm_logdet){&logdet, NULL}));
  u = ((double)x[0] - 1) / a;
  v = ((double)x[1] + 2 - c * u) / b;
  fm_near(z[0], u, 8 * FM_EPSILON);
  fm_near(z[1], v, 8 * FM_EPSILON);
  fm_near(logdet, -log(a * b), 8 * FM_EPSILON);
  drop(&flow, &theta);
}

FM_TEST_MAIN(cmocka_unit_test(test_integrates_to_one), cmocka_unit_test(test_composition),
             cmocka_unit_test(test_block_triangular),
             cmocka_unit_test(test_best_gaussian_never_raises_the_loss),
             cmocka_unit_test(test_triangular_is_gaussian))
