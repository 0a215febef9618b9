"""The one table of options, the settings they make, and what these say about each other.

Command line, environment, configuration file, help and conf/insights-client.conf all derive from
GROUPS; types and defaults stand in Settings, under the same names. Reading the three sources is
the job of sources.py. Facts: CONTRACT.md section 2.
"""
from typing import Dict, List, NamedTuple, Tuple, Union

from insights_mini.exits import USAGE, Failure

Value = Union[bool, int, float, str, Tuple[str, ...]]

COMPRESSORS = ("auto", "gz", "bz2", "xz", "none")
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
MIB = 1024 * 1024


class Settings(NamedTuple):
    """What one run shall do. Times are seconds, sizes bytes; an empty string means not set."""

    offline: bool = False
    no_upload: bool = False
    keep_archive: bool = False
    output_dir: str = ""
    output_file: str = ""
    to_stdout: bool = False
    compressor: str = "auto"
    display_name: str = ""
    from_file: str = ""
    from_stdin: bool = False
    no_gpg: bool = False
    run_these: Tuple[str, ...] = ()
    unprivileged: bool = False
    cmd_timeout: float = 120.0
    max_time: float = 1800.0
    phase_timeout: float = 600.0
    max_size: int = 1024 * MIB
    max_member: int = 64 * MIB
    max_read: int = 4096 * MIB
    auto_update: bool = True
    base_url: str = "cert-api.access.redhat.com:443/r/insights"
    egg_path: str = ""
    egg_gpg_path: str = ""
    collection_rules_url: str = ""
    authmethod: str = "BASIC"
    username: str = ""
    password: str = ""
    cert_verify: str = ""
    proxy: str = ""
    no_proxy: str = ""
    http_timeout: float = 120.0
    insecure_connection: bool = False
    net_debug: bool = False
    remove_file: str = ""
    redaction_file: str = ""
    content_redaction_file: str = ""
    tags_file: str = ""
    redact_secrets: bool = True
    obfuscate: bool = False
    obfuscate_hostname: bool = False
    obfuscation_list: Tuple[str, ...] = ()
    obfuscation_key: str = "run"
    redaction_report: str = ""
    quiet: bool = False
    silent: bool = False
    verbose: bool = False
    debug_phases: bool = False
    loglevel: str = "DEBUG"
    logging_file: str = ""
    conf: str = ""
    version: bool = False
    list_specs: bool = False
    validate: bool = False
    dry_run: bool = False

    @property
    def acts(self) -> bool:
        """Whether something is done instead of collecting; then nothing is written."""
        return self.version or self.list_specs or self.validate or self.dry_run


class Option(NamedTuple):
    """One row of the table. No flag: configuration and environment only; `action`: flag only."""

    name: str
    help: str
    flags: Tuple[str, ...] = ()
    metavar: str = ""
    kind: str = "flag"  # flag, text, choice, names, seconds or size
    choices: Tuple[str, ...] = ()
    action: bool = False


class Group(NamedTuple):
    """Options that belong together, under a heading of help and template."""

    title: str
    options: Tuple[Option, ...]


GROUPS = (
    Group("instead of collecting", (
        Option("version", "print the versions of client and core", ("--version",), action=True),
        Option("list_specs", "print what the collection rules name, and what it is for",
               ("--list-specs",), action=True),
        Option("dry_run", "print what would be collected and what is excluded by which rule; open "
               "and run nothing", ("--dry-run",), action=True),
        Option("validate", "check the exclusion and tags files, and print what they mean",
               ("--validate",), action=True),
    )),
    Group("how to run", (
        Option("conf", "read this configuration file instead of the default one",
               ("--conf", "-c"), "FILE", "text", action=True),
        Option("offline", "use no network; the archive is kept on this host", ("--offline",)),
        Option("no_upload", "collect and keep the archive, but do not upload it",
               ("--no-upload",)),
        Option("unprivileged", "run without being root, and say what could not be read",
               ("--unprivileged",)),
    )),
    Group("what to collect", (
        Option("from_file", "take the collection rules from this file", ("--from-file",), "FILE",
               "text"),
        Option("from_stdin", "take the collection rules from standard input", ("--from-stdin",)),
        Option("no_gpg", "use eggs and rules without a check of their signature", ("--no-gpg",)),
        Option("run_these", "collect only these symbolic names, separated by commas",
               ("--run-these",), "NAME[,NAME...]", "names"),
        Option("display_name", "the name under which this host is shown", ("--display-name",),
               "NAME", "text"),
    )),
    Group("what leaves the host", (
        Option("remove_file", "the exclusions in classic form instead of remove.conf",
               kind="text"),
        Option("redaction_file", "the exclusions of files, commands and components instead of "
               "file-redaction.yaml", kind="text"),
        Option("content_redaction_file", "the patterns and keywords instead of "
               "file-content-redaction.yaml", kind="text"),
        Option("tags_file", "the tags of this host instead of tags.yaml", kind="text"),
        Option("redact_secrets", "mask keys, tokens and other secrets, not only passwords"),
        Option("obfuscate", "replace IPv4, IPv6 and hardware addresses"),
        Option("obfuscate_hostname", "replace host and domain names too; needs obfuscate"),
        Option("obfuscation_list", "what to replace instead of these two: any of ipv4, ipv6, "
               "hostname and mac, separated by commas", kind="names",
               choices=("ipv4", "ipv6", "hostname", "mac")),
        Option("obfuscation_key", "run: other replacements each time; keep: the same each time, "
               "from a key in the state folder", kind="choice", choices=("run", "keep")),
        Option("redaction_report", "write the report of what was redacted to this file",
               ("--redaction-report",), "FILE", "text"),
    )),
    Group("the archive", (
        Option("output_dir", "put it into this folder, do not upload it", ("--output-dir",),
               "DIR", "text"),
        Option("output_file", "write it under this name, do not upload it", ("--output-file",),
               "FILE", "text"),
        Option("to_stdout", "write it to standard output, and nothing else there",
               ("--to-stdout",)),
        Option("keep_archive", "leave it on this host; with to_stdout as well, as a second copy",
               ("--keep-archive",)),
        Option("compressor", "how it is compressed; auto is as the suffix of output_file says, or "
               "gz", ("--compressor",), kind="choice", choices=COMPRESSORS),
    )),
    Group("limits", (
        Option("cmd_timeout", "longest time in seconds that one command may run",
               ("--cmd-timeout",), "SECONDS", "seconds"),
        Option("max_time", "longest time in seconds for the whole collection; what is there by "
               "then is packed", ("--max-time",), "SECONDS", "seconds"),
        Option("max_size", "most bytes of content in one archive (K, M and G are understood)",
               ("--max-size",), "SIZE", "size"),
        Option("max_member", "most bytes kept of one file (its newest end) or of one command's "
               "output", ("--max-member",), "SIZE", "size"),
        Option("max_read", "most bytes read of one file (its newest end) or of one command's "
               "output", ("--max-read",), "SIZE", "size"),
        Option("phase_timeout", "longest time in seconds for one phase; collecting has max_time "
               "on top", kind="seconds"),
    )),
    Group("the service", (
        Option("auto_update", "fetch a newer core and newer collection rules before collecting"),
        Option("base_url", "host, port and path of the service, without a scheme", kind="text"),
        Option("egg_path", "fetch the core from this URL instead", kind="text"),
        Option("egg_gpg_path", "fetch the signature of the core from this URL instead",
               kind="text"),
        Option("collection_rules_url", "fetch the collection rules from this URL instead; their "
               "signature has .asc at the end", kind="text"),
        Option("authmethod", "BASIC: username and password; CERT: the certificate of the host's "
               "subscription", kind="choice", choices=("BASIC", "CERT")),
        Option("username", "who logs in with BASIC", kind="text"),
        Option("password", "the password for BASIC", kind="text"),
        Option("cert_verify", "certificates to check the service's by: a file, True for the "
               "system's, False for no check", kind="text"),
        Option("proxy", "URL of the HTTP proxy; not set: HTTPS_PROXY of the environment",
               kind="text"),
        Option("no_proxy", "hosts reached without the proxy, separated by commas; not set: "
               "NO_PROXY of the environment", kind="text"),
        Option("http_timeout", "longest time in seconds to wait for the other side",
               kind="seconds"),
        Option("insecure_connection", "use plain HTTP, for tests of a service only"),
        Option("net_debug", "print each request, its result, time and size", ("--net-debug",)),
    )),
    Group("messages", (
        Option("quiet", "print nothing but errors and warnings", ("--quiet",)),
        Option("silent", "print nothing at all", ("--silent",)),
        Option("verbose", "print everything that goes to the log", ("--verbose",)),
        Option("debug_phases", "print which egg runs which phase, and how it ended",
               ("--debug-phases",)),
        Option("logging_file", "write the log to this file instead of the default one",
               ("--logging-file",), "FILE", "text"),
        Option("loglevel", "least level that goes to the log file: DEBUG, INFO, WARNING or ERROR",
               kind="choice", choices=LEVELS),
    )),
)
OPTIONS = tuple(option for group in GROUPS for option in group.options)

TRUE = ("true", "yes", "on", "1")
FALSE = ("false", "no", "off", "0")
UNITS = {"": 1, "k": 1024, "m": MIB, "g": 1024 * MIB, "t": 1024 * 1024 * MIB}


def parse_value(option: Option, text: str) -> Value:
    """Turn the text of one setting into its value; ValueError says what was expected."""
    text = text.strip()
    if "\0" in text:
        raise ValueError("text without NUL bytes")
    if option.kind == "flag":
        if text.lower() in TRUE:
            return True
        if text.lower() in FALSE:
            return False
        raise ValueError("true or false")
    if option.kind == "choice":
        for choice in option.choices:
            if text.lower() == choice.lower():
                return choice
        raise ValueError("one of " + ", ".join(option.choices))
    if option.kind == "names":
        names = tuple(name.strip() for name in text.split(",") if name.strip())
        if option.choices and not set(names) <= set(option.choices):
            raise ValueError("any of " + ", ".join(option.choices))
        return names
    if option.kind == "seconds":
        return parse_seconds(text)
    if option.kind == "size":
        return parse_size(text)
    return text


def parse_seconds(text: str) -> float:
    """Return a positive, finite number of seconds; ValueError says what was expected."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds < 1e9:
        raise ValueError("a number of seconds above 0")
    return seconds


def parse_size(text: str) -> int:
    """Return a positive number of bytes from text like 500M; ValueError says what was expected."""
    digits = text.lower().rstrip("ib")
    unit = digits[-1:] if digits[-1:] in UNITS else ""
    digits = digits[:len(digits) - len(unit)]
    size = int(digits) * UNITS[unit] if digits.isdecimal() else 0
    if size <= 0:
        raise ValueError("a number of bytes above 0, such as 500M")
    return size


def find_conflicts(settings: Settings) -> List[str]:
    """Return a sentence for every two settings that exclude each other."""
    pairs = (
        ("output_dir", "output_file"),
        ("to_stdout", "output_dir"),
        ("to_stdout", "output_file"),
        ("from_file", "from_stdin"),
    )
    conflicts = ["%s and %s exclude each other" % (flag(one), flag(other)) for one, other in pairs
                 if getattr(settings, one) and getattr(settings, other)]
    if settings.obfuscate_hostname and not (settings.obfuscate or settings.obfuscation_list):
        conflicts.append("obfuscate_hostname needs obfuscate")
    return conflicts


def flag(name: str) -> str:
    """Return how a user writes the option of this name."""
    return "--" + name.replace("_", "-")


def imply(settings: Settings) -> Settings:
    """Return the settings with what they imply filled in.

    To standard output, the archive that "no upload" keeps is the one written there; a second copy
    on disk takes an explicit --keep-archive.
    """
    if settings.to_stdout:
        return settings._replace(no_upload=True, quiet=True)
    if settings.offline or settings.output_dir or settings.output_file or settings.no_upload:
        return settings._replace(no_upload=True, keep_archive=True)
    return settings


def make_settings(values: Dict[str, Value]) -> Settings:
    """Build the settings of a run from the values that were set; Failure names all conflicts."""
    settings = Settings(**values)  # type: ignore[arg-type]  # the table's kinds match the fields
    conflicts = find_conflicts(settings)
    if conflicts:
        raise Failure("the options contradict each other", ", ".join(conflicts),
                      "leave one of them out", USAGE)
    return imply(settings)
