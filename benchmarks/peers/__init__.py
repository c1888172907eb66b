"""Baseload beside other gateways: the same engines, the same load, the same machine.

Each peer is installed into a virtual environment of its own, configured as well as it allows, and
talked to over HTTP only. Nothing of a peer is imported.
"""
