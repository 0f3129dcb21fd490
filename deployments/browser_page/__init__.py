"""A page that runs a model in the browser: a folder for any static web server."""
