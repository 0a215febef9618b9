"""What the owner of a host forbids: its files, read strictly, and what they leave out."""
