#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Code in the guides is code of the examples, which are built and run with the tests.

A block of C, Go or Python in README.md or doc/guide stands below a comment that says where it
comes from, <!-- from PATH -->, and is then a run of whole lines of that file; or below
<!-- fragment -->, if it is a shape that no program could contain.  What a program prints stands
below <!-- output of PATH -->, and is compared by test/e2e/guides.py.  Links and names of files must
lead somewhere."""
import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "doc" / "guide").glob("*.md"))]
BLOCK = re.compile(r"(?:<!-- (from (\S+)|fragment) -->\n)?```(?:c|go|python)\n(.*?)```", re.S)


class Guides(unittest.TestCase):
    def test_blocks_of_code_come_from_a_program(self):
        quoted = 0
        for page in PAGES:
            for mark, path, code in BLOCK.findall(page.read_text()):
                self.assertTrue(mark, f"{page.name}: a block without a source:\n{code}")
                if not path:
                    continue
                quoted += 1
                self.assertIn("\n" + code, "\n" + (ROOT / path).read_text(),
                              f"{page.name}: this is not in {path} as it stands:\n{code}")
        self.assertGreater(quoted, 5)

    def test_links_lead_somewhere(self):
        for page in PAGES:
            for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
                if "://" not in target:
                    self.assertTrue((page.parent / target).exists(), f"{page.name}: {target}")

    def test_names_of_files_exist(self):
        for page in PAGES:
            for name in re.findall(r"`((?:example|doc|src|include|cmd|tool|bench|peers)/[\w./-]+)`",
                                   page.read_text()):
                self.assertTrue((ROOT / name).exists(), f"{page.name}: {name}")


if __name__ == "__main__":
    unittest.main()
