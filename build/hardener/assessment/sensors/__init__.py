"""Sensors: each measures one thing, returns metrics and evidence, and never a light."""
