"""Look after a store: check and repair it, measure it, collect what nothing needs."""
