/* A growing text, for pages and for scripts with binary data between their lines. */
#ifndef FATHOM_REPORT_TEXT_H
#define FATHOM_REPORT_TEXT_H

#include "fathom/types.h"

/* Zeroed: empty. `v` ends with a zero that `used` does not count. */
typedef struct fm_text {
  char *v;
  size_t used, capacity;
} fm_text;

/* fm_text_add - `count` bytes as they are. Not collective, as all functions here. */
PetscErrorCode fm_text_add(fm_text *text, size_t count, const void *bytes);
PetscErrorCode fm_text_print(fm_text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* fm_text_html - words for HTML and XML: & < > " ' become entities, what is no UTF-8 or no
   character of XML a question mark. */
PetscErrorCode fm_text_html(fm_text *text, const char *words);
/* fm_text_base64 - bytes in base64 (RFC 4648, section 4), without line ends. */
PetscErrorCode fm_text_base64(fm_text *text, size_t count, const void *bytes);
PetscErrorCode fm_text_clear(fm_text *text);

/* fm_text_save - `count` bytes to `path`: to PATH.tmp, to the disk, then renamed. 0 or an
   errno; on failure an old file stands. For one rank. */
int fm_text_save(const char *path, size_t count, const void *bytes);
/* fm_text_load - a whole file of at most `most` bytes; a file that cannot be read gives an
   empty text. For one rank. */
PetscErrorCode fm_text_load(const char *path, size_t most, fm_text *text);

#endif
