#!/usr/bin/env python3
"""Are comments whole?  tests/lint/comments.py FILE...

Reported are what wrapping does to a comment that is too long for its line: one behind code that goes on in the next line
(it belongs above that line), a declaration that was broken to make room for one, and a `*/` left alone."""
import re
import sys

# What in a line of code may look like a comment.
LITERAL = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)+\'')
TORN = re.compile(r"\S.*/\*(?!.*\*/)")
ALONE = re.compile(r"\s*\*/\s*(?:\\\s*)?")
HALF = re.compile(r"\s+[A-Za-z_]\w*(?: [A-Za-z_]\w*)*(?: \*)?")
OTHER_HALF = re.compile(r"\s+\**\w+(?:\[\w+\])?; /\*.*")


def faults(lines):
    """Line numbers, and what is wrong there."""
    before, inside = "", False
    for number, line in enumerate(lines, 1):
        code = LITERAL.sub("", line)
        if ALONE.fullmatch(line):
            yield number, "the end of a comment stands alone on its line"
        elif not inside and not code.lstrip().startswith("/*") and TORN.search(code):
            yield number, "this comment goes on in the next line: put it above the line"
        elif HALF.fullmatch(before) and OTHER_HALF.fullmatch(line):
            yield number, "its comment broke this declaration in two: put it above the line"
        inside = ("/*" in code or inside) and "*/" not in code.rpartition("/*")[2]
        before = line


def main():
    found = False
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8") as file:
            for number, fault in faults(file.read().splitlines()):
                print(f"{path}:{number}: {fault}")
                found = True
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
