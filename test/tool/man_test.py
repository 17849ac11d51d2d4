#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The manual has a page for everything exported, and groff has nothing to say about them."""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
MAN = [sys.executable, str(ROOT / "tool" / "man")]


class Manual(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.pages = pathlib.Path(cls.folder.name) / "man3"
        subprocess.run([*MAN, cls.folder.name], check=True, stdout=subprocess.DEVNULL)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_every_exported_function_leads_to_a_page_that_describes_it(self):
        exported = re.findall(r"^ +(weir_\w+);", (ROOT / "weir.map").read_text(), re.M)
        self.assertGreater(len(exported), 50)
        for name in exported:
            target = f"{name}.3"
            text = (self.pages / target).read_text()
            leads = re.fullmatch(r"\.so man3/(\S+)\n", text)
            if leads:
                target = leads.group(1)
                text = (self.pages / target).read_text()
            self.assertRegex(text, rf"(?m)^\.SS .*\b{name}\(\)", f"{target} lacks {name}")

    def test_no_mark_of_the_compiler_is_left(self):
        for page in self.pages.glob("weir_*.3"):
            self.assertNotRegex(page.read_text(), r"WEIR_(API|CHECK|PRINTF)\b", page.name)

    def test_a_parameter_table_stands_as_in_the_header(self):
        text = (self.pages / "weir_chan.3").read_text()
        self.assertIn("\nch        borrowed for the call\n", text)

    def test_groff_has_no_complaint(self):
        if shutil.which("groff") is None:
            self.skipTest("groff is not installed (Debian package groff-base)")
        for page in sorted(self.pages.glob("*.3")):
            if page.read_text().startswith(".so"):
                continue
            run = subprocess.run(["groff", "-man", "-Tutf8", "-ww", str(page)], text=True,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
            self.assertEqual((run.returncode, run.stderr), (0, ""), page.name)

    def test_the_table_of_callers_is_up_to_date(self):
        run = subprocess.run([*MAN, "--calling", "--check"], capture_output=True, text=True,
                             check=False)
        self.assertEqual(run.returncode, 0, run.stderr)


if __name__ == "__main__":
    unittest.main()
