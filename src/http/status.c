/* SPDX-License-Identifier: MIT */
/* Tables from status and verdict numbers to texts.
 *
 * The lookups are switches, which compilers turn into tables; they run on error paths and once
 * per answer.
 * Source: RFC 9110 section 15, RFC 6585, RFC 8297, RFC 8470. */
#include "http/status.h"

int wi_http_verdict_status(int verdict)
{
    switch (verdict) {
#define VERDICT_STATUS(name, number, status, text)                                                 \
    case number:                                                                                   \
        return status;
        WI_HTTP_VERDICT_TABLE(VERDICT_STATUS)
#undef VERDICT_STATUS
    default:
        return 500;
    }
}

const char *wi_http_verdict_text(int verdict)
{
    switch (verdict) {
#define VERDICT_TEXT(name, number, status, text)                                                   \
    case number:                                                                                   \
        return text;
        WI_HTTP_VERDICT_TABLE(VERDICT_TEXT)
#undef VERDICT_TEXT
    default:
        return "unknown verdict";
    }
}

const char *wi_http_verdict_name(int verdict)
{
    switch (verdict) {
#define VERDICT_NAME(name, number, status, text)                                                   \
    case number:                                                                                   \
        return #name;
        WI_HTTP_VERDICT_TABLE(VERDICT_NAME)
#undef VERDICT_NAME
    default:
        return "WI_HTTP_?";
    }
}

/* X(status, phrase) */
#define REASON_TABLE(X)                                                                            \
    X(100, "Continue")                                                                             \
    X(101, "Switching Protocols")                                                                  \
    X(103, "Early Hints")                                                                          \
    X(200, "OK")                                                                                   \
    X(201, "Created")                                                                              \
    X(202, "Accepted")                                                                             \
    X(203, "Non-Authoritative Information")                                                        \
    X(204, "No Content")                                                                           \
    X(205, "Reset Content")                                                                        \
    X(206, "Partial Content")                                                                      \
    X(300, "Multiple Choices")                                                                     \
    X(301, "Moved Permanently")                                                                    \
    X(302, "Found")                                                                                \
    X(303, "See Other")                                                                            \
    X(304, "Not Modified")                                                                         \
    X(307, "Temporary Redirect")                                                                   \
    X(308, "Permanent Redirect")                                                                   \
    X(400, "Bad Request")                                                                          \
    X(401, "Unauthorized")                                                                         \
    X(402, "Payment Required")                                                                     \
    X(403, "Forbidden")                                                                            \
    X(404, "Not Found")                                                                            \
    X(405, "Method Not Allowed")                                                                   \
    X(406, "Not Acceptable")                                                                       \
    X(407, "Proxy Authentication Required")                                                        \
    X(408, "Request Timeout")                                                                      \
    X(409, "Conflict")                                                                             \
    X(410, "Gone")                                                                                 \
    X(411, "Length Required")                                                                      \
    X(412, "Precondition Failed")                                                                  \
    X(413, "Content Too Large")                                                                    \
    X(414, "URI Too Long")                                                                         \
    X(415, "Unsupported Media Type")                                                               \
    X(416, "Range Not Satisfiable")                                                                \
    X(417, "Expectation Failed")                                                                   \
    X(421, "Misdirected Request")                                                                  \
    X(422, "Unprocessable Content")                                                                \
    X(425, "Too Early")                                                                            \
    X(426, "Upgrade Required")                                                                     \
    X(428, "Precondition Required")                                                                \
    X(429, "Too Many Requests")                                                                    \
    X(431, "Request Header Fields Too Large")                                                      \
    X(451, "Unavailable For Legal Reasons")                                                        \
    X(500, "Internal Server Error")                                                                \
    X(501, "Not Implemented")                                                                      \
    X(502, "Bad Gateway")                                                                          \
    X(503, "Service Unavailable")                                                                  \
    X(504, "Gateway Timeout")                                                                      \
    X(505, "HTTP Version Not Supported")                                                           \
    X(511, "Network Authentication Required")

const char *wi_http_reason(int status)
{
    switch (status) {
#define REASON_CASE(number, phrase)                                                                \
    case number:                                                                                   \
        return phrase;
        REASON_TABLE(REASON_CASE)
#undef REASON_CASE
    default:
        return "Unknown";
    }
}
