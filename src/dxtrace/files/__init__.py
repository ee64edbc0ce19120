"""Files: read with typed errors, written whole or not at all, grown row by row.

Every format is read through here: strict UTF-8, bounded in depth and size, and what is wrong said
in one line.
"""

from dxtrace.files.binary import gguf_content, open_gguf, read_parquet, read_safetensors
from dxtrace.files.derived import derive, home, source_code
from dxtrace.files.parsing import (
    MAX_DEPTH,
    UnusableError,
    check,
    decode_json,
    packaged_yaml,
    parse_json,
    parse_yaml,
    parse_yaml_strictly,
    read_json,
    read_yaml,
)
from dxtrace.files.rows import Line, RowStore, read_jsonl, row_to_bytes
from dxtrace.files.writing import (
    atomic_write,
    follow_umask,
    named_path,
    read_bytes,
    read_text,
    reading,
    refuse_to_replace,
    whole_folder,
    writing,
)

__all__ = [
    "MAX_DEPTH",
    "Line",
    "RowStore",
    "UnusableError",
    "atomic_write",
    "check",
    "decode_json",
    "derive",
    "follow_umask",
    "gguf_content",
    "home",
    "named_path",
    "open_gguf",
    "packaged_yaml",
    "parse_json",
    "parse_yaml",
    "parse_yaml_strictly",
    "read_bytes",
    "read_json",
    "read_jsonl",
    "read_parquet",
    "read_safetensors",
    "read_text",
    "read_yaml",
    "reading",
    "refuse_to_replace",
    "row_to_bytes",
    "source_code",
    "whole_folder",
    "writing",
]
