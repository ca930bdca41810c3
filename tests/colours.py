"""How light a colour is, and how well it can be told from another one: the formulas of WCAG."""

import re


def luminance(colour):
    """From 0 to 1; of `#rrggbb`, of `rgb(r, g, b)`, or of three numbers up to 255."""
    if isinstance(colour, str):
        hexadecimal = colour.startswith("#")
        colour = bytes.fromhex(colour[1:]) if hexadecimal else re.findall(r"\d+", colour)[:3]
    parts = [int(part) / 255 for part in colour]
    r, g, b = (p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(one, other):
    """From 1 to 21; text needs 4.5."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)
