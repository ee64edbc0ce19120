"""From a case to a chain: rank the diagnoses, write the steps, verify every quote."""
