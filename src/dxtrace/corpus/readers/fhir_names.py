"""Names and units of FHIR in the words of notes: LOINC's long names, UCUM's codes, SNOMED's tags.

Sources: LOINC's naming ("component [property] in system by method", Regenstrief Institute), UCUM's
case-sensitive codes (2.1, 2017), SNOMED CT's semantic tags.
"""

from __future__ import annotations

import re

# "Component [property] in System by method"; a few have no property.
_LONG_NAME = re.compile(
    r"(?P<component>.+?)(?:\s\[[^\]]*\](?:\sin\s(?P<system>.+?))?|\sin\s(?P<fluid>Arterial blood|Blood))(?:\sby\s.+)?\Z"
)
#: What is measured in these is said without them.
_BLOOD = frozenset(
    ["Blood", "Serum", "Plasma", "Serum or Plasma", "Serum, Plasma or Blood", "Venous blood",
     "Arterial blood", "Capillary blood", "Mixed venous blood", "Platelet poor plasma", "Red Blood Cells"]
)  # fmt: skip
_COMPONENTS = {
    "cholesterol in ldl": "LDL cholesterol",
    "cholesterol in hdl": "HDL cholesterol",
    "cholesterol non hdl": "Non-HDL cholesterol",
    "cholesterol": "Total cholesterol",
    "triglyceride": "Triglycerides",
    "hemoglobin a1c/hemoglobin.total": "HbA1c",
    "hemoglobin a1c": "HbA1c",
    "natriuretic peptide b": "BNP",
    "natriuretic peptide.b prohormone n-terminal": "NT-proBNP",
    "troponin i.cardiac": "Troponin I",
    "troponin t.cardiac": "Troponin T",
    "fibrin d-dimer feu": "D-dimer",
    "fibrin d-dimer ddu": "D-dimer",
    "thyrotropin": "TSH",
    "thyroxine (t4) free": "Free T4",
    "triiodothyronine (t3) free": "Free T3",
    "leukocytes": "WBC",
    "carbon dioxide": "pCO2",
    "left ventricular ejection fraction": "LVEF",
}
_TAG = re.compile(
    r"\s\((?:disorder|finding|situation|procedure|qualifier value|observable entity|substance|product|event"
    r"|medicinal product|clinical drug|morphologic abnormality|body structure|regime/therapy|person)\)\Z"
)

_UNITS = {
    "Cel": "°C",
    "[degF]": "°F",
    "mm[Hg]": "mmHg",
    "kg/m2": "kg/m2",
    "[lb_av]": "lb",
    "[in_i]": "in",
    "[in_us]": "in",
    "[pH]": "",
    "1": "",
    "10*9/L": "x 10^9/L",
    "10*3/uL": "K/uL",
    "10*12/L": "x 10^12/L",
    "10*6/uL": "M/uL",
}
_UCUM_PIECES = (
    (re.compile(r"\{[^}]*\}"), ""),
    (re.compile(r"\[[iI]U\]"), "IU"),
    (re.compile(r"\Am\[IU\]|\Amu\[IU\]"), "mIU"),
    (re.compile(r"\A/min\Z"), "/min"),
)


def short_name(name: str) -> str:
    """Return a name as notes have it: "LDL cholesterol" for "Cholesterol in LDL [Mass/volume] in Serum or
    Plasma", "Urine Glucose" for "Glucose [Mass/volume] in Urine".
    """
    name = _TAG.sub("", name.strip())
    long = _LONG_NAME.match(name)
    if long is None:
        return _COMPONENTS.get(name.lower(), name)
    component = _COMPONENTS.get(long["component"].lower(), long["component"])
    system = long["system"] or ""
    if not system or system in _BLOOD:
        return component
    return f"{system} {component}"


def plain_unit(unit: str) -> str:
    """Return a unit as notes have it: "mmHg" for "mm[Hg]"."""
    unit = unit.strip()
    if unit in _UNITS:
        return _UNITS[unit]
    for pattern, plain in _UCUM_PIECES:
        unit = pattern.sub(plain, unit)
    return unit.strip()
