"""Calls on the nodes of a Ray cluster, with the progress and the errors of calls made here."""
