#include "fathom/ricker.h"
#include <math.h>

#define LINES 2048

void fm_ricker(double frequency, double delay, double dt, int64_t steps, double *out) {
  for (int64_t n = 0; n < steps; n++) {
    const double b = PETSC_PI * frequency * ((double)n * dt - delay), a = b * b;

    out[n] = (1 - 2 * a) * exp(-a);
  }
}

/* |sum_n w_n exp(-i angle n)|^2 */
static double power(double angle, int64_t steps, const double *w) {
  const double c = cos(angle), s = sin(angle);
  double turn = 1, side = 0, re = 0, im = 0;

  for (int64_t n = 0; n < steps; n++) {
    const double next = turn * c - side * s;

    re += w[n] * turn;
    im += w[n] * side;
    side = turn * s + side * c;
    turn = next;
  }
  return re * re + im * im;
}

double fm_wavelet_maximum(double dt, int64_t steps, const double *wavelet) {
  double all[LINES + 1], most = 0;
  int line = LINES;

  for (int k = 0; k <= LINES; k++) {
    all[k] = power(PETSC_PI * k / LINES, steps, wavelet);
    most = fmax(most, all[k]);
  }
  if (most == 0) return 0;
  while (all[line] < most / (30 * 30)) line--;
  return PetscMin(line + 1, LINES) * 0.5 / (dt * LINES);
}
