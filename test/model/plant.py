#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Copies the sources that a model explores, shrunken and maybe with a fault planted.

usage: plant.py --root DIR --edits FILE --out DIR [--fault MODEL/NAME] [--check] SOURCE...

FILE holds blocks, each an edit of one source:

    shrink: src/sync/lock.c               (for every copy)
    fault: wait/lost_wake src/sync/wait.c (for the copy of that name)
    -    the lines that stand there       (once in the file; blanks at both ends do not count)
    +    the lines that are put there

What does not apply becomes the text `explore_misplanted` in OUT/planted.c, and fails the test: the
source has moved on, and the edit has to follow.  With --check it is printed, and the status is 1.
"""
import argparse
import json
import pathlib
import sys


class Edit:
    def __init__(self, kind, name, path):
        self.kind = kind
        self.name = name
        self.path = path
        self.old = []
        self.new = []

    def apply(self, lines):
        """The lines after the edit; None if its place is not there once."""
        wanted = [line.strip() for line in self.old]
        length = len(wanted)
        places = [at for at in range(len(lines) - length + 1)
                  if [line.strip() for line in lines[at:at + length]] == wanted]
        if length == 0 or len(places) != 1:
            return None
        # As many lines as before, so that messages name the lines of the original.
        new = self.new[:length - 1] + [" ".join(line.strip() for line in self.new[length - 1:])]
        new += [""] * (length - len(new))
        return lines[:places[0]] + new + lines[places[0] + length:]


def read_edits(path):
    edits = []
    for line in path.read_text(encoding="utf-8").splitlines():
        words = line.split()
        if line.startswith("shrink:"):
            edits.append(Edit("shrink", "", words[1]))
        elif line.startswith("fault:"):
            edits.append(Edit("fault", words[1], words[2]))
        elif line.startswith("-"):
            edits[-1].old.append(line[1:])
        elif line.startswith("+"):
            edits[-1].new.append(line[1:])
    return edits


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=pathlib.Path, required=True)
    parser.add_argument("--edits", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--fault", default="")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("sources", nargs="*")
    options = parser.parse_args()

    edits = [edit for edit in read_edits(options.edits)
             if edit.kind == "shrink" or edit.name == options.fault]
    problem = ""
    if options.fault and not any(edit.kind == "fault" for edit in edits):
        problem = f"no fault {options.fault} in {options.edits.name}"
    for name in sorted({*options.sources, *(edit.path for edit in edits)}):
        if not (options.root / name).is_file():
            problem = f"{name} is not there any more"
            continue
        lines = (options.root / name).read_text(encoding="utf-8").split("\n")
        for edit in edits:
            if edit.path != name:
                continue
            changed = edit.apply(lines)
            if changed is None:
                problem = f"{edit.kind} {edit.name}: {name} has not once: {edit.old}"
            else:
                lines = changed
        target = options.out / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(f'#line 1 "{name}"\n' + "\n".join(lines), encoding="utf-8")
    text = json.dumps(problem) if problem else "NULL"
    (options.out / "planted.c").write_text(
        "#include <stddef.h>\n\nextern const char *const explore_misplanted;\n"
        f"const char *const explore_misplanted = {text};\n", encoding="utf-8")
    if options.check and problem:
        sys.exit(problem)


if __name__ == "__main__":
    main()
