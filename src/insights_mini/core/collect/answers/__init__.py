"""What commands would have told of a root that does not run, one module for a kind of them."""
