#include "mixing.h"
#include "fathom/rng.h"
#include <math.h>

enum { PHASES, SIGNS }; /* steps of the stream; the next is FM_MIXING_STEPS */

static void draw_phases(fm_mixing *m, fm_rng rng, const double *u) {
  for (int64_t k = 0; k <= m->n / 2; k++) {
    const double angle = 2 * PETSC_PI * u[k];
    const PetscBool alone = k == 0 || 2 * k == m->n ? PETSC_TRUE : PETSC_FALSE; /* k = -k */

    m->phase[k][0] = alone ? (u[k] < 0.5 ? 1 : -1) : cos(angle);
    m->phase[k][1] = alone ? 0 : sin(angle);
  }
}

PetscErrorCode fm_mixing_create(int64_t n, uint64_t seed, fm_mixing *m) {
  const fm_rng rng = {seed, FM_STREAM_ROMBERG};
  double *u;

  PetscFunctionBegin;
  m->n = n;
  PetscCall(fm_fft_create(1, &n, &m->fft));
  PetscCall(fm_calloc(m->fft->modes, &m->phase));
  PetscCall(fm_calloc(n, &m->sign));
  PetscCall(fm_calloc(PetscMax(n, m->fft->modes), &u));
  fm_rng_uniform(rng, PHASES, 0, (size_t)m->fft->modes, u);
  draw_phases(m, rng, u);
  fm_rng_uniform(rng, SIGNS, 0, (size_t)n, u);
  for (int64_t i = 0; i < n; i++) m->sign[i] = u[i] < 0.5 ? 1 : -1;
  PetscCall(PetscFree(u));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_mixing_clear(fm_mixing *m) {
  PetscFunctionBegin;
  PetscCall(fm_fft_destroy(&m->fft));
  PetscCall(PetscFree(m->phase));
  PetscCall(PetscFree(m->sign));
  PetscFunctionReturn(0);
}

/* fft->real = ifft(phase . fft(fft->real)); conjugate -1: with the conjugate of phase. */
static void convolve(const fm_mixing *m, double conjugate) {
  double(*s)[2] = m->fft->spectrum;

  fm_fft_forward(m->fft);
  for (int64_t k = 0; k < m->fft->modes; k++) {
    const double re = m->phase[k][0], im = conjugate * m->phase[k][1], a = s[k][0], b = s[k][1];

    s[k][0] = re * a - im * b;
    s[k][1] = re * b + im * a;
  }
  fm_fft_backward(m->fft);
}

void fm_mixing_apply(const fm_mixing *m, double *v) {
  for (int64_t i = 0; i < m->n; i++) m->fft->real[i] = v[i];
  convolve(m, 1);
  for (int64_t i = 0; i < m->n; i++) v[i] = m->sign[i] * m->fft->real[i];
}

void fm_mixing_transpose(const fm_mixing *m, double *v) {
  for (int64_t i = 0; i < m->n; i++) m->fft->real[i] = m->sign[i] * v[i];
  convolve(m, -1);
  for (int64_t i = 0; i < m->n; i++) v[i] = m->fft->real[i];
}
