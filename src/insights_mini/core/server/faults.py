"""The one error of this floor: what keeps the service from being reached, and what mends it.

No sentence made here holds a user, a password or the query of a URL.
"""
from insights_mini.exits import Failure

LATER = "try again later"
WHAT = {
    "settings": "%s cannot be used",
    "name": "cannot reach %s",
    "connect": "cannot reach %s",
    "proxy": "no way through %s",
    "tls": "no trusted connection to %s",
    "answer": "no usable answer from %s",
}


class NotReached(Failure):
    """No usable answer. `step` is where on the way it failed, a key of WHAT.

    `place` is the host and port that it is about; at "settings" the setting that is wrong.
    """

    def __init__(self, step: str, place: str, why: str, remedy: str = LATER) -> None:
        super().__init__(WHAT[step] % place, why, remedy)
        self.step = step
        self.place = place
