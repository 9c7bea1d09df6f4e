# Slicer writes <name>Config.cmake here, by which another extension finds this one.

file(WRITE ${CMAKE_BINARY_DIR}/${EXTENSION_NAME}Config.cmake "set(${EXTENSION_NAME}_SOURCE_DIR \"${PROJECT_SOURCE_DIR}\")\n")
