/* Rational-quadratic splines: values and every derivative against frozen numbers of an
   independent numpy implementation (golds/spline.py), the inverse, the edges and odd
   inputs. */
#include "fm_test.h"
#include "fathom/rng.h"
#include "flow/pack.h"

#ifdef FM_SINGLE
enum { SINGLE = 1 };
#else
enum { SINGLE = 0 };
#endif

enum { RAW = 3 * FM_RQ_BINS_MAX - 1 };

/* A pack of the same spline. */
static void spread(int64_t bins, const double *raw, fm_real *packed) {
  for (int64_t p = 0; p < fm_rq_count(bins); p++)
    for (int i = 0; i < FM_PACK; i++) packed[p * FM_PACK + i] = (fm_real)raw[p];
}

static void evaluate(const fm_rq *rq, int inverse, const double *raw, const fm_real *in,
                     fm_real *out, fm_real *log_slope) {
  fm_real packed[RAW * FM_PACK];

  spread(rq->bins, raw, packed);
  memcpy(out, in, FM_PACK * sizeof(fm_real));
  fm_rq_apply(rq, inverse, packed, out, log_slope);
}

static void random_raw(uint64_t step, double deviation, double *raw) {
  fm_real numbers[RAW];

  fm_rng_normal((fm_rng){4, FM_STREAM_CHECK}, step, 0, RAW, numbers);
  for (int i = 0; i < RAW; i++) raw[i] = deviation * (double)numbers[i];
}

/* ---- frozen numbers ---- */

typedef struct gold {
  fm_rq rq;
  double raw[RAW], x, y, log_slope, y_bar[RAW + 1], log_bar[RAW + 1]; /* _bar: by x, by raw */
} gold;

static void read_numbers(FILE *file, int64_t count, double *to) {
  for (int64_t i = 0; i < count; i++) assert_int_equal(fscanf(file, "%lf", &to[i]), 1);
}

/* What passes the inverse is known to rounding divided by the slope there. */
static void near(const gold *g, int inverse, const char *what, double expected, fm_real got) {
  const double scale = fmax(1, fabs(expected)) / (inverse ? fmin(1, g->y_bar[0]) : 1);

  if (!(fabs(expected - (double)got) <= (SINGLE ? 1e-5 : 1e-13) * scale))
    fail_msg("%d bins, x = %.17g, %s: %.17g, numpy has %.17g", (int)g->rq.bins, g->x, what,
             (double)got, expected);
}

/* y_weight and log_weight times the derivatives, backwards from the result. */
static void compare_vjp(const gold *g, fm_real y_weight, fm_real log_weight) {
  fm_real packed[RAW * FM_PACK], v[FM_PACK], bar[FM_PACK], log_bar[FM_PACK];
  const double wy = (double)y_weight, wl = (double)log_weight;

  spread(g->rq.bins, g->raw, packed);
  for (int i = 0; i < FM_PACK; i++) {
    v[i] = (fm_real)g->y;
    bar[i] = y_weight;
    log_bar[i] = log_weight;
  }
  fm_rq_vjp(&g->rq, 0, packed, v, bar, log_bar);
  near(g, 1, "rebuilt x", g->x, v[3]);
  near(g, 1, "x_bar", wy * g->y_bar[0] + wl * g->log_bar[0], bar[3]);
  for (int64_t p = 0; p < fm_rq_count(g->rq.bins); p++)
    near(g, 1, "raw_bar", wy * g->y_bar[p + 1] + wl * g->log_bar[p + 1],
         packed[p * FM_PACK + 3]);
}

/* The inverse's derivatives follow from those of g: with x = h(y), L = log g'(x),
       dx = (dy - g_raw draw)/g',   dL = L_raw draw + L_x dx. */
static void compare_inverse_vjp(const gold *g) {
  const double wx = 0.7, wl = -1.3, through = (wx + wl * g->log_bar[0]) / g->y_bar[0];
  fm_real packed[RAW * FM_PACK], v[FM_PACK], bar[FM_PACK], log_bar[FM_PACK];

  spread(g->rq.bins, g->raw, packed);
  for (int i = 0; i < FM_PACK; i++) {
    v[i] = (fm_real)g->x;
    bar[i] = (fm_real)wx;
    log_bar[i] = (fm_real)wl;
  }
  fm_rq_vjp(&g->rq, 1, packed, v, bar, log_bar);
  near(g, 1, "rebuilt y", g->y, v[5]);
  near(g, 1, "y_bar", through, bar[5]);
  for (int64_t p = 0; p < fm_rq_count(g->rq.bins); p++)
    near(g, 1, "raw_bar of the inverse", wl * g->log_bar[p + 1] - through * g->y_bar[p + 1],
         packed[p * FM_PACK + 5]);
}

static void compare(const gold *g) {
  fm_real in[FM_PACK], out[FM_PACK], slope[FM_PACK];

  for (int i = 0; i < FM_PACK; i++) in[i] = (fm_real)g->x;
  evaluate(&g->rq, 0, g->raw, in, out, slope);
  near(g, 0, "y", g->y, out[7]);
  near(g, 0, "log slope", g->log_slope, slope[7]);
  for (int i = 0; i < FM_PACK; i++) in[i] = (fm_real)g->y;
  evaluate(&g->rq, 1, g->raw, in, out, slope);
  near(g, 1, "inverse", g->x, out[7]);
  near(g, 1, "log slope of the inverse", g->log_slope, slope[7]);
  compare_vjp(g, 1, 0);
  compare_vjp(g, 0, 1);
  compare_vjp(g, (fm_real)0.3, -2);
  compare_inverse_vjp(g);
}

static FILE *open_golds(void) {
  const char *slash = strrchr(__FILE__, '/');
  char path[1024];
  FILE *file;

  snprintf(path, sizeof(path), "%.*s/golds/spline.txt", slash ? (int)(slash - __FILE__) : 1,
           slash ? __FILE__ : ".");
  file = fopen(path, "r");
  if (!file) fail_msg("cannot open %s", path);
  return file;
}

static void test_against_numpy(void **state) {
  FILE *file = open_golds();
  gold g = {.x = 0};
  char word[16];
  int compared = 0;

  assert_int_equal(fscanf(file, "#%*[^\n]"), 0);
  while (fscanf(file, "%15s", word) == 1) {
    double head[2];

    if (!strcmp(word, "case")) {
      read_numbers(file, 2, head);
      g.rq = (fm_rq){(int64_t)head[0], (fm_real)head[1]};
    } else if (!strcmp(word, "raw")) {
      read_numbers(file, fm_rq_count(g.rq.bins), g.raw);
    } else {
      read_numbers(file, 1, &g.x);
      read_numbers(file, 1, &g.y);
      read_numbers(file, 1, &g.log_slope);
      read_numbers(file, fm_rq_count(g.rq.bins) + 1, g.y_bar);
      read_numbers(file, fm_rq_count(g.rq.bins) + 1, g.log_bar);
      compare(&g);
      compared++;
    }
  }
  fclose(file);
  assert_int_equal(compared, 52);
}

/* ---- the inverse ---- */

/* There and back over a grid with raw numbers from mild to wild, at many bins. An error of y is
   one of x divided by the slope. */
static void round_trip(const fm_rq *rq, const double *raw, const fm_real *x) {
  fm_real y[FM_PACK], back[FM_PACK], there[FM_PACK], here[FM_PACK];

  evaluate(rq, 0, raw, x, y, there);
  evaluate(rq, 1, raw, y, back, here);
  for (int i = 0; i < FM_PACK; i++) {
    const double slope = fmin(1, exp((double)there[i])), unit = (double)rq->bound * FM_EPSILON;

    if (!(fabs((double)back[i] - (double)x[i]) <= 40 * unit / slope))
      fail_msg("%d bins: x = %.17g came back as %.17g, slope %g", (int)rq->bins, (double)x[i],
               (double)back[i], exp((double)there[i]));
  }
}

static void test_round_trip(void **state) {
  const int64_t bins[] = {2, 3, 8, 16, 64};
  const double deviation[] = {0.3, 1, 3, 8};
  fm_real x[FM_PACK];
  double raw[RAW];

  for (int b = 0; b < 5; b++)
    for (int d = 0; d < 4; d++) {
      const fm_rq rq = {bins[b], 3};

      random_raw((uint64_t)(10 * b + d), deviation[d], raw);
      for (int k = 0; k < 400; k++) {
        for (int i = 0; i < FM_PACK; i++)
          x[i] = (fm_real)(-3.01 + 6.02 * (k * FM_PACK + i) / (400. * FM_PACK));
        round_trip(&rq, raw, x);
      }
    }
}

/* ---- monotonic, smooth, onto ---- */

static void test_monotonic_and_smooth(void **state) {
  const fm_rq rq = {8, 2};
  fm_real x[FM_PACK], y[FM_PACK], slope[FM_PACK];
  double raw[RAW], last_y = -2, last_slope = 0;
  const int count = 40000;

  random_raw(77, 0.7, raw);
  for (int k = 0; k < count; k += FM_PACK) {
    for (int i = 0; i < FM_PACK; i++) x[i] = (fm_real)(-2 + 4. * (k + i + 1) / (count + 1));
    evaluate(&rq, 0, raw, x, y, slope);
    for (int i = 0; i < FM_PACK; i++) {
      const double mean = ((double)y[i] - last_y) / (4. / (count + 1));

      assert_true((double)y[i] > last_y);
      if (fabs((double)slope[i] - last_slope) > 0.05)
        fail_msg("log slope jumps at %g: %g, %g", (double)x[i], last_slope, (double)slope[i]);
      if (!SINGLE) fm_near(log(mean), .5 * ((double)slope[i] + last_slope), 1e-3);
      last_y = (double)y[i];
      last_slope = (double)slope[i];
    }
  }
  fm_near(last_y, 2, 4e-4);
  fm_near(last_slope, 0, 0.02);
}

/* ---- edges and odd inputs ---- */

static void test_edges(void **state) {
  const fm_rq rq = {6, 3};
  const fm_real x[FM_PACK] = {-3,        3,        -4, 4, (fm_real)-1e30, (fm_real)1e30,
                              -INFINITY, INFINITY, NAN};
  fm_real y[FM_PACK], slope[FM_PACK];
  double raw[RAW];

  random_raw(5, 2, raw);
  for (int inverse = 0; inverse < 2; inverse++) {
    evaluate(&rq, inverse, raw, x, y, slope);
    for (int i = 0; i < 8; i++) assert_true(y[i] == x[i] && slope[i] == 0);
    assert_true(isnan(y[8]));
    assert_true(fabs((double)y[9]) < 3 && isfinite(slope[9])); /* 0 is inside */
  }
}

/* Cotangents outside pass through; the raw numbers get nothing. */
static void test_vjp_outside(void **state) {
  const fm_rq rq = {6, 3};
  double raw[RAW];

  random_raw(5, 2, raw);
  for (int inverse = 0; inverse < 2; inverse++) {
    fm_real packed[RAW * FM_PACK], v[FM_PACK], bar[FM_PACK], log_bar[FM_PACK];

    spread(rq.bins, raw, packed);
    for (int i = 0; i < FM_PACK; i++) {
      v[i] = (fm_real)(i % 2 ? 3 : -3 - i);
      bar[i] = log_bar[i] = (fm_real)(i + 1);
    }
    v[4] = NAN;
    fm_rq_vjp(&rq, inverse, packed, v, bar, log_bar);
    for (int i = 0; i < FM_PACK; i++) {
      assert_true(bar[i] == (fm_real)(i + 1));
      for (int64_t p = 0; p < fm_rq_count(6); p++) assert_true(packed[p * FM_PACK + i] == 0);
    }
    assert_true(v[0] == -3 && v[3] == 3 && isnan(v[4]));
  }
}

/* Raw numbers of any size give finite results and derivatives; NaN among them gives NaN, and
   nothing hangs. */
static void test_wild_raw_numbers(void **state) {
  const double wild[] = {0, 50, -50, 1e4, -1e4, 1e30, -1e30};
  const fm_rq rq = {5, 3};
  double raw[RAW];

  for (int trial = 0; trial < 200; trial++)
    for (int inverse = 0; inverse < 2; inverse++) {
      fm_real packed[RAW * FM_PACK], v[FM_PACK], bar[FM_PACK], log_bar[FM_PACK], slope[FM_PACK];

      for (int p = 0; p < fm_rq_count(5); p++) raw[p] = wild[(trial * 31 + p * p * 17) % 7];
      for (int p = 10; p < fm_rq_count(5); p++) raw[p] = fmin(raw[p], 1e4);
      for (int i = 0; i < FM_PACK; i++) v[i] = (fm_real)(-2.9 + 5.8 * i / (FM_PACK - 1));
      evaluate(&rq, inverse, raw, v, v, slope);
      spread(5, raw, packed);
      for (int i = 0; i < FM_PACK; i++) bar[i] = log_bar[i] = 1;
      for (int i = 0; i < FM_PACK; i++) assert_true(isfinite(v[i]) && isfinite(slope[i]));
      fm_rq_vjp(&rq, inverse, packed, v, bar, log_bar);
      for (int i = 0; i < FM_PACK; i++) assert_true(isfinite(v[i]));
    }
  raw[2] = NAN;
  for (int inverse = 0; inverse < 2; inverse++) {
    fm_real v[FM_PACK] = {1}, out[FM_PACK], slope[FM_PACK];

    evaluate(&rq, inverse, raw, v, out, slope);
    assert_true(isnan(out[0]));
  }
}

/* What becomes of an element does not depend on its place or on its neighbours. */
static void test_elements_are_alone(void **state) {
  const fm_rq rq = {7, 3};
  fm_real mixed[RAW * FM_PACK], x[FM_PACK], y[FM_PACK], slope[FM_PACK], kept[RAW * FM_PACK];
  double raw[RAW];

  for (int i = 0; i < FM_PACK; i++) {
    random_raw((uint64_t)i, 1.5, raw);
    for (int64_t p = 0; p < fm_rq_count(7); p++) mixed[p * FM_PACK + i] = (fm_real)raw[p];
    x[i] = y[i] = (fm_real)(-2.8 + 0.37 * i);
  }
  memcpy(kept, mixed, sizeof(kept));
  fm_rq_apply(&rq, 0, mixed, y, slope);
  for (int i = 0; i < FM_PACK; i++) {
    fm_real same[FM_PACK], out[FM_PACK], log_slope[FM_PACK];

    for (int64_t p = 0; p < fm_rq_count(7); p++) raw[p] = (double)kept[p * FM_PACK + i];
    for (int k = 0; k < FM_PACK; k++) same[k] = x[i];
    evaluate(&rq, 0, raw, same, out, log_slope);
    for (int k = 0; k < FM_PACK; k++) assert_true(out[k] == y[i] && log_slope[k] == slope[i]);
  }
}

/* ---- exp and log ---- */

static void test_exp_and_log(void **state) {
  fm_real v[FM_PACK], e[FM_PACK], l[FM_PACK];

  for (int k = 0; k < 4000; k++) {
    for (int i = 0; i < FM_PACK; i++) {
      const double t = (k * FM_PACK + i) / (4000. * FM_PACK);

      v[i] = (fm_real)(-86 * t * t * t);
    }
    fm_exp_pack(v, e);
    for (int i = 0; i < FM_PACK; i++) {
      const double exact = exp((double)v[i]);

      if (!(fabs((double)e[i] - exact) <= 1.5 * FM_EPSILON * exact))
        fail_msg("exp(%.17g) = %.17g, not %.17g", (double)v[i], (double)e[i], exact);
    }
    fm_log_pack(e, l);
    for (int i = 0; i < FM_PACK; i++) fm_near(l[i], log((double)e[i]), FM_EPSILON);
    for (int i = 0; i < FM_PACK; i++) v[i] = (fm_real)exp(0.002 * (k - 2000 + i / 16.));
    fm_log_pack(v, l);
    for (int i = 0; i < FM_PACK; i++) fm_near(l[i], log((double)v[i]), FM_EPSILON);
  }
  v[0] = -INFINITY, v[1] = NAN;
  fm_exp_pack(v, e);
  assert_true(e[0] >= 0 && e[0] < 1e-30f && isnan(e[1]));
}

FM_TEST_MAIN(cmocka_unit_test(test_against_numpy), cmocka_unit_test(test_round_trip),
             cmocka_unit_test(test_monotonic_and_smooth), cmocka_unit_test(test_edges),
             cmocka_unit_test(test_vjp_outside), cmocka_unit_test(test_wild_raw_numbers),
             cmocka_unit_test(test_elements_are_alone), cmocka_unit_test(test_exp_and_log))
