"""The two exclusion files in YAML: a few keys, each with a list of strings, and nothing else.

Anything else is a YamlError with the place of the key or item. Messages never repeat what stands
there: it may be a keyword to keep secret.
"""
from typing import List, Tuple

from insights_mini.core.exclusions.expressions import BadExpression, translate
from insights_mini.core.exclusions.load import Exclusions
from insights_mini.core.exclusions.yaml import (
    Items,
    Mapping,
    YamlError,
    decode,
    error_at,
    read_yaml,
)

COMPONENT = "insights.specs.default.DefaultSpecs."
NOT_PLAIN = ("'", '"', "|", ">")


def read_files(exclusions: Exclusions, content: bytes) -> Exclusions:
    """Add what file-redaction.yaml forbids; raise YamlError."""
    sheet = Sheet(content, "files", "commands", "components")
    components = sheet.items(sheet.top, "components")
    for item, place in components:
        if not item.startswith(COMPONENT) or not item[len(COMPONENT):].isidentifier():
            raise sheet.bad(place, "this is no component that could be left out",
                            "write %s and a symbolic name" % COMPONENT)
    return exclusions._replace(
        files=sheet.texts("files"), commands=sheet.texts("commands"),
        components=tuple(item[len(COMPONENT):] for item, _ in components))


def read_contents(exclusions: Exclusions, content: bytes) -> Exclusions:
    """Add what file-content-redaction.yaml forbids; raise YamlError."""
    sheet = Sheet(content, "patterns", "keywords")
    exclusions = exclusions._replace(keywords=encode(sheet.texts("keywords")))
    patterns = sheet.top.get("patterns")
    if not isinstance(patterns, Mapping):
        return exclusions._replace(patterns=encode(sheet.texts("patterns")))
    for key, place in patterns.places.items() or [("", sheet.top.places["patterns"])]:
        if key != "regex" or patterns[key] is None:
            raise sheet.bad(place, "patterns must be a list of strings, or hold 'regex' with one "
                            "and nothing else", "leave other keys out")
    items = sheet.items(patterns, "regex")
    return exclusions._replace(regex=tuple(item for item, _ in items), expressions=tuple(
        sheet.compile(item, place) for item, place in items))


def encode(items: Tuple[str, ...]) -> Tuple[bytes, ...]:
    return tuple(item.encode("utf-8") for item in items)


class Sheet:
    """A file whose keys are among the given ones."""

    def __init__(self, content: bytes, *keys: str) -> None:
        self.text = decode(content)
        top = read_yaml(content)
        if top is None:
            top = Mapping()
        if not isinstance(top, Mapping):
            raise YamlError("it is no mapping", 1, 1,
                            "write one of the keys %s, with a list each" % ", ".join(keys))
        self.top = top
        for key, place in top.places.items():
            if key not in keys:
                raise self.bad(place, "an unknown key", "the keys are %s" % ", ".join(keys))

    def bad(self, place: int, problem: str, remedy: str) -> YamlError:
        return error_at(self.text, place, problem, remedy)

    def texts(self, key: str) -> Tuple[str, ...]:
        return tuple(item for item, _ in self.items(self.top, key))

    def items(self, table: Mapping, key: str) -> List[Tuple[str, int]]:
        """Return the list of strings that a key has, each with its place; none without a value."""
        value = table.get(key)
        if value is None:
            return []
        if not isinstance(value, Items):
            raise self.bad(table.places[key], "this key must have a list of strings",
                           "write each on a line of its own, behind '- '")
        return [(self.check(item, place), place) for item, place in zip(value, value.places)]

    def check(self, item: object, place: int) -> str:
        if not isinstance(item, str):
            raise self.bad(place, "an item that is no string", "leave it out, or put it in quotes")
        if not item.strip() or any(sign in item for sign in "\n\r\0"):
            raise self.bad(place, "an empty item, or one of more than a line", "leave it out")
        if " - " in item and not self.text.startswith((item, *NOT_PLAIN), place):
            raise self.bad(place, "this item goes on in a deeper line that begins with '- '",
                           "give all items the same indentation")
        return item

    def compile(self, item: str, place: int) -> bytes:
        try:
            return translate(item)
        except BadExpression as error:
            raise self.bad(place, error.inside, error.remedy)
