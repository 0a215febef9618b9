"""From bytes to bytes that may leave the host. Pure: opens no file, runs no program."""
