"""The root in an image of a container, as podman or docker saves it; no container is made of it."""
import os
import time
from typing import List, Mapping

from insights_mini import process
from insights_mini.core.collect.commandline import SYSTEM_FOLDERS
from insights_mini.core.roots.media import Flow
from insights_mini.core.roots.packed import Packed
from insights_mini.exits import Failure, reason

FOLDERS = (*SYSTEM_FOLDERS, b"/usr/local/bin", b"/usr/local/sbin")
PROGRAMS = (b"podman", b"docker")
# By these the two find their images; nothing else of the environment is handed on.
HANDED_ON = ("HOME", "XDG_RUNTIME_DIR", "DOCKER_HOST", "DOCKER_CONFIG", "DOCKER_CONTEXT",
             "CONTAINER_HOST", "CONTAINERS_CONF", "CONTAINERS_STORAGE_CONF", "STORAGE_DRIVER",
             "STORAGE_OPTS")
SECONDS = 60.0  # for the question whether there is such an image
OUTPUT = 64 * 1024


def open_image(name: str, environ: Mapping[str, str], seconds: float) -> Packed:
    """Return the root in an image; raise Failure, also when that takes too many seconds."""
    if name.startswith("-"):
        raise Failure("there is no image %s" % name, remedy="give its id or name")
    program = next(filter(None, (process.find_program(program, FOLDERS) for program in PROGRAMS)),
                   None)
    if program is None:
        raise Failure("cannot look into the image %s" % name, "neither podman nor docker is "
                      "installed here", "save the image elsewhere and use --analyze-file")
    handed_on = {key: environ[key] for key in HANDED_ON if key in environ}
    handed_on.update(LC_ALL="C", PATH=b":".join(FOLDERS).decode("ascii"))
    tool, image = os.path.basename(program), os.fsencode(name)
    check(program, [tool, b"image", b"inspect", image], handed_on, name)
    save = [tool, b"save", *([b"--format", b"docker-archive"] if tool == b"podman" else []), image]
    return Packed(Flow(lambda: process.open_output(program, save, handed_on)), "image " + name,
                  seconds)


def check(program: bytes, argv: List[bytes], environ: Mapping[str, str], name: str) -> None:
    """Raise Failure with the program's own words where there is no such image."""
    said: List[bytes] = []

    def take(block: bytes) -> bool:
        said.append(block)
        return True

    try:
        ending = process.run(program, argv, environ, take, process.Limits(
            time.monotonic() + SECONDS, OUTPUT), process.Stop())
    except OSError as error:
        raise Failure("cannot run %s" % os.fsdecode(program), reason(error))
    if ending.status != 0 and not ending.cut:
        lines = b"".join(said).decode("utf-8", "replace").strip().splitlines()
        raise Failure("cannot look into the image %s" % name,
                      "no answer in time" if ending.timed_out else lines[-1] if lines else
                      "no reason given", "see %s images" % os.fsdecode(argv[0]))
