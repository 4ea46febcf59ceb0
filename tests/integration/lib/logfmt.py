"""A strict reader of logfmt, by the rules of go-logfmt's decoder, which Loki has a copy of."""

import json
import re

KEY = r"""[^\x00-\x20="'\x7f\ufffd]+"""
VALUE = r"""[^\x00-\x20="'\x7f]+"""
QUOTED = r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-f]{4}))*"'
PAIR = re.compile(rf"({KEY})=({QUOTED}|{VALUE})(?: |$)")


def parse(line):
    """{key: value} of a line without its newline, in the line's order; what go-logfmt refuses is an AssertionError."""
    text, at, found = line.decode(), 0, {}
    while at < len(text):
        pair = PAIR.match(text, at)
        assert pair, f"no pair at {at} of {text!r}"
        key, value = pair.groups()
        assert key not in found, f"{key} twice in {text!r}"
        found[key] = json.loads(value) if value[0] == '"' else value
        at = pair.end()
    return found
