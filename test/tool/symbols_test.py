#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tool/symbols reads the names that a header declares, and writes and reads the same weir.map."""
import importlib.machinery
import importlib.util
import pathlib
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.dont_write_bytecode = True
LOADER = importlib.machinery.SourceFileLoader("symbols", str(ROOT / "tool" / "symbols"))
SPEC = importlib.util.spec_from_loader("symbols", LOADER)
symbols = importlib.util.module_from_spec(SPEC)
LOADER.exec_module(symbols)

HEADER = """
/* WEIR_API int weir_in_a_comment(void); */
#define WEIR_API extern
WEIR_API WEIR_CHECK int weir_open(const struct weir_opts *opts);
WEIR_API void *weir_over_lines(int first,
                               int (*fn)(void *arg), void *arg);
WEIR_API const int weir_table[4];
int weir_unmarked(void);
static inline int weir_inline(void) { return weir_open(0); }
"""


class SymbolsTest(unittest.TestCase):
    def test_only_what_is_marked_is_declared(self):
        self.assertEqual(symbols.declared_in(HEADER),
                         {"weir_open", "weir_over_lines", "weir_table"})

    def test_the_map_that_is_written_lists_what_the_headers_declare(self):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            (root / "include" / "weir").mkdir(parents=True)
            (root / "include" / "weir" / "weir.h").write_text(HEADER)
            symbols.write(root)
            self.assertEqual(symbols.listed(root), symbols.declared(root))

    def test_a_difference_is_told_from_both_sides(self):
        self.assertEqual(symbols.compare({"a", "b"}, "left", {"b", "c"}, "right"),
                         ["a: in left, not in right", "c: in right, not in left"])


if __name__ == "__main__":
    unittest.main()
