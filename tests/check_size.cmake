# style.size: no function over 60 lines, no file over 500, no line over 96 columns; src/cli/main.c at most 60 lines.
#   cmake -DROOT=<source folder> -P check_size.cmake
# Tests are held to the limits of lines and files. The measuring is done by style/size.awk.
cmake_minimum_required(VERSION 3.18)
if(NOT ROOT)
  get_filename_component(ROOT "${CMAKE_CURRENT_LIST_DIR}/.." ABSOLUTE)
endif()
find_program(AWK NAMES awk mawk gawk REQUIRED)

function(measure what functions)
  if(NOT ARGN)
    message(FATAL_ERROR "style.size: no files for '${what}' under ${ROOT}")
  endif()
  list(SORT ARGN)
  execute_process(COMMAND ${AWK} -v functions=${functions} -v what=${what} -v most_lines=60 -v most_file=500
    -v most_columns=96 -v main=src/cli/main.c -v most_main=60 -f "${CMAKE_CURRENT_LIST_DIR}/style/size.awk" ${ARGN}
    WORKING_DIRECTORY "${ROOT}" RESULT_VARIABLE code OUTPUT_VARIABLE text ERROR_VARIABLE text)
  message("${text}")
  if(NOT code EQUAL 0)
    set(failed TRUE PARENT_SCOPE)
  endif()
endfunction()

file(GLOB_RECURSE product RELATIVE "${ROOT}" "${ROOT}/src/*.[ch]" "${ROOT}/src/*.def" "${ROOT}/operators/*.[ch]"
     "${ROOT}/operators/*.def" "${ROOT}/io/*.[ch]" "${ROOT}/include/*.h")
file(GLOB tests RELATIVE "${ROOT}" "${ROOT}/tests/*.[ch]")
measure(product 1 ${product})
measure(tests 0 ${tests})
if(failed)
  message(FATAL_ERROR "style.size: over the limits")
endif()
