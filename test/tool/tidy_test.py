#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tool/tidy finds what it says it finds.

Each case plants one fault in a small tree that is clean without it, and asks for exactly that
finding; so a check that went blind, or one that cries at clean code, fails here.
"""
import importlib.machinery
import importlib.util
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.dont_write_bytecode = True
LOADER = importlib.machinery.SourceFileLoader("tidy", str(ROOT / "tool" / "tidy"))
SPEC = importlib.util.spec_from_loader("tidy", LOADER)
tidy = importlib.util.module_from_spec(SPEC)
LOADER.exec_module(tidy)

SPDX = "/* SPDX-License-Identifier: MIT */\n"
PROSE = "/* A file of the small tree that is clean. */\n"
CLEAN = {
    "src/LAYERS": "0 base\n1 os base\n1 arch base\n2 sync base arch os\n8 app *\n",
    "include/weir/weir.h": SPDX + PROSE + '#include "weir/err.h"\n',
    "include/weir/err.h": SPDX + PROSE +
    "/* Gives the name of a code.\n * Callers: any. */\n"
    "WEIR_API const char *weir_name(int code);\n",
    "src/base/list.h": SPDX + PROSE + "static inline int wi_one(void)\n{\n    return 1;\n}\n",
    "src/base/list.c": SPDX + PROSE + '#include "base/list.h"\n\n#include <string.h>\n',
    "src/sync/wait.c": SPDX + PROSE + '#include "base/list.h"\n',
    "src/os/linux/clock.c": SPDX + PROSE + "#include <errno.h>\n#include <unistd.h>\n",
    "test/base/list_test.c": SPDX + PROSE,
    "test/sync/wait_test.c": SPDX + PROSE,
    "test/os/clock_test.c": SPDX + PROSE,
    "cmd/weir/main.c": SPDX + PROSE + '#include "weir/weir.h"\n#include "base/list.h"\n',
    "example/hello.c": SPDX + PROSE + "#include <unistd.h>\n#include <weir/weir.h>\n",
    "doc/tour.md": "# Tour\n\n`sync/wait.c` calls `wi_one()`, see `src/base` and `/healthz`.\n",
    "tool/exceptions": "# nothing\n",
}
LONG_BODY = "int wi_long(void)\n{\n" + "    wi_one();\n" * 70 + "}\n"


class TidyTest(unittest.TestCase):
    def findings(self, planted, build=False, database=None, objects=None):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for path, text in {**CLEAN, **planted}.items():
                if text is None:
                    continue
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).write_text(text)
            if database is not None:
                build_folder = root / "build"
                build_folder.mkdir()
                entries = [{"file": str(root / path)} for path in database]
                (build_folder / "compile_commands.json").write_text(json.dumps(entries))
                self.compile_library(root, build_folder)
                self.compile_objects(build_folder, objects or {})
            found = tidy.Tidy(root, root / "build" if build else None).run()
            return [(check, path) for check, path, _, _, _ in found]

    @staticmethod
    def compile_library(root, build_folder):
        source = build_folder / "library.c"
        source.write_text((root / "library.txt").read_text())
        subprocess.run(["cc", "-shared", "-fPIC", "-nostartfiles", "-o",
                        str(build_folder / "libweir.so.0"), str(source)], check=True)

    @staticmethod
    def compile_objects(build_folder, objects):
        folder = build_folder / "CMakeFiles" / "weir_shared_objects.dir"
        for path, text in {"src/base/list.c": "int wi_list;\n", **objects}.items():
            target = folder / f"{path}.o"
            target.parent.mkdir(parents=True, exist_ok=True)
            subprocess.run(["cc", "-x", "c", "-c", "-o", str(target), "-"], input=text, text=True,
                           check=True)

    def assert_found(self, check, path, text, **others):
        planted = {path: text, **others.get("beside", {})}
        self.assertEqual(self.findings(planted), [(check, others.get("at", path))])

    def test_a_clean_tree_has_no_findings(self):
        self.assertEqual(self.findings({}), [])

    def test_a_missing_layers_file(self):
        self.assertIn(("layers", "src/LAYERS"), self.findings({"src/LAYERS": None}))

    def test_an_include_of_a_floor_that_the_row_does_not_name(self):
        self.assert_found("layers", "src/base/list.c", SPDX + PROSE + '#include "sync/wait.h"\n',
                          beside={"src/base/list.h": CLEAN["src/base/list.h"],
                                  "src/sync/wait.c": CLEAN["src/sync/wait.c"]})

    def test_an_include_in_a_comment_is_no_include(self):
        text = CLEAN["src/base/list.c"] + '/* as in\n#include "sync/wait.h"\n*/\n'
        self.assertEqual(self.findings({"src/base/list.c": text}), [])

    def test_an_include_without_its_folder(self):
        self.assert_found("layers", "src/sync/wait.c",
                          CLEAN["src/sync/wait.c"] + '#include "list.h"\n')

    def test_a_folder_without_a_row(self):
        self.assert_found("layers", "src/new/thing.c", SPDX + PROSE,
                          beside={"test/new/thing_test.c": SPDX + PROSE})

    def test_the_tool_does_not_see_the_inside(self):
        self.assert_found("layers", "cmd/weir/main.c",
                          SPDX + PROSE + '#include "sync/wait.h"\n')

    def test_an_example_sees_only_the_public_headers(self):
        self.assert_found("layers", "example/hello.c",
                          SPDX + PROSE + '#include "base/list.h"\n')

    def test_a_system_header_outside_os(self):
        self.assert_found("system", "src/sync/wait.c",
                          CLEAN["src/sync/wait.c"] + "#include <unistd.h>\n")
        self.assert_found("system", "include/weir/err.h",
                          CLEAN["include/weir/err.h"] + "#include <sys/types.h>\n")

    def test_a_preprocessor_condition_in_a_body(self):
        body = "int wi_f(void)\n{\n#ifdef X\n    return 1;\n#endif\n}\n"
        self.assert_found("if", "src/sync/wait.c", CLEAN["src/sync/wait.c"] + body)
        self.assertEqual(
            self.findings({"src/os/linux/clock.c": CLEAN["src/os/linux/clock.c"] + body}), [])

    def test_errno_outside_os(self):
        self.assert_found("errno", "src/sync/wait.c", CLEAN["src/sync/wait.c"] + "int e = errno;\n")
        comment = CLEAN["src/sync/wait.c"] + '/* errno */\nchar *s = "errno";\n'
        self.assertEqual(self.findings({"src/sync/wait.c": comment}), [])

    def test_the_errno_header_outside_os(self):
        self.assert_found("errno", "src/sync/wait.c",
                          CLEAN["src/sync/wait.c"] + "#include <errno.h>\n")

    def test_assembly_outside_arch(self):
        self.assert_found("assembly", "src/sync/wait.c",
                          CLEAN["src/sync/wait.c"] + '__asm__ volatile("pause");\n')
        self.assert_found("assembly", "src/sync/wait2.S", SPDX + PROSE)

    def test_a_missing_licence_line(self):
        self.assert_found("spdx", "src/sync/wait.c", PROSE + '#include "base/list.h"\n')

    def test_a_missing_header_comment(self):
        self.assert_found("header", "src/sync/wait.c", SPDX + '#include "base/list.h"\nint x;\n')
        self.assert_found("header", "tool/thing", "#!/bin/sh\n# SPDX-License-Identifier: MIT\nls\n")

    def test_a_line_of_101_columns(self):
        self.assert_found("columns", "src/sync/wait.c",
                          CLEAN["src/sync/wait.c"] + "/* " + "x" * 95 + " */\n")
        fits = CLEAN["src/sync/wait.c"] + "/* " + "x" * 94 + " */\n"
        self.assertEqual(self.findings({"src/sync/wait.c": fits}), [])

    def test_words_for_unfinished_work(self):
        for word in ("TO" "DO", "FIX" "ME", "XX" "X"):
            self.assert_found("word", "src/sync/wait.c",
                              CLEAN["src/sync/wait.c"] + f"/* {word} later */\n")

    def test_a_long_function(self):
        self.assert_found("length", "src/sync/wait.c", CLEAN["src/sync/wait.c"] + LONG_BODY)

    def test_a_public_declaration_without_callers(self):
        self.assert_found("callers", "include/weir/err.h", CLEAN["include/weir/err.h"] +
                          "\n/* Adds two. */\nWEIR_API int weir_add(int left,\n    int right);\n")

    def test_declarations_share_a_comment_and_a_section(self):
        shared = CLEAN["include/weir/err.h"] + "WEIR_API int weir_also(void);\n"
        self.assertEqual(self.findings({"include/weir/err.h": shared}), [])
        section = (SPDX + PROSE + "\n/* -- reading ----\n * Callers: task (parks). */\n\n"
                   "/* Reads. */\nWEIR_API int weir_read(void);\n")
        self.assertEqual(self.findings({"include/weir/err.h": section}), [])

    def test_a_public_type_with_the_systems_ending(self):
        self.assert_found("type", "include/weir/err.h",
                          CLEAN["include/weir/err.h"] + "typedef struct weir_err weir_err_t;\n")

    def test_a_public_header_that_the_index_lacks(self):
        self.assert_found("index", "include/weir/lost.h", SPDX + PROSE)

    def test_a_source_without_its_test(self):
        self.assertEqual(self.findings({"test/sync/wait_test.c": None}),
                         [("mirror", "src/sync/wait.c")])

    def test_a_stand_in_for_the_system_is_mirrored_by_its_folder_of_tests(self):
        self.assert_found("mirror", "src/os/sim/clock.c", SPDX + PROSE)
        self.assertEqual(self.findings({"src/os/sim/clock.c": SPDX + PROSE,
                                        "test/sim/run_test.c": SPDX + PROSE}), [])

    def test_files_that_no_build_reaches(self):
        self.assert_found("dead", "test/loose_test.c", SPDX + PROSE)
        self.assert_found("dead", "bench/deep/floor.c", SPDX + PROSE)
        self.assert_found("dead", "cmd/other/main.c", SPDX + PROSE)
        self.assert_found("dead", "example/folder/main.c", SPDX + PROSE)
        self.assert_found("dead", "src/sync/lonely.h", SPDX + PROSE)
        self.assert_found("dead", "test/e2e/lost.py",
                          '# SPDX-License-Identifier: MIT\n"""Nobody imports this one."""\n')

    def test_names_in_the_tour_that_do_not_exist(self):
        for quoted in ("`wi_two()`", "`sync/gone.c`", "`src/gone`", "`gone.h`"):
            self.assert_found("tour", "doc/tour.md", CLEAN["doc/tour.md"] + quoted + "\n")

    def test_an_exception_lets_through_what_it_names(self):
        planted = {"src/sync/wait.c": CLEAN["src/sync/wait.c"] + LONG_BODY}
        for row in ("length src/sync/wait.c:wi_long a state machine", "length src/sync/* one step "
                    "of the codec"):
            self.assertEqual(self.findings({**planted, "tool/exceptions": row + "\n"}), [])
        other = {"tool/exceptions": "length src/sync/wait.c:wi_other a state machine\n"}
        self.assertEqual(len(self.findings({**planted, **other})), 2)

    def test_an_exception_that_is_stale_or_gives_no_reason(self):
        for row in ("length src/sync/wait.c it was long once", "length src/sync/wait.c"):
            self.assert_found("exceptions", "tool/exceptions", row + "\n")

    def test_what_the_library_exports(self):
        built = [path for path in CLEAN if path.endswith(".c")]
        good = "const char *weir_name(int c) { return c ? \"\" : 0; }\n"
        self.assertEqual(self.findings({"library.txt": good}, True, built), [])
        self.assertEqual(self.findings({"library.txt": good + "int wi_x(void) { return 0; }\n"},
                                       True, built), [("exports", "weir.map")])
        self.assertEqual(self.findings({"library.txt": "int weir_x(void) { return 0; }\n"},
                                       True, built), [("exports", "include/weir/err.h")])

    def test_a_source_that_the_build_leaves_out(self):
        built = [path for path in CLEAN if path.endswith(".c") and "wait.c" not in path]
        good = "const char *weir_name(int c) { return c ? \"\" : 0; }\n"
        self.assertEqual(self.findings({"library.txt": good}, True, built),
                         [("dead", "src/sync/wait.c")])

    def test_a_call_up_that_no_include_shows(self):
        built = [path for path in CLEAN if path.endswith(".c")]
        good = "const char *weir_name(int c) { return c ? \"\" : 0; }\n"
        down = {"src/base/list.c": "int wi_list(void) { return 0; }\n",
                "src/sync/wait.c": "int wi_list(void);\nint wi_wait(void) { return wi_list(); }\n"}
        self.assertEqual(self.findings({"library.txt": good}, True, built, down), [])
        up = {"src/base/list.c": "int wi_wait(void);\nint (*wi_table[])(void) = { wi_wait };\n",
              "src/sync/wait.c": "int wi_wait(void) { return 0; }\n"}
        self.assertEqual(self.findings({"library.txt": good}, True, built, up),
                         [("calls", "src/base/list.c")])
        let = {"tool/exceptions": "calls src/base/list.c:wi_wait the list is told of waits\n"}
        self.assertEqual(self.findings({"library.txt": good, **let}, True, built, up), [])


if __name__ == "__main__":
    unittest.main()
