/* The door to the operators: registry, checks, ledger. What one does is in its own file. */
#include "fathom/matern.h"
#include "fathom/operator_impl.h"

#define FM_OPERATOR(name, help)                                                                \
  extern const fm_option fm_##name##_options[];                                                \
  PetscErrorCode fm_##name##_create(fm_operator *);
#include "operators.def"
#undef FM_OPERATOR

static const struct {
  const fm_option *options;
  PetscErrorCode (*create)(fm_operator *);
  const char *help;
} known[] = {
#define FM_OPERATOR(name, help) {fm_##name##_options, fm_##name##_create, help},
#include "operators.def"
#undef FM_OPERATOR
};

static const char *const names[] = {
#define FM_OPERATOR(name, help) #name,
#include "operators.def"
#undef FM_OPERATOR
};

#define NKNOWN ((int)(sizeof(known) / sizeof(known[0])))

int fm_operator_count(void) { return NKNOWN; }
const char *fm_operator_name(int i) { return names[i]; }
const char *fm_operator_help(int i) { return known[i].help; }

PetscErrorCode fm_operators_declare_options(void) {
  PetscFunctionBegin;
  for (int i = 0; i < NKNOWN; i++) PetscCall(fm_options_declare(known[i].options));
  PetscCall(fm_options_declare(fm_matern_options));
  PetscFunctionReturn(0);
}

/* Refuse a name in one sentence: the nearest known one, and all of them. */
static PetscErrorCode refuse(MPI_Comm comm, const char *name) {
  const char *nearest = fm_name_nearest(name, NKNOWN, names);
  char list[512] = "";

  PetscFunctionBegin;
  for (int i = 0; i < NKNOWN; i++) {
    PetscCall(PetscStrlcat(list, i ? ", " : "", sizeof(list)));
    PetscCall(PetscStrlcat(list, names[i], sizeof(list)));
  }
  SETERRQ(comm, PETSC_ERR_USER, "unknown operator '%s' (%s%s%sknown: %s)", name,
          nearest ? "nearest: " : "", nearest ? nearest : "", nearest ? "; " : "", list);
}

PetscErrorCode fm_operator_create(MPI_Comm space, const char *name, fm_operator **out) {
  PetscErrorCode code;
  fm_operator *op;
  int i = 0;

  PetscFunctionBegin;
  while (i < NKNOWN && strcmp(names[i], name)) i++;
  if (i == NKNOWN) PetscCall(refuse(space, name));
  PetscCall(PetscNew(&op));
  op->space = op->group = space;
  op->taped = PETSC_TRUE;
  op->nparts = 1;
  op->linearized = -1;
  PetscCall(PetscStrncpy(op->name, name, sizeof(op->name)));
  PetscCall(PetscStrncpy(op->description, name, sizeof(op->description)));
  code = known[i].create(op);
  if (code) (void)fm_operator_destroy(&op);
  PetscCall(code);
  *out = op;
  PetscFunctionReturn(0);
}

PetscErrorCode fm_operator_destroy(fm_operator **op) {
  PetscFunctionBegin;
  if (!*op) PetscFunctionReturn(0);
  if ((*op)->ops && (*op)->ops->destroy) PetscCall((*op)->ops->destroy(*op));
  PetscCall(PetscFree((*op)->x_home));
  PetscCall(PetscFree(*op));
  PetscFunctionReturn(0);
}

/* ---- sizes and parts ---- */

const double *fm_operator_home(const fm_operator *op) { return op->x_home; }

PetscErrorCode fm_operator_sizes(fm_operator *op, int64_t *x_size, int64_t *d_size) {
  PetscFunctionBegin;
  *x_size = op->x_size;
  *d_size = op->d_size;
  PetscFunctionReturn(0);
}

void fm_operator_grid(const fm_operator *op, int64_t *rows, int64_t *columns) {
  *rows = op->x_rows;
  *columns = op->x_columns;
}

void fm_operator_data_grid(const fm_operator *op, int64_t *rows, int64_t *columns) {
  *rows = op->d_rows;
  *columns = op->d_columns;
}

void fm_operator_traces(const fm_operator *op, int64_t *samples, double *dt) {
  *samples = op->d_samples;
  *dt = op->d_samples ? op->d_dt : 0;
}

void fm_operator_wavelet(const fm_operator *op, double *frequency, PetscBool *background) {
  *frequency = op->d_frequency;
  *background = op->x_background;
}

fm_model_grid fm_operator_model_grid(const fm_operator *op) {
  if (!op || !op->ops->model) return (fm_model_grid){0, 0, {0, 0}, "", 0, 0};
  return (fm_model_grid){
      op->model_rows, op->model_columns, {op->model_spacing[0], op->model_spacing[1]},
      op->model_unit, op->model_low,     op->model_high};
}

PetscErrorCode fm_operator_model(fm_operator *op, const double *x, double *model) {
  PetscFunctionBegin;
  PetscCheck(op->ops->model, PETSC_COMM_SELF, PETSC_ERR_SUP,
             "the operator %s has no model besides its unknown", op->name);
  PetscCall(op->ops->model(op, x, model));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_operator_unknown(fm_operator *op, const double *model, double *x) {
  PetscFunctionBegin;
  PetscCheck(op->ops->unknown, PETSC_COMM_SELF, PETSC_ERR_SUP,
             "the operator %s has no model besides its unknown", op->name);
  PetscCall(op->ops->unknown(op, model, x));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_operator_model_density(fm_operator *op, const double *x,
                                         const double *model_bar, double *x_bar,
                                         double *log_det) {
  PetscFunctionBegin;
  PetscCheck(op->ops->model_density, PETSC_COMM_SELF, PETSC_ERR_SUP,
             "the operator %s has no model besides its unknown", op->name);
  PetscCall(op->ops->model_density(op, x, model_bar, x_bar, log_det));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_operator_model_fits(fm_operator *op, MPI_Comm comm, const char *what,
                                      const int64_t shape[2]) {
  PetscFunctionBegin;
  if (!op || !op->x_rows) PetscFunctionReturn(0);
  fm_check(shape[0] == op->x_rows && shape[1] == op->x_columns, comm, PETSC_ERR_USER,
           "%s is %lldx%lld, but a model of the operator %s is %lldx%lld", what,
           (long long)shape[0], (long long)shape[1], op->description, (long long)op->x_rows,
           (long long)op->x_columns);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_operator_restrict(fm_operator *op, double *d) {
  PetscFunctionBegin;
  if (op->ops->restrict_data) PetscCall(op->ops->restrict_data(op, d));
  PetscFunctionReturn(0);
}

int64_t fm_operator_rank(const fm_operator *op) {
  return op->ops->restrict_data ? op->rank : op->d_size;
}

PetscErrorCode fm_operator_parts(fm_operator *op, PetscInt *n) {
  PetscFunctionBegin;
  *n = op->nparts;
  PetscFunctionReturn(0);
}

static PetscErrorCode check_part(fm_operator *op, PetscInt part) {
  PetscFunctionBegin;
  PetscCheck(part >= 0 && part < op->nparts, op->space, PETSC_ERR_ARG_OUTOFRANGE,
             "part %" PetscInt_FMT " of operator %s, which has %" PetscInt_FMT, part, op->name,
             op->nparts);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_operator_part_range(fm_operator *op, PetscInt part, int64_t *first,
                                      int64_t *count) {
  PetscFunctionBegin;
  PetscCall(check_part(op, part));
  *first = 0;
  *count = op->d_size;
  if (op->ops->part_range) PetscCall(op->ops->part_range(op, part, first, count));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_operator_create_vecs(fm_operator *op, PetscInt part, Vec *x, Vec *d) {
  Vec both[2];

  PetscFunctionBegin;
  PetscCall(check_part(op, part));
  PetscCall(op->ops->create_vecs(op, part, &both[0], &both[1]));
  if (x)
    *x = both[0];
  else
    PetscCall(VecDestroy(&both[0]));
  if (d)
    *d = both[1];
  else
    PetscCall(VecDestroy(&both[1]));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_operator_groups(fm_operator *op, PetscInt *count, PetscInt *mine) {
  PetscMPIInt size = 1, rank = 0;

  PetscFunctionBegin;
  if (op->group != op->space) PetscCallMPI(MPI_Comm_size(op->space, &size));
  if (op->group != op->space) PetscCallMPI(MPI_Comm_rank(op->space, &rank));
  *count = size;
  *mine = rank;
  PetscFunctionReturn(0);
}

/* ---- solves ---- */

/* A solve is made by all ranks of the group together: the first of them counts it. */
static PetscErrorCode count_solve(fm_operator *op, fm_solve kind) {
  PetscMPIInt rank;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(op->group, &rank));
  if (!rank) op->ledger.count[op->purpose][kind]++;
  PetscFunctionReturn(0);
}

static PetscErrorCode check_tape(fm_operator *op, PetscInt part, const char *what) {
  PetscFunctionBegin;
  PetscCall(check_part(op, part));
  PetscCheck(op->linearized >= 0, op->space, PETSC_ERR_ORDER,
             "%s of operator %s, part %" PetscInt_FMT
             ": nothing was linearized, call fm_operator_linearize first",
             what, op->name, part);
  PetscCheck(op->linearized == part, op->space, PETSC_ERR_ORDER,
             "%s of operator %s, part %" PetscInt_FMT
             ": the last linearize was of part %" PetscInt_FMT,
             what, op->name, part, op->linearized);
  PetscFunctionReturn(0);
}

PetscErrorCode fm_operator_linearize(fm_operator *op, PetscInt part, Vec x, Vec d,
                                     PetscBool *ok) {
  PetscFunctionBegin;
  PetscCall(check_part(op, part));
  op->linearized = -1;
  op->reason[0] = 0;
  *ok = PETSC_TRUE;
  PetscCall(count_solve(op, FM_SOLVE_F));
  PetscCall(op->ops->linearize(op, part, x, d, ok));
  if (*ok) op->linearized = part;
  PetscFunctionReturn(0);
}

PetscErrorCode fm_operator_jvp(fm_operator *op, PetscInt part, Vec dx, Vec dd) {
  PetscFunctionBegin;
  PetscCall(check_tape(op, part, "jvp"));
  PetscCall(count_solve(op, FM_SOLVE_J));
  PetscCall(op->ops->jvp(op, part, dx, dd));
  PetscFunctionReturn(0);
}

PetscErrorCode fm_operator_vjp(fm_operator *op, PetscInt part, Vec dd, Vec gx) {
  PetscFunctionBegin;
  PetscCall(check_tape(op, part, "vjp"));
  PetscCall(count_solve(op, FM_SOLVE_JT));
  PetscCall(op->ops->vjp(op, part, dd, gx));
  PetscFunctionReturn(0);
}

void fm_operator_set_taped(fm_operator *op, PetscBool taped) { op->taped = taped; }

const char *fm_operator_reason(fm_operator *op) { return op->reason; }

PetscErrorCode fm_operator_encode(fm_operator *op, const double *sign) {
  PetscFunctionBegin;
  op->linearized = -1;
  fm_check(op->ops->encode, op->space, PETSC_ERR_USER,
           "the operator %s has no sources to encode: leave out -shots_encode", op->name);
  PetscCall(op->ops->encode(op, sign));
  PetscFunctionReturn(0);
}

/* ---- the options of PETSc's solvers ---- */

PetscErrorCode fm_operator_unused(const char *prefix, char *list, size_t size) {
  char **name, **value;
  PetscInt count;

  PetscFunctionBegin;
  list[0] = 0;
  PetscCall(PetscOptionsLeftGet(NULL, &count, &name, &value));
  for (PetscInt i = 0; i < count; i++) {
    if (strncmp(name[i], prefix, strlen(prefix))) continue;
    PetscCall(PetscStrlcat(list, list[0] ? ", -" : "-", size));
    PetscCall(PetscStrlcat(list, name[i], size));
  }
  PetscCall(PetscOptionsLeftRestore(NULL, &count, &name, &value));
  PetscFunctionReturn(0);
}

/* ---- ledger ---- */

PetscErrorCode fm_operator_set_purpose(fm_operator *op, fm_purpose purpose, fm_purpose *old) {
  PetscFunctionBegin;
  if (old) *old = op->purpose;
  op->purpose = purpose;
  PetscFunctionReturn(0);
}

PetscErrorCode fm_operator_ledger(fm_operator *op, fm_ledger *ledger) {
  PetscFunctionBegin;
  *ledger = op->ledger;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, ledger->count, FM_PURPOSES * FM_SOLVE_KINDS,
                             MPI_INT64_T, MPI_SUM, op->space));
  PetscFunctionReturn(0);
}

const char *fm_operator_describe(fm_operator *op) { return op->description; }
