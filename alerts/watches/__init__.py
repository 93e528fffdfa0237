"""Incidents that are not a surge of one series: sources, dead letters, the whole platform, slow drifts."""
