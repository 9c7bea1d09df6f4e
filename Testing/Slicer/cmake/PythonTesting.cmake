# slicer_add_python_unittest(SCRIPT file [TESTNAME_PREFIX prefix] [SLICER_ARGS arguments])
#
# Registers py_<prefix><name of the script>: Slicer runs the unit tests of that name, found in the build folder or the
# source folder of the caller.

function(slicer_add_python_unittest)
  cmake_parse_arguments(UNITTEST "" "TESTNAME_PREFIX;SCRIPT" "SLICER_ARGS" ${ARGN})
  if(UNITTEST_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "slicer_add_python_unittest: unknown keywords ${UNITTEST_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${UNITTEST_SCRIPT} AND NOT EXISTS ${CMAKE_CURRENT_BINARY_DIR}/${UNITTEST_SCRIPT})
    message(FATAL_ERROR "slicer_add_python_unittest: nonexistent script '${UNITTEST_SCRIPT}'")
  endif()
  get_filename_component(name ${UNITTEST_SCRIPT} NAME_WE)
  set(folders "['${CMAKE_CURRENT_BINARY_DIR}', '${CMAKE_CURRENT_SOURCE_DIR}']")
  add_test(
    NAME py_${UNITTEST_TESTNAME_PREFIX}${name}
    COMMAND ${Slicer_LAUNCHER_EXECUTABLE} --no-splash --testing ${UNITTEST_SLICER_ARGS}
            --python-code "import slicer.testing; slicer.testing.runUnitTest(${folders}, '${name}')"
  )
endfunction()
