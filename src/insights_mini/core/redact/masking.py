"""The mask, and the one way in which the rules for secrets put it in place of a value.

A rule is a function that takes one line, with or without its newline, and returns it masked and the
number of values that went. A value that is masked already stays, and is not counted again.
"""
from typing import Callable, List, Pattern, Tuple

MASK = b"********"

Masked = Tuple[bytes, int]
Rule = Callable[[bytes], Masked]


def mask_spans(line: bytes, spans: List[Tuple[int, int]]) -> Masked:
    """Put the mask in place of each (start, end) of a line; they are in order and apart."""
    pieces: List[bytes] = []
    done = count = 0
    for start, end in spans:
        if line[start:end] != MASK:
            pieces += [line[done:start], MASK]
            done = end
            count += 1
    pieces.append(line[done:])
    return b"".join(pieces), count


def mask_groups(pattern: Pattern[bytes], line: bytes, at: int = 0,
                wanted: Callable[[bytes], bool] = bool) -> Masked:
    """Mask what each group of each match holds, from a place on, where that is wanted."""
    spans = [match.span(group) for match in pattern.finditer(line, at)
             for group in range(1, pattern.groups + 1)
             if match.group(group) and wanted(match.group(group))]
    return mask_spans(line, spans)
