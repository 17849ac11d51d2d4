# SPDX-License-Identifier: MIT
# A toolchain: Debian's musl-gcc (package musl-tools), everything linked statically.
#
# musl-gcc sees musl's headers alone.  Those of the kernel belong to no C library but lie among
# glibc's, so links to just their folders are made beside the build.
set(CMAKE_C_COMPILER musl-gcc)
set(CMAKE_ASM_COMPILER musl-gcc)
# Debian's musl-gcc leaves out what other compilers have the linker make for static programs too:
# the table by which an unwinder finds its information.
set(CMAKE_EXE_LINKER_FLAGS_INIT "-static -Wl,--eh-frame-hdr")

# Debian's musl-tools serve the machine that they run on.
execute_process(COMMAND uname -m OUTPUT_VARIABLE machine OUTPUT_STRIP_TRAILING_WHITESPACE)
set(kernel_headers ${CMAKE_BINARY_DIR}/kernel-headers)
file(MAKE_DIRECTORY ${kernel_headers})
foreach(folder linux asm-generic asm)
  set(found /usr/include/${folder})
  if(NOT EXISTS ${found})
    set(found /usr/include/${machine}-linux-gnu/${folder})
  endif()
  file(CREATE_LINK ${found} ${kernel_headers}/${folder} SYMBOLIC)
endforeach()
set(CMAKE_C_FLAGS_INIT "-idirafter ${kernel_headers}")

# Libraries of the system are glibc's.
set(CMAKE_FIND_ROOT_PATH /usr/lib/musl)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(CMAKE_CXX_COMPILER "" CACHE STRING "musl-gcc has no C++")
