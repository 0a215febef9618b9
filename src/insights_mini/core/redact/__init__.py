"""From bytes to bytes that may leave the host. Pure: opens no file, runs no program."""

IPV4, IPV6, MAC, HOSTNAME = "ipv4", "ipv6", "mac", "hostname"  # what obfuscation can hide
