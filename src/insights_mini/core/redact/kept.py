"""Tells which values of a secret's name are none, and stay for the analysis that needs them.

    empty, or masked already      ********  xxxx  <redacted>
    a switch or nothing           true  no  none  null  disabled  required
    a number of a setting         3600  30m  65000:100  (of a password: three digits at most)
    a place where the secret is   /etc/pki/x.key  file:/x  KEYRING:x  server.pem  https://host/x
    a name that is filled in      $TOKEN  ${TOKEN}  $(cat x)  %(token)s  {{ token }}  @TOKEN@

A path counts when it is two words in lower case or begins in a folder every host has: a secret may
begin with a slash too. Anything else is a secret: a word that looks harmless is one.
"""
import re

KEPT = re.compile(rb"""
    [*xX.]{2,}
  | (?i:true|false|yes|no|on|off|none|null|nil|undefined|unset|enabled?|disabled?|required
       |optional|n/a|\(null\)|\(none\)|-)
  | (?: [~.]{1,2} | [$][{]?\w+[}]? ) (?: / [a-z][a-z0-9_.@%${}-]* )+ /?
  | (?: / [a-z][a-z0-9_.@%${}-]* ){2,} /?
  | / (?: etc|usr|var|home|root|opt|run|srv|tmp|proc|sys|dev|mnt|media|boot|s?bin|lib(?:64)?|data )
      (?: / [\w.@%$\{\}:-]+ )* /?
  | [A-Za-z]:\\{1,2}[\w.-]+(?:\\{1,2}[\w.-]+)* | [~/] | \./ | \.\./
  | (?i:file|dir|env|exec|unix|keyring|kcm|hash|memory|fd):
      (?: [/.~$%{][\w./:%{}$@-]* | [A-Z0-9_:]* | persistent:[\w%{}]* )
  | [\w./-]+ \. (?:key|pem|crt|cer|csr|p12|pfx|jks|txt|json|ya?ml|conf|ini|keytab|gpg|asc|pub|sock)
  | (?i:https?)://\S+
  | [$][A-Z_][A-Z0-9_]* | [$][a-z_]*(?:secret|token|key|pass|pwd|cred)[a-z_]* | [$][0-9@*]
  | [$]\w+::\w+ | [$][{]\w+[}] | [$]\(.* | `.*
  | %\([\w.-]+\)[sd] | %[sd] | %?\{[\w.-]*\} | \{\{.* | [{(\[|>]
  | <[^<>]*> | \[\w+\] | @\w+@ | %\w+%
    """, re.VERBOSE)

NUMBER = re.compile(rb"[+-]?[0-9]{1,9}(?:[smhd]|:[0-9]{1,9})?|[A-Za-z]")  # a letter: accesskey="n"
SHORT_NUMBER = re.compile(rb"[0-9]{0,3}")


def is_kept(value: bytes, of_password: bool) -> bool:
    """Return whether a value, without its quotes, is no secret."""
    value = value.strip()
    number = SHORT_NUMBER if of_password else NUMBER
    return not value or bool(KEPT.fullmatch(value) or number.fullmatch(value))
