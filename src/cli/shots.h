/* shots - recorded shots on their way to what the operator acoustic reads. Every rank holds all
   of it; only rank 0 writes.

   Times: a trace is recorded at times after the shot; the modelling's time is that plus
   -shots_delay. Places are (z, x) in m from the model's first node. Traces are numbered
   [shot][receiver]. */
#ifndef FM_CLI_SHOTS_H
#define FM_CLI_SHOTS_H

#include "fathom/command.h"
#include "fathom/filter.h"

#define FM_SHOTS_FLOOR (1. / 30) /* amplitude, of the spectrum's largest, where a band ends */
#define FM_SHOTS_ONSET 1e-3      /* of the wavelet's largest sample, where it begins */

typedef struct fm_shots {
  fm_run *run;
  MPI_Comm world;
  /* the model and the modelling */
  double depth, width, dx;       /* m */
  int64_t steps, every, samples; /* of the time loop; recorded */
  double dt, interval, delay;    /* s: of a step, of a recorded sample; -shots_delay */
  /* as recorded */
  int64_t nshot, nreceiver, n_in; /* n_in: samples of a recorded trace */
  PetscBool moving;               /* other receivers for each shot */
  double *source, *receiver;      /* [nshot][2]; [nreceiver][2] or [nshot][nreceiver][2] */
  double dt_in, *start;           /* s; [traces] of the first sample, after the shot */
  double *recorded;               /* [traces][n_in] */
  unsigned char *live;            /* [traces] 0: dead, zero or not there */
  /* what is made of it */
  fm_band band;                /* of data and wavelet; no limits: samples are only picked */
  double length;               /* s, of the filter */
  double low, high, centre;    /* Hz, band and centroid of the wavelet that goes out */
  double onset;                /* s, of the wavelet as given: its first FM_SHOTS_ONSET */
  double *wavelet;             /* [steps] */
  PetscBool same_wavelet;      /* as the operator's own options have it */
  double *y;                   /* [traces][samples] */
  unsigned char *mask;         /* [traces][samples] 1: counts */
  double *noise, *trace_noise; /* [nshot]; [traces], weights applied */
} fm_shots;

static inline int64_t fm_shots_traces(const fm_shots *s) { return s->nshot * s->nreceiver; }
/* fm_shots_distance - source to receiver of a trace in m. */
double fm_shots_distance(const fm_shots *s, int64_t trace);

/* fm_shots_pair - the two numbers of an array option; *given PETSC_FALSE: it is not given. */
PetscErrorCode fm_shots_pair(MPI_Comm comm, const char *option, const char *form,
                             double value[2], PetscBool *given);

/* ---- shots_segy.c, shots_layout.c, shots_read.c: what was recorded ---- */

/* A trace before it has its place. */
typedef struct fm_shots_trace {
  double source[2], receiver[2]; /* (z, x) */
  int64_t record, index;         /* field record; place in the file */
} fm_shots_trace;

/* fm_shots_layout - sort n traces by source, field record and receiver, and give each its
   place: sources, receivers and s->nshot, nreceiver, moving; place [n], of trace[i]. User
   errors: two traces of one shot and receiver, unequal shots without a common layout. */
PetscErrorCode fm_shots_layout(fm_shots *s, int64_t n, fm_shots_trace *trace, int64_t *place);
PetscErrorCode fm_shots_read_segy(fm_shots *s, const char *path);
/* fm_shots_read - -shots, from SEG-Y or HDF5, moved by -shots_origin and inside the model. */
PetscErrorCode fm_shots_read(fm_shots *s);

/* ---- shots_wavelet.c, shots_spectrum.c, shots_traces.c, shots_noise.c ---- */

/* fm_shots_make_wavelet - s->band, length and wavelet; refuses rates that do not hold its band.
 */
PetscErrorCode fm_shots_make_wavelet(fm_shots *s);
/* fm_shots_spectrum - power at the frequencies k df, k = 0..*lines - 1, summed over n traces
   of `samples` samples, `stride` apart; a trace with live[i] 0 is left out (live NULL: none).
   PetscFree it. */
PetscErrorCode fm_shots_spectrum(int64_t n, int64_t samples, const double *x,
                                 const unsigned char *live, double dt, int64_t *lines,
                                 double *df, double **power);
/* fm_shots_band_of - where the amplitude is FM_SHOTS_FLOOR of its largest or more; 0, 0 for
   nothing. */
void fm_shots_band_of(int64_t lines, double df, const double *power, double *low, double *high);
/* fm_shots_energy - of the frequencies low..high, and their centroid. */
double fm_shots_energy(int64_t lines, double df, const double *power, double low, double high,
                       double *centre);
/* fm_shots_check_wavelet - refuse a wavelet at odds with the data. */
PetscErrorCode fm_shots_check_wavelet(fm_shots *s);
/* fm_shots_make_traces - s->y and s->mask. */
PetscErrorCode fm_shots_make_traces(fm_shots *s);
/* fm_shots_make_noise - s->noise and s->trace_noise, weights of 0 into the mask. */
PetscErrorCode fm_shots_make_noise(fm_shots *s);

/* ---- shots_write.c ---- */

/* fm_shots_write - OUT/shots.h5, OUT/shots.yaml and the result lines. */
PetscErrorCode fm_shots_write(fm_shots *s);

#endif
