"""Reads the settings from command line, environment and configuration file, in that precedence.

Nothing here prints: warnings come back with the result.
No message holds a value of an unknown name or a line of the file, for either may be a password.
"""
import argparse
from typing import Dict, List, Mapping, NamedTuple, NoReturn, Tuple

from insights_mini import hostfiles
from insights_mini.exits import USAGE, Failure
from insights_mini.options import GROUPS, OPTIONS, Group, Option
from insights_mini.paths import RESERVED, Paths
from insights_mini.settings import ELSEWHERE, Settings, Value, make_settings, parse_value

SECTIONS = ("insights-client", "redhat-access-insights")  # the second is the older name
LARGEST = 1024 * 1024
OF_HOST = ("display_name", "tags_file")  # the file means the running host with these, no other one
EPILOG = """\
examples:
  insights-mini.pyz --offline                  collect, keep the archive on this host
  insights-mini.pyz --offline --output-dir .   the same, into this folder
  insights-mini.pyz --list-specs               what can be collected
  insights-mini.pyz --register                 register, collect and upload
"""


class Loaded(NamedTuple):
    settings: Settings
    warnings: Tuple[str, ...]
    help: str  # the help text if it was asked for, else empty


class Parser(argparse.ArgumentParser):
    """argparse, with its errors as ours: one line, and exit status 2."""

    def error(self, message: str) -> NoReturn:
        raise Failure(message, remedy="see --help", status=USAGE)


def load(argv: List[str], environ: Mapping[str, str], paths: Paths) -> Loaded:
    """Return the settings of this run; Failure says what is wrong and where it was set."""
    parser = make_parser()
    given = vars(parser.parse_args(argv))
    if given.pop("help"):
        return Loaded(Settings(), (), parser.format_help())
    by_flag = {name: value for name, value in given.items() if value is not None}
    by_environment = read_environment(environ)
    by_file = read_file(str(by_flag.get("conf", "")), paths)

    values: Dict[str, Value] = {}
    warnings: List[str] = []
    for items, origin in (by_file, by_environment):
        for name, text in items.items():
            option = KNOWN.get(name)
            if option is None or option.action:
                warnings.append("unknown option '%s' %s is ignored" % (name, origin))
            else:
                values[name] = parse_or_fail(option, text, origin)
    if any(by_flag.get(name) or values.get(name) for name in ELSEWHERE):
        values = {name: value for name, value in values.items()
                  if name not in OF_HOST or name in by_environment[0]}
    for name, value in by_flag.items():
        values[name] = value if value is True else parse_or_fail(
            KNOWN[name], str(value), "on the command line")
    return Loaded(make_settings(values), tuple(warnings), "")


KNOWN = {option.name: option for option in OPTIONS}


def make_parser() -> Parser:
    """Return the command line that the table describes."""
    parser = Parser(
        prog="insights-mini.pyz", add_help=False, allow_abbrev=False, epilog=EPILOG,
        usage="python3 insights-mini.pyz [OPTION ...]",
        description="Collect what an analysis of this host needs into one redacted archive.",
        formatter_class=argparse.RawDescriptionHelpFormatter)
    for group in GROUPS:
        add_group(parser, group)
    return parser


def add_group(parser: Parser, group: Group) -> None:
    shown = parser.add_argument_group(group.title)
    if group is GROUPS[0]:
        shown.add_argument("--help", "-h", action="store_true", help="print this help")
    for option in group.options:
        if option.flags and option.kind == "flag":
            shown.add_argument(*option.flags, dest=option.name, action="store_const", const=True,
                               help=option.help)
        elif option.kind == "optional":
            shown.add_argument(*option.flags, dest=option.name, help=option.help, nargs="?",
                               const="-", metavar=option.metavar)
        elif option.flags:
            shown.add_argument(*option.flags, dest=option.name, help=option.help,
                               metavar=option.metavar or "|".join(option.choices))


def parse_or_fail(option: Option, text: str, origin: str) -> Value:
    if "\n" in text:
        raise Failure("the value of the option '%s' %s has more than one line" % (
            option.name, origin), "a line that begins with a blank continues the one before it",
            "take the blank away", USAGE)
    try:
        return parse_value(option, text)
    except ValueError as error:
        raise Failure("wrong value '%s' for the option '%s' %s" % (text, option.name, origin),
                      remedy="expected %s" % error, status=USAGE)


def read_environment(environ: Mapping[str, str]) -> Tuple[Dict[str, str], str]:
    """Return what INSIGHTS_ variables set, by option name, and how messages call this source."""
    prefix = "INSIGHTS_"
    return {variable[len(prefix):].lower(): text for variable, text in sorted(environ.items())
            if variable.startswith(prefix) and variable not in RESERVED}, "in the environment"


def read_file(name: str, paths: Paths) -> Tuple[Dict[str, str], str]:
    """Return what the configuration file sets and how messages call it.

    The default file may be missing. Any other trouble is a Failure: a file that cannot be read may
    forbid what would be collected without it.
    """
    path = name.encode("utf-8", "surrogateescape") or paths.configuration
    shown = path.decode("utf-8", "backslashreplace")
    try:
        content = hostfiles.read_small(path, LARGEST)
    except hostfiles.Unreadable as error:
        if error.absent and not name:
            return {}, ""
        raise Failure("cannot read the configuration %s" % shown, error.why,
                      "mend it, or name another one with --conf", USAGE)
    return parse_file(content, shown), "in " + shown


def parse_file(content: bytes, shown: str) -> Dict[str, str]:
    """Return the items of the section that is ours; Failure names the line that is wrong."""
    import configparser  # late: most runs have no configuration file
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(content.decode("utf-8-sig", "surrogateescape"))
    except configparser.ParsingError as error:
        raise bad_line(shown, getattr(error, "lineno", None) or error.errors[0][0])
    except (configparser.DuplicateOptionError, configparser.DuplicateSectionError) as error:
        raise bad_line(shown, error.lineno)
    except configparser.Error:
        raise bad_line(shown, 1)
    for section in SECTIONS:
        if parser.has_section(section):
            return dict(parser.items(section))
    return {}


def bad_line(shown: str, number: object) -> Failure:
    return Failure("cannot understand line %s of %s" % (number, shown),
                   remedy="it must be '[%s]', 'name = value' or '# comment', and each name once"
                   % SECTIONS[0], status=USAGE)
