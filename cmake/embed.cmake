# SPDX-License-Identifier: MIT
# Turns a file into a C source with its bytes, for programs that carry their own data:
#
#   cmake -DFILE=page.html -DNAME=embedded_page -DOUT=page.c -P embed.cmake
#
# defines `const unsigned char NAME[]` and `const size_t NAME_bytes`.
file(READ ${FILE} bytes HEX)
string(LENGTH "${bytes}" digits)
math(EXPR count "${digits} / 2")
string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
# Lines that a compiler's message can still be read beside: 20 bytes of five characters.
string(REPEAT "." 100 line)
string(REGEX REPLACE "(${line})" "\\1\n" bytes "${bytes}")
file(WRITE ${OUT} "#include <stddef.h>
extern const unsigned char ${NAME}[];
extern const size_t ${NAME}_bytes;
const unsigned char ${NAME}[] = {
${bytes}
};
const size_t ${NAME}_bytes = ${count};
")
