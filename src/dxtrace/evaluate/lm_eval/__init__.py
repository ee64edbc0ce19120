"""The label task for lm-evaluation-harness: ``dxtrace_diagnosis.yaml`` and the functions that it names."""
