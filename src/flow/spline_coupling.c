#include "flow/spline_coupling.h"
#include "flow/kernels.h"
#include <string.h>

/* ---- build ---- */

static PetscErrorCode add_coupling(fm_layer *layer, fm_flow *flow, const char *prefix,
                                   int64_t source, int64_t nsource, int64_t context) {
  const fm_flow_spec *spec = fm_flow_get_spec(flow);
  fm_spline_list *list = layer->data;
  fm_spline *s = &list->spline[list->count++];
  const int64_t shape[] = {fm_rq_count(spec->bins), layer->size - nsource};
  char name[FM_NAME_MAX];

  PetscFunctionBegin;
  *s = (fm_spline){.rq = {spec->bins, (fm_real)spec->bound},
                   .source = source,
                   .nsource = nsource,
                   .target = source ? 0 : nsource,
                   .width = shape[1],
                   .context = context};
  PetscCall(fm_conditioner_build(&s->net, flow, layer, prefix, fm_shape_vector(1),
                                 nsource + context, shape[0] * shape[1]));
  PetscCall(PetscSNPrintf(name, sizeof(name), "%sb3", prefix));
  PetscCall(fm_layer_tensor(flow, layer, name, 2, shape, 0, &s->bias));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_spline_build(fm_layer *layer, fm_flow *flow, int64_t context) {
  const fm_flow_spec *spec = fm_flow_get_spec(flow);
  const int64_t half = layer->size / 2;

  PetscFunctionBegin;
  fm_check(spec->bins >= 2 && spec->bins <= FM_RQ_BINS_MAX, PETSC_COMM_SELF,
           PETSC_ERR_ARG_OUTOFRANGE, "a spline has 2 to %d bins, not %" PRId64 " (-flow_bins)",
           FM_RQ_BINS_MAX, spec->bins);
  fm_check(spec->bound > 0 && spec->bound < 1e6, PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE,
           "a spline's bound must be positive and below 1e6, not %g (-flow_bound)",
           spec->bound);
  PetscCall(PetscCalloc(sizeof(fm_spline_list), &layer->data));
  PetscCall(add_coupling(layer, flow, "b.", 0, half, context));
  if (half) PetscCall(add_coupling(layer, flow, "a.", half, layer->size - half, context));
  PetscFunctionReturn(0);
}

/* ---- what the conditioner sees ---- */

static int64_t nin(const fm_spline *s) { return s->nsource + s->context; }

/* Source and y beside each other have to be copied; one of them alone is read where it is. */
static int both(const fm_spline *s) { return s->nsource && s->context; }

static int64_t coupling_work(const fm_spline *s, int64_t nb) {
  return (both(s) ? 2 * nb * nin(s) : 0) + fm_conditioner_keep(&s->net, nb) +
         fm_conditioner_work(&s->net, nb);
}

int64_t fm_spline_work(const fm_layer *layer, int64_t nb) {
  const fm_spline_list *list = layer->data;
  int64_t most = 0;

  for (int64_t i = 0; i < list->count; i++) {
    const int64_t work = coupling_work(&list->spline[i], nb);

    if (work > most) most = work;
  }
  return most;
}

static fm_real *row_of(fm_rows rows, int64_t b) {
  return rows.p + (rows.count == 1 ? 0 : b) * rows.stride;
}

/* The conditioner's input; *work moves behind what was put there. */
static fm_rows input(const fm_spline *s, const fm_pass *pass, fm_rows v, fm_real **work) {
  const fm_rows in = {*work, v.count, nin(s)};

  if (!s->context) return (fm_rows){v.p + s->source, v.count, v.stride};
  if (!s->nsource) return pass->y;
  for (int64_t b = 0; b < v.count; b++) {
    memcpy(row_of(in, b), v.p + b * v.stride + s->source, (size_t)s->nsource * sizeof(fm_real));
    memcpy(row_of(in, b) + s->nsource, row_of(pass->y, b),
           (size_t)s->context * sizeof(fm_real));
  }
  *work += 2 * v.count * nin(s);
  return in;
}

/* Where the input's cotangents are added up: in place, or behind the copied input. */
static fm_rows input_bar(const fm_spline *s, const fm_pass *pass, fm_rows in, fm_rows v_bar) {
  const fm_rows bar = {in.p + in.count * nin(s), in.count, nin(s)};

  if (!s->context) return (fm_rows){v_bar.p + s->source, v_bar.count, v_bar.stride};
  if (!s->nsource) return pass->y_bar;
  memset(bar.p, 0, (size_t)(bar.count * bar.stride) * sizeof(fm_real));
  return bar;
}

static void add(int64_t count, const fm_real *from, fm_real *to) {
  for (int64_t i = 0; i < count; i++) to[i] += from[i];
}

static void spread(const fm_spline *s, const fm_pass *pass, fm_rows bar, fm_rows v_bar) {
  for (int64_t b = 0; b < bar.count && both(s); b++) {
    add(s->nsource, row_of(bar, b), v_bar.p + b * v_bar.stride + s->source);
    if (pass->y_bar.p) add(s->context, row_of(bar, b) + s->nsource, row_of(pass->y_bar, b));
  }
}

static fm_activations evaluate(const fm_spline *s, const fm_pass *pass, fm_rows in,
                               fm_real *work) {
  const fm_activations act = fm_conditioner_place(
      &s->net, in.count, work, work + fm_conditioner_keep(&s->net, in.count));

  fm_conditioner_apply(&s->net, pass->theta, in, &act);
  for (int64_t b = 0; b < in.count; b++)
    add(s->net.nout, pass->theta + s->bias, act.out + b * s->net.nout);
  return act;
}

/* ---- packs ---- */

/* FM_PACK elements (sample, column) of a batch, counted through its rows: where their numbers
   are. What is past the batch's end repeats its last element. */
typedef struct places {
  int64_t count;        /* that are real */
  int64_t raw[FM_PACK]; /* in the conditioner's output */
  int64_t v[FM_PACK];   /* in the lane */
  int64_t row[FM_PACK]; /* sample */
  int contiguous;       /* all of one row */
} places;

static places places_of(const fm_spline *s, fm_rows in, fm_rows v, int64_t first) {
  const int64_t total = v.count * s->width, step = in.count == 1 ? 0 : s->net.nout;
  places at = {.count = total - first < FM_PACK ? total - first : FM_PACK};

  for (int64_t i = 0; i < FM_PACK; i++) {
    const int64_t e = first + (i < at.count ? i : at.count - 1);
    const int64_t b = e / s->width, j = e % s->width;

    at.raw[i] = b * step + j;
    at.v[i] = b * v.stride + s->target + j;
    at.row[i] = b;
  }
  at.contiguous = at.count == FM_PACK && at.row[0] == at.row[FM_PACK - 1];
  return at;
}

static void gather_raw(const fm_spline *s, const places *at, const fm_real *out, fm_real *raw) {
  for (int64_t p = 0; p < fm_rq_count(s->rq.bins); p++) {
    const fm_real *row = out + p * s->width;

    if (at->contiguous)
      memcpy(raw + p * FM_PACK, row + at->raw[0], FM_PACK * sizeof(fm_real));
    else
      for (int i = 0; i < FM_PACK; i++) raw[p * FM_PACK + i] = row[at->raw[i]];
  }
}

static void add_raw(const fm_spline *s, const places *at, const fm_real *raw, fm_real *out) {
  for (int64_t p = 0; p < fm_rq_count(s->rq.bins); p++)
    for (int64_t i = 0; i < at->count; i++)
      out[p * s->width + at->raw[i]] += raw[p * FM_PACK + i];
}

static void gather(const places *at, const fm_real *v, fm_real *pack) {
  for (int i = 0; i < FM_PACK; i++) pack[i] = v[at->v[i]];
}

static void scatter(const places *at, const fm_real *pack, fm_real *v) {
  for (int64_t i = 0; i < at->count; i++) v[at->v[i]] = pack[i];
}

/* ---- one coupling ---- */

static void coupling_apply(const fm_spline *s, const fm_pass *pass, fm_rows v,
                           fm_real *logdet) {
  const int inverse = pass->direction == FM_GENERATE;
  fm_real raw[(3 * FM_RQ_BINS_MAX - 1) * FM_PACK], pack[FM_PACK], slope[FM_PACK];
  fm_real *work = pass->work;
  const fm_rows in = input(s, pass, v, &work);
  const fm_activations act = evaluate(s, pass, in, work);

  for (int64_t first = 0; first < v.count * s->width; first += FM_PACK) {
    const places at = places_of(s, in, v, first);

    gather_raw(s, &at, act.out, raw);
    gather(&at, v.p, pack);
    fm_rq_apply(&s->rq, inverse, raw, pack, slope);
    scatter(&at, pack, v.p);
    for (int64_t i = 0; logdet && i < at.count; i++)
      logdet[at.row[i]] += inverse ? -slope[i] : slope[i];
  }
}

static void coupling_vjp(const fm_spline *s, const fm_pass *pass, fm_rows v, fm_rows v_bar,
                         const fm_real *logdet_bar) {
  const int inverse = pass->direction == FM_GENERATE;
  fm_real raw[(3 * FM_RQ_BINS_MAX - 1) * FM_PACK], pack[FM_PACK], bar[FM_PACK];
  fm_real slope_bar[FM_PACK], *work = pass->work;
  const fm_rows in = input(s, pass, v, &work);
  const fm_rows in_bar = input_bar(s, pass, in, v_bar);
  const fm_activations act = evaluate(s, pass, in, work);

  memset(act.out_bar, 0, (size_t)(in.count * s->net.nout) * sizeof(fm_real));
  for (int64_t first = 0; first < v.count * s->width; first += FM_PACK) {
    const places at = places_of(s, in, v, first);

    gather_raw(s, &at, act.out, raw);
    gather(&at, v.p, pack);
    gather(&at, v_bar.p, bar);
    for (int i = 0; i < FM_PACK; i++) {
      const fm_real l = logdet_bar ? logdet_bar[at.row[i]] : 0;

      slope_bar[i] = inverse ? -l : l;
    }
    fm_rq_vjp(&s->rq, inverse, raw, pack, bar, slope_bar);
    scatter(&at, pack, v.p);
    scatter(&at, bar, v_bar.p);
    add_raw(s, &at, raw, act.out_bar);
  }
  if (pass->theta_bar)
    fm_rows_sum_add(in.count, s->net.nout, act.out_bar, pass->theta_bar + s->bias);
  fm_conditioner_vjp(&s->net, pass->theta, in, &act, in_bar, pass->theta_bar);
  spread(s, pass, in_bar, v_bar);
}

/* ---- sequences ---- */

void fm_spline_apply(const fm_layer *layer, const fm_pass *pass, fm_real *v, fm_real *logdet) {
  const fm_spline_list *list = layer->data;
  const fm_rows rows = {v, pass->nb, layer->size};

  for (int64_t i = 0; i < list->count; i++)
    coupling_apply(&list->spline[pass->direction == FM_NORMALIZE ? i : list->count - 1 - i],
                   pass, rows, logdet);
}

void fm_spline_vjp(const fm_layer *layer, const fm_pass *pass, fm_real *v, fm_real *v_bar,
                   const fm_real *logdet_bar) {
  const fm_spline_list *list = layer->data;
  const fm_rows rows = {v, pass->nb, layer->size}, bars = {v_bar, pass->nb, layer->size};

  for (int64_t i = 0; i < list->count; i++)
    coupling_vjp(&list->spline[pass->direction == FM_NORMALIZE ? list->count - 1 - i : i], pass,
                 rows, bars, logdet_bar);
}
