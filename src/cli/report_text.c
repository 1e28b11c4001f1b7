#include "cli/report_text.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static PetscErrorCode reserve(fm_text *t, size_t more) {
  char *larger;

  PetscFunctionBegin;
  if (t->used + more + 1 <= t->capacity) PetscFunctionReturn(0);
  t->capacity = 2 * (t->used + more) + 1024;
  PetscCall(PetscMalloc1(t->capacity, &larger));
  if (t->used) memcpy(larger, t->v, t->used);
  larger[t->used] = 0;
  PetscCall(PetscFree(t->v));
  t->v = larger;
  PetscFunctionReturn(0);
}

PetscErrorCode fm_text_add(fm_text *t, size_t count, const void *bytes) {
  PetscFunctionBegin;
  PetscCall(reserve(t, count));
  if (count) memcpy(t->v + t->used, bytes, count);
  t->used += count;
  t->v[t->used] = 0;
  PetscFunctionReturn(0);
}

PetscErrorCode fm_text_print(fm_text *t, const char *format, ...) {
  va_list words, again;
  int length;

  PetscFunctionBegin;
  va_start(words, format);
  va_copy(again, words);
  length = vsnprintf(NULL, 0, format, words);
  va_end(words);
  PetscCall(reserve(t, (size_t)PetscMax(0, length)));
  if (length > 0) vsnprintf(t->v + t->used, (size_t)length + 1, format, again);
  va_end(again);
  t->used += (size_t)PetscMax(0, length);
  PetscFunctionReturn(0);
}

/* Bytes of the UTF-8 character at `c`; 0: it is none. */
static int utf8_length(const unsigned char *c) {
  const int n = c[0] < 0x80                    ? 1
                : c[0] >= 0xc2 && c[0] <= 0xdf ? 2
                : c[0] >= 0xe0 && c[0] <= 0xef ? 3
                : c[0] >= 0xf0 && c[0] <= 0xf4 ? 4
                                               : 0;

  for (int i = 1; i < n; i++)
    if ((c[i] & 0xc0) != 0x80) return 0;
  if (c[0] == 0xe0 && c[1] < 0xa0) return 0; /* longer than it need be */
  if (c[0] == 0xed && c[1] > 0x9f) return 0; /* surrogates */
  if (c[0] == 0xef && c[1] == 0xbf && c[2] > 0xbd) return 0;
  if ((c[0] == 0xf0 && c[1] < 0x90) || (c[0] == 0xf4 && c[1] > 0x8f)) return 0;
  return n;
}

static const char *entity(char c) {
  switch (c) {
  case '&': return "&amp;";
  case '<': return "&lt;";
  case '>': return "&gt;";
  case '"': return "&quot;";
  case '\'': return "&#39;";
  default: return NULL;
  }
}

PetscErrorCode fm_text_html(fm_text *t, const char *words) {
  PetscFunctionBegin;
  for (const char *c = words; *c;) {
    const int length = utf8_length((const unsigned char *)c);
    const PetscBool control =
        (unsigned char)*c < 0x20 && *c != '\n' && *c != '\t' ? PETSC_TRUE : PETSC_FALSE;
    const char *name = entity(*c);

    if (name)
      PetscCall(fm_text_add(t, strlen(name), name));
    else if (length == 0 || control)
      PetscCall(fm_text_add(t, 1, "?"));
    else
      PetscCall(fm_text_add(t, (size_t)length, c));
    c += PetscMax(1, length);
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fm_text_base64(fm_text *t, size_t count, const void *bytes) {
  static const char digit[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const unsigned char *b = (const unsigned char *)bytes;

  PetscFunctionBegin;
  PetscCall(reserve(t, (count + 2) / 3 * 4));
  for (size_t i = 0; i < count; i += 3) {
    const unsigned b1 = i + 1 < count ? b[i + 1] : 0, b2 = i + 2 < count ? b[i + 2] : 0;
    const unsigned all = (unsigned)b[i] << 16 | b1 << 8 | b2;
    char *out = t->v + t->used;

    out[0] = digit[all >> 18];
    out[1] = digit[all >> 12 & 63];
    out[2] = i + 1 < count ? digit[all >> 6 & 63] : '=';
    out[3] = i + 2 < count ? digit[all & 63] : '=';
    t->used += 4;
  }
  if (t->v) t->v[t->used] = 0;
  PetscFunctionReturn(0);
}

PetscErrorCode fm_text_clear(fm_text *t) {
  PetscFunctionBegin;
  PetscCall(PetscFree(t->v));
  t->used = t->capacity = 0;
  PetscFunctionReturn(0);
}

int fm_text_save(const char *path, size_t count, const void *bytes) {
  char next[PETSC_MAX_PATH_LEN + 8];
  FILE *file;
  int bad, error;

  snprintf(next, sizeof(next), "%s.tmp", path);
  errno = 0;
  if (!(file = fopen(next, "wb"))) return errno;
  bad = count && fwrite(bytes, 1, count, file) != count;
  bad |= fflush(file) || fsync(fileno(file));
  bad |= fclose(file) != 0;
  if (!bad) bad = rename(next, path) != 0;
  if (!bad) return 0;
  error = errno ? errno : EIO;
  unlink(next);
  return error;
}

PetscErrorCode fm_text_load(const char *path, size_t most, fm_text *text) {
  FILE *file = fopen(path, "rb");
  char block[4096];
  size_t got;

  PetscFunctionBegin;
  PetscCall(fm_text_add(text, 0, ""));
  while (file && text->used < most &&
         (got = fread(block, 1, PetscMin(sizeof(block), most - text->used), file)) > 0)
    PetscCall(fm_text_add(text, got, block));
  if (file) fclose(file);
  PetscFunctionReturn(0);
}
