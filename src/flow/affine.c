#include "flow/affine.h"
#include "flow/kernels.h"
#include <string.h>

#ifdef FM_SINGLE
#define LOG logf
#else
#define LOG log
#endif

static fm_scaling scaling(const char *variant) {
  if (!strcmp(variant, "official")) return FM_SCALE_OFFICIAL;
  return strcmp(variant, "bounded") ? FM_SCALE_DEFAULT : FM_SCALE_BOUNDED;
}

PetscErrorCode fm_affine_build(fm_affine *affine, fm_flow *flow, fm_layer *layer,
                               const char *prefix, int64_t source, int64_t nin, int64_t target,
                               int64_t width) {
  const int64_t pixels = fm_shape_pixels(layer->shape);

  PetscFunctionBegin;
  affine->source = source * pixels;
  affine->target = target * pixels;
  affine->width = width * pixels;
  affine->scaling = scaling(fm_flow_get_spec(flow)->variant);
  PetscCall(
      fm_conditioner_build(&affine->net, flow, layer, prefix, layer->shape, nin, 2 * width));
  PetscFunctionReturn(0);
}

int64_t fm_affine_keep(const fm_affine *affine, int64_t nb) {
  return nb * affine->width + fm_conditioner_keep(&affine->net, nb);
}

int64_t fm_affine_work(const fm_affine *affine, int64_t nb) {
  return fm_affine_keep(affine, nb) + fm_conditioner_work(&affine->net, nb);
}

double fm_affine_flop(const fm_affine *affine) {
  return fm_conditioner_flop(&affine->net) + 2. * (double)affine->width;
}

/* Scales S, shifts T and what belongs to them, [rows][width] each. */
typedef struct scales {
  fm_real *s, *t, *slope;
  int64_t step, step_slope; /* from a sample's row to the next one's; 0: all share the first */
  fm_activations act;
} scales;

/* Where they are: slope and the activations in `kept`, or in work where that is NULL. */
static scales place(const fm_affine *affine, const fm_pass *pass, fm_real *kept, int64_t rows) {
  const int64_t w = affine->width;
  fm_real *keep = kept ? kept : pass->work;
  fm_real *work = kept ? pass->work : pass->work + fm_affine_keep(affine, rows);
  scales a = {.slope = keep};

  a.act = fm_conditioner_place(&affine->net, rows, keep + rows * w, work);
  a.s = a.act.out;
  a.t = a.act.out + w;
  a.step = rows == 1 ? 0 : 2 * w;
  a.step_slope = rows == 1 ? 0 : w;
  return a;
}

/* Evaluate the conditioner; out becomes (S, T). */
static void evaluate(const fm_affine *affine, const fm_pass *pass, fm_rows in, int want_slope,
                     const scales *a) {
  const int64_t w = affine->width, rows = in.count;

  fm_conditioner_apply(&affine->net, pass->theta, in, &a->act);
  if (affine->scaling == FM_SCALE_OFFICIAL) fm_relu(rows * 2 * w, a->act.out);
  for (int64_t b = 0; b < rows; b++)
    fm_scale(w, affine->scaling, a->act.out + b * 2 * w, want_slope ? a->slope + b * w : NULL,
             NULL);
}

/* sum_j log S_j: of products of DEEP scales, in WIDE columns, for a logarithm takes the time of
   a
   dozen products. S is below 8; the product of scales that are nearly 0 may leave the range of
   numbers. */
enum { DEEP = 8, WIDE = 16 };

static fm_real sum_log_block(const fm_real *s) {
  fm_real product[WIDE], sum = 0;

  for (int l = 0; l < WIDE; l++) product[l] = s[l];
  for (int k = 1; k < DEEP; k++)
    for (int l = 0; l < WIDE; l++) product[l] *= s[k * WIDE + l];
  for (int l = 0; l < WIDE; l++)
    if (product[l] > (fm_real)1e-30)
      sum += LOG(product[l]);
    else
      for (int k = 0; k < DEEP; k++) sum += LOG(s[k * WIDE + l]);
  return sum;
}

static fm_real sum_log(int64_t count, const fm_real *s) {
  fm_real sum = 0;
  int64_t j = 0;

  for (; j + DEEP * WIDE <= count; j += DEEP * WIDE) sum += sum_log_block(s + j);
  for (; j < count; j++) sum += LOG(s[j]);
  return sum;
}

static void add_logdet(const fm_affine *affine, const scales *a, fm_direction direction,
                       int64_t nb, fm_real *logdet) {
  for (int64_t b = 0; b < nb; b++) {
    const fm_real sum = sum_log(affine->width, a->s + b * a->step);

    logdet[b] += direction == FM_NORMALIZE ? sum : -sum;
  }
}

void fm_affine_apply(const fm_affine *affine, const fm_pass *pass, fm_real *kept, fm_rows in,
                     fm_rows v, fm_real *logdet) {
  const scales a = place(affine, pass, kept, in.count);

  evaluate(affine, pass, in, kept != NULL, &a);
  for (int64_t b = 0; b < v.count; b++) {
    const fm_real *s = a.s + b * a.step, *t = a.t + b * a.step;
    fm_real *x = v.p + b * v.stride;

    if (pass->direction == FM_NORMALIZE)
      for (int64_t j = 0; j < affine->width; j++) x[j] = s[j] * x[j] + t[j];
    else
      for (int64_t j = 0; j < affine->width; j++) x[j] = (x[j] - t[j]) / s[j];
  }
  if (logdet) add_logdet(affine, &a, pass->direction, v.count, logdet);
}

/* One row, normalizing: v = S x + T; on exit x and x_bar. */
static void normalize_vjp(int64_t width, const fm_real *s, const fm_real *t,
                          const fm_real *slope, fm_real logdet_bar, fm_real *v, fm_real *v_bar,
                          fm_real *raw_bar, fm_real *t_bar) {
  for (int64_t j = 0; j < width; j++) {
    const fm_real scaled = v[j] - t[j], g = v_bar[j];

    v[j] = scaled / s[j];
    v_bar[j] = g * s[j];
    raw_bar[j] += (g * scaled + logdet_bar) * slope[j];
    t_bar[j] += g;
  }
}

/* One row, generating: v = (z - T) / S; on exit z and z_bar. */
static void generate_vjp(int64_t width, const fm_real *s, const fm_real *t,
                         const fm_real *slope, fm_real logdet_bar, fm_real *v, fm_real *v_bar,
                         fm_real *raw_bar, fm_real *t_bar) {
  for (int64_t j = 0; j < width; j++) {
    const fm_real x = v[j], g = v_bar[j], g_over_s = g / s[j];

    v[j] = s[j] * x + t[j];
    v_bar[j] = g_over_s;
    raw_bar[j] -= (g * x + logdet_bar) * slope[j];
    t_bar[j] -= g_over_s;
  }
}

void fm_affine_vjp(const fm_affine *affine, const fm_pass *pass, fm_real *kept, fm_rows in,
                   fm_rows in_bar, fm_rows v, fm_rows v_bar, const fm_real *logdet_bar) {
  const int64_t w = affine->width, nout = in.count * 2 * w;
  const scales a = place(affine, pass, kept, in.count);
  fm_real *out_bar = a.act.out_bar;

  if (!kept) evaluate(affine, pass, in, 1, &a);
  memset(out_bar, 0, (size_t)nout * sizeof(fm_real));
  for (int64_t b = 0; b < v.count; b++)
    (pass->direction == FM_NORMALIZE ? normalize_vjp : generate_vjp)(
        w, a.s + b * a.step, a.t + b * a.step, a.slope + b * a.step_slope,
        logdet_bar ? logdet_bar[b] : 0, v.p + b * v.stride, v_bar.p + b * v_bar.stride,
        out_bar + b * a.step, out_bar + b * a.step + w);
  if (affine->scaling ==
      FM_SCALE_OFFICIAL) /* S > 1/2 there, and its slope is 0 where its ReLU was closed */
    fm_relu_vjp(nout, a.act.out, out_bar);
  fm_conditioner_vjp(&affine->net, pass->theta, in, &a.act, in_bar, pass->theta_bar);
}

/* ---- sequences ---- */

static fm_rows columns(const fm_pass *pass, const fm_layer *layer, fm_real *v, int64_t first) {
  return (fm_rows){v + first, pass->nb, layer->size};
}

PetscErrorCode fm_affine_list_new(fm_layer *layer, int64_t count) {
  fm_affine_list *list;

  PetscFunctionBegin;
  PetscCall(PetscCalloc(sizeof(*list) + (size_t)count * sizeof(list->affine[0]), &list));
  layer->data = list;
  PetscFunctionReturn(0);
}

int64_t fm_affine_list_keep(const fm_layer *layer, int64_t nb) {
  const fm_affine_list *list = layer->data;
  int64_t all = 0;

  for (int64_t i = 0; i < list->count; i++) all += fm_affine_keep(&list->affine[i], nb);
  return all;
}

double fm_affine_list_flop(const fm_layer *layer) {
  const fm_affine_list *list = layer->data;
  double all = 0;

  for (int64_t i = 0; i < list->count; i++) all += fm_affine_flop(&list->affine[i]);
  return all;
}

/* Where the i-th coupling's part of pass->kept begins. */
static fm_real *kept_of(const fm_affine_list *list, const fm_pass *pass, int64_t i) {
  fm_real *p = pass->kept;

  for (int64_t k = 0; p && k < i; k++) p += fm_affine_keep(&list->affine[k], pass->nb);
  return p;
}

int64_t fm_affine_list_work(const fm_layer *layer, int64_t nb) {
  const fm_affine_list *list = layer->data;
  int64_t most = 0;

  for (int64_t i = 0; i < list->count; i++) {
    const int64_t work = fm_affine_work(&list->affine[i], nb);

    if (work > most) most = work;
  }
  return most;
}

void fm_affine_list_apply(const fm_layer *layer, const fm_pass *pass, fm_real *v,
                          fm_real *logdet) {
  const fm_affine_list *list = layer->data;

  for (int64_t i = 0; i < list->count; i++) {
    const int64_t k = pass->direction == FM_NORMALIZE ? i : list->count - 1 - i;
    const fm_affine *a = &list->affine[k];

    fm_affine_apply(a, pass, kept_of(list, pass, k), columns(pass, layer, v, a->source),
                    columns(pass, layer, v, a->target), logdet);
  }
}

void fm_affine_list_vjp(const fm_layer *layer, const fm_pass *pass, fm_real *v, fm_real *v_bar,
                        const fm_real *logdet_bar) {
  const fm_affine_list *list = layer->data;

  for (int64_t i = 0; i < list->count; i++) {
    const int64_t k = pass->direction == FM_NORMALIZE ? list->count - 1 - i : i;
    const fm_affine *a = &list->affine[k];

    fm_affine_vjp(a, pass, kept_of(list, pass, k), columns(pass, layer, v, a->source),
                  columns(pass, layer, v_bar, a->source), columns(pass, layer, v, a->target),
                  columns(pass, layer, v_bar, a->target), logdet_bar);
  }
}
