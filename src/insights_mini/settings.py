"""The settings of a run, what they imply, what excludes each other, and how their texts are read.

The table of options is in options.py, under the same names. Reading the three sources is the job of
sources.py. Facts: CONTRACT.md section 2.
"""
import itertools
from typing import Dict, List, NamedTuple, Tuple, Union

from insights_mini.exits import USAGE, Failure
from insights_mini.options import DEFAULT, Option

Value = Union[bool, int, float, str, Tuple[str, ...]]

NEED_NETWORK = ("to_json", "status", "test_connection", "checkin", "unregister", "check_results",
                "diagnosis", "register", "force_reregister", "payload")
ELSEWHERE = ("analyze_mountpoint", "analyze_file", "analyze_image_id")  # another host than this
ANALYZE = (*ELSEWHERE, "analyze_container")  # other than the host as it runs
MIB = 1024 * 1024
UPLOAD_SECONDS = 1800.0  # longest time that one try of an upload may take


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
    analyze_mountpoint: str = ""
    analyze_file: str = ""
    analyze_image_id: str = ""
    analyze_container: bool = False
    preset: str = DEFAULT
    areas: Tuple[str, ...] = ()
    not_areas: Tuple[str, ...] = ()
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
    auto_config: bool = True
    upload_url: str = ""
    branch_info_url: str = ""
    retry: int = 1
    retry_wait: float = 180.0
    payload: str = ""
    content_type: str = ""
    to_json: bool = False
    group: str = ""
    ansible_host: str = ""
    register: bool = False
    unregister: bool = False
    force_reregister: bool = False
    status: bool = False
    checkin: bool = False
    diagnosis: str = ""
    check_results: bool = False
    show_results: bool = False
    test_connection: bool = False
    support: bool = False
    enable_schedule: bool = False
    disable_schedule: bool = False
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
    json: bool = False
    validate: bool = False
    dry_run: bool = False

    @property
    def stays_home(self) -> bool:
        """Whether the service is not asked in any case."""
        return (self.offline or self.version or self.list_specs or self.validate or self.dry_run or
                self.show_results)

    @property
    def acts(self) -> bool:
        """Whether something is shown instead of collecting; then nothing is written."""
        return (self.version or self.list_specs or self.validate or self.dry_run or self.status or
                bool(self.diagnosis) or self.show_results or self.test_connection)

    @property
    def analyzes(self) -> bool:
        """Whether what is collected is not this host as it runs, so that it is not uploaded as it.
        """
        return any(getattr(self, name) for name in ANALYZE)

    @property
    def pipes(self) -> bool:
        """Whether standard output is for a program, so that messages go elsewhere."""
        return self.to_stdout or self.to_json or self.json or bool(self.diagnosis)

    @property
    def last_phase_seconds(self) -> float:
        """How long collecting, packing and uploading may take together."""
        tries = 0 if self.no_upload else self.retry
        return self.phase_timeout + self.max_time + tries * (UPLOAD_SECONDS + self.retry_wait)


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
    if option.kind == "number":
        if not (text.isdecimal() and 0 < int(text) < 1000):
            raise ValueError("a number from 1 to 999")
        return int(text)
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
        ("areas", "not_areas"),
        ("run_these", "areas"),
        ("run_these", "not_areas"),
        ("enable_schedule", "disable_schedule"),
        *(("offline", name) for name in NEED_NETWORK),
        *itertools.combinations(ANALYZE, 2),
        *itertools.product(ANALYZE, (*NEED_NETWORK, "enable_schedule")),
    )
    conflicts = ["%s and %s exclude each other" % (flag(one), flag(other)) for one, other in pairs
                 if getattr(settings, one) and getattr(settings, other)]
    if settings.run_these and settings.preset != DEFAULT:
        conflicts.append("--run-these and --preset exclude each other")
    if settings.json and not settings.list_specs:
        conflicts.append("--json needs --list-specs")
    if settings.payload and not settings.content_type:
        conflicts.append("--payload needs --content-type")
    if settings.obfuscate_hostname and not (settings.obfuscate or settings.obfuscation_list):
        conflicts.append("obfuscate_hostname needs obfuscate")
    return conflicts


def find_dangers(settings: Settings) -> List[str]:
    """Return a sentence for each setting that weakens the way to the service; once a run."""
    if settings.stays_home:
        return []
    dangers = []
    if settings.insecure_connection:
        dangers.append("insecure_connection is set: what is sent can be read and changed")
    if settings.cert_verify.lower() in FALSE:
        dangers.append("cert_verify is False: anybody can pose as the service")
    return dangers


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
    if (settings.offline or settings.output_dir or settings.output_file or settings.no_upload or
            settings.analyzes):
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
