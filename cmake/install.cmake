# SPDX-License-Identifier: MIT
# What `make install` brings: headers, both libraries, the tool, manual pages, commands for gdb, the
# reference servers that `weir compare` starts, and the files by which pkg-config and CMake find it
# all.  Nothing in there names the prefix, so an installation may be moved or staged (DESTDIR).
#
# libweir_sim stays here: the calls that drive the simulated world are not part of the API.

include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# pkg-config's file finds the prefix by the way up from its own folder.
foreach(folder INCLUDEDIR LIBDIR)
  if(IS_ABSOLUTE "${CMAKE_INSTALL_${folder}}")
    message(FATAL_ERROR "CMAKE_INSTALL_${folder} is ${CMAKE_INSTALL_${folder}}: give it relative "
      "to the prefix (lib, lib/x86_64-linux-gnu), for an installation can be moved only as a whole")
  endif()
endforeach()

set(weir_libraries weir)
set_target_properties(weir PROPERTIES EXPORT_NAME static)
if(WEIR_SHARED)
  list(APPEND weir_libraries weir_shared)
  set_target_properties(weir_shared PROPERTIES EXPORT_NAME weir)
endif()
install(TARGETS ${weir_libraries} EXPORT weir
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/weir DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  FILES_MATCHING PATTERN "*.h")

set(weir_cmake_folder ${CMAKE_INSTALL_LIBDIR}/cmake/weir)
install(EXPORT weir NAMESPACE weir:: FILE weirTargets.cmake DESTINATION ${weir_cmake_folder})
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/weirConfig.cmake.in
  ${PROJECT_BINARY_DIR}/weirConfig.cmake INSTALL_DESTINATION ${weir_cmake_folder})
# Until 1.0 any minor version may break programs.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/weirConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/weirConfig.cmake ${PROJECT_BINARY_DIR}/weirConfigVersion.cmake
  DESTINATION ${weir_cmake_folder})

file(RELATIVE_PATH weir_pc_to_prefix /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
string(REGEX REPLACE "/$" "" weir_pc_to_prefix "${weir_pc_to_prefix}")
configure_file(${PROJECT_SOURCE_DIR}/cmake/weir.pc.in ${PROJECT_BINARY_DIR}/weir.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/weir.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

if(TARGET weir_tool)
  install(TARGETS weir_tool RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  # What the tool starts and shows beside itself.
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/peers DESTINATION ${CMAKE_INSTALL_DATADIR}/weir
    USE_SOURCE_PERMISSIONS OPTIONAL
    PATTERN __pycache__ EXCLUDE PATTERN node_modules EXCLUDE)
endif()

# `source PREFIX/share/weir/gdb/weir.py` in gdb, for `weir tasks` and `weir task N`.
install(FILES ${PROJECT_SOURCE_DIR}/tool/gdb.py
  DESTINATION ${CMAKE_INSTALL_DATADIR}/weir/gdb RENAME weir.py)

# Manual pages come from the headers and from the tool's --help.  They are a target of their own, so
# that a plain build does not wait for them; installing takes them if they were made.
find_program(WEIR_PYTHON python3)
if(TARGET weir_tool AND WEIR_PYTHON)
  file(GLOB public_headers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/include/weir/*.h)
  add_custom_command(OUTPUT ${PROJECT_BINARY_DIR}/man/made
    COMMAND ${CMAKE_COMMAND} -E rm -rf ${PROJECT_BINARY_DIR}/man
    COMMAND ${WEIR_PYTHON} ${PROJECT_SOURCE_DIR}/tool/man ${PROJECT_BINARY_DIR}/man
      --tool $<TARGET_FILE:weir_tool>
    COMMAND ${CMAKE_COMMAND} -E touch ${PROJECT_BINARY_DIR}/man/made
    DEPENDS weir_tool ${PROJECT_SOURCE_DIR}/tool/man ${public_headers}
    COMMENT "Making the manual pages"
    VERBATIM)
  add_custom_target(man DEPENDS ${PROJECT_BINARY_DIR}/man/made)
endif()
install(DIRECTORY ${PROJECT_BINARY_DIR}/man/ DESTINATION ${CMAKE_INSTALL_MANDIR} OPTIONAL
  PATTERN made EXCLUDE)
