# Slicer describes the extension and packs the installed tree here; the description is one line "key value" an entry.

set(description)
foreach(key HOMEPAGE CATEGORY CONTRIBUTORS DESCRIPTION ICONURL SCREENSHOTURLS DEPENDS)
  if("${EXTENSION_${key}}" STREQUAL "")
    message(FATAL_ERROR "EXTENSION_${key} is empty")
  endif()
  string(TOLOWER ${key} name)
  string(APPEND description "${name} ${EXTENSION_${key}}\n")
endforeach()
file(WRITE ${CMAKE_BINARY_DIR}/${EXTENSION_NAME}.s4ext "${description}")
install(FILES ${CMAKE_BINARY_DIR}/${EXTENSION_NAME}.s4ext DESTINATION ${Slicer_SHARE_DIR} COMPONENT RuntimeLibraries)
