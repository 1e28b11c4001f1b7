/* The end of a job's time. */
#include "fathom/command.h"
#include "fathom/log.h"
#include "fathom/options.h"
#include "fathom/stop.h"
#include <ctype.h>
#include <stdlib.h>
#include <time.h>

/* "3600", "59:30", "12:00:00", "1-12", "1-12:00:00"; -1 where it is none of these. */
static double seconds_of(const char *text) {
  double total = 0., days = 0.;
  const PetscBool dashed = strchr(text, '-') ? PETSC_TRUE : PETSC_FALSE;
  int fields = 0;
  char *end;

  if (strspn(text, "0123456789:-.") != strlen(text)) return -1.;
  if (dashed && isdigit((unsigned char)text[0])) {
    days = strtod(text, &end);
    if (*end != '-') return -1.;
    text = end + 1;
  }
  for (;; text = end + 1) {
    if (!isdigit((unsigned char)*text)) return -1.;
    total = total * 60. + strtod(text, &end);
    fields++;
    if (*end != ':') break;
  }
  if (*end || fields > 3) return -1.;
  for (; dashed && fields < 3; fields++) total *= 60.; /* hours come first there */
  return days * 86400. + total;
}

/* Seconds since 1970 in a variable of the environment; 0: none, or none that makes sense. */
static double time_in(const char *variable) {
  const char *text = getenv(variable);
  char *end;
  double value;

  if (!text || !text[0]) return 0.;
  value = strtod(text, &end);
  if (!*end && value > 1e9 && value < 1e11) return value;
  fm_warn("%s '%s' is no time in seconds since 1970: ignored", variable, text);
  return 0.;
}

static void earlier(double time, double *end) {
  if (time > 0. && (*end <= 0. || time < *end)) *end = time;
}

PetscErrorCode fm_run_time(const fm_run *run) {
  double end = 0., limit = 0.;
  PetscMPIInt rank;
  const char *text;

  PetscFunctionBegin;
  PetscCall(fm_option_text("time_limit", &text));
  if (text[0]) limit = seconds_of(text);
  fm_check(
      !text[0] || limit > 0., run->comm.world, PETSC_ERR_USER,
      "-time_limit takes seconds or [DAYS-]HOURS:MINUTES:SECONDS, such as 3600 or 12:00:00, "
      "not '%s'",
      text);
  earlier(limit > 0. ? run->begin + limit : 0., &end);
  earlier(time_in("SLURM_JOB_END_TIME"), &end);
  earlier(time_in("FATHOM_END_TIME"), &end);
  PetscCallMPI(MPI_Comm_rank(run->comm.world, &rank));
  if (end > 0.)
    fm_log("this job has %.0f s left: it will leave in time with a checkpoint",
           end - (double)time(NULL));
  fm_stop_set_end(rank ? 0. : end);
  fm_stop_watch();
  PetscFunctionReturn(0);
}
