/* The operator born: the derivative of acoustic at a background, and its twin there. */
#include "acoustic_fixture.h"

/* The maps from the unknown: options, the unknown of 2100 m/s and a small change of it. */
typedef struct map {
  const char *options;
  double at, step;
} map;
static const map maps[] = {
    {"", 2100, 40},
    {"-acoustic_unknown slowness2", 1 / (2100. * 2100), 1e-8},
    {"-acoustic_unknown scaled -acoustic_scale 70", 0, 0.6},
    {"-acoustic_unknown bounded -acoustic_velocity_min 1500 -acoustic_velocity_max 2800",
     -0.154150679827258 /* log(600 / 700) */, 0.12}};

/* born at a background is the derivative of acoustic there, transposed too, for any part at any
   time. */
static void born_is_the_derivative(void **state) {
  for (int k = 0; k < 4; k++) {
    fixture a, b;
    feature both = {.scale = 1};
    char text[512];

    snprintf(text, sizeof(text), FAST "-acoustic_layers 4 -acoustic_background 2100 %s",
             maps[k].options);
    both.options = text;
    for (PetscInt part = 0; part < 2; part++) {
      begin(&a, &both, "acoustic", part);
      begin(&b, &both, "born", 1 - part);
      linearize(&b, b.x, b.d); /* the other part, in between */
      fm_ok(fm_operator_vjp(b.op, 1 - part, b.dd, b.gx));
      b.part = part;
      fm_ok(VecSet(a.x, maps[k].at));
      linearize(&a, a.x, a.d);
      fm_ok(fm_operator_jvp(a.op, part, a.dx, a.w));
      linearize(&b, a.dx, b.d);
      fm_near(apart(b.d, a.w), 0, tight);
      fm_ok(fm_operator_vjp(a.op, part, a.dd, a.gx));
      fm_ok(fm_operator_vjp(b.op, part, a.dd, b.gx));
      fm_near(apart(b.gx, a.gx), 0, tight);
      end(&a);
      end(&b);
    }
  }
}

static void background_of(const char *text, PetscInt part, fixture *a, fixture *b) {
  const feature both = {text, 0, 1};

  begin(a, &both, "acoustic", part);
  begin(b, &both, "born", part);
}

/* |total(x0 + h dx) - F(x0 + h dx)| / |F(x0)| */
static double total_apart(fixture *a, fixture *b, double h, double size) {
  fm_ok(VecAXPY(a->x, h, a->dx));
  linearize(a, a->x, a->d);
  linearize(b, a->x, b->d);
  fm_ok(VecAXPY(a->x, -h, a->dx));
  fm_ok(VecAXPY(b->d, -1, a->d));
  return norm(b->d) / size;
}

/* -born_data total is acoustic at the background and to first order around it, in acoustic's
   own unknown, for each of its maps. */
static void born_total_is_a_twin(void **state) {
  for (int k = 0; k < 4; k++)
    for (PetscInt part = 0; part < 2; part++) {
      double size, far, near, first;
      fixture a, b;
      char text[512];

      snprintf(text, sizeof(text),
               FAST "-acoustic_layers 4 -acoustic_background 2100 -born_data total %s",
               maps[k].options);
      background_of(text, part, &a, &b);
      fm_ok(VecSet(a.x, maps[k].at));
      fm_ok(VecScale(a.dx, maps[k].step));
      linearize(&a, a.x, a.d);
      linearize(&b, a.x, b.d);
      size = norm(a.d);
      fm_near(apart(b.d, a.d), 0, tight);
      fm_ok(fm_operator_vjp(a.op, part, a.dd, a.gx));
      fm_ok(fm_operator_vjp(b.op, part, a.dd, b.gx));
      fm_near(apart(b.gx, a.gx), 0, tight);
      fm_ok(fm_operator_jvp(a.op, part, a.dx, a.w));
      first = norm(a.w) / size;
      far = total_apart(&a, &b, 1, size);
      near = total_apart(&a, &b, 0.25, size);
      assert_true(far > 1e-4 && far < first);
      fm_near(log(far / near) / log(4), 2, 0.1);
      end(&a);
      end(&b);
    }
}

/* Encoded, total is that of the supershot; afterwards of the shots again. */
static void born_total_encoded(void **state) {
  const char *text = FAST "-acoustic_layers 4 -acoustic_background 2100 -born_data total";
  const double sign[2] = {-1, 1};
  fixture a, b;

  background_of(text, 1, &a, &b);
  fm_ok(VecSet(a.x, 2100));
  linearize(&b, a.x, b.d);
  for (int k = 0; k < 2; k++) {
    fm_ok(fm_operator_encode(a.op, k ? NULL : sign));
    fm_ok(fm_operator_encode(b.op, k ? NULL : sign));
    linearize(&a, a.x, a.d);
    linearize(&b, a.x, b.d);
    fm_near(apart(b.d, a.d), 0, tight);
  }
  end(&a);
  end(&b);
}

FM_TEST_MAIN(cmocka_unit_test(born_is_the_derivative), cmocka_unit_test(born_total_is_a_twin),
             cmocka_unit_test(born_total_encoded))
