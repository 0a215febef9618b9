"""The one table of options: their names, flags, kinds, and what they are for.

Command line, environment, configuration file, help and conf/insights-client.conf all derive from
GROUPS; types and defaults stand in settings.py, under the same names. Facts: CONTRACT.md section 2.
"""
from typing import NamedTuple, Tuple

COMPRESSORS = ("auto", "gz", "bz2", "xz", "none")
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
MINIMAL, DEFAULT, FULL = PRESETS = ("minimal", "default", "full")


class Option(NamedTuple):
    """One row of the table. No flag: configuration and environment only; `action`: flag only."""

    name: str
    help: str
    flags: Tuple[str, ...] = ()
    metavar: str = ""
    kind: str = "flag"  # flag, text, optional (text or the flag alone), choice, names, number, ...
    choices: Tuple[str, ...] = ()
    action: bool = False


class Group(NamedTuple):
    """Options that belong together, under a heading of help and template."""

    title: str
    options: Tuple[Option, ...]


GROUPS = (
    Group("instead of collecting", (
        Option("version", "print the versions of client and core", ("--version",), action=True),
        Option("list_specs", "print what can be collected, by area, and what it is for",
               ("--list-specs",), action=True),
        Option("json", "with --list-specs: print it as JSON, for programs", ("--json",),
               action=True),
        Option("dry_run", "print what would be collected and what is excluded by which rule; open "
               "and run nothing", ("--dry-run",), action=True),
        Option("validate", "check the exclusion and tags files, and print what they mean",
               ("--validate",), action=True),
        Option("status", "print whether this host is registered", ("--status",), action=True),
        Option("test_connection", "try each step of the way to the service, and say where it ends",
               ("--test-connection",), action=True),
        Option("checkin", "tell the service that this host is alive", ("--checkin",),
               action=True),
        Option("unregister", "take this host out of the service", ("--unregister",), action=True),
        Option("diagnosis", "print the service's diagnosis of this host, or the one with an ID",
               ("--diagnosis",), "ID", "optional", action=True),
        Option("check_results", "fetch what the service found out about this host",
               ("--check-results",), action=True),
        Option("show_results", "print what was fetched with --check-results", ("--show-results",),
               action=True),
        Option("enable_schedule", "collect once a day from now on", ("--enable-schedule",),
               action=True),
        Option("disable_schedule", "do not collect by itself any more", ("--disable-schedule",),
               action=True),
        Option("support", "write an archive with log, settings and a test of the connection, "
               "without secrets, for those who help you", ("--support",), action=True),
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
        Option("analyze_mountpoint", "collect from the root of a host that does not run, mounted "
               "in this folder", ("--analyze-mountpoint",), "DIR", "text"),
        Option("analyze_file", "collect from a root in this tar, without unpacking it; also from "
               "an earlier archive, or an image that was saved", ("--analyze-file",), "TAR",
               "text"),
        Option("analyze_image_id", "collect from an image of podman or docker",
               ("--analyze-image-id",), "ID", "text"),
        Option("analyze_container", "collect from inside a container, without what belongs to the "
               "kernel of its host", ("--analyze-container",)),
        Option("no_gpg", "use eggs and rules without a check of their signature", ("--no-gpg",)),
        Option("preset", "minimal: who the host is and how it does; default: all but what is heavy "
               "and seldom needed; full: that too", ("--preset",),
               kind="choice", choices=PRESETS),
        Option("areas", "collect only from these areas of the catalogue, separated by commas",
               ("--areas",), "AREA[,AREA...]", "names"),
        Option("not_areas", "collect from all areas but these", ("--not-areas",),
               "AREA[,AREA...]", "names"),
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
    Group("registration and upload", (
        Option("register", "register this host, then collect and upload", ("--register",),
               action=True),
        Option("force_reregister", "register this host as a new one", ("--force-reregister",),
               action=True),
        Option("group", "the group that this host belongs to", ("--group",), "NAME", "text"),
        Option("ansible_host", "the name by which Ansible knows this host", ("--ansible-host",),
               "NAME", "text"),
        Option("payload", "upload this archive instead of collecting one", ("--payload",), "FILE",
               "text", action=True),
        Option("content_type", "what the archive of payload is", ("--content-type",), "TYPE",
               "text", action=True),
        Option("retry", "how often an upload is tried", ("--retry",), "NUMBER", "number"),
        Option("retry_wait", "time in seconds between two tries, unless the service names one",
               kind="seconds"),
        Option("to_json", "print the answer of the service, and nothing else there",
               ("--to-json",)),
    )),
    Group("the service", (
        Option("auto_update", "fetch a newer core and newer collection rules before collecting"),
        Option("base_url", "host, port and path of the service, without a scheme", kind="text"),
        Option("auto_config", "take what is not set from the host's subscription or Satellite"),
        Option("upload_url", "upload to this URL instead", kind="text"),
        Option("branch_info_url", "fetch the branch information from this URL instead",
               kind="text"),
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
