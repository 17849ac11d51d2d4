# SPDX-License-Identifier: MIT
# The tool, the examples and the benchmark programs.  Each lands in the build folder under the
# path it has in the tree (example/article/go.c -> example/article/go); the tool is `weir` itself.

# Everything that a user runs, without the tests: what `make demo` builds.
add_custom_target(programs)
add_dependencies(programs weir)
if(WEIR_SHARED)
  add_dependencies(programs weir_shared)
endif()

# A command of several files has a folder of its own.
file(GLOB tool_sources CONFIGURE_DEPENDS
  ${PROJECT_SOURCE_DIR}/cmd/weir/*.c ${PROJECT_SOURCE_DIR}/cmd/weir/*/*.c)
if(tool_sources AND WEIR_TOOL)
  find_path(WEIR_JANSSON_INCLUDE jansson.h)
  find_library(WEIR_JANSSON_LIBRARY jansson)
  if(NOT WEIR_JANSSON_INCLUDE OR NOT WEIR_JANSSON_LIBRARY)
    message(FATAL_ERROR "weir's tool reads and writes JSON with jansson: install libjansson-dev "
      "(tool/deps does), or build the library alone with -DWEIR_TOOL=OFF")
  endif()
  # The reports of `weir compare` carry what draws them.  Debian 12 has Chart.js 3; later ones name
  # the same file of version 4 otherwise.  It is no code of the target's, so sysroots do not matter.
  find_file(WEIR_CHART_JS NAMES chart.min.js chart.umd.min.js chart.umd.js
    PATHS /usr/share/javascript/chart.js /usr/share/nodejs/chart.js/dist
    NO_CMAKE_FIND_ROOT_PATH)
  if(NOT WEIR_CHART_JS)
    message(FATAL_ERROR "the reports of weir's tool are drawn with Chart.js, which is not "
      "installed: install libjs-chart.js (tool/deps does), name the file with "
      "-DWEIR_CHART_JS=/path/to/chart.min.js, or build the library alone with -DWEIR_TOOL=OFF")
  endif()
  function(weir_embed file name)
    set(source ${PROJECT_BINARY_DIR}/embedded/${name}.c)
    add_custom_command(OUTPUT ${source}
      COMMAND ${CMAKE_COMMAND} -DFILE=${file} -DNAME=${name} -DOUT=${source}
        -P ${PROJECT_SOURCE_DIR}/cmake/embed.cmake
      DEPENDS ${file} ${PROJECT_SOURCE_DIR}/cmake/embed.cmake VERBATIM
      COMMENT "Embedding ${file}")
    set(embedded_sources ${embedded_sources} ${source} PARENT_SCOPE)
  endfunction()
  set(embedded_sources "")
  weir_embed(${WEIR_CHART_JS} embedded_chart)
  weir_embed(${PROJECT_SOURCE_DIR}/cmd/weir/compare/page.html embedded_page)
  add_executable(weir_tool ${tool_sources} ${embedded_sources})
  set_target_properties(weir_tool PROPERTIES
    OUTPUT_NAME weir RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR})
  # base and http are plain functions of the static library, hidden from everybody else.
  target_include_directories(weir_tool PRIVATE
    ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/cmd/weir)
  target_include_directories(weir_tool SYSTEM PRIVATE ${WEIR_JANSSON_INCLUDE})
  target_link_libraries(weir_tool PRIVATE weir m ${WEIR_JANSSON_LIBRARY})
  # Where a tool that was not installed finds its reference servers.
  target_compile_definitions(weir_tool PRIVATE WEIR_PEERS_FOLDER="${PROJECT_SOURCE_DIR}/peers")
  add_dependencies(programs weir_tool)
endif()

file(GLOB single_programs CONFIGURE_DEPENDS
  ${PROJECT_SOURCE_DIR}/example/*.c
  ${PROJECT_SOURCE_DIR}/example/article/*.c
  ${PROJECT_SOURCE_DIR}/example/guide/*.c
  ${PROJECT_SOURCE_DIR}/example/from-*/*.c
  ${PROJECT_SOURCE_DIR}/bench/*.c)
foreach(source IN LISTS single_programs)
  file(RELATIVE_PATH path ${PROJECT_SOURCE_DIR} ${source})
  get_filename_component(folder ${path} DIRECTORY)
  get_filename_component(name ${path} NAME_WE)
  string(REPLACE "/" "-" target "${folder}/${name}")
  add_executable(${target} ${source})
  set_target_properties(${target} PROPERTIES
    OUTPUT_NAME ${name} RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/${folder})
  target_compile_options(${target} PRIVATE ${weir_system_names})
  target_link_libraries(${target} PRIVATE weir m)
  add_dependencies(programs ${target})
endforeach()

# An example of several files, or one that needs somebody else's library, has a folder with a
# CMakeLists.txt of its own.  A line "# needs: HEADER LIBRARY" there leaves it out, with a word,
# on a machine that lacks them.
file(GLOB example_projects CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/example/*/CMakeLists.txt)
get_directory_property(own_options COMPILE_OPTIONS)
add_compile_options(${weir_system_names})
foreach(project_file IN LISTS example_projects)
  get_filename_component(folder ${project_file} DIRECTORY)
  get_filename_component(name ${folder} NAME)
  file(STRINGS ${project_file} needs REGEX "^# needs: ")
  if(needs MATCHES "^# needs: ([^ ]+) ([^ ]+)")
    set(header ${CMAKE_MATCH_1})
    set(library ${CMAKE_MATCH_2})
    find_path(WEIR_${library}_INCLUDE ${header})
    find_library(WEIR_${library}_LIBRARY ${library})
    if(NOT WEIR_${library}_INCLUDE OR NOT WEIR_${library}_LIBRARY)
      message(STATUS "example/${name} is left out: ${header} or lib${library} not found")
      continue()
    endif()
  endif()
  add_subdirectory(${folder} ${PROJECT_BINARY_DIR}/example/${name})
endforeach()
set_directory_properties(PROPERTIES COMPILE_OPTIONS "${own_options}")
