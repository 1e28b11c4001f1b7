# Lengths of files, lines and functions. A function begins in column 0, has a '(' before its '{' and ends with '}' in
# column 0: clang-format (style.format) makes it so.
# In: functions (1: measure them), what, most_lines, most_file, most_columns, main, most_main.
function fault(text) { print text; faults++ }
function end_file() {
  if (!file) return
  if (last > most_file) fault(file ": " last " lines, at most " most_file)
  if (file == main && last > most_main) fault(file ": " last " lines, at most " most_main)
  if (inside) fault(file ":" begin ": found no end of the function " name)
}
function end_function(  n) {
  n = FNR - begin + 1
  length_of[++count] = n
  if (n > most_lines) fault(file ":" begin ": " name " has " n " lines, at most " most_lines)
  inside = 0; head = ""
}
# the line without its comments; `comment` remembers one that goes on
function code_of(line,  code, at) {
  code = ""
  while (line != "") {
    if (comment) {
      at = index(line, "*/")
      if (!at) return code
      line = substr(line, at + 2); comment = 0
    } else {
      at = match(line, /\/\*|\/\//)
      if (!at) return code line
      code = code substr(line, 1, at - 1)
      if (substr(line, at, 2) == "//") return code
      line = substr(line, at + 2); comment = 1
    }
  }
  return code
}
FNR == 1 { end_file(); file = FILENAME; inside = comment = macro = 0; head = ""; files++ }
{ last = FNR; lines++ }
length($0) > most_columns { fault(file ":" FNR ": " length($0) " columns, at most " most_columns) }
!functions || FILENAME !~ /\.[ch]$/ { next }
inside { if ($0 ~ /^}/) end_function(); next }
{ code = code_of($0); sub(/[ \t]+$/, "", code) }
macro || code ~ /^#/ { macro = (code ~ /\\$/); next }
head == "" && code ~ /^[A-Za-z_]/ { begin = FNR }
code ~ /^[A-Za-z_]/ || (head != "" && code != "") { head = head " " code }
head != "" {
  body = index(head, "{"); arguments = index(head, "(")
  if (body && arguments && arguments < body && head !~ /^ (typedef|struct|enum|union)[^(]*[{]/ && head !~ /^[^({]*=/) {
    name = substr(head, 1, arguments - 1); sub(/.*[ *]/, "", name); inside = 1
    if (code ~ /}$/) end_function() # on one line
  } else if (code ~ /;$/ || head ~ /^ [A-Z_0-9]+\(.*\)$/) head = ""
}
END {
  end_file()
  for (i = 2; i <= count; i++) { # insertion sort: a few hundred numbers
    v = length_of[i]
    for (j = i - 1; j >= 1 && length_of[j] > v; j--) length_of[j + 1] = length_of[j]
    length_of[j + 1] = v
  }
  report = what ": " files " files, " lines " lines"
  if (count) {
    report = report ", " count " functions: median " length_of[int((count + 1) / 2)] \
             ", 90th percentile " length_of[int((9 * count + 9) / 10)] ", longest " length_of[count] " lines"
  }
  print report
  exit faults > 0
}
