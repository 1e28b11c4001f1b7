/* Shots for the tests of wave2d: grids of every kind, points of our own between nodes. */
#ifndef WAVE2D_CASES_H
#define WAVE2D_CASES_H

#include "../operators/wave2d.h"
#include "fathom/rng.h"
#include "fm_test.h"

typedef struct wave_case {
  const char *name;
  int64_t nz, nx, layer[FM_SIDES];
  PetscBool free_surface;
} wave_case;

/* Odd sizes and uneven spacings: nothing is symmetric. */
static const wave_case wave_cases[] = {
    {"no layers", 41, 37, {0, 0, 0, 0}, PETSC_FALSE},
    {"layers", 33, 45, {8, 8, 8, 8}, PETSC_FALSE},
    {"free surface", 35, 29, {0, 9, 6, 6}, PETSC_TRUE},
    {"uneven layers", 38, 36, {5, 11, 14, 7}, PETSC_FALSE},
    {"few nodes", 8, 9, {5, 6, 7, 9}, PETSC_FALSE},
    {"few nodes and a surface", 8, 8, {0, 3, 0, 4}, PETSC_TRUE},
};
#define WAVE_CASES ((int)(sizeof(wave_cases) / sizeof(wave_cases[0])))

typedef struct wave_fixture {
  fm_wave2d_spec spec;
  fm_wave2d *wave;
  fm_wave2d_shot shot;
  fm_wave2d_point source[3], receiver[7];
  double amplitude[3];
  double *wavelet, *c, *dc, *g;    /* [steps], [nz][nx] */
  fm_real *trace, *dtrace, *other; /* [steps][receivers]; other: N(0, 1) */
  int64_t nmodel, ntrace;
} wave_fixture;

static inline double wave_uniform(uint64_t name, int64_t index) {
  double x;

  fm_rng_uniform((fm_rng){77, FM_STREAM_CHECK}, name, (uint64_t)index, 1, &x);
  return x;
}

/* `nodes` a side with weights that nothing symmetric has; one on a node is 1 there. Points
   beside an edge reach into the layers, or where u is 0; not above a free surface. */
static inline fm_wave2d_point wave_point(const fm_wave2d_spec *s, uint64_t name, int64_t z,
                                         int64_t x, int nodes) {
  fm_wave2d_point p = {.z = z, .z0 = z, .x0 = x, .nz = nodes, .nx = nodes};

  if (nodes > 1) {
    p.z0 = s->free_surface ? PetscMax(z - 3, 0) : z - 3;
    p.x0 = x - 3;
  }
  for (int k = 0; k < nodes; k++) {
    p.wz[k] = nodes == 1 ? 1 : wave_uniform(name, k) - 0.2;
    p.wx[k] = nodes == 1 ? 1 : wave_uniform(name, 8 + k) - 0.2;
  }
  return p;
}

static inline fm_wave2d_spec wave_spec(const wave_case *c, MPI_Comm comm, int order,
                                       int time_order, int64_t steps) {
  fm_wave2d_spec s = {.comm = comm,
                      .nz = c->nz,
                      .nx = c->nx,
                      .dz = 10,
                      .dx = 12,
                      .steps = steps,
                      .order = order,
                      .time_order = time_order,
                      .free_surface = c->free_surface,
                      .layer_velocity = 2300,
                      .layer_frequency = 15};

  memcpy(s.layer, c->layer, sizeof(s.layer));
  s.dt = 0.7 * fm_wave2d_limit(&s) / 3000;
  return s;
}

/* A Ricker wavelet whose peak is delay periods after t = 0. */
static inline void wave_ricker(const fm_wave2d_spec *s, double frequency, double delay,
                               double *wavelet) {
  for (int64_t t = 0; t < s->steps; t++) {
    const double a = acos(-1.) * (frequency * (double)t * s->dt - delay);

    wavelet[t] = (1 - 2 * a * a) * exp(-a * a);
  }
}

static inline void wave_fill(wave_fixture *f) {
  for (int64_t i = 0; i < f->nmodel; i++) {
    f->c[i] = 2000 + 900 * wave_uniform(1, i);
    f->dc[i] = 2 * wave_uniform(2, i) - 1;
  }
  wave_ricker(&f->spec, 15, 0.9, f->wavelet);
  for (int k = 0; k < 3; k++) {
    f->source[k] =
        wave_point(&f->spec, 10 + (uint64_t)k,
                   PetscClipInterval(3 + (f->spec.nz - 8) * k / 2, 0, f->spec.nz - 1),
                   PetscMin(20 - 8 * k, f->spec.nx - 1), k == 1 ? 1 : 8);
    f->amplitude[k] = 1 + 0.3 * k;
  }
  for (int k = 0; k < 7; k++)
    f->receiver[k] = wave_point(&f->spec, 20 + (uint64_t)k, (f->spec.nz - 1) * k / 6,
                                (f->spec.nx - 1) * k / 6, k % 3 == 1 ? 1 : 8 - k % 2);
  f->shot = (fm_wave2d_shot){3, 7, f->source, f->receiver, f->amplitude, f->wavelet};
}

static inline void wave_begin(wave_fixture *f, const wave_case *c, MPI_Comm comm, int order,
                              int time_order, int64_t steps, int64_t tape_bytes) {
  const int64_t n = c->nz * c->nx, m = 7 * steps;

  f->spec = wave_spec(c, comm, order, time_order, steps);
  f->spec.tape_bytes = tape_bytes;
  f->nmodel = n;
  f->ntrace = m;
  fm_ok(PetscMalloc4(steps, &f->wavelet, n, &f->c, n, &f->dc, n, &f->g));
  fm_ok(PetscMalloc3(m, &f->trace, m, &f->dtrace, m, &f->other));
  wave_fill(f);
  fm_rng_normal((fm_rng){3, FM_STREAM_CHECK}, 0, 0, (size_t)m, f->other);
  fm_ok(fm_wave2d_create(&f->spec, &f->wave));
  fm_ok(fm_wave2d_set_velocity(f->wave, f->c));
}

static inline void wave_end(wave_fixture *f) {
  fm_ok(fm_wave2d_destroy(&f->wave));
  fm_ok(PetscFree4(f->wavelet, f->c, f->dc, f->g));
  fm_ok(PetscFree3(f->trace, f->dtrace, f->other));
}

static inline double wave_dot(int64_t n, const fm_real *a, const fm_real *b) {
  double sum = 0;

  for (int64_t i = 0; i < n; i++) sum += (double)a[i] * (double)b[i];
  return sum;
}

#endif
