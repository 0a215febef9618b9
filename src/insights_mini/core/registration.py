"""Registration of this host: its marks, and what the phase post_update does about it.

The marks change only when the service says so explicitly; a service that cannot be reached, or that
answers unclearly, leaves all as it is. What only asks writes nothing. Facts: CONTRACT.md, 1 and 3.
"""
import json
import os
import time
from typing import Any, Callable, Mapping, Tuple

from insights_mini.core import machineid
from insights_mini.core.facts import clean_names
from insights_mini.core.server.api import Unregistered
from insights_mini.core.server.faults import NotReached
from insights_mini.core.server.hosts import NO_BRANCH, Hosts, Status
from insights_mini.core.server.transport import open_service
from insights_mini.exits import OK, STOP_DONE, STOP_FAILED, Failure, reason
from insights_mini.log import ERROR, Log, printable, show, write
from insights_mini.paths import Paths
from insights_mini.settings import Settings
from insights_mini.statefiles import write_private

NOT_REGISTERED = "This host has not been registered. Use --register to register this host."
NOBODY = Status(False, sure=False)  # of a host without a machine id


class Registration:
    """What a run does about the registration of its host. All methods raise Failure."""

    def __init__(self, settings: Settings, paths: Paths, environ: Mapping[str, str],
                 log: Log) -> None:
        self.settings = settings
        self.paths = paths
        self.log = log
        self.name = ""  # of the host, as it may be shown
        self.hosts = Hosts(open_service(settings, paths, environ, log), settings, paths)

    def ask(self) -> Tuple[str, Status]:
        """Return machine id and status of this host."""
        machine_id = machineid.read_machine_id(self.paths)
        return machine_id, self.hosts.status(machine_id) if machine_id else NOBODY

    def describe(self) -> Tuple[bool, str]:
        """Return whether this host is registered, and the answer to --status; write nothing."""
        machine_id, status = self.ask()
        if self.settings.to_json:
            text = json.dumps({"registered": status.registered, "machine_id": machine_id or None,
                               "unregistered_at": status.since or None})
        elif status.registered:
            text = "This host is registered.\nMachine id: " + machine_id
        else:
            why = "it has no machine id" if not machine_id else (
                "it was unregistered at " + status.since if status.since else
                "the service does not know it")
            text = "This host is not registered: %s." % printable(why)
        return status.registered, text + "\n"

    def unregister(self) -> int:
        """Take this host out of the service; return the status of the phase."""
        machine_id, status = self.ask()
        if status.registered:
            self.hosts.unregister(machine_id, status)
            self.log.info("This host is unregistered now.")
        else:
            self.log.error("This host is not registered, so it cannot be unregistered.")
        if status.sure:
            note_unregistered(self.paths, self.log)
        return STOP_DONE if status.registered else STOP_FAILED

    def settle(self) -> int:
        """Register if that is wanted, see that the host is registered, and tell its names, without
        what the owner forbids or hides."""
        self.settings, self.name = clean_names(self.settings, self.paths, self.log)
        self.hosts.settings = self.settings
        try:
            if self.settings.force_reregister:
                self.enroll(machineid.make_machine_id(), "")
                return OK
            if self.settings.register:
                machineid.ensure_machine_id(self.paths)
            return self.go_on(*self.ask())
        except NotReached as fault:
            if self.settings.register or self.settings.force_reregister or not is_noted(self.paths):
                raise
            self.log.warning("%s; this host counts as registered, as it was before" % fault)
            return OK
        except Unregistered:
            note_unregistered(self.paths, self.log)
            raise

    def go_on(self, machine_id: str, status: Status) -> int:
        if status.registered:
            note_registered(self.paths, self.log)
            if self.settings.register:
                self.log.info("This host has already been registered.")
            self.attempt(lambda: self.hosts.rename(machine_id, status))
            self.join_group(machine_id)
        elif self.settings.register:
            self.enroll(machine_id, machine_id)
        else:
            if status.sure:
                note_unregistered(self.paths, self.log)
            say_not_registered(self.log)
            return STOP_FAILED
        return OK

    def enroll(self, machine_id: str, stored: str) -> None:
        """Register under this machine id, or once more under a new one if it is taken.

        `stored` is the one on disk; it stays until the service has taken another one.
        """
        name = ""
        if not self.hosts.platform:
            machine_id, name = self.register(machine_id)
        elif self.settings.no_upload:
            self.log.warning("an upload registers a host with this service, and none is made: "
                             "this host is not registered")
            return
        if machine_id != stored:
            machineid.replace_machine_id(self.paths, machine_id)
            set_mark(self.paths, b"", self.log)
        if self.hosts.platform:
            self.log.info("The upload will register this host.")
            return
        note_registered(self.paths, self.log)
        self.log.info("This host is registered now, as %s." % (self.settings.display_name or name))
        self.join_group(machine_id)

    def register(self, machine_id: str) -> Tuple[str, str]:
        """Return machine id and host name under which the service has taken this host."""
        for _ in range(2):
            name = self.name or machine_id
            if self.hosts.register(machine_id, name):
                return machine_id, name
            machine_id = machineid.make_machine_id()
        raise Failure("cannot register this host", "the service refuses a new machine id too (409)",
                      "ask those who run it")

    def join_group(self, machine_id: str) -> None:
        group = self.settings.group
        if group and not self.hosts.platform:
            self.attempt(lambda: self.hosts.join_group(machine_id, group))

    def attempt(self, work: Callable[[], None]) -> None:
        """Do what may fail without costing the upload."""
        try:
            work()
        except Unregistered:
            raise
        except Failure as failure:
            self.log.warning(str(failure))

    def find_branch(self) -> Mapping[str, Any]:
        """Return the branch information; without an answer, that of a host below no Satellite."""
        try:
            return self.hosts.branch_info()
        except Failure as failure:
            self.log.debug(str(failure))
            return NO_BRANCH

    def check_in(self, facts: Callable[[], Mapping[str, Any]]) -> None:
        """Tell the service that this host is alive."""
        need_platform(self.hosts, "--checkin")
        need_machine_id(self.paths)
        self.hosts.check_in(facts())
        self.log.info("The service knows now that this host is alive.")


def need_machine_id(paths: Paths) -> str:
    machine_id = machineid.read_machine_id(paths)
    if not machine_id:
        raise Failure("this host is not registered", "it has no machine id",
                      "register it with --register")
    return machine_id


def need_platform(hosts: Hosts, flag: str) -> None:
    if not hosts.platform:
        raise Failure("%s is not possible here" % flag, "the service at %s has the classic API" %
                      hosts.settings.base_url,
                      "set base_url to one that ends in /r/insights/platform")


def say_not_registered(log: Log) -> None:
    """Say the contract's line as it stands, without the word ERROR."""
    log.note(ERROR, NOT_REGISTERED)
    if log.console.level <= ERROR:
        write(2, NOT_REGISTERED + "\n")


def is_noted(paths: Paths) -> bool:
    """Tell whether this host is marked as registered, and not as the contrary too."""
    return os.path.exists(paths.registered) and not os.path.lexists(paths.unregistered)


def note_registered(paths: Paths, log: Log) -> None:
    """Mark this host as registered, unless it is; call it when the service has said so."""
    set_mark(paths, paths.registered, log)


def note_unregistered(paths: Paths, log: Log) -> None:
    """Mark this host as unregistered, unless it is; call it when the service has said so."""
    set_mark(paths, paths.unregistered, log)


def set_mark(paths: Paths, wanted: bytes, log: Log) -> None:
    """Have this mark, if it is one, and not the other, in each folder for them."""
    now = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime()).encode("ascii")
    older = paths.older_conf_dirs[0]
    for folder in (paths.conf_dir, older) if os.path.isdir(older) else (paths.conf_dir,):
        for mark in sorted((paths.registered, paths.unregistered), key=lambda mark: mark != wanted):
            path = os.path.join(folder, os.path.basename(mark))
            try:
                if mark != wanted and os.path.lexists(path):
                    os.unlink(path)
                elif mark == wanted and not os.path.exists(path):
                    write_private(path, now)
            except OSError as error:
                log.warning("cannot change the mark %s: %s" % (show(path), reason(error)))
