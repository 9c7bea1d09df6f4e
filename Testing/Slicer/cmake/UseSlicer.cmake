# What an extension may call after include(${Slicer_USE_FILE}).

include(${CMAKE_CURRENT_LIST_DIR}/ScriptedModule.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/PythonTesting.cmake)

if(NOT DEFINED EXTENSION_NAME)
  set(EXTENSION_NAME ${PROJECT_NAME})
endif()
set(Slicer_INSTALL_QTSCRIPTEDMODULES_LIB_DIR ${Slicer_QTSCRIPTEDMODULES_LIB_DIR})

option(BUILD_TESTING "Register the tests" ON)
if(BUILD_TESTING)
  enable_testing()
endif()
