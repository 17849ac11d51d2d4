/* SPDX-License-Identifier: MIT */
/* The table of result codes as text; include/weir/err.h holds the table. */
#include "weir/err.h"

const char *weir_err_name(int code)
{
    switch (code) {
#define ERR_CASE(name, number, text)                                                               \
    case (number):                                                                                 \
        return #name;
        WEIR_ERR_TABLE(ERR_CASE)
#undef ERR_CASE
    case 0:
        return "0";
    default:
        return "WEIR_E?";
    }
}

const char *weir_err_text(int code)
{
    switch (code) {
#define ERR_CASE(name, number, text)                                                               \
    case (number):                                                                                 \
        return text;
        WEIR_ERR_TABLE(ERR_CASE)
#undef ERR_CASE
    case 0:
        return "success";
    default:
        return "unknown error";
    }
}
