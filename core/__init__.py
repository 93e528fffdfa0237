"""The shared vocabulary: records, taxonomy, settings, time, errors, logs, metrics, probes.

Every other package may import `core`; `core` imports none of them and has no side effects on import.
"""
