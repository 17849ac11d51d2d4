# SPDX-License-Identifier: MIT
# libweir.a, libweir.so.0 and libweir_sim.a from the same objects, and the fault helper.  Other
# projects know the first two as weir::static and weir::weir (cmake/install.cmake).
#
#   src/**             every library, except the folders named below
#   src/os/linux/      libweir; also libweir_sim, except files that os/sim has under the same name
#   src/os/sim/        libweir_sim
#   src/os/valgrind/   in the place of os/linux's file of that name, where valgrind's headers are
#   src/os/debug/      every library, in Debug builds
#   src/os/fault/      weir_fault: makes the n-th call of an os contract fail; tests only
#   src/arch/<cpu>/    the folder of the CPU that is built for

file(GLOB_RECURSE weir_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/*.c)
list(FILTER weir_sources EXCLUDE REGEX "/src/(os|arch)/[^/]+/")
file(GLOB_RECURSE arch_sources CONFIGURE_DEPENDS
  ${PROJECT_SOURCE_DIR}/src/arch/${CMAKE_SYSTEM_PROCESSOR}/*.c
  ${PROJECT_SOURCE_DIR}/src/arch/${CMAKE_SYSTEM_PROCESSOR}/*.S)
file(GLOB linux_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/os/linux/*.c)
find_path(WEIR_VALGRIND_INCLUDE valgrind/memcheck.h)
mark_as_advanced(WEIR_VALGRIND_INCLUDE)
if(WEIR_VALGRIND_INCLUDE)
  file(GLOB valgrind_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/os/valgrind/*.c)
  foreach(source IN LISTS valgrind_sources)
    get_filename_component(name ${source} NAME)
    list(REMOVE_ITEM linux_sources ${PROJECT_SOURCE_DIR}/src/os/linux/${name})
  endforeach()
  list(APPEND linux_sources ${valgrind_sources})
endif()
file(GLOB sim_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/os/sim/*.c)
file(GLOB fault_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/os/fault/*.c)

set(shared_sources ${weir_sources} ${arch_sources})
set(weir_map ${PROJECT_SOURCE_DIR}/weir.map)
set(weir_interposed "")
if(WEIR_WATCH_MUTEXES)
  # The functions of the C library that those of src/os/debug hide: libweir.so exports them too.
  file(GLOB debug_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/os/debug/*.c)
  list(APPEND shared_sources ${debug_sources})
  set(interposed_file ${PROJECT_SOURCE_DIR}/src/os/debug/interposed.txt)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${interposed_file} ${weir_map})
  file(STRINGS ${interposed_file} weir_interposed REGEX "^[a-z]")
  list(JOIN weir_interposed ";\n        " names)
  file(READ ${weir_map} map)
  string(REPLACE "global:" "global:\n        ${names};" map "${map}")
  set(weir_map ${PROJECT_BINARY_DIR}/weir-debug.map)
  file(WRITE ${weir_map} "${map}")
endif()
set(replaced_sources "")
foreach(source IN LISTS linux_sources)
  get_filename_component(name ${source} NAME)
  if("${PROJECT_SOURCE_DIR}/src/os/sim/${name}" IN_LIST sim_sources)
    list(APPEND replaced_sources ${source})
  else()
    list(APPEND shared_sources ${source})
  endif()
endforeach()

# Only the folder that is the door to the system sees the system's own names.
set(os_sources ${shared_sources} ${replaced_sources} ${sim_sources} ${fault_sources})
list(FILTER os_sources INCLUDE REGEX "/src/os/")
if(os_sources)
  set_source_files_properties(${os_sources} PROPERTIES COMPILE_OPTIONS "${weir_system_names}")
endif()

function(weir_objects name)
  add_library(${name} OBJECT ${ARGN})
  target_include_directories(${name} PRIVATE
    ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src)
endfunction()

function(weir_library name)
  target_include_directories(${name} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:include>)
  target_link_libraries(${name} PUBLIC Threads::Threads)
  set_target_properties(${name} PROPERTIES LINKER_LANGUAGE C)
endfunction()

weir_objects(weir_shared_objects ${shared_sources})
set(weir_only_objects $<TARGET_OBJECTS:weir_shared_objects>)
set(sim_only_objects $<TARGET_OBJECTS:weir_shared_objects>)
if(replaced_sources)
  weir_objects(weir_replaced_objects ${replaced_sources})
  list(APPEND weir_only_objects $<TARGET_OBJECTS:weir_replaced_objects>)
endif()
if(sim_sources)
  weir_objects(weir_sim_objects ${sim_sources})
  list(APPEND sim_only_objects $<TARGET_OBJECTS:weir_sim_objects>)
endif()

add_library(weir STATIC ${weir_only_objects})
weir_library(weir)

if(WEIR_SHARED)
  add_library(weir_shared SHARED ${weir_only_objects})
  weir_library(weir_shared)
  set_target_properties(weir_shared PROPERTIES
    OUTPUT_NAME weir
    VERSION ${PROJECT_VERSION}
    SOVERSION 0
    LINK_DEPENDS ${weir_map})
  target_link_options(weir_shared PRIVATE
    -Wl,--version-script=${weir_map} -Wl,-z,relro,-z,now)
  if(NOT WEIR_SANITIZE)
    target_link_options(weir_shared PRIVATE -Wl,-z,defs)
  endif()
  add_library(weir::weir ALIAS weir_shared)
endif()

add_library(weir::static ALIAS weir)
if(NOT PROJECT_IS_TOP_LEVEL)
  return()
endif()

add_library(weir_sim STATIC ${sim_only_objects})
weir_library(weir_sim)

# os/fault/wrapped.txt names the contract functions that a __wrap_ function stands in front of.
if(fault_sources)
  add_library(weir_fault STATIC ${fault_sources})
  target_include_directories(weir_fault PUBLIC ${PROJECT_SOURCE_DIR}/src)
  weir_library(weir_fault)
  set(wrapped_file ${PROJECT_SOURCE_DIR}/src/os/fault/wrapped.txt)
  if(EXISTS ${wrapped_file})
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${wrapped_file})
    file(STRINGS ${wrapped_file} wrapped_names REGEX "^[a-z_][a-z0-9_]*")
    foreach(symbol IN LISTS wrapped_names)
      string(STRIP ${symbol} symbol)
      target_link_options(weir_fault INTERFACE -Wl,--wrap=${symbol})
    endforeach()
  endif()
endif()
