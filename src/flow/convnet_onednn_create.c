/* Creation of the oneDNN network: layouts, primitives, memory objects. */
#ifdef FM_SINGLE
#include "flow/convnet_onednn.h"

#define CALL(call)                                                                             \
  do {                                                                                         \
    const dnnl_status_t status_ = (call);                                                      \
    PetscCheck(!status_, PETSC_COMM_SELF, PETSC_ERR_LIB, "oneDNN says '%s' to %s",             \
               dnnl_status2str(status_), #call);                                               \
  } while (0)

/* The slots of a convolution. */
static const struct {
  int src, dst, src_bar, dst_bar, bias, kernel;
} ends[CONVOLUTIONS] = {[FIRST] = {X, H1, X_BAR, H1_BAR, 1, 1},
                        [MIDDLE] = {H1, H2, SUM, H2_BAR, 1, 3},
                        [LAST] = {H2, Q, H2_BAR, Q_BAR, 0, 1}};

/* ---- creation: layouts ---- */

static dnnl_status_t layout(fm_onednn *o, int which, int64_t n0, int64_t n1, int64_t n2,
                            int64_t n3, dnnl_data_type_t type, dnnl_format_tag_t tag) {
  const dnnl_dims_t n = {n0, n1, n2, n3};

  return dnnl_memory_desc_init_by_tag(&o->slot[which].layout, 4, n, type, tag);
}

static dnnl_status_t layout_bias(fm_onednn *o, int which, int64_t n) {
  const dnnl_dims_t dims = {n};

  return dnnl_memory_desc_init_by_tag(&o->slot[which].layout, 1, dims, dnnl_f32, dnnl_a);
}

/* Weights [to][from][kernel][kernel] of one convolution. */
static PetscErrorCode layout_weights(fm_onednn *o, int c, int64_t to, int64_t from,
                                     int64_t kernel) {
  const dnnl_format_tag_t any = dnnl_format_tag_any;

  PetscFunctionBegin;
  CALL(layout(o, OF(c, PLAIN), to, from, kernel, kernel, dnnl_f32, dnnl_oihw));
  CALL(layout(o, OF(c, PLAIN_BAR), to, from, kernel, kernel, dnnl_f32, dnnl_oihw));
  CALL(layout(o, OF(c, FORWARD), to, from, kernel, kernel, o->type, any));
  CALL(layout(o, OF(c, BACKWARD), to, from, kernel, kernel, o->type, any));
  CALL(layout(o, OF(c, GRADIENT), to, from, kernel, kernel, dnnl_f32, any));
  CALL(layout_bias(o, OF(c, BIAS), to));
  CALL(layout_bias(o, OF(c, BIAS_BAR), to));
  PetscFunctionReturn(0);
}

/* Images with `any` are decided by the first primitive that uses them. */
static PetscErrorCode layout_images(const fm_convnet_spec *s, fm_onednn *o) {
  const dnnl_format_tag_t any = dnnl_format_tag_any;
  const int64_t h = s->height, w = s->width, x = 9 * s->nin, q = 9 * s->nout;

  PetscFunctionBegin;
  CALL(layout(o, X_PLAIN, 1, x, h, w, dnnl_f32, dnnl_nchw));
  CALL(layout(o, X, 1, x, h, w, o->type, any));
  CALL(layout(o, X_BAR, 1, x, h, w, dnnl_f32, any));
  CALL(layout(o, Q_PLAIN, 1, q, h, w, dnnl_f32, dnnl_nchw));
  CALL(layout(o, Q, 1, q, h, w, dnnl_f32, any));
  CALL(layout(o, Q_BAR, 1, q, h, w, o->type, any));
  CALL(layout(o, H1, 1, s->hidden, h, w, o->type, any));
  CALL(layout(o, H2, 1, s->hidden, h, w, o->type, any));
  CALL(layout(o, H2_BAR, 1, s->hidden, h, w, o->type, any));
  CALL(layout(o, H1_BAR, 1, s->hidden, h, w, o->type, any));
  CALL(layout(o, SUM, 1, s->hidden, h, w, dnnl_f32, any));
  PetscFunctionReturn(0);
}

/* ---- creation: primitives ---- */

typedef struct use {
  int argument, slot;
} use;

/* Make the primitive of a description and give its slots the layouts that it wants. */
static PetscErrorCode add_step(fm_onednn *o, int which, const_dnnl_primitive_desc_t description,
                               int count, const use *uses) {
  fm_step *s = &o->step[which];
  const dnnl_memory_desc_t *pad =
      dnnl_primitive_desc_query_md(description, dnnl_query_scratchpad_md, 0);

  PetscFunctionBegin;
  for (s->count = 0; s->count < count; s->count++) {
    const use *u = &uses[s->count];

    o->slot[u->slot].layout =
        *dnnl_primitive_desc_query_md(description, dnnl_query_exec_arg_md, u->argument);
    s->slot[s->count] = u->slot;
    s->argument[s->count].arg = u->argument;
  }
  s->slot[s->count] = SCRATCHPAD;
  s->argument[s->count++].arg = DNNL_ARG_SCRATCHPAD;
  o->scratchpad = PetscMax(o->scratchpad, dnnl_memory_desc_get_size(pad));
  CALL(dnnl_primitive_create(&s->primitive, description));
  PetscFunctionReturn(0);
}

/* The scratchpad is the caller's; then, unless 0, what was there is added and a ReLU taken. */
static PetscErrorCode create_attributes(int sum, int relu, dnnl_primitive_attr_t *attributes) {
  dnnl_post_ops_t after;

  PetscFunctionBegin;
  CALL(dnnl_primitive_attr_create(attributes));
  CALL(dnnl_primitive_attr_set_scratchpad_mode(*attributes, dnnl_scratchpad_mode_user));
  CALL(dnnl_post_ops_create(&after));
  if (sum) CALL(dnnl_post_ops_append_sum(after, 1));
  if (relu) CALL(dnnl_post_ops_append_eltwise(after, 1, dnnl_eltwise_relu, 0, 0));
  CALL(dnnl_primitive_attr_set_post_ops(*attributes, after));
  CALL(dnnl_post_ops_destroy(after));
  PetscFunctionReturn(0);
}

/* The step of a description, and both are gone. */
static PetscErrorCode finish(fm_onednn *o, int which, dnnl_primitive_desc_t description,
                             dnnl_primitive_attr_t attributes, int count, const use *uses) {
  PetscFunctionBegin;
  PetscCall(add_step(o, which, description, count, uses));
  CALL(dnnl_primitive_desc_destroy(description));
  CALL(dnnl_primitive_attr_destroy(attributes));
  PetscFunctionReturn(0);
}

/* ---- creation: copies ---- */

static int is_layout(const dnnl_memory_desc_t *layout, dnnl_data_type_t type,
                     dnnl_format_tag_t tag) {
  dnnl_memory_desc_t tagged;

  return !dnnl_memory_desc_init_by_tag(&tagged, layout->ndims, layout->dims, type, tag) &&
         dnnl_memory_desc_equal(layout, &tagged);
}

/* The copies of convnet_blocked.h by the layouts that they are between. */
static const struct {
  dnnl_data_type_t type[2];
  dnnl_format_tag_t tag[2];
  int sum;
  fm_blocked_copy *copy;
} copies[] = {
    {{dnnl_f32, dnnl_bf16}, {dnnl_abcd, dnnl_aBcd16b}, 0, fm_blocked_image},
    {{dnnl_f32, dnnl_f32}, {dnnl_aBcd16b, dnnl_abcd}, 0, fm_blocked_image_plain},
    {{dnnl_f32, dnnl_bf16}, {dnnl_abcd, dnnl_ABcd8b16a2b}, 0, fm_blocked_forward},
    {{dnnl_f32, dnnl_bf16}, {dnnl_abcd, dnnl_ABcd8a16b2a}, 0, fm_blocked_backward},
    {{dnnl_f32, dnnl_bf16}, {dnnl_abcd, dnnl_BAcd8a16b2a}, 0, fm_blocked_backward_turned},
    {{dnnl_f32, dnnl_f32}, {dnnl_ABcd16b16a, dnnl_abcd}, 1, fm_blocked_gradient_add}};

/* NULL: none of ours. */
static fm_blocked_copy *find_copy(const dnnl_memory_desc_t *from, const dnnl_memory_desc_t *to,
                                  int sum) {
  for (size_t k = 0; k < sizeof(copies) / sizeof(copies[0]); k++)
    if (copies[k].sum == sum && is_layout(from, copies[k].type[0], copies[k].tag[0]) &&
        is_layout(to, copies[k].type[1], copies[k].tag[1]))
      return copies[k].copy;
  return NULL;
}

/* A copy of ours where there is one; else oneDNN's. */
static void add_copy(const fm_onednn *o, int from, int to, fm_blocked_copy *copy, fm_step *s) {
  s->copy = copy;
  s->count = 2;
  s->slot[0] = from, s->slot[1] = to;
  for (int k = 0; k < 4; k++) s->n[k] = o->slot[from].layout.dims[k];
}

static PetscErrorCode add_reorder(fm_onednn *o, int which, int from, int to, int sum) {
  const use uses[] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};
  const dnnl_memory_desc_t *layouts[] = {&o->slot[from].layout, &o->slot[to].layout};
  fm_blocked_copy *copy = find_copy(layouts[0], layouts[1], sum);
  dnnl_primitive_attr_t attributes;
  dnnl_primitive_desc_t description;

  PetscFunctionBegin;
  if (copy) {
    add_copy(o, from, to, copy, &o->step[which]);
    PetscFunctionReturn(0);
  }
  PetscCall(create_attributes(sum, 0, &attributes));
  CALL(dnnl_reorder_primitive_desc_create(&description, layouts[0], o->engine, layouts[1],
                                          o->engine, attributes));
  PetscCall(finish(o, which, description, attributes, 2, uses));
  PetscFunctionReturn(0);
}

static const dnnl_dims_t one = {1, 1}, none = {0, 0};

/* h1 and h2 join in by the first convolution's ReLU and by the second one's sum and ReLU. */
static PetscErrorCode describe_apply(fm_onednn *o, int c, dnnl_alg_kind_t algorithm,
                                     dnnl_primitive_desc_t *description) {
  const dnnl_dim_t *pad = ends[c].kernel == 3 ? one : none;
  dnnl_primitive_attr_t attributes;
  dnnl_convolution_desc_t d;

  PetscFunctionBegin;
  PetscCall(create_attributes(c == MIDDLE, c != LAST, &attributes));
  CALL(dnnl_convolution_forward_desc_init(
      &d, dnnl_forward_training, algorithm, &o->slot[ends[c].src].layout,
      &o->slot[OF(c, FORWARD)].layout, ends[c].bias ? &o->slot[OF(c, BIAS)].layout : NULL,
      &o->slot[ends[c].dst].layout, one, pad, pad));
  CALL(dnnl_primitive_desc_create(description, &d, attributes, o->engine, NULL));
  CALL(dnnl_primitive_attr_destroy(attributes));
  PetscFunctionReturn(0);
}

static PetscErrorCode add_data(fm_onednn *o, int c, dnnl_alg_kind_t algorithm,
                               const_dnnl_primitive_desc_t hint) {
  const use uses[] = {{DNNL_ARG_DIFF_DST, ends[c].dst_bar},
                      {DNNL_ARG_WEIGHTS, OF(c, BACKWARD)},
                      {DNNL_ARG_DIFF_SRC, ends[c].src_bar}};
  const dnnl_dim_t *pad = ends[c].kernel == 3 ? one : none;
  dnnl_primitive_desc_t description;
  dnnl_primitive_attr_t attributes;
  dnnl_convolution_desc_t d;

  PetscFunctionBegin;
  PetscCall(create_attributes(0, 0, &attributes));
  CALL(dnnl_convolution_backward_data_desc_init(
      &d, algorithm, &o->slot[ends[c].src_bar].layout, &o->slot[OF(c, BACKWARD)].layout,
      &o->slot[ends[c].dst_bar].layout, one, pad, pad));
  CALL(dnnl_primitive_desc_create(&description, &d, attributes, o->engine, hint));
  PetscCall(finish(o, STEP(c, DATA), description, attributes, 3, uses));
  PetscFunctionReturn(0);
}

static PetscErrorCode add_weights(fm_onednn *o, int c, dnnl_alg_kind_t algorithm,
                                  const_dnnl_primitive_desc_t hint) {
  const use uses[] = {{DNNL_ARG_SRC, ends[c].src},
                      {DNNL_ARG_DIFF_DST, ends[c].dst_bar},
                      {DNNL_ARG_DIFF_WEIGHTS, OF(c, GRADIENT)},
                      {DNNL_ARG_DIFF_BIAS, OF(c, BIAS_BAR)}};
  const dnnl_dim_t *pad = ends[c].kernel == 3 ? one : none;
  dnnl_primitive_desc_t description;
  dnnl_primitive_attr_t attributes;
  dnnl_convolution_desc_t d;

  PetscFunctionBegin;
  PetscCall(create_attributes(0, 0, &attributes));
  CALL(dnnl_convolution_backward_weights_desc_init(
      &d, algorithm, &o->slot[ends[c].src].layout, &o->slot[OF(c, GRADIENT)].layout,
      ends[c].bias ? &o->slot[OF(c, BIAS_BAR)].layout : NULL, &o->slot[ends[c].dst_bar].layout,
      one, pad, pad));
  CALL(dnnl_primitive_desc_create(&description, &d, attributes, o->engine, hint));
  PetscCall(finish(o, STEP(c, WEIGHTS), description, attributes, ends[c].bias ? 4 : 3, uses));
  PetscFunctionReturn(0);
}

static PetscErrorCode add_convolution(fm_onednn *o, int c, dnnl_alg_kind_t algorithm) {
  const use uses[] = {{DNNL_ARG_SRC, ends[c].src},
                      {DNNL_ARG_WEIGHTS, OF(c, FORWARD)},
                      {DNNL_ARG_DST, ends[c].dst},
                      {DNNL_ARG_BIAS, OF(c, BIAS)}};
  dnnl_primitive_desc_t apply;

  PetscFunctionBegin;
  PetscCall(describe_apply(o, c, algorithm, &apply));
  PetscCall(add_step(o, STEP(c, APPLY), apply, ends[c].bias ? 4 : 3, uses));
  PetscCall(add_data(o, c, algorithm, apply));
  PetscCall(add_weights(o, c, algorithm, apply));
  CALL(dnnl_primitive_desc_destroy(apply));
  PetscCall(add_reorder(o, STEP(c, TO_FORWARD), OF(c, PLAIN), OF(c, FORWARD), 0));
  PetscCall(add_reorder(o, STEP(c, TO_BACKWARD), OF(c, PLAIN), OF(c, BACKWARD), 0));
  PetscCall(add_reorder(o, STEP(c, ADD_GRADIENT), OF(c, GRADIENT), OF(c, PLAIN_BAR), 1));
  PetscFunctionReturn(0);
}

/* Winograd's convolution wins from about 500 pixels on (measured: 64 channels, 24 x 24 .70 and
   64 x 64 .54 of the direct one's time, 16 x 16 1.6), where oneDNN has one. */
static dnnl_alg_kind_t middle_algorithm(const fm_convnet_spec *s, fm_onednn *o) {
  const dnnl_memory_desc_t *image = &o->slot[H1].layout;
  dnnl_primitive_desc_t description;
  dnnl_convolution_desc_t d;

  if (o->type != dnnl_f32 || s->hidden < 32 || s->height * s->width < 500)
    return dnnl_convolution_direct;
  if (dnnl_convolution_forward_desc_init(&d, dnnl_forward_training, dnnl_convolution_winograd,
                                         image, &o->slot[OF(MIDDLE, FORWARD)].layout,
                                         &o->slot[OF(MIDDLE, BIAS)].layout, image, one, one,
                                         one) ||
      dnnl_primitive_desc_create(&description, &d, NULL, o->engine, NULL))
    return dnnl_convolution_direct;
  dnnl_primitive_desc_destroy(description);
  return dnnl_convolution_winograd;
}

/* The layout that the middle convolution gives h2 is that of all hidden images. */
static PetscErrorCode decide_hidden(fm_onednn *o, dnnl_alg_kind_t algorithm) {
  static const int hidden[] = {H1, H2, H2_BAR, H1_BAR, SUM};
  dnnl_primitive_desc_t description;
  dnnl_memory_desc_t wanted;

  PetscFunctionBegin;
  PetscCall(describe_apply(o, MIDDLE, algorithm, &description));
  wanted = *dnnl_primitive_desc_query_md(description, dnnl_query_dst_md, 0);
  CALL(dnnl_primitive_desc_destroy(description));
  for (int k = 0; k < 5; k++) o->slot[hidden[k]].layout = wanted;
  o->slot[SUM].layout.data_type = dnnl_f32;
  o->field = dnnl_memory_desc_get_size(&wanted);
  PetscFunctionReturn(0);
}

/* Bytes. */
static size_t narrow_scratch(const fm_convnet_spec *s, int64_t channels) {
  const fm_gradient g = {channels, s->hidden, s->height, s->width};

  return (size_t)fm_onednn_sums(channels, s->hidden) * sizeof(fm_real) + fm_gradient_work(&g);
}

/* The weights' gradients by ours where all lies as they want it. */
static void choose_gradients(const fm_convnet_spec *s, fm_onednn *o) {
  const fm_gradient g = {s->hidden, s->hidden, s->height, s->width};

  if (!fm_gradient_can() || s->hidden % 16 ||
      !is_layout(&o->slot[H1].layout, dnnl_bf16, dnnl_aBcd16b) ||
      !is_layout(&o->slot[OF(MIDDLE, GRADIENT)].layout, dnnl_f32, dnnl_ABcd16b16a))
    return;
  o->gradients = 1;
  o->scratchpad = PetscMax(o->scratchpad, fm_gradient_work(&g));
  o->scratchpad = PetscMax(o->scratchpad, narrow_scratch(s, s->nin));
  o->scratchpad = PetscMax(o->scratchpad, narrow_scratch(s, s->nout));
}

static PetscErrorCode add_steps(const fm_convnet_spec *s, fm_onednn *o) {
  const dnnl_alg_kind_t algorithm = middle_algorithm(s, o);

  PetscFunctionBegin;
  PetscCall(decide_hidden(o, algorithm));
  PetscCall(add_convolution(o, FIRST, dnnl_convolution_direct));
  PetscCall(add_convolution(o, MIDDLE, algorithm));
  choose_gradients(s, o);
  PetscCall(add_convolution(o, LAST, dnnl_convolution_direct));
  PetscCall(add_reorder(o, BLOCK_X, X_PLAIN, X, 0));
  PetscCall(add_reorder(o, UNBLOCK_X_BAR, X_BAR, X_PLAIN, 0));
  PetscCall(add_reorder(o, UNBLOCK_Q, Q, Q_PLAIN, 0));
  PetscCall(add_reorder(o, BLOCK_Q_BAR, Q_PLAIN, Q_BAR, 0));
  PetscFunctionReturn(0);
}

/* ---- creation: memory ---- */

static int64_t numbers_of(size_t bytes) {
  return fm_convnet_align((int64_t)((bytes + sizeof(fm_real) - 1) / sizeof(fm_real)));
}

/* theta, theta_bar and the activations are the caller's. */
static int lies_elsewhere(int which) {
  const int what = which % OF_CONVOLUTION;

  if (which < X_PLAIN) return what == PLAIN || what == PLAIN_BAR || what == BIAS;
  return which == H1 || which == H2;
}

static PetscErrorCode place_slots(fm_convnet *net, fm_onednn *o) {
  const dnnl_dims_t bytes = {(dnnl_dim_t)PetscMax(o->scratchpad, 1)};

  PetscFunctionBegin;
  CALL(dnnl_memory_desc_init_by_tag(&o->slot[SCRATCHPAD].layout, 1, bytes, dnnl_u8, dnnl_a));
  for (int k = 0; k < SLOTS; k++) {
    fm_slot *s = &o->slot[k];

    CALL(dnnl_memory_create(&s->memory, &s->layout, o->engine, DNNL_MEMORY_NONE));
    s->offset = lies_elsewhere(k) ? -1 : net->work;
    if (k == H1_BAR && o->type == dnnl_f32)
      s->offset = o->slot[SUM].offset;
    else if (!lies_elsewhere(k))
      net->work += numbers_of(dnnl_memory_desc_get_size(&s->layout));
  }
  for (int k = 0; k < STEPS; k++)
    for (int a = 0; a < o->step[k].count; a++)
      o->step[k].argument[a].memory = o->slot[o->step[k].slot[a]].memory;
  net->activations = 2 * numbers_of(o->field);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_onednn_accept(const fm_convnet_spec *spec) {
  const int isa = (int)dnnl_get_effective_cpu_isa(), needed = dnnl_cpu_isa_avx512_core_bf16;

  PetscFunctionBegin;
  fm_check(!spec->bf16 || (isa & needed) == needed, PETSC_COMM_SELF, PETSC_ERR_SUP,
           "this CPU has no bfloat16 instructions (AVX-512 BF16), which bf16 needs; use float");
  PetscFunctionReturn(0);
}

static PetscErrorCode create_steps(fm_convnet *net, fm_onednn *o) {
  const fm_convnet_spec *s = &net->spec;

  PetscFunctionBegin;
  CALL(dnnl_engine_create(&o->engine, dnnl_cpu, 0));
  CALL(dnnl_stream_create(&o->stream, o->engine, dnnl_stream_default_flags));
  o->type = s->bf16 ? dnnl_bf16 : dnnl_f32;
  PetscCall(layout_weights(o, FIRST, s->hidden, 9 * s->nin, 1));
  PetscCall(layout_weights(o, MIDDLE, s->hidden, s->hidden, 3));
  PetscCall(layout_weights(o, LAST, 9 * s->nout, s->hidden, 1));
  PetscCall(layout_images(s, o));
  PetscCall(add_steps(s, o));
  PetscCall(place_slots(net, o));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_onednn_create(fm_convnet *net) {
  PetscErrorCode code;
  fm_onednn *o;
  int threads;

  PetscFunctionBegin;
  PetscCall(fm_calloc(1, &o));
  net->data = o;
  threads = fm_onednn_one_thread();
  code = create_steps(net, o);
  omp_set_num_threads(threads);
  PetscCall(code);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_onednn_destroy(fm_convnet *net) {
  fm_onednn *o = net->data;

  PetscFunctionBegin;
  for (int k = 0; k < STEPS; k++)
    if (o->step[k].primitive) CALL(dnnl_primitive_destroy(o->step[k].primitive));
  for (int k = 0; k < SLOTS; k++) CALL(dnnl_memory_destroy(o->slot[k].memory));
  CALL(dnnl_stream_destroy(o->stream));
  CALL(dnnl_engine_destroy(o->engine));
  PetscFunctionReturn(0);
}
#endif
