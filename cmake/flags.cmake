# SPDX-License-Identifier: MIT
# The language, the warnings and what each kind of build adds.  Everything in the tree is built
# with the same flags; only the system's own names (_GNU_SOURCE) are handed out per folder.

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_CXX_STANDARD 17)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

# No NDEBUG: checks stay on in every build.  WI_DEBUG adds the slow ones.
# (A project that weir is a part of has its own idea of optimization.)
foreach(lang C CXX)
  if(NOT PROJECT_IS_TOP_LEVEL)
    break()
  endif()
  set(CMAKE_${lang}_FLAGS_RELEASE "-O2 -g")
  set(CMAKE_${lang}_FLAGS_DEBUG "-O0 -g")
  set(CMAKE_${lang}_FLAGS_SANITIZE "-O1 -g")
endforeach()
add_compile_definitions($<$<CONFIG:Debug,Sanitize>:WI_DEBUG=1>)
# Debug builds stand in front of pthread_mutex_lock(), as the sanitizers do themselves (os/held.h).
set(WEIR_WATCH_MUTEXES OFF)
if(CMAKE_BUILD_TYPE STREQUAL "Debug" AND NOT WEIR_SANITIZE)
  set(WEIR_WATCH_MUTEXES ON)
  add_compile_definitions(WI_WATCH_MUTEXES=1)
endif()

add_compile_options(-Wall -Wextra -Wconversion -Wshadow -fno-omit-frame-pointer)
if(WEIR_WERROR)
  add_compile_options(-Werror)
endif()
# Names of files in messages are relative to the tree, wherever it was built.
add_compile_options(-fmacro-prefix-map=${PROJECT_SOURCE_DIR}/=)
# Calls between our own files need no detour through the table that lets a program replace them.
add_compile_options(-fno-semantic-interposition)
# A thread-local is reached with one instruction and never through a call that could be cached.
add_compile_options(-ftls-model=initial-exec)

if(WEIR_SANITIZE)
  add_compile_options(-fsanitize=${WEIR_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${WEIR_SANITIZE})
endif()

if(WEIR_LTO)
  set(CMAKE_INTERPROCEDURAL_OPTIMIZATION ON)
endif()

find_package(Threads REQUIRED)

# What the system offers beyond the C standard goes to src/os and to the programs outside src/ (but
# not the tool).  A file may also ask for it itself, in these words: `#define _GNU_SOURCE 1`.
set(weir_system_names -D_GNU_SOURCE)
