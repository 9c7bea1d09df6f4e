# slicerMacroBuildScriptedModule(NAME name SCRIPTS files [RESOURCES files] [WITH_SUBDIR] [WITH_GENERIC_TESTS])
#
# Copies the files into the folder of scripted modules of the build tree and installs that folder. WITH_SUBDIR: into a
# folder there that is named as the source folder, for a library.

function(slicerMacroBuildScriptedModule)
  cmake_parse_arguments(MODULE "WITH_GENERIC_TESTS;WITH_SUBDIR;VERBOSE" "NAME" "SCRIPTS;RESOURCES" ${ARGN})
  if(MODULE_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "slicerMacroBuildScriptedModule: unknown keywords ${MODULE_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT MODULE_NAME)
    message(FATAL_ERROR "slicerMacroBuildScriptedModule: NAME is missing")
  endif()

  set(destination ${CMAKE_BINARY_DIR}/${Slicer_QTSCRIPTEDMODULES_LIB_DIR})
  set(installed ${destination}/) # with the slash: its content, not the folder
  if(MODULE_WITH_SUBDIR)
    get_filename_component(folder ${CMAKE_CURRENT_SOURCE_DIR} NAME)
    set(destination ${destination}/${folder})
    set(installed ${destination})
  endif()

  set(copies)
  foreach(file ${MODULE_SCRIPTS} ${MODULE_RESOURCES})
    if(file IN_LIST MODULE_SCRIPTS AND NOT file MATCHES "\\.py$")
      set(file ${file}.py)
    endif()
    set(source ${CMAKE_CURRENT_SOURCE_DIR}/${file})
    if(NOT EXISTS ${source})
      message(FATAL_ERROR "slicerMacroBuildScriptedModule: nonexistent file '${file}'")
    endif()
    add_custom_command(
      OUTPUT ${destination}/${file}
      DEPENDS ${source}
      COMMAND ${CMAKE_COMMAND} -E copy ${source} ${destination}/${file}
    )
    list(APPEND copies ${destination}/${file})
  endforeach()
  add_custom_target(Copy${MODULE_NAME}PythonFiles ALL DEPENDS ${copies})
  install(DIRECTORY ${installed} DESTINATION ${Slicer_INSTALL_QTSCRIPTEDMODULES_LIB_DIR} COMPONENT RuntimeLibraries)

  if(BUILD_TESTING AND MODULE_WITH_GENERIC_TESTS)
    set(script qSlicer${MODULE_NAME}ModuleGenericTest.py)
    file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/${script} "# Slicer generates the test that opens the module's panel.\n")
    slicer_add_python_unittest(
      SCRIPT ${script}
      SLICER_ARGS --no-main-window --disable-cli-modules --additional-module-path ${destination}
      TESTNAME_PREFIX nomainwindow_
    )
  endif()
endfunction()
