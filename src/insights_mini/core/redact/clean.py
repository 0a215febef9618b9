"""What every block of collected lines goes through, in this order:

1. bytes that are not UTF-8 are dropped, first, so that none can split a word the next steps know;
2. values of passwords are masked.
"""
from insights_mini.core.redact.passwords import mask_passwords


def clean(block: bytes) -> bytes:
    """Return a block of whole lines as it may leave the host."""
    return mask_passwords(drop_undecodable(block))


def drop_undecodable(block: bytes) -> bytes:
    """Return the block without the bytes that are not UTF-8."""
    try:
        block.decode("utf-8")
    except UnicodeDecodeError:
        return block.decode("utf-8", "ignore").encode("utf-8")
    return block
