/* The time loop against exact solutions: order in space and time, a mirrored model, what the
   layers leave, the limit of stability. */
#include "wave2d_cases.h"

#define DOUBLE (sizeof(fm_real) == 8)

/* ---- a smooth source ---- */

/* f(t) exp(-r^2/(2 w^2)) in a homogeneous model, a Ricker wavelet of 1 Hz at 2 s, velocity 1:
   the edges, 2.6 away, are not heard before t = 4.5. */
#define WIDTH 0.25
#define END 3.5

typedef struct smooth {
  int n; /* nodes a unit of length */
  fm_wave2d_spec spec;
  fm_wave2d_point *source, receiver[3];
  double *amplitude, *wavelet;
  fm_real *trace;
} smooth;

static int64_t half_of(const smooth *s) { return 26 * s->n / 10; }

static fm_wave2d_point on_node(int64_t z, int64_t x) {
  return (fm_wave2d_point){.z = z, .z0 = z, .x0 = x, .nz = 1, .nx = 1, .wz = {1}, .wx = {1}};
}

static void place(smooth *s) {
  const int64_t half = half_of(s), side = 2 * half + 1;

  for (int64_t k = 0; k < side * side; k++) {
    const double z = (double)(k / side - half) / s->n, x = (double)(k % side - half) / s->n;

    s->source[k] = on_node(k / side, k % side);
    s->amplitude[k] = exp(-(z * z + x * x) / (2 * WIDTH * WIDTH));
  }
  s->receiver[0] = on_node(half, half);
  s->receiver[1] = on_node(half, half + s->n / 2);
  s->receiver[2] = on_node(half + s->n, half + s->n / 2);
}

static void shoot(smooth *s, int n, int order, int time_order, int64_t steps) {
  fm_wave2d_shot shot;
  fm_wave2d *wave;
  int64_t count;
  double *c;

  s->n = n;
  count = (2 * half_of(s) + 1) * (2 * half_of(s) + 1);
  s->spec = (fm_wave2d_spec){.comm = PETSC_COMM_SELF,
                             .nz = 2 * half_of(s) + 1,
                             .nx = 2 * half_of(s) + 1,
                             .dz = 1. / n,
                             .dx = 1. / n,
                             .dt = END / (double)(steps - 1),
                             .steps = steps,
                             .order = order,
                             .time_order = time_order};
  fm_ok(PetscMalloc4(count, &s->source, count, &s->amplitude, steps, &s->wavelet, count, &c));
  fm_ok(PetscMalloc1(3 * steps, &s->trace));
  place(s);
  wave_ricker(&s->spec, 1, 2, s->wavelet);
  for (int64_t k = 0; k < count; k++) c[k] = 1;
  shot = (fm_wave2d_shot){count, 3, s->source, s->receiver, s->amplitude, s->wavelet};
  fm_ok(fm_wave2d_create(&s->spec, &wave));
  fm_ok(fm_wave2d_set_velocity(wave, c));
  fm_ok(fm_wave2d_forward(wave, &shot, PETSC_FALSE, s->trace));
  fm_ok(fm_wave2d_destroy(&wave));
  fm_ok(PetscFree4(s->source, s->amplitude, s->wavelet, c));
}

static void forget(smooth *s) { fm_ok(PetscFree(s->trace)); }

static double ricker(double t) {
  const double a = acos(-1.) * (t - 2);

  return (1 - 2 * a * a) * exp(-a * a);
}

/* Of the wave of wavenumber k at time t: int_0^t f(s) sin(k (t - s)) ds, by Simpson's rule. */
static double response(double k, double t) {
  const int n = 1000;
  double sum = 0;

  for (int i = 0; i <= n; i++)
    sum += (i == 0 || i == n ? 1
            : i % 2          ? 4
                             : 2) *
           ricker(t * i / n) * sin(k * (t - t * i / n));
  return sum * t / (3 * n);
}

/* The Hankel transform of the source is w^2 exp(-k^2 w^2/2) f, with u_tt + k^2 u = f for each
   wavenumber: u(r, t) = int_0^inf w^2 exp(-k^2 w^2/2) J0(k r) response(k, t) dk, of which
   nothing is left beyond k = 7/w. At t = END i/16, receivers as in place(). */
static void evaluate(int i, double u[3]) {
  const double r[3] = {0, 0.5, sqrt(1.25)}, w = WIDTH;
  const int n = 1000;

  u[0] = u[1] = u[2] = 0;
  for (int j = 1; j < n; j++) {
    const double k = 7 / w * j / n, weight = (j % 2 ? 4 : 2) * 7 / w / (3 * n);
    const double wave = w * w * exp(-k * k * w * w / 2) * response(k, END * i / 16);

    for (int receiver = 0; receiver < 3; receiver++)
      u[receiver] += weight * j0(k * r[receiver]) * wave;
  }
}

static double exact[16][3];

static int begin(void **state) {
  for (int i = 8; i < 16; i++) evaluate(i, exact[i]);
  return 0;
}

/* Relative difference over the receivers at 8 times; numbers of steps are multiples of 16. */
static double error_of(const smooth *s) {
  double sum = 0, scale = 0;

  for (int k = 0; k < 3; k++)
    for (int i = 8; i < 16; i++) {
      const int64_t t = (s->spec.steps - 1) / 16 * i;

      sum += pow((double)s->trace[3 * t + k] - exact[i][k], 2);
      scale += pow(exact[i][k], 2);
    }
  return sqrt(sum / scale);
}

/* Fourth order in time at small steps: what is left is the error in space. */
static void converges_in_space(void **state) {
  const int nodes[4] = {20, 10, 10, 10}; /* coarser of two grids a unit, orders 2, 4, 6, 8 */
  double error[2];
  smooth s;

  for (int order = 2; order <= 8; order += 2) {
    for (int fine = 0; fine < 2; fine++) {
      shoot(&s, nodes[order / 2 - 1] << fine, order, 4, 16 * 60 + 1);
      error[fine] = error_of(&s);
      forget(&s);
    }
    print_message("order %d: errors %.3g and %.3g, order seen %.3f\n", order, error[0],
                  error[1], log2(error[0] / error[1]));
    if (DOUBLE) fm_near(log2(error[0] / error[1]) / order, 1, 0.1);
    fm_near(error[1], 0, 0.03);
  }
}

/* Eighth order on a fine grid: what is left is the error in time. */
static void converges_in_time(void **state) {
  double error[2];
  smooth s;

  for (int time_order = 2; time_order <= 4; time_order += 2) {
    for (int fine = 0; fine < 2; fine++) {
      shoot(&s, 30, 8, time_order, 16 * (14 << fine) + 1);
      error[fine] = error_of(&s);
      forget(&s);
    }
    print_message("order %d in time: errors %.3g and %.3g, order seen %.3f\n", time_order,
                  error[0], error[1], log2(error[0] / error[1]));
    if (DOUBLE) fm_near(log2(error[0] / error[1]) / time_order, 1, 0.1);
    fm_near(error[1], 0, 0.03);
  }
}

/* ---- a free surface and its mirror image ---- */

static void run(const fm_wave2d_spec *spec, const fm_wave2d_shot *shot,
                double (*model)(int64_t, int64_t), int64_t middle, fm_real *trace) {
  fm_wave2d *wave;
  double *c;

  fm_ok(PetscMalloc1(spec->nz * spec->nx, &c));
  for (int64_t k = 0; k < spec->nz * spec->nx; k++) {
    const int64_t z = k / spec->nx - middle;

    c[k] = model(z < 0 ? -z : z, k % spec->nx);
  }
  fm_ok(fm_wave2d_create(spec, &wave));
  fm_ok(fm_wave2d_set_velocity(wave, c));
  fm_ok(fm_wave2d_forward(wave, shot, PETSC_FALSE, trace));
  fm_ok(fm_wave2d_destroy(&wave));
  fm_ok(PetscFree(c));
}

static double layered(int64_t z, int64_t x) { return (z < 20 ? 1500 : 2200) + 3 * (double)x; }
static double uniform(int64_t z, int64_t x) { return 2000; }

/* u = 0 at the surface is the odd part of a model twice as deep, with two sources. */
static void check_mirror(int order, int time_order) {
  const wave_case c = {"mirror", 41, 47, {0, 10, 7, 9}, PETSC_TRUE};
  const int64_t middle = 40, steps = 300;
  fm_wave2d_point source[2], receiver[2] = {on_node(5, 30), on_node(33, 8)};
  double amplitude[2] = {1, -1}, *wavelet, sum = 0, scale = 0;
  fm_wave2d_spec spec = wave_spec(&c, PETSC_COMM_SELF, order, time_order, steps);
  fm_real *half, *whole;

  fm_ok(PetscMalloc3(steps, &wavelet, 2 * steps, &half, 2 * steps, &whole));
  wave_ricker(&spec, 12, 1.2, wavelet);
  source[0] = on_node(3, 21);
  run(&spec, &(fm_wave2d_shot){1, 2, source, receiver, amplitude, wavelet}, layered, 0, half);
  spec.free_surface = PETSC_FALSE;
  spec.nz = 2 * spec.nz - 1;
  spec.layer[FM_TOP] = spec.layer[FM_BOTTOM];
  source[0] = on_node(middle + 3, 21);
  source[1] = on_node(middle - 3, 21);
  for (int k = 0; k < 2; k++) receiver[k] = on_node(middle + receiver[k].z, receiver[k].x0);
  run(&spec, &(fm_wave2d_shot){2, 2, source, receiver, amplitude, wavelet}, layered, middle,
      whole);
  for (int64_t k = 0; k < 2 * steps; k++) {
    sum += pow((double)half[k] - (double)whole[k], 2);
    scale += pow((double)whole[k], 2);
  }
  fm_near(sqrt(sum / scale), 0, DOUBLE ? 1e-12 : 1e-5);
  fm_ok(PetscFree3(wavelet, half, whole));
}

static void a_free_surface_mirrors(void **state) {
  for (int order = 2; order <= 8; order += 2)
    for (int time_order = 2; time_order <= 4; time_order += 2) check_mirror(order, time_order);
}

/* ---- layers ---- */

#define BOX 80

/* Kinetic and potential energy between two steps of a box all of whose nodes are receivers. */
static double energy_of(const fm_wave2d_spec *s, const fm_real *u, double c) {
  const fm_real *v = u + BOX * BOX;
  double sum = 0;

  for (int64_t k = 0; k < BOX * BOX; k++) {
    const double rate = ((double)v[k] - (double)u[k]) / s->dt;

    sum += rate * rate / (c * c);
    if (k % BOX < BOX - 1)
      sum += ((double)u[k + 1] - u[k]) * ((double)v[k + 1] - v[k]) / (s->dx * s->dx);
    if (k < BOX * (BOX - 1))
      sum += ((double)u[k + BOX] - u[k]) * ((double)v[k + BOX] - v[k]) / (s->dz * s->dz);
  }
  return sum;
}

/* Energy after half the time and at the end over the largest before. */
static void leave(int order, int time_order, double courant, int64_t steps, int64_t z,
                  double left[2]) {
  const wave_case c = {"box", BOX, BOX, {20, 20, 20, 20}, PETSC_FALSE};
  fm_wave2d_spec s = wave_spec(&c, PETSC_COMM_SELF, order, time_order, steps);
  fm_wave2d_point *receiver, source = on_node(z, BOX / 2);
  double *wavelet, most = 0;
  fm_real *trace;

  s.dx = s.dz;
  s.layer_velocity = 2000;
  s.dt = courant * fm_wave2d_limit(&s) / 2000;
  fm_ok(PetscMalloc3(steps, &wavelet, BOX * BOX, &receiver, BOX * BOX * steps, &trace));
  wave_ricker(&s, 15, 1.2, wavelet);
  for (int64_t k = 0; k < BOX * BOX; k++) receiver[k] = on_node(k / BOX, k % BOX);
  run(&s, &(fm_wave2d_shot){1, BOX * BOX, &source, receiver, &(double){1}, wavelet}, uniform, 0,
      trace);
  for (int64_t t = 0; t < steps - 1; t += 7)
    most = fmax(most, energy_of(&s, trace + t * BOX * BOX, 2000));
  left[0] = energy_of(&s, trace + steps / 2 * BOX * BOX, 2000) / most;
  left[1] = energy_of(&s, trace + (steps - 2) * BOX * BOX, 2000) / most;
  fm_ok(PetscFree3(wavelet, receiver, trace));
}

/* 20 nodes; a source in the middle, and one beside an edge, whose waves graze it. */
static void layers_absorb(void **state) {
  double left[2];

  for (int order = 2; order <= 8; order += 2)
    for (int time_order = 2; time_order <= 4; time_order += 2)
      for (int64_t z = 3; z <= BOX / 2; z += BOX / 2 - 3) {
        leave(order, time_order, 0.6, 900, z, left);
        print_message("order %d, %d in time, source in row %d: energy left %.2g, %.2g\n", order,
                      time_order, (int)z, left[0], left[1]);
        fm_near(left[0], 0, 1e-5);
        fm_near(left[1], 0, 1e-5);
      }
}

/* A shot beside two edges in a model of 60 x 80 nodes with layers, or with `beyond` nodes
   instead,
   whose edges are not heard in time; 10 points a wavelength at the highest frequency. */
static void shoot_beside_edges(int order, int64_t beyond, int64_t steps, fm_real *trace) {
  const int64_t layer = beyond ? 0 : 20, at[4][2] = {{4, 12}, {3, 75}, {57, 6}, {40, 78}};
  const wave_case c = {
      "edges", 60 + 2 * beyond, 80 + 2 * beyond, {layer, layer, layer, layer}, PETSC_FALSE};
  fm_wave2d_spec s = wave_spec(&c, PETSC_COMM_SELF, order, 2, steps);
  const fm_wave2d_point source = on_node(beyond + 5, beyond + 4);
  fm_wave2d_point receiver[4];
  double *wavelet;

  s.dx = s.dz;
  s.dt = 0.4 * s.dx / 2000;
  s.layer_velocity = 2000;
  s.layer_frequency = 8;
  for (int k = 0; k < 4; k++) receiver[k] = on_node(beyond + at[k][0], beyond + at[k][1]);
  fm_ok(PetscMalloc1(steps, &wavelet));
  wave_ricker(&s, 8, 1.2, wavelet);
  run(&s, &(fm_wave2d_shot){1, 4, &source, receiver, &(double){1}, wavelet}, uniform, 0, trace);
  fm_ok(PetscFree(wavelet));
}

/* At all angles: shots near the edges keep their traces. With D- D+ in zeta it is .4 % and more
   beyond the second order. */
static void layers_reflect_little(void **state) {
  const int64_t steps = 400;
  fm_real *layers, *truth;

  fm_ok(PetscMalloc2(4 * steps, &layers, 4 * steps, &truth));
  for (int order = 2; order <= 8; order += 2) {
    double sum[4] = {0}, scale[4] = {0}, most = 0;

    shoot_beside_edges(order, 0, steps, layers);
    shoot_beside_edges(order, 90, steps, truth);
    for (int64_t k = 0; k < 4 * steps; k++) {
      sum[k % 4] += pow((double)layers[k] - (double)truth[k], 2);
      scale[k % 4] += pow((double)truth[k], 2);
    }
    for (int k = 0; k < 4; k++) most = fmax(most, sqrt(sum[k] / scale[k]));
    print_message("order %d: traces beside the layers are off by %.2g\n", order, most);
    fm_near(most, 0, 1e-3);
  }
  fm_ok(PetscFree2(layers, truth));
}

/* The limit is sharp, and layers do not lower it. */
static void the_limit_of_stability(void **state) {
  double left[2];

  for (int order = 2; order <= 8; order += 2)
    for (int time_order = 2; time_order <= 4; time_order += 2) {
      leave(order, time_order, 1, 2000, BOX / 2, left);
      fm_near(left[1], 0, 1e-5);
      leave(order, time_order, 1.02, 400, BOX / 2, left);
      assert_true(!(left[1] < 0.9)); /* the last is the largest, if it is a number */
    }
}

FM_TEST_MAIN(cmocka_unit_test_setup(converges_in_space, begin),
             cmocka_unit_test_setup(converges_in_time, begin),
             cmocka_unit_test(a_free_surface_mirrors), cmocka_unit_test(layers_absorb),
             cmocka_unit_test(layers_reflect_little), cmocka_unit_test(the_limit_of_stability))
