/* SPDX-License-Identifier: MIT */
#ifndef WI_HTTP_STATUS_H
#define WI_HTTP_STATUS_H

/* Reason phrases, and the verdicts of the codec.
 *
 * A verdict is a negative number that says why bytes were refused.  It carries the status with
 * which a server answers and a static text for the answer's body or the log.  Every verdict ends
 * the connection: after bytes that we refuse, nobody knows where the next message begins.
 * Verdicts lie below every WEIR_E… code, so both may travel in one int.
 *
 * Threads: constant tables and pure functions. */

/* X(name, number, status, text) */
#define WI_HTTP_VERDICT_TABLE(X)                                                                   \
    X(WI_HTTP_BAD_REQUEST_LINE, -5001, 400, "malformed request line")                              \
    X(WI_HTTP_BAD_METHOD, -5002, 400, "malformed method")                                          \
    X(WI_HTTP_METHOD_TOO_LONG, -5003, 501, "method too long")                                      \
    X(WI_HTTP_BAD_TARGET, -5004, 400, "malformed request target")                                  \
    X(WI_HTTP_BAD_ESCAPE, -5005, 400, "bad percent escape in the path")                            \
    X(WI_HTTP_DOT_SEGMENT, -5006, 400, "dot segment in the path")                                  \
    X(WI_HTTP_TARGET_TOO_LONG, -5007, 414, "request target too long")                              \
    X(WI_HTTP_BAD_VERSION, -5008, 400, "malformed protocol version")                               \
    X(WI_HTTP_UNSUPPORTED_VERSION, -5009, 505, "protocol version not supported")                   \
    X(WI_HTTP_CONNECT_REFUSED, -5010, 501, "CONNECT is not supported")                             \
    X(WI_HTTP_BARE_CR, -5011, 400, "CR without LF")                                                \
    X(WI_HTTP_BARE_LF, -5012, 400, "LF without CR")                                                \
    X(WI_HTTP_OBS_FOLD, -5013, 400, "line begins with white space")                                \
    X(WI_HTTP_BAD_FIELD_NAME, -5014, 400, "malformed field name")                                  \
    X(WI_HTTP_SPACE_BEFORE_COLON, -5015, 400, "white space before a colon")                        \
    X(WI_HTTP_BAD_FIELD_VALUE, -5016, 400, "control character in a field value")                   \
    X(WI_HTTP_HEAD_TOO_LARGE, -5017, 431, "head too large")                                        \
    X(WI_HTTP_TOO_MANY_FIELDS, -5018, 431, "too many fields")                                      \
    X(WI_HTTP_HOST_MISSING, -5019, 400, "no Host field")                                           \
    X(WI_HTTP_HOST_REPEATED, -5020, 400, "more than one Host field")                               \
    X(WI_HTTP_BAD_HOST, -5021, 400, "malformed Host field")                                        \
    X(WI_HTTP_HOST_MISMATCH, -5022, 400, "Host differs from the request target")                   \
    X(WI_HTTP_BAD_LENGTH, -5023, 400, "malformed Content-Length")                                  \
    X(WI_HTTP_LENGTH_REPEATED, -5024, 400, "more than one Content-Length")                         \
    X(WI_HTTP_LENGTH_AND_CODING, -5025, 400, "both Content-Length and Transfer-Encoding")          \
    X(WI_HTTP_CODING_REPEATED, -5026, 400, "more than one Transfer-Encoding")                      \
    X(WI_HTTP_CODING_MISPLACED, -5027, 400, "Transfer-Encoding is not allowed here")               \
    X(WI_HTTP_UNSUPPORTED_CODING, -5028, 501, "transfer coding not supported")                     \
    X(WI_HTTP_BAD_EXPECTATION, -5029, 417, "expectation not supported")                            \
    X(WI_HTTP_BODY_TOO_LARGE, -5030, 413, "body too large")                                        \
    X(WI_HTTP_BAD_CHUNK_SIZE, -5031, 400, "malformed chunk size")                                  \
    X(WI_HTTP_BAD_CHUNK_EXTENSION, -5032, 400, "malformed chunk extension")                        \
    X(WI_HTTP_CHUNK_EXTENSION_TOO_LONG, -5033, 400, "chunk extensions too long")                   \
    X(WI_HTTP_BAD_CHUNK_END, -5034, 400, "chunk data not followed by CRLF")                        \
    X(WI_HTTP_BAD_TRAILER, -5035, 400, "malformed trailer field")                                  \
    X(WI_HTTP_FORBIDDEN_TRAILER, -5036, 400, "field not allowed in a trailer")                     \
    X(WI_HTTP_TRAILERS_TOO_LARGE, -5037, 431, "trailer section too large")                         \
    X(WI_HTTP_BAD_STATUS_LINE, -5038, 502, "malformed status line")                                \
    X(WI_HTTP_BODY_TRUNCATED, -5039, 400, "connection closed inside a body")

enum wi_http_verdict {
#define WI_HTTP_VERDICT_ENUM(name, number, status, text) name = (number),
    WI_HTTP_VERDICT_TABLE(WI_HTTP_VERDICT_ENUM)
#undef WI_HTTP_VERDICT_ENUM
};

/* The status that answers a verdict; 500 for a number that is none. */
int wi_http_verdict_status(int verdict);

/* What was wrong, in lower case without a full stop; static. */
const char *wi_http_verdict_text(int verdict);

/* The verdict's name, such as "WI_HTTP_BARE_LF", for tests and the log; static. */
const char *wi_http_verdict_name(int verdict);

/* The reason phrase of RFC 9110 for a status; "Unknown" for a status without one; static. */
const char *wi_http_reason(int status);

#endif
