"""Expressions of faces in pictures, by shipped weight bundles or stored models."""
