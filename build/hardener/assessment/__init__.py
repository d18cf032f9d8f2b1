"""Assess a bundle, a server's files and an operator's declaration against criteria of regulators, as traffic lights.

Sensors measure and never judge; ``criteria/*.toml`` has the rules; ``judging`` combines both.
"""
