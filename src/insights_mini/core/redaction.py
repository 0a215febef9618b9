"""Makes the owner's settings and exclusions into what a run works with: excluder, policy, proof.

The only place that knows both the exclusions and how they are enforced.
"""
import json
import os
from typing import TYPE_CHECKING, Any, Dict, FrozenSet, List, NamedTuple, Optional, Sequence

from insights_mini import hostfiles
from insights_mini.core.exclusions.load import Exclusions, Loaded
from insights_mini.core.exclusions.match import Excluder
from insights_mini.core.expressionguard import ExpressionGuard
from insights_mini.core.host import HOSTS, read_text
from insights_mini.core.proof import Proof
from insights_mini.core.redact import HOSTNAME, IPV4, IPV6, MAC
from insights_mini.core.redact.cleaner import Policy
from insights_mini.core.redact.droplines import PatternDropper
from insights_mini.core.redact.keywords import KeywordMasker
from insights_mini.core.roots import Root
from insights_mini.core.roots.running import HOST
from insights_mini.exits import Failure, reason
from insights_mini.log import show
from insights_mini.paths import Paths
from insights_mini.settings import Settings
from insights_mini.statefiles import write_private

if TYPE_CHECKING:
    from insights_mini.core.redact.replacements import Replacements

KEPT = b"obfuscation.json"  # in the state folder: key and replacements, with obfuscation_key=keep
LARGEST = 64 * 1024 * 1024
RESOLV = b"/etc/resolv.conf"


class Redaction(NamedTuple):
    exclusions: Exclusions
    excluder: Excluder
    guard: ExpressionGuard
    policy: Policy
    proof: Proof


def make_redaction(settings: Settings, paths: Paths, loaded: Loaded, own: List[str],
                   root: Root = HOST) -> Redaction:
    """Return everything; `own` are the names of the host of the root. Raises Failure.

    Forks the child of the expressions, so it must be called before any thread is started.
    """
    exclusions = loaded.exclusions
    keywords, patterns = exclusions.keywords, exclusions.patterns
    strings = [("keyword%d" % i, word) for i, word in enumerate(keywords)]
    strings += [("pattern %d" % i, pattern) for i, pattern in enumerate(patterns)]
    obfuscator, proof = None, Proof(strings, [], None)
    kinds = choose_kinds(settings)
    if kinds:
        from insights_mini.core.redact import addresses, names, obfuscate  # late: seldom wanted
        hidden = names.gather(own, read_text(root, HOSTS), read_text(root, RESOLV))
        obfuscator = obfuscate.Obfuscator(
            kinds, hidden, make_replacements(settings, paths, hidden.domains))
        shown = [encode(name) for name in [*hidden.domains, *hidden.short]]
        proof = Proof(strings, shown if HOSTNAME in kinds else [],
                      addresses.is_version if kinds - {HOSTNAME} else None)
    guard = ExpressionGuard(exclusions.expressions)
    policy = Policy(PatternDropper(patterns), guard.drop, KeywordMasker(keywords),
                    settings.redact_secrets, obfuscator)
    return Redaction(exclusions, Excluder(exclusions, root), guard, policy, proof)


def choose_kinds(settings: Settings) -> FrozenSet[str]:
    """Return what is obfuscated; the list supersedes the two switches."""
    if settings.obfuscation_list:
        return frozenset(settings.obfuscation_list)
    if not settings.obfuscate:
        return frozenset()
    return frozenset((IPV4, IPV6, MAC, HOSTNAME) if settings.obfuscate_hostname else
                     (IPV4, IPV6, MAC))


def make_replacements(settings: Settings, paths: Paths,
                      domains: Sequence[str]) -> "Replacements":
    """Return new replacements, or with obfuscation_key=keep those of the runs before."""
    from insights_mini.core.redact.replacements import Replacements
    if settings.obfuscation_key == "run":
        return Replacements(os.urandom(32), domains)
    path = os.path.join(paths.state_dir, KEPT)
    try:
        data = json.loads(hostfiles.read_small(path, LARGEST).decode("utf-8"))
        replacements = Replacements(bytes.fromhex(data["key"]), domains)
        replacements.restore([(kind, original, new) for kind, original, new in data["pairs"]])
    except hostfiles.Unreadable as error:
        if error.absent:
            return Replacements(os.urandom(32), domains)
        raise Failure("cannot read the kept obfuscation %s" % show(path), error.why,
                      "mend it, or remove it to begin anew")
    except (ValueError, KeyError, TypeError):
        raise Failure("cannot understand the kept obfuscation %s" % show(path),
                      remedy="remove it to begin anew")
    return replacements


def keep_replacements(settings: Settings, paths: Paths, policy: Policy) -> None:
    """Save the replacements for the next run, where that is wanted; raise Failure."""
    if settings.obfuscation_key != "keep" or policy.obfuscator is None:
        return
    replacements = policy.obfuscator.replacements
    path = os.path.join(paths.state_dir, KEPT)
    data: Dict[str, Any] = {"key": replacements.key.hex(), "pairs": replacements.pairs()}
    try:
        write_private(path, json.dumps(data).encode("utf-8"))
    except OSError as error:
        raise Failure("cannot keep the obfuscation in %s" % show(path), reason(error),
                      "make the state folder writable, or set obfuscation_key=run")


def clean_value(text: str, policy: Policy) -> bytes:
    """Return a text of the owner's, cleaned like any content; raise Uncleaned."""
    content = policy.make_cleaner()(encode(text))
    return policy.obfuscator.resolve(content) if policy.obfuscator else content


def encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def find_hit(redaction: Redaction) -> Optional[str]:
    """Return a sentence on what the proof found, without its value, or None."""
    obfuscator = redaction.policy.obfuscator
    originals = obfuscator.seen() if obfuscator else ()
    own = sorted(obfuscator.replacements.words) if obfuscator else []
    hit = redaction.proof.verdict(originals, own)
    if hit is None:
        return None
    name = redaction.policy.clean_name(hit.member)
    return "%s still shows what %s forbids" % (show(name or b"a member"), hit.rule)
