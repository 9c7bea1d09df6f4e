# A stand-in for the build of 3D Slicer, for configuring, building and installing the extension without it. It is as
# strict as Slicer's own macros and puts files where those put them; it compiles nothing and translates nothing.

set(Slicer_VERSION 5.12)
set(Slicer_USE_PYTHONQT ON)
set(Slicer_LAUNCHER_EXECUTABLE ${CMAKE_COMMAND}) # any program that exists: the tests are listed, not run
set(Slicer_QTSCRIPTEDMODULES_LIB_DIR lib/Slicer-${Slicer_VERSION}/qt-scripted-modules)
set(Slicer_SHARE_DIR share/Slicer-${Slicer_VERSION})

set(Slicer_USE_FILE ${CMAKE_CURRENT_LIST_DIR}/UseSlicer.cmake)
set(Slicer_EXTENSION_GENERATE_CONFIG ${CMAKE_CURRENT_LIST_DIR}/GenerateConfig.cmake)
set(Slicer_EXTENSION_CPACK ${CMAKE_CURRENT_LIST_DIR}/ExtensionPackage.cmake)
