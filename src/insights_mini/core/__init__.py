"""The upper floor, the egg: what the four phases do. It never imports the wrapper."""
