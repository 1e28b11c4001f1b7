/* Words for people: rank 0 of the world speaks, once. */
#ifndef FATHOM_LOG_H
#define FATHOM_LOG_H

#include "fathom/types.h"

/* fm_log - one line on rank 0's standard output, flushed. Not collective: other ranks stay
   silent. */
void fm_log(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* fm_warn - the same, prefixed "warning: ", to standard error. */
void fm_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* fm_warnings - those of this rank so far, one a line (of fm_warn; at most 16 KB). Borrowed. */
const char *fm_warnings(void);
/* fm_warn_anywhere - the same from any rank, at most `most` times in its life: for what only
   one
   rank knows. */
void fm_warn_anywhere(int most, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* fm_progress - the line that shows how far a run is. On a terminal it rewrites itself about
   ten times a second; in a file it is
   one plain line every `interval` seconds and at the end. fm_log ends a pending line first. */
void fm_progress(double interval, PetscBool last, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* fm_progress_end - end a pending progress line, so that other output begins on its own. */
void fm_progress_end(void);

#endif
