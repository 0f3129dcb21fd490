"""The inference server: predictions over HTTP, and a page that shows them."""
