"""Composing the open teaching corpus: notes of many kinds with their gold chains, from
``knowledge/`` alone.
"""

from dxtrace.compose._style import Style
from dxtrace.compose._styles import STYLES
from dxtrace.compose.composer import Composer

__all__ = ["STYLES", "Composer", "Style"]
